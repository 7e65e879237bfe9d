"""One shelf for every language model: find it, judge it, fetch it, prove it, run it.

async with modelshelf.open_shelf() as shelf:
    (await shelf.catalog.search("tiny")).head()
    job = await shelf.downloads.start("samples/tiny-llama-GGUF")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["ModelId", "ModelshelfError", "Shelf", "__version__", "open_shelf"]

_LAZY = {
    "ModelId": "modelshelf.ids",
    "ModelshelfError": "modelshelf.errors",
    "Shelf": "modelshelf.shelf",
    "open_shelf": "modelshelf.shelf",
}

if TYPE_CHECKING:
    from modelshelf.errors import ModelshelfError
    from modelshelf.ids import ModelId
    from modelshelf.shelf import Shelf, open_shelf


def __getattr__(name: str) -> Any:
    # Loaded on first use: `modelshelf --help` must not wait for pandas and SQLAlchemy.
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
