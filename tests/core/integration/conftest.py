"""A shelf that neither watches providers nor downloads: what is at odds with itself is made on its disk."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelshelf.config import ConfigManager
from tests.conftest import LoopRunner
from tests.shapes.gguf import write
from tests.shapes.models import SHAPES

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

QUIET = frozenset({"health", "downloads", "catalog sync", "state", "bundles"})


@pytest.fixture
def quiet(loop: LoopRunner, config: ConfigManager) -> "Shelf":
    """The shelf, open."""
    from modelshelf.shelf import open_shelf

    config.paths.cache.mkdir(parents=True)
    return loop.enter(open_shelf(config=config, without=QUIET))


@pytest.fixture(scope="session")
def small_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a model that was made for 4,096 tokens: its header is real, its weights are holes."""
    file = tmp_path_factory.mktemp("shapes") / "llama2-Q4_0.gguf"
    write(SHAPES["llama2_7b"], file, "Q4_0")
    return file
