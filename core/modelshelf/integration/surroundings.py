"""What can be wrong around Modelshelf: packages, ports, the clock, proxy and certificates, processes left behind."""

import asyncio
import errno
import platform
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import TYPE_CHECKING

import aiohttp
import psutil
from yarl import URL

from modelshelf import __version__
from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError
from modelshelf.integration.check import NOTE, WELL, WRONG, Check
from modelshelf.network.client import tls_context

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PACKAGE = "modelshelf"
SKEW = timedelta(minutes=5)
SECONDS = 4.0
PORT = "port"
_CHILDREN = ("providers/engine/child.py", "modelshelf.vetting.child")
_HUB = "https://huggingface.co"


async def around(config: ConfigManager) -> list[Check]:
    """Everything around."""
    here = await asyncio.to_thread(lambda: [python(), packages(), *_ports(config), processes()])
    if any(check.name == PORT and check.status == NOTE for check in here) and await _ours(config):
        told = f"Modelshelf serves its page at {config.config.server.host}:{config.config.server.port}"
        here = [Check(PORT, WELL, told) if check.name == PORT else check for check in here]
    certificates = await asyncio.to_thread(_certificates, config)
    return [*here, certificates, *[check async for check in _network(config)]]


def python() -> Check:
    """Which Python this is."""
    return Check("python", WELL, f"{platform.python_version()} on {platform.system()}, Modelshelf {__version__}")


def packages() -> Check:
    """Whether every package that is needed is there in a version that will do."""
    from packaging.requirements import Requirement  # only the doctor reads them

    try:
        needed = [Requirement(text) for text in metadata.requires(PACKAGE) or ()]
    except metadata.PackageNotFoundError:
        return Check("packages", NOTE, "Modelshelf runs from its source, so that what it needs is not known.")
    wrong = [told for one in needed if one.marker is None or one.marker.evaluate() for told in _unmet(one)]
    if wrong:
        return Check("packages", WRONG, "; ".join(wrong[:5]) + ".", "Install anew: pip install --upgrade modelshelf")
    return Check("packages", WELL, f"{len(needed)} are there as needed")


def _unmet(needed: "Requirement") -> Iterator[str]:
    try:
        found = metadata.version(needed.name)
    except metadata.PackageNotFoundError:
        yield f"{needed.name} is not installed"
        return
    if not needed.specifier.contains(found, prereleases=True):
        yield f"{needed.name} is {found}, needed is {needed.specifier}"


def _ports(config: ConfigManager) -> Iterator[Check]:
    try:
        _bind("127.0.0.1", 0)
    except OSError as error:
        yield Check(
            "loopback",
            WRONG,
            f"No port of 127.0.0.1 can be opened: {error.strerror}.",
            "The engine and the sample hub need one: let Python open ports, or end what uses them up.",
        )
    server = config.config.server
    try:
        _bind(server.host, server.port)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "is in use by another program" if taken else f"cannot be opened ({error.strerror})"
        yield Check(
            PORT,
            NOTE,
            f"{server.host}:{server.port} {why}.",
            "Choose another with `serve --port`, or end that program.",
        )
    else:
        yield Check(PORT, WELL, f"{server.host}:{server.port} is free for the page")


async def _ours(config: ConfigManager) -> bool:
    """Whether it is Modelshelf that listens at the page's port."""
    server = config.config.server
    limits = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=limits, trust_env=False) as session:
            address = URL.build(scheme="http", host=server.host, port=server.port, path="/api/health")
            async with session.get(address, allow_redirects=False) as response:
                return (await response.content.read(100)).startswith(b'{"status":"ok"')
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
        return False


def _bind(host: str, port: int) -> None:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(found[0], socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(found[4])


def processes() -> Check:
    """Children of Modelshelf whose parent is gone."""
    left = []
    for process in psutil.process_iter(["pid", "ppid", "cmdline"]):
        with suppress(psutil.Error):
            if any(name in _command(process) for name in _CHILDREN) and process.info["ppid"] in (0, 1):
                parent = process.parent()  # in a container Modelshelf may be the first process itself
                if parent is None or PACKAGE not in " ".join(parent.cmdline()):
                    left.append(process.info["pid"])
    if not left:
        return Check("processes", WELL, "no engine or scanner was left behind")
    shown = " ".join(map(str, left[:5]))
    return Check("processes", NOTE, f"{len(left)} were left behind by a program that ended.", f"End them: kill {shown}")


def _command(process: psutil.Process) -> str:
    return " ".join(process.info["cmdline"] or ())


def _certificates(config: ConfigManager) -> Check:
    try:
        tls_context(config.config.network.ca_file, config.environ)
    except ModelshelfError as error:
        return Check("certificates", WRONG, error.message, error.remedy)
    own = config.config.network.ca_file or config.environ.get("SSL_CERT_FILE")
    return Check("certificates", WELL, f"the system's, and {own}" if own else "the system's")


async def _network(config: ConfigManager) -> AsyncIterator[Check]:
    network = config.config.network
    if network.offline:
        yield Check("network", NOTE, "The settings say to stay offline.", "Set network.offline to false to use it.")
        return
    if network.proxy:
        yield await _proxy(network.proxy)
    address = next(
        (item.url or config.environ.get("HF_ENDPOINT") or _HUB for item in config.config.sources
         if item.enabled and item.kind == "huggingface"), "",
    )  # fmt: skip
    if address and (said := await _date(config, address)):
        yield clock(said, datetime.now(UTC))


async def _proxy(address: str) -> Check:
    try:
        url = URL(address)
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(url.host, url.port)
        writer.close()
    except (OSError, ValueError, TimeoutError):
        return Check("proxy", WRONG, "The proxy does not answer.", "Correct network.proxy, or start it.")
    return Check("proxy", WELL, f"{url.host} answers")


async def _date(config: ConfigManager, address: str) -> str:
    """What time a source says it is; empty if it does not answer: that is told with the sources."""
    limits = aiohttp.ClientTimeout(total=SECONDS)
    try:
        context = await asyncio.to_thread(tls_context, config.config.network.ca_file, config.environ)
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(connector=connector, timeout=limits, trust_env=False) as session:
            proxy = config.config.network.proxy or None
            async with session.head(address, allow_redirects=False, proxy=proxy) as response:
                return response.headers.get("Date", "")
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
        return ""


def clock(said: str, now: datetime) -> Check:
    """This machine's clock beside what a source says in its Date header."""
    try:
        skew = now - parsedate_to_datetime(said)
    except (ValueError, TypeError):
        return Check("clock", WELL, "not compared: the source names no time")
    if abs(skew) <= SKEW:
        return Check("clock", WELL, "agrees with the source's")
    way = "ahead of" if skew > timedelta(0) else "behind"
    return Check(
        "clock",
        WRONG,
        f"This machine's clock is {abs(skew).total_seconds() / 60:,.0f} minutes {way} the source's.",
        "Set it right: certificates, signed addresses and logins go by it.",
    )
