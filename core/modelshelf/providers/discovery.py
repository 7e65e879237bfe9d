"""Finds engines that already run on this machine, by what they answer and not by their port alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from modelshelf.errors import ModelshelfError
from modelshelf.providers.addresses import clean_url
from modelshelf.providers.http import Endpoint

OLLAMA = "http://127.0.0.1:11434"
PROBE_SECONDS = 1.5
_OLLAMA_PORT = ":11434"


@dataclass(frozen=True, slots=True)
class Discovered:
    """An engine that answers: its kind, its address and the version that it tells."""

    kind: str
    url: str
    version: str = ""


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


async def find_ollama(url: str) -> Discovered | None:
    """The Ollama at this address, if there is one."""
    endpoint = Endpoint("Ollama", url, seconds=PROBE_SECONDS)
    try:
        banner = await endpoint.text("GET", "", limit=1 << 16)
        found = await endpoint.json("GET", "api/version", limit=1 << 16)
    except ModelshelfError:
        return None
    finally:
        await endpoint.aclose()
    version = found.get("version") if isinstance(found, dict) else None
    if b"Ollama is running" not in banner or not isinstance(version, str):
        return None
    return Discovered("ollama", url, version[:100])
