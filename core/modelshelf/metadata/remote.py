"""Headers of files elsewhere, by ranges: 64 KiB first, then what is missing in one more, doubled if that was short."""

import asyncio
from collections.abc import Awaitable, Callable

from modelshelf.errors import FormatError, Unreachable
from modelshelf.metadata import gguf, safetensors
from modelshelf.metadata.gguf import GgufHeader
from modelshelf.metadata.safetensors import SafetensorsHeader
from modelshelf.metadata.source import WindowSource
from modelshelf.network import RangeAnswer

FIRST = 65_536
MOST = 16 << 20


Fetch = Callable[[int, int], Awaitable[RangeAnswer]]


class RemoteFile:
    """A file elsewhere, of which the first bytes are here; `fetch(start, length)` brings more."""

    def __init__(self, name: str, size: int, fetch: Fetch) -> None:
        self.name = name
        self.size = size
        self.data = b""
        self._fetch = fetch
        self._etag: str | None = None

    @property
    def window(self) -> WindowSource:
        """What is here, for the header readers."""
        return WindowSource(self.data, self.size, self.name)

    async def grow(self, length: int) -> None:
        """Have at least the first `length` bytes here, or all there are.

        Raises:
            Unreachable: the server sends nothing more, or the file changed between two requests.
            FormatError: more than 16 MiB would be needed.
        """
        length = min(length, self.size)
        if length > MOST:
            raise FormatError(f"{self.name}: the header takes more than {MOST:,} bytes.", field="header")
        if length <= len(self.data):
            return
        answer = await self._fetch(len(self.data), length - len(self.data))
        changed = self._etag and answer.etag and answer.etag != self._etag
        if changed or (answer.total is not None and answer.total != self.size):
            raise Unreachable(f"{self.name} is not the file that was listed: it changed while its header was read.")
        if not answer.data:
            raise Unreachable(f"{self.name}: the source sent none of the bytes asked for.")
        self._etag = self._etag or answer.etag
        self.data += answer.data[: length - len(self.data)]


async def gguf_header(file: RemoteFile, *, exact: bool) -> GgufHeader:
    """Read a GGUF header; without `exact` the first 64 KiB are enough if they hold the architecture's keys.

    A header beyond 16 MiB is returned as far as it was read.

    Raises:
        FormatError: the bytes are no GGUF header.
        Unreachable: they cannot be had.
    """
    await file.grow(FIRST)
    while True:
        header = await asyncio.to_thread(gguf.read_header, file.window, partial=True)
        if header.complete or not (exact or _lacks_keys(header)) or len(file.data) >= MOST:
            return header
        await file.grow(min(MOST, max(header.wanted, 2 * len(file.data))))


async def safetensors_header(file: RemoteFile) -> SafetensorsHeader:
    """Read a safetensors header.

    Raises:
        FormatError: the bytes are no such header, or it is longer than 16 MiB.
        Unreachable: they cannot be had.
    """
    await file.grow(FIRST)
    await file.grow(safetensors.header_length(file.window))
    return await asyncio.to_thread(safetensors.read_header, file.window)


def _lacks_keys(header: GgufHeader) -> bool:
    return f"{header.metadata.get('general.architecture')}.block_count" not in header.metadata
