"""Shapes of well-known models: keys and tensors without data, written as sparse GGUF files or handed over as facts."""

from tests.shapes.gguf import write
from tests.shapes.models import SHAPES
from tests.shapes.shape import Shape, facts

__all__ = ["SHAPES", "Shape", "facts", "write"]
