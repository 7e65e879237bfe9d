"""Which addresses a provider may have: the origin a person named, private ones included, never a metadata service."""

import ipaddress
import re
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from modelshelf.errors import UnsafeAddress, UsageError
from modelshelf.network.addresses import is_loopback

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Not a number alone: some resolvers read one as an address that was never checked.
_HOST = re.compile(r"^(?!\d+$)[A-Za-z0-9._:%-]+$")
_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata.goog", "instance-data"})
_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PLAIN = re.compile(r"^\S+$")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def clean_url(text: str, *, plain_http: bool = False) -> str:
    """A provider's base address in its usual form: no slash at the end, the path kept.

    `plain_http` allows http beyond this machine.

    Raises:
        UsageError: it is no address, or carries a name, a password, a query or a fragment.
        UnsafeAddress: plain http to another machine, or an address that is never a provider's.
    """
    text = text.strip()
    if not _SCHEME.match(text) and "@" in text:
        raise UsageError(
            "The address carries a name or a password.", remedy="Leave them out; keys have their own place."
        )
    if not _SCHEME.match(text):
        raise UsageError(
            f"“{text[:100]}” has no http:// or https:// at its start.", remedy=f"Write http://{text[:100]}"
        )
    try:
        url = URL(text)
        host, _ = url.raw_host, url.port
    except ValueError:
        host = None
    if not host or not _HOST.match(host) or url.scheme not in ("http", "https") or not _PLAIN.match(text):
        raise UsageError("That is not the address of a provider.", remedy="Write it like http://127.0.0.1:11434")
    if url.user is not None or url.password is not None:
        raise UsageError(
            "The address carries a name or a password.", remedy="Leave them out; keys have their own place."
        )
    if url.query_string or url.fragment:
        raise UsageError("The address goes on after “?” or “#”.", remedy="Give the base address only.")
    if not usable(host):
        raise UnsafeAddress(f"{host} is never the address of a provider.", remedy="Name the machine that serves it.")
    if url.scheme == "http" and not plain_http and not is_loopback(host):
        raise UnsafeAddress(
            f"{host} is another machine, and http is not encrypted.",
            remedy="Use https, or allow plain http for this provider if you trust the network between.",
        )
    return str(url).rstrip("/")


def usable(host: str) -> bool:
    """Whether an address may be a provider's: not link-local, metadata, multicast or unspecified.

    True for a name, save those of metadata services; what a name leads to is looked at when it is connected to.
    """
    try:
        found = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return host.rstrip(".").lower() not in _METADATA_NAMES
    inner = _inner(found)
    future = inner.version == 4 and inner.is_reserved
    never = inner.is_link_local or inner.is_multicast or inner.is_unspecified or future
    return not never and inner not in _METADATA


def _inner(found: Address) -> Address:
    """The IPv4 address within an IPv6 one: mapped, compatible, by 6to4 or by NAT64; else the address itself."""
    if isinstance(found, ipaddress.IPv4Address):
        return found
    if inner := found.ipv4_mapped or found.sixtofour:
        return inner
    low = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    compatible = int(found) >> 32 == 0 and int(found) > 1
    return low if compatible or found in _NAT64 else found


class ProviderResolver(AbstractResolver):
    """Looks a provider's name up and keeps what `usable` allows; what was checked is what is connected to."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses to connect to.

        Raises:
            UnsafeAddress: the name leads only to addresses that no provider has.
            OSError: the name is not known.
        """
        found = await self._inner.resolve(host, port, family)
        allowed = [address for address in found if usable(address["host"])]
        if is_loopback(host):
            allowed = [address for address in allowed if is_loopback(address["host"])]
        if not allowed:
            raise UnsafeAddress(f"{host} leads to an address that is never a provider's.")
        return allowed

    async def close(self) -> None:
        """Nothing is held."""
        await self._inner.close()
