"""Answers to requests for bytes, checked: what their headers claim, and what each failure means."""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from yarl import URL

from modelshelf.errors import (
    AccessError,
    FileNotInRepository,
    GatedRepository,
    ModelshelfError,
    NotSignedIn,
    RepositoryNotFound,
    RevisionNotFound,
    Unreachable,
)
from modelshelf.network.addresses import without_secrets

LONGEST_WAIT = 300.0
_LATER_THAN_SECONDS = 1e9
_EXHAUSTED = re.compile(r";\s*r=0\s*(?:;|$)")
_RESET = re.compile(r";\s*t=(\d+)\s*(?:;|$)")
_CONTENT_RANGE = re.compile(r"^bytes (\d+)-(\d+)/(\d+|\*)$")
_CODES: dict[str, type[ModelshelfError]] = {
    "GatedRepo": GatedRepository,
    "RepoNotFound": RepositoryNotFound,
    "RevisionNotFound": RevisionNotFound,
    "EntryNotFound": FileNotInRepository,
}


@dataclass(frozen=True, slots=True)
class Route:
    """Where a location's redirects ended. Only `trusted` origins may have private addresses."""

    url: URL
    trusted: bool
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an answer, from whichever client; `length` is that of the body, None if not said."""

    url: URL
    status: int
    headers: Mapping[str, str]
    length: int | None

    @classmethod
    def of(cls, response: aiohttp.ClientResponse) -> "Head":
        """That of a response of aiohttp."""
        return cls(response.url, response.status, response.headers, response.content_length)


@dataclass(frozen=True, slots=True)
class Extent:
    """What a checked answer holds: `length` bytes of the file from `start`. See `Answer` for the rest."""

    start: int
    length: int | None
    total: int | None
    etag: str | None
    partial: bool


@dataclass(frozen=True, slots=True)
class RangeAnswer:
    """Bytes of a file from the place asked for, at most as many as asked; `total` is the file's size if known."""

    data: bytes
    total: int | None
    etag: str | None


class Answer:
    """An open answer. `start` is where in the file its bytes begin, `length` how many come (None: not said).

    `partial` is False when the server ignored the range. `etag` is a strong, quoted one, or None. `route` is where its
    redirects ended: later requests may start there.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        *,
        start: int,
        length: int | None,
        total: int | None,
        etag: str | None = None,
    ) -> None:
        self._chunks = chunks
        self.start = start
        self.length = length
        self.total = total
        self.etag = etag
        self.partial = False
        self.route: Route | None = None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they arrive, never more than `length`.

        Raises:
            Unreachable: the connection broke, fell silent, or sent more than it announced.
        """
        left = self.length
        async for chunk in self._chunks:
            if left is not None:
                if len(chunk) > left:
                    raise Unreachable("The server sent more bytes than it announced.", transient=True)
                left -= len(chunk)
            yield chunk

    @classmethod
    def of(cls, response: aiohttp.ClientResponse, asked: tuple[int, int | None] | None) -> "Answer":
        """The answer of a response to a request for `asked`, first and last byte, or for everything.

        Raises:
            Unreachable: the headers contradict what was asked for.
        """
        extent = check(Head.of(response), asked)
        chunks = _read(response)
        answer = cls(chunks, start=extent.start, length=extent.length, total=extent.total, etag=extent.etag)
        answer.partial = extent.partial
        return answer


def check(head: Head, asked: tuple[int, int | None] | None) -> Extent:
    """What an answer of status 200 or 206 holds, if that is what was `asked` for: first and last byte, or everything.

    Raises:
        Unreachable: the headers contradict what was asked for.
    """
    where = head.url.host
    if head.headers.get("Content-Encoding", "identity") != "identity":
        raise Unreachable(f"{where} sent the file in another encoding than asked for.", transient=False)
    etag = head.headers.get("ETag")
    strong = etag if etag and re.fullmatch(r'"[\x21\x23-\x7e]*"', etag) else None
    if head.status == 200:
        return Extent(0, head.length, head.length, strong, partial=False)
    match = _CONTENT_RANGE.match(head.headers.get("Content-Range", ""))
    if asked is None or match is None:
        raise Unreachable(f"{where} answered {head.status} without a usable Content-Range.", transient=True)
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    length = last - first + 1
    fits = first == asked[0] and length > 0 and (asked[1] is None or last <= asked[1])
    if not fits or (total is not None and last >= total) or head.length not in (None, length):
        raise Unreachable(f"{where} sent other bytes of the file than asked for.", transient=True)
    return Extent(first, length, total, strong, partial=True)


