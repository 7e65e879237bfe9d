"""Which addresses may be connected to. What was checked is what is connected to: the check sits in the resolver."""

import asyncio
import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from modelshelf.errors import UnsafeAddress

HTTPS = 443
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_global(address: str) -> bool:
    """Whether an IP address is public, also when an IPv4 address is wrapped in an IPv6 one. False for a name."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if found.is_multicast or not found.is_global:
        return False
    return all(inner.is_global and not inner.is_multicast for inner in _embedded(found))


def _embedded(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [inner for inner in found if inner is not None]


def is_loopback(host: str) -> bool:
    """Whether a host names this machine."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def check_https(url: URL) -> None:
    """Raises UnsafeAddress unless the URL is https with a host and without a name and password in it."""
    if url.scheme != "https" or not url.host:
        raise UnsafeAddress(f"{without_secrets(url)} is not an https address; it was not asked.")
    if url.user or url.password:
        raise UnsafeAddress(f"An address on {url.host} carries a name or password in itself; it was not asked.")


def check_literal(url: URL) -> None:
    """Raises UnsafeAddress if the host is written as an address that is not public, or names this machine."""
    host = url.host or ""
    literal = host.replace(".", "").isdigit() or ":" in host
    if is_loopback(host) or (literal and not is_global(host)):
        raise UnsafeAddress(
            f"A redirect leads to {host}, which is not a public address; it was not followed.",
            remedy=_declare(host, url.port),
        )


def without_secrets(url: URL) -> str:
    """The URL without query and user: signed addresses hold secrets there."""
    return str(url.with_query(None).with_fragment(None).with_user(None)) if url.host else str(url.with_query(None))


def origin_of(address: str) -> str:
    """The origin in an address as a person writes it: a slash at its end does not matter, nor does the usual port."""
    try:
        return str(URL(address).origin())
    except ValueError:
        return address


def _declare(host: str, port: int | None) -> str:
    origin = URL.build(scheme="https", host=host, port=None if port == HTTPS else port)
    return (
        f"If the source keeps its files there, add {origin} to the `hosts` of that source in the settings; "
        "if you do not know the address, leave it."
    )


class Resolver(AbstractResolver):
    """Looks names up, within a time, and where `public` keeps global addresses only."""

    def __init__(self, *, public: bool, seconds: float) -> None:
        self._inner = ThreadedResolver()
        self._public = public
        self._seconds = seconds

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses to connect to.

        Raises:
            UnsafeAddress: the name has no global address where it must have one.
            OSError: the name is not known, or the look-up takes too long.
        """
        async with asyncio.timeout(self._seconds):
            found = await self._inner.resolve(host, port, family)
        if not self._public:
            return found
        allowed = [address for address in found if is_global(address["host"])]
        if not allowed:
            raise UnsafeAddress(
                f"A redirect leads to {host}, which has no public address; it was not followed.",
                remedy=_declare(host, port),
            )
        return allowed

    async def close(self) -> None:
        """Nothing is held."""
        await self._inner.close()
