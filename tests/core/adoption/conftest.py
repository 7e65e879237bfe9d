import os
from pathlib import Path

import pytest

from modelshelf.adoption.around import Around
from modelshelf.adoption.survey import survey
from modelshelf.adoption.types import StoredModel, Survey


class Machine:
    """A home with stores of other programs in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {"HOME": str(home), "OLLAMA_MODELS": str(home / "ollama")}
        self.folders: tuple[str, ...] = ()

    def look(self) -> Survey:
        return survey(Around(self.environ, self.folders, self.home / "library", "linux"))

    def models(self) -> dict[str, StoredModel]:
        return {model.id: model for model in self.look().models}

    def problem(self) -> str:
        """What is wrong with the only store."""
        (store,) = self.look().stores
        return store.problem


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def unreadable(tmp_path: Path) -> Path:
    """A folder that cannot be read; skipped for who may read everything."""
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    return tmp_path