async def _read(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    with explained(response.url):
        while chunk := await response.content.readany():
            yield chunk


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn the failures of a connection into one sentence; `transient` in its facts says whether to try again."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise Unreachable(
            f"The certificate of {url.host} is not trusted: {error.certificate_error}.",
            remedy="If the address is right, name the certificate authority's file in network.ca_file.",
            transient=False,
        ) from error
    except aiohttp.ClientConnectorDNSError as error:
        if isinstance(error.os_error, ModelshelfError):
            raise error.os_error from None
        raise Unreachable(f"The name {url.host} cannot be found.", transient=True) from error
    except (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError) as error:
        raise refused_by_proxy(error) from error
    except aiohttp.InvalidURL as error:
        raise Unreachable(f"{url.host} cannot be asked: {error}.", transient=False) from error
    except aiohttp.ClientPayloadError as error:
        raise Unreachable(f"{url.host} broke the connection in mid-file.", transient=True) from error
    except TimeoutError as error:
        raise Unreachable(f"{url.host} does not answer in time.", transient=True) from error
    except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
        if isinstance(error, ModelshelfError):
            raise
        raise Unreachable(f"{url.host} cannot be reached: {_reason(error)}.", transient=True) from error


def refused_by_proxy(error: aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError) -> Unreachable:
    """What a proxy's refusal means, or its silence, which may end."""
    proxy = "The proxy of the setting network.proxy"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        remedy = "Check the address in network.proxy and the network, then try again."
        return Unreachable(f"{proxy} does not answer.", remedy=remedy, transient=True)
    if error.status == 407:
        remedy = "Write them into network.proxy: http://name:password@host:port."
        return Unreachable(f"{proxy} wants a name and a password.", remedy=remedy, transient=False)
    return Unreachable(
        f"{proxy} lets nobody through to there: it answers {error.status}.",
        remedy="Ask who runs the proxy to allow it, or name another in network.proxy.",
        transient=False,
    )


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return (os.strerror(number).lower() if number else str(error) or type(error).__name__).rstrip(".")


def refusal(response: Head, *, redirected: bool) -> ModelshelfError:
    """What an answer that is neither bytes nor a redirect means; `redirected`: it is not from the first address."""
    status, where = response.status, response.url.host
    facts: dict[str, Any] = {
        "status": status,
        "retry_after": asked_wait(response.headers),
        "redirected": redirected,
    }
    if known := _CODES.get(response.headers.get("X-Error-Code", "")):
        message = response.headers.get("X-Error-Message", "")[:300] or f"{where} refuses the file ({status})"
        return known(message.rstrip(".") + ".", transient=False, **facts)
    if status == 401:
        facts["challenge"] = response.headers.get("WWW-Authenticate")
        return NotSignedIn(f"{where} wants a valid token.", transient=False, **facts)
    if status == 403:
        return AccessError(
            f"{where} refuses access to the file.",
            remedy="Check that the token may read the repository, then try again.",
            transient=False,
            **facts,
        )
    if status in (404, 410):
        return FileNotInRepository(f"{without_secrets(response.url)} does not exist.", transient=False, **facts)
    if status == 429:
        return Unreachable(f"{where} asks for fewer requests.", transient=True, **facts)
    return Unreachable(
        f"{where} answered with error {status}.", transient=status in (408, 425) or status >= 500, **facts
    )


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a refusing server asks to wait, by Retry-After or by its RateLimit headers; None if it does not.

    The longest counts of what it says, and five minutes at most.
    """
    waits = [retry_after(headers.get("Retry-After"))]
    spent = [limit for limit in headers.get("RateLimit", "").split(",") if _EXHAUSTED.search(limit)]
    waits += [min(float(reset[1]), LONGEST_WAIT) for limit in spent if (reset := _RESET.search(limit))]
    for prefix in ("RateLimit", "X-RateLimit"):
        exhausted = headers.get(f"{prefix}-Remaining", "").strip() == "0"
        waits += [_seconds_until(headers.get(f"{prefix}-Reset", ""))] if exhausted else []
    return max((wait for wait in waits if wait is not None), default=None)


def _seconds_until(reset: str) -> float | None:
    """Some count seconds in RateLimit-Reset, others name a moment since 1970."""
    if not (reset.strip().isascii() and reset.strip().isdigit()):
        return None
    seconds = float(reset)
    if seconds > _LATER_THAN_SECONDS:
        seconds = max(seconds - datetime.now(UTC).timestamp(), 0.0)
    return min(seconds, LONGEST_WAIT)


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait from a Retry-After header in either form, at most five minutes; None if there is none."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0), LONGEST_WAIT)
