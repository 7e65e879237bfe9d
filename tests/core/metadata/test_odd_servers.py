"""Servers that send something else than was asked for: one clear sentence, and never more than 16 MiB."""

import asyncio
import re
import resource
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

import pytest
from aiohttp import web

from modelshelf.errors import FormatError, ModelshelfError, Unreachable
from modelshelf.metadata import MetadataService, remote
from modelshelf.metadata.remote import Piece, RemoteFile
from tests.core.metadata.conftest import Handler
from tests.core.vetting import ggufs

Odd = Callable[[Handler, str, int], AbstractAsyncContextManager[MetadataService]]

LONG = ggufs.build([*ggufs.KEYS, ("a.b", ggufs.ARRAY, (ggufs.STRING, ["word" * 4] * 20_000)), ("a.c", ggufs.U32, 1)])
PAGE = b"<!DOCTYPE html><html><body>Please log in.</body></html>"


def span(request: web.Request) -> tuple[int, int]:
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["Range"])
    assert match is not None
    return int(match[1]), int(match[2]) + 1


def part(start: int, data: bytes, total: int, etag: str = '"a"') -> web.Response:
    where = f"bytes {start}-{start + len(data) - 1}/{total}"
    return web.Response(status=206, body=data, headers={"Content-Range": where, "ETag": etag})


async def whole(request: web.Request) -> web.StreamResponse:
    return web.Response(body=LONG, headers={"ETag": '"a"'})


async def changes(request: web.Request) -> web.StreamResponse:
    start, end = span(request)
    return part(start, LONG[start:end], len(LONG), f'"{start}"')


async def grows(request: web.Request) -> web.StreamResponse:
    start, end = span(request)
    return part(start, LONG[start:end], len(LONG) + 5)


async def short(request: web.Request) -> web.StreamResponse:
    start, _ = span(request)
    return part(start, LONG[start : start + 1000], len(LONG))


async def moved(request: web.Request) -> web.StreamResponse:
    start, end = span(request)
    return part(start + 1, LONG[start + 1 : end + 1], len(LONG))


async def unsaid(request: web.Request) -> web.StreamResponse:
    return web.Response(status=206, body=LONG[:65_536])


async def page(request: web.Request) -> web.StreamResponse:
    return web.Response(body=PAGE, content_type="text/html")


async def chunked_page(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/html"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(PAGE + bytes(100_000))
    return response


async def later_a_page(request: web.Request) -> web.StreamResponse:
    start, end = span(request)
    return part(start, LONG[start:end] if not start else (PAGE * 10_000)[: end - start], len(LONG))


async def zipped(request: web.Request) -> web.StreamResponse:
    start, end = span(request)
    answer = part(start, LONG[start:end], len(LONG))
    answer.headers["Content-Encoding"] = "gzip"
    return answer


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (changes, r"m\.gguf is not the file that was listed"),
        (grows, r"m\.gguf is not the file that was listed"),
        (short, r"m\.gguf: the source sent 1,000 of the 65,536 bytes"),
        (moved, "sent other bytes of the file than asked for"),
        (unsaid, "206 without a usable Content-Range"),
        (page, r"m\.gguf is not the file that was listed"),
        (chunked_page, r"m\.gguf is neither GGUF"),
        (later_a_page, r"m\.gguf: .*“a\.b” holds a string of more than"),
        (zipped, "in another encoding than asked for"),
    ],
)
async def test_what_else_comes_is_one_sentence(odd: Odd, handler: Handler, said: str) -> None:
    async with odd(handler, "m.gguf", len(LONG)) as metadata:
        with pytest.raises(ModelshelfError, match=said) as caught:
            await metadata.facts("org/m")
        assert isinstance(caught.value, FormatError | Unreachable)
        assert caught.value.remedy


async def test_a_server_without_ranges_is_read_from_the_start_each_time(odd: Odd) -> None:
    async with odd(whole, "m.gguf", len(LONG)) as metadata:
        facts = await metadata.facts("org/m")
        assert (facts.tier, facts.layers) == (2, 2)


async def test_a_stream_without_end_is_left(odd: Odd) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        with suppress(ConnectionError, asyncio.CancelledError):
            await response.write(LONG[:1000])
            while True:
                await response.write(b"\xff" * 65_536)
                sent += 65_536
        return response

    async with odd(endless, "m.gguf", 1 << 40) as metadata:
        with pytest.raises(FormatError, match=r"m\.gguf"):
            await metadata.facts("org/m")
    assert sent < remote.MOST


def announced(words: int) -> bytes:
    """The beginning of a header that goes on for longer than any."""
    cut = ggufs.with_key(("a.b", ggufs.ARRAY, (ggufs.STRING, ["w" * 500] * 200)))
    return cut.replace(
        (200).to_bytes(8, "little") + (500).to_bytes(8, "little"),
        words.to_bytes(8, "little") + (500).to_bytes(8, "little"),
        1,
    )


@pytest.mark.parametrize("ignores", [False, True])
async def test_a_header_without_end_costs_no_more_than_16_mib_and_64_mib_of_memory(odd: Odd, ignores: bool) -> None:
    head = announced(15_000_000)
    word = (500).to_bytes(8, "little") + b"w" * 500
    endless = head[: head.index(word)] + word * 80_000  # 40 MB
    asked = 0

    async def serve(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        start, end = span(request)
        asked += end if ignores else end - start
        if ignores:
            response = web.StreamResponse()
            response.content_length = len(endless)
            await response.prepare(request)
            with suppress(ConnectionError):
                await response.write(endless)
            return response
        return part(start, endless[start:end], len(endless))

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with odd(serve, "m.gguf", len(endless)) as metadata:
        facts = await metadata.facts("org/m")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert (facts.tier, facts.layers, facts.tensors) == (1, 2, ())
    assert asked <= remote.MOST
    assert grown < (64 << 20) + (len(endless) if ignores else 0)  # the server is in this process too


@pytest.mark.parametrize("length", [16_777_217, 16_777_216, (1 << 63) - 1, 0])
async def test_a_safetensors_header_that_lies_about_its_length_is_refused_at_once(odd: Odd, length: int) -> None:
    data = length.to_bytes(8, "little") + b'{"a": ' + b" " * 100_000
    asked = []

    async def serve(request: web.Request) -> web.StreamResponse:
        asked.append(span(request))
        start, end = span(request)
        return part(start, data[start:end].ljust(end - start), 1 << 30)

    async with odd(serve, "m.safetensors", 1 << 30) as metadata:
        with pytest.raises(FormatError, match=r"m\.safetensors"):
            await metadata.facts("org/m")
    assert asked == [(0, 65_536)]


async def test_what_is_thrown_away_counts_too() -> None:
    async def fetch(start: int, length: int) -> Piece:
        return Piece(bytes(length), None, None, start + length)

    file = RemoteFile("m.gguf", 1 << 30, fetch)
    await file.grow(1 << 20)
    await file.grow(5 << 20)
    assert (file.fetched, file.room) == (6 << 20, 10 << 20)
    with pytest.raises(FormatError, match=r"m\.gguf: the header takes more than 16,777,216 bytes"):
        await file.grow(11 << 20)
    await file.grow(10 << 20)
    assert file.fetched == remote.MOST
