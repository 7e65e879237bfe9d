"""Finds engines that already run on this machine, by what they answer and not by their port alone."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelshelf.errors import ModelshelfError
from modelshelf.providers.addresses import clean_url
from modelshelf.providers.fingerprints import MARKS, Look, Mark
from modelshelf.providers.http import Endpoint

OLLAMA = "http://127.0.0.1:11434"
PROBE_SECONDS = 1.5
PORTS = (
    11434,  # Ollama
    1234,  # LM Studio
    8080,  # llama.cpp, LocalAI, TGI
    9931,  # llama.cpp since August 2026
    8000,  # vLLM, older Lemonade
    1337,  # Jan
    13305,  # Lemonade
    30000,  # SGLang
    5000,  # Text generation web UI
    5001,  # KoboldCpp
    12434,  # Docker Model Runner
)
_OLLAMA_PORT = ":11434"


@dataclass(frozen=True, slots=True)
class Discovered:
    """An engine that answers: its kind, its address, the version that it tells, and what people call it."""

    kind: str
    url: str
    version: str = ""
    label: str = ""


def ollama_url(environ: Mapping[str, str]) -> str:
    """Where OLLAMA_HOST says that Ollama is, in all the forms it may have; its default if that makes no sense."""
    text = environ.get("OLLAMA_HOST", "").strip().rstrip("/")
    if not text:
        return OLLAMA
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    host, path = rest.partition("/")[::2]
    if host.startswith(":"):
        host = "127.0.0.1" + host
    if not host.rpartition(":")[2].isdigit() or host.endswith("]"):
        host += _OLLAMA_PORT if scheme == "http" else ":443"
    # A server listens on 0.0.0.0; a client finds it on loopback.
    host = host.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
    try:
        return clean_url(f"{scheme}://{host}" + (f"/{path}" if path else ""), plain_http=True)
    except ModelshelfError:
        return OLLAMA


async def find_ollama(url: str, *, seconds: float = PROBE_SECONDS) -> Discovered | None:
    """The Ollama at this address, if there is one."""
    return await _probe(url, seconds, MARKS[:1])


async def find_engines(
    *, ports: Sequence[int] = PORTS, urls: Sequence[str] = (), seconds: float = PROBE_SECONDS
) -> tuple[Discovered, ...]:
    """What answers at these ports of this machine, and at these addresses, which come first.

    All are asked at the same time and have `seconds` each: one that answers garbage, endlessly or never costs the
    others nothing. An engine that wants a key is found where it shows what it is without one.
    """
    addresses = dict.fromkeys([*urls, *(f"http://127.0.0.1:{port}" for port in ports)])
    async with asyncio.TaskGroup() as probes:
        asked = [probes.create_task(_probe(url, seconds, MARKS)) for url in addresses]
    return tuple(found for task in asked if (found := task.result()))


async def _probe(url: str, seconds: float, marks: Sequence[Mark]) -> Discovered | None:
    # Its own limit lies later: two that end at the same moment take each other for their own.
    endpoint = Endpoint("The engine", url, seconds=2 * seconds)
    look = Look(endpoint)
    try:
        async with asyncio.timeout(seconds):
            for mark in marks:
                if (version := await mark.tells(look)) is not None:
                    return Discovered(mark.kind, url + mark.path, version[:100], mark.label)
    except TimeoutError:
        return None
    finally:
        await endpoint.aclose()
    return None
