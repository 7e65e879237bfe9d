"""What kind of weights a file holds, by its first bytes and never by its name."""

from modelshelf.errors import FormatError
from modelshelf.metadata import onnx

START = 16  # bytes that tell
MOST_CLAIMED = 1 << 32  # by a length that is merely wrong


def kind_of(start: bytes, name: str) -> str:
    """gguf, safetensors or onnx.

    Raises:
        FormatError: none of them.
    """
    if (kind := known_kind(start)) is None:
        raise FormatError(
            f"{name} is neither GGUF nor safetensors nor ONNX: nothing can be read from it without running it.",
            field="magic",
        )
    return kind


def known_kind(start: bytes) -> str | None:
    """As `kind_of`; None for anything else."""
    if start[:4] == b"GGUF":
        return "gguf"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= MOST_CLAIMED:
        return "safetensors"
    if onnx.looks_like(start):
        return "onnx"
    return None
