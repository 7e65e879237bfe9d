"""Secrets: a type that does not leak, and the place where they are kept encrypted."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelshelf.vault.secret import Secret

if TYPE_CHECKING:
    from modelshelf.vault.service import Vault
    from modelshelf.vault.types import Rotation, SecretInfo, VaultStatus

__all__ = ["Rotation", "Secret", "SecretInfo", "Vault", "VaultStatus"]

_LAZY = {
    "Rotation": "modelshelf.vault.types",
    "SecretInfo": "modelshelf.vault.types",
    "Vault": "modelshelf.vault.service",
    "VaultStatus": "modelshelf.vault.types",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the command line keeps its log clean long before it needs a database.
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
