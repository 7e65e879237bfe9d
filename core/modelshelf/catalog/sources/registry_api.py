"""The OCI distribution protocol, as far as fetching needs it: manifests, blobs, and the tokens that they ask for."""

import json
import re
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from yarl import URL

from modelshelf.catalog.sources.api import HubApi, authorization
from modelshelf.catalog.sources.credentials import Credentials
from modelshelf.catalog.sources.said import amount, listing, mapping, text
from modelshelf.catalog.types import Location
from modelshelf.config import ConfigManager
from modelshelf.errors import NotFound, NotSignedIn, Unreachable
from modelshelf.network import Network, Route
from modelshelf.network.addresses import origin_of

MANIFEST_LIMIT = 4 * 2**20
TOKEN_LIMIT = 2**20
MOST_NAMES = 100_000
TOKEN_SECONDS = 60
LONGEST_TOKEN = 16_384
MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
_FIELD = re.compile(r'(\w+)="([^"]*)"')


class RegistryApi:
    """One registry. A token that it demands is fetched where it says, and the person's own token stays with it."""

    def __init__(
        self, credentials: Credentials, label: str, config: ConfigManager, hosts: frozenset[str], sign_in: str
    ) -> None:
        self.label = label
        self._credentials = credentials
        self._network = Network(config)
        self._hosts = hosts
        self._api = HubApi(credentials.endpoint, label, credentials.access, sign_in=sign_in)
        self._tokens: dict[str, tuple[str, float]] = {}
        self._open: set[str] = set()  # of which it is known whether they want a token

    async def manifest(self, repo: str, reference: str) -> bytes:
        """The manifest of a tag or a digest, as the registry keeps it.

        Raises:
            RepositoryNotFound, NotSignedIn, GatedRepository, Unreachable.
        """
        await self._credentials.prepare()
        about = f"{repo}{'@' if ':' in reference else ':'}{reference}"
        try:
            return await self._get(repo, f"/v2/{repo}/manifests/{quote(reference, safe=':')}", about)
        except NotFound:
            if ":" not in reference:
                raise
            # Ollama's registry gives manifests by their digest as blobs.
            return await self._get(repo, f"/v2/{repo}/blobs/{reference}", about)

    async def repositories(self) -> list[str]:
        """The names of all that the registry has; most that are open to everyone do not tell.

        Raises:
            Unreachable: it does not tell, or does not answer.
        """
        await self._credentials.prepare()
        found: list[str] = []
        page: str | None = "/v2/_catalog?n=1000"
        while page and len(found) < MOST_NAMES:
            try:
                said, page = await self._api.json(page)
            except (NotFound, NotSignedIn, Unreachable) as error:
                if found or (isinstance(error, Unreachable) and error.facts.get("http") != 404):
                    raise
                raise Unreachable(f"{self.label} does not list what it has.", remedy="Name its models.") from error
            found += [name for item in listing(mapping(said).get("repositories")) if (name := text(item))]
        return list(dict.fromkeys(found))

    async def blob(self, repo: str, digest: str, limit: int) -> bytes:
        """A small blob as a whole; the caller checks that its bytes have the digest.

        Raises:
            Unreachable: it is larger than the limit, or cannot be had.
        """
        location = await self.location(repo, digest)
        return await self._whole(location, None, limit)

    async def location(self, repo: str, digest: str) -> Location:
        """Where a blob is, with a token for it if the registry wants one."""
        await self._credentials.prepare()
        if repo in self._tokens or repo not in self._open:
            await self._prove(repo, digest)
        return self._location(repo, digest)

    def _location(self, repo: str, digest: str) -> Location:
        token = self._token(repo) or self._credentials.token()
        url = f"{self._credentials.endpoint}/v2/{repo}/blobs/{digest}"
        renewable = repo in self._tokens
        return Location(url, authorization(token), self._credentials.context, self._hosts, renewable=renewable)

    async def _prove(self, repo: str, digest: str) -> None:
        """Get a token if the one in use no longer opens the blob, or if none was ever asked for."""
        try:
            await self._network.fetch_range(self._location(repo, digest), 0, 1)
        except NotSignedIn as error:
            challenge = str(error.facts.get("challenge") or "")
            if error.facts.get("redirected") or not challenge.lower().startswith("bearer "):
                raise
            await self._fetch_token(repo, dict(_FIELD.findall(challenge)))
        self._open.add(repo)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()
        await self._network.aclose()

    async def _get(self, repo: str, path: str, about: str) -> bytes:
        headers = {"Accept": ", ".join(MANIFESTS)}
        token = self._token(repo)
        try:
            page = await self._api.get(path, about=about, limit=MANIFEST_LIMIT, headers=headers | authorization(token))
        except NotSignedIn as error:
            challenge = str(error.facts.get("challenge") or "")
            if not challenge.lower().startswith("bearer "):
                raise
            fresh = await self._fetch_token(repo, dict(_FIELD.findall(challenge)))
            page = await self._api.get(path, about=about, limit=MANIFEST_LIMIT, headers=headers | authorization(fresh))
        self._open.add(repo)
        return page.body

    def _token(self, repo: str) -> str | None:
        token, until = self._tokens.get(repo, ("", 0.0))
        return token if time.monotonic() < until else None

    async def _fetch_token(self, repo: str, challenge: Mapping[str, str]) -> str:
        """Ask the place that the registry names. It is named by a server, not by a person: no private address."""
        try:
            realm = URL(challenge.get("realm", ""))
            origin = str(realm.origin())
        except ValueError:
            raise Unreachable(f"{self.label} names no place where its tokens are given out.") from None
        ours = {str(URL(self._credentials.endpoint).origin()), *map(origin_of, self._hosts)}
        asked = {"service": challenge.get("service", ""), "scope": challenge.get("scope") or f"repository:{repo}:pull"}
        url = realm.update_query({key: value for key, value in asked.items() if value})
        own = self._credentials.token() if origin in ours else None
        route = Route(url, origin in ours, authorization(own))
        body = await self._whole(Location(str(url), ssl=self._credentials.context), route, TOKEN_LIMIT)
        said = mapping(_json(body))
        token = said.get("token") or said.get("access_token")
        if not isinstance(token, str) or not 0 < len(token) <= LONGEST_TOKEN or not token.isascii():
            raise Unreachable(f"{realm.host} gives no token for {repo}.")
        if not token.isprintable():
            raise Unreachable(f"{realm.host} gives something that is no token for {repo}.")
        life = min(amount(said.get("expires_in")) or TOKEN_SECONDS, 3600)
        self._tokens[repo] = token, time.monotonic() + life * 0.8
        return token

    async def _whole(self, location: Location, route: Route | None, limit: int) -> bytes:
        data = bytearray()
        async with self._network.open(location, route=route) as answer, aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                data += chunk
                if len(data) > limit:
                    raise Unreachable(f"{self.label} answers with more than {limit / 2**20:g} MiB.")
        return bytes(data)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
