"""Vaults on the home of the test: as many as a test wants processes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modelshelf.access import AccessService
from modelshelf.config import ConfigManager
from modelshelf.store import Store
from modelshelf.vault import Vault

Open = Callable[..., Vault]


@pytest.fixture
def open_vault(config: ConfigManager, store: Store, access: AccessService) -> Open:
    """A vault that knows nothing but what is on the disk, as another process would have it."""

    def opened(settings: ConfigManager | None = None) -> Vault:
        return Vault(settings or ConfigManager(config.home, config.environ), store, access)

    return opened


@pytest.fixture
def vault(config: ConfigManager, store: Store, access: AccessService) -> Vault:
    """A vault."""
    return Vault(config, store, access)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Where the vault keeps its own master keys: with the settings of the account, outside the home."""
    return tmp_path / ".config" / "modelshelf-keys"
