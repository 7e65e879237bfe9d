"""Headers of files elsewhere, by ranges: 64 KiB first, then what is missing in one more, doubled if that was short."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from modelshelf.catalog.types import Location
from modelshelf.errors import FormatError, Unreachable
from modelshelf.metadata import gguf, onnx, safetensors
from modelshelf.metadata.gguf import GgufHeader
from modelshelf.metadata.onnx import OnnxModel
from modelshelf.metadata.safetensors import SafetensorsHeader
from modelshelf.metadata.source import ShortError, WindowSource
from modelshelf.network import Network

FIRST = 65_536
MOST = 16 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a file from the place asked for. `total` is the file's size, if that is said.

    `fetched` is what came over the network for them: more than their number where the server sends no parts.
    """

    data: bytes
    total: int | None
    etag: str | None
    fetched: int


Fetch = Callable[[int, int], Awaitable[Piece]]


class RemoteFile:
    """A file elsewhere, of which the first bytes are here; `fetch(start, length)` brings more.

    `fetched` counts what came for it over the network, which stays below 16 MiB.
    """

    def __init__(self, name: str, size: int, fetch: Fetch) -> None:
        self.name = name
        self.size = size
        self.data = b""
        self.fetched = 0
        self._fetch = fetch
        self._etag: str | None = None

    @property
    def window(self) -> WindowSource:
        """What is here, for the header readers."""
        return WindowSource(self.data, self.size, self.name)

    @property
    def room(self) -> int:
        """To what length the bytes here may grow: a server that sends no parts has to be asked for all of them anew."""
        again = self.fetched > len(self.data)
        return max(MOST - self.fetched if again else MOST, len(self.data))

    async def grow(self, length: int) -> None:
        """Have at least the first `length` bytes here, or all there are.

        Raises:
            Unreachable: the server sends something else or not enough, or the file changed between two requests.
            FormatError: more than 16 MiB would have to be fetched.
        """
        length = min(length, self.size)
        if length <= len(self.data):
            return
        if length > self.room:
            raise FormatError(f"{self.name}: the header takes more than {MOST:,} bytes.", field="header")
        wanted = length - len(self.data)
        piece = await self._fetch(len(self.data), wanted)
        self.fetched += piece.fetched
        changed = self._etag and piece.etag and piece.etag != self._etag
        if changed or (piece.total is not None and piece.total != self.size):
            raise Unreachable(f"{self.name} is not the file that was listed: it changed while its header was read.")
        if len(piece.data) < wanted:
            raise Unreachable(f"{self.name}: the source sent {len(piece.data):,} of the {wanted:,} bytes asked for.")
        self._etag = self._etag or piece.etag
        self.data += piece.data[:wanted]


def ranges(network: Network, location: Location) -> Fetch:
    """Reads parts of the file at a location; what a server that sends no parts sends before them is thrown away."""

    async def fetch(start: int, length: int) -> Piece:
        data, fetched = bytearray(), 0
        async with network.open(location, start, start + length) as answer:
            skip = start - answer.start
            async with aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    fetched += len(chunk)
                    data += chunk[skip:]
                    skip = max(skip - len(chunk), 0)
                    if len(data) >= length:
                        break
            del data[length:]
            return Piece(bytes(data), answer.total, answer.etag, fetched)

    return fetch


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
        aim = min(file.room, max(header.wanted, 2 * len(file.data)))
        if header.complete or not (exact or _lacks_keys(header)) or aim <= len(file.data):
            return header
        await file.grow(aim)


async def safetensors_header(file: RemoteFile) -> SafetensorsHeader:
    """Read a safetensors header.

    Raises:
        FormatError: the bytes are no such header, or it is longer than 16 MiB.
        Unreachable: they cannot be had.
    """
    await file.grow(FIRST)
    await file.grow(safetensors.header_length(file.window))
    return await asyncio.to_thread(safetensors.read_header, file.window)


async def onnx_model(file: RemoteFile, *, exact: bool) -> OnnxModel:
    """Read an ONNX model as far as its first bytes go; with `exact` to the end of its graph, if that is near.

    It is not where the initialisers lie in the graph itself.

    Raises:
        FormatError: the bytes are no ONNX model.
        Unreachable: they cannot be had.
    """
    await file.grow(FIRST)
    while exact:
        try:
            return await asyncio.to_thread(onnx.read_model, file.window)
        except ShortError as error:
            if error.offset > file.room:
                break
            await file.grow(min(file.room, max(error.offset + FIRST, 2 * len(file.data))))
    return await asyncio.to_thread(onnx.read_model, file.window, partial=True)


def _lacks_keys(header: GgufHeader) -> bool:
    if header.metadata.get("general.type") in {"adapter", "mmproj"} or "adapter.type" in header.metadata:
        return False
    return f"{header.metadata.get('general.architecture')}.block_count" not in header.metadata
