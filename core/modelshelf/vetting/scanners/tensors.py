"""Safetensors: a header that keeps every rule, and tensors that fill the file exactly."""

from collections.abc import Iterator

from modelshelf.metadata import safetensors
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding


class SafetensorsScanner:
    """Safetensors files."""

    formats = frozenset({"safetensors"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Read the header strictly; every departure raises."""
        header = safetensors.read_header(content)
        for tensor in header.tensors:
            if "\0" in tensor.name or len(tensor.name) > 512:
                yield Finding(
                    "SAFETENSORS_NAME", f"{content.name}: {tensor.name[:80]!r}", "A name that no writer makes."
                )
