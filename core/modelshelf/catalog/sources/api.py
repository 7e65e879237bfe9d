"""HTTP to a Hub's metadata: bounded in time and size, and every failure one clear sentence."""

import asyncio
import json
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import aiohttp
from yarl import URL

from modelshelf.errors import (
    FileNotInRepository,
    GatedRepository,
    ModelshelfError,
    NotFound,
    NotSignedIn,
    RepositoryNotFound,
    RevisionNotFound,
    Unreachable,
    UnsafeAddress,
)
from modelshelf.network.answers import asked_wait, refused_by_proxy

BODY_LIMIT = 64 * 2**20
REDIRECTS = 5
SECONDS = 30.0
THREAD_BYTES = 256 * 1024

Params = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """A body, where the next page is if there is one, and how many bytes came over the network."""

    body: bytes
    next: str | None = None
    received: int = 0


@dataclass(frozen=True, slots=True)
class Access:
    """What a request needs beside its address; asked for anew each time, since settings change."""

    token: str | None = field(default=None, repr=False)
    proxy: str | None = None
    context: ssl.SSLContext | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def authorization(token: str | None) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"} if token else {}


class HubApi:
    """One Hub endpoint. Only its own origin is ever asked: redirects and next pages that lead elsewhere are refused."""

    def __init__(self, endpoint: str, label: str, access: Callable[[], Access], *, sign_in: str | None = None) -> None:
        self._sign_in = sign_in
        self.endpoint = endpoint.rstrip("/")
        self.label = label
        self._access = access
        self._session: aiohttp.ClientSession | None = None

    async def json(self, path: str, params: Params = (), *, about: str = "") -> tuple[Any, str | None]:
        """The parsed answer and the address of the next page. `about` names the repository for the error's sentence.

        Raises:
            RepositoryNotFound, RevisionNotFound, GatedRepository, NotSignedIn, Unreachable.
        """
        data, page = await self.parsed(path, params, about=about)
        return data, page.next

    async def parsed(self, path: str, params: Params = (), *, about: str = "") -> tuple[Any, Page]:
        """As `json`, with the page that it came in."""
        page = await self.get(path, params, about=about)
        try:
            if len(page.body) > THREAD_BYTES:
                return await asyncio.to_thread(json.loads, page.body), page
            return json.loads(page.body), page
        except (ValueError, RecursionError):
            raise Unreachable(
                f"{self.label} ({self.endpoint}) answers with something that is no Hub's answer.",
                remedy="Check the address; a login page of the network in between would look the same.",
            ) from None

    async def get(
        self,
        path: str,
        params: Params = (),
        *,
        about: str = "",
        limit: int = BODY_LIMIT,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """The body of an answer of at most `limit` bytes; `path` is below the endpoint, or a next page's address.

        `headers` go before those of every request. A refusal for want of a token has the server's `challenge` in its
        facts.
        """
        url = path if path.startswith(self.endpoint + "/") else f"{self.endpoint}{path}"
        if urlsplit(url).scheme != "https":
            raise UnsafeAddress(f"{self.label} ({self.endpoint}) is not reached by https.")
        url = f"{url}?{urlencode(params, errors='replace')}" if params else url
        try:
            async with asyncio.timeout(SECONDS):
                return await self._follow(url, about, limit, headers or {})
        except TimeoutError:
            raise Unreachable(f"{self.label} ({self.endpoint}) did not answer in {SECONDS:.0f} seconds.") from None
        except aiohttp.ClientError as error:
            raise self._explained(error) from error
        except (ValueError, UnicodeError) as error:
            raise Unreachable(f"{self.label} has an address that cannot be used: {self.endpoint}.") from error

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session:
            session, self._session = self._session, None
            await session.close()

    async def _follow(self, url: str, about: str, limit: int, headers: Mapping[str, str]) -> Page:
        access = self._access()
        options: dict[str, Any] = {
            "headers": {**authorization(access.token), **access.headers, **headers},
            "allow_redirects": False,
            "proxy": access.proxy,
        }
        options["ssl"] = access.context if access.context is not None else True
        for _ in range(REDIRECTS + 1):
            async with self._open().get(URL(url, encoded=True), **options) as response:
                if response.status not in (301, 302, 303, 307, 308):
                    body = await self._read(response, limit)
                    self._check(response.status, response.headers, about, access.token is not None)
                    return Page(body, self._next(response), response.content.total_raw_bytes)
                url = self._same_origin(url, response.headers.get("Location", ""))
        raise Unreachable(f"{self.label} ({self.endpoint}) redirects without end.")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=SECONDS, sock_connect=10)
            self._session = aiohttp.ClientSession(
                timeout=timeout, trust_env=False, headers={"User-Agent": "modelshelf", "Accept": "application/json"}
            )
        return self._session

    async def _read(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        parts, size = [], 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > limit:
                response.close()
                raise Unreachable(
                    f"{self.label} ({self.endpoint}) answers with more than {limit // 2**20} MiB.", large=True
                )
            parts.append(chunk)
        return b"".join(parts)

    def _next(self, response: aiohttp.ClientResponse) -> str | None:
        link = response.links.get("next")
        target = urlsplit(str(link["url"]) if link and "url" in link else "")
        if target.netloc and f"{target.scheme}://{target.netloc}" != str(response.url.origin()):
            # Mirrors pass on the next page's address as the Hub wrote it; it is theirs to answer all the same.
            target = target._replace(scheme="", netloc="")
        return self._same_origin(str(response.url), target.geturl()) if target.geturl() else None

    def _same_origin(self, base: str, target: str) -> str:
        url = urljoin(base, target)
        if not target or not url.startswith(self.endpoint + "/"):
            raise UnsafeAddress(
                f"{self.label} ({self.endpoint}) leads to another address, {urlsplit(url).netloc}.",
                remedy="If it has moved there, make that the `url` of this source in the settings.",
            )
        return url

    def _check(self, status: int, headers: Mapping[str, str], about: str, signed_in: bool) -> None:
        if status == 200:
            return
        what, code = about or "what was asked for", headers.get("X-Error-Code", "")
        if known := _BY_CODE.get(code):
            kind, sentence = known
            said = headers.get("X-Error-Message", "")[:500]
            raise kind(sentence.format(what=what, label=self.label), said=said)
        if status in (401, 407):
            reason = "does not accept the token" if signed_in else "wants a token"
            raise NotSignedIn(
                f"{self.label} {reason} for {what}.",
                remedy=self._sign_in,
                challenge=headers.get("WWW-Authenticate", ""),
            )
        if status == 403:
            raise GatedRepository(f"{self.label} does not let this account see {what}.")
        if status == 404:
            raise (
                RepositoryNotFound(f"{self.label} has no {what}.")
                if about
                else Unreachable(f"{self.endpoint} is no Hub.", http=status)
            )
        if status == 429:
            wait = headers.get("Retry-After", "")
            remedy = (
                f"Wait {wait} seconds, then try again." if wait.isdigit() else "Wait a few minutes, then try again."
            )
            asked = asked_wait(headers)
            raise Unreachable(f"{self.label} has been asked too often.", remedy=remedy, http=status, wait=asked)
        told = f"{self.label} ({self.endpoint}) answers with error {status}."
        raise Unreachable(told, http=status, wait=asked_wait(headers))

    def _explained(self, error: aiohttp.ClientError) -> ModelshelfError:
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
            return Unreachable(
                f"The certificate of {self.endpoint} is not trusted.",
                remedy="If your network has its own authority, name its file in the setting network.ca_file.",
            )
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return Unreachable(f"The name of {self.endpoint} cannot be found.")
        if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
            return refused_by_proxy(error)
        number = error.os_error.errno if isinstance(error, aiohttp.ClientConnectorError) else None
        reason = f": {os.strerror(number).lower()}" if number else ""
        return Unreachable(f"{self.label} ({self.endpoint}) does not answer{reason}.")


_BY_CODE: Mapping[str, tuple[type[NotFound | GatedRepository], str]] = {
    "RepoNotFound": (RepositoryNotFound, "{label} has no {what}, or does not show it."),
    "RevisionNotFound": (RevisionNotFound, "{label} has no such revision of {what}."),
    "EntryNotFound": (FileNotInRepository, "{label} has no such file in {what}."),
    "GatedRepo": (GatedRepository, "{what} on {label} is open only to accounts that were granted access."),
}
