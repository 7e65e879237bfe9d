"""Where this home is being served, and a new link for its owner."""

import asyncio
import json
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from modelshelf.access import AccessService
from modelshelf.config import ConfigManager
from modelshelf.errors import NotFound
from modelshelf.store import Store


def note(home: Path, url: str, address: tuple[str, int]) -> None:
    """Remember for other processes where the server of this home is."""
    file = _file(home)
    file.write_text(json.dumps({"url": url, "host": address[0], "port": address[1], "process": os.getpid()}), "utf-8")
    file.chmod(0o600)


def forget(home: Path) -> None:
    """The server of this process has ended."""
    if _noted(home).get("process") == os.getpid():
        _file(home).unlink(missing_ok=True)


def serving(home: Path) -> str | None:
    """The address at which this home is being served now, if it is."""
    noted = _noted(home)
    try:
        with socket.create_connection((str(noted["host"]), int(str(noted["port"]))), timeout=2):
            return str(noted["url"])
    except (KeyError, ValueError, OSError):
        return None


def new_link(config: ConfigManager) -> str:
    """Another one-time link to the server that runs on this home.

    Raises:
        NotFound: no server runs.
        StoreError: the database cannot be used.
    """
    url = serving(config.home)
    if url is None:
        raise NotFound("No server runs on this data folder.", remedy="Start one with `modelshelf serve`.")
    return f"{url}/login#{asyncio.run(_secret(config))}"


async def _secret(config: ConfigManager) -> str:
    store = Store.at(config.paths.database)
    await store.start()
    try:
        return await AccessService(store).owner_link()
    finally:
        await store.stop()


def _file(home: Path) -> Path:
    return home / "served.json"


def _noted(home: Path) -> dict[str, object]:
    try:
        noted = json.loads(_file(home).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) and urlsplit(str(noted.get("url"))).scheme in ("http", "https") else {}
