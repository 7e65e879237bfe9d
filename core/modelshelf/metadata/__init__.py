"""What a model is: headers of GGUF and safetensors files, and configurations, read into `ModelFacts`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelshelf.metadata.facts import ModelFacts, TensorInfo

__all__ = ["MetadataService", "ModelFacts", "TensorInfo"]

if TYPE_CHECKING:
    from modelshelf.metadata.service import MetadataService


def __getattr__(name: str) -> Any:
    # Loaded on first use: reading a header on disk must not wait for the network's modules.
    if name == "MetadataService":
        return import_module("modelshelf.metadata.service").MetadataService
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
