"""Any server that speaks the Hub API: huggingface.co, a private hub, a mirror."""

import asyncio
import logging
import ssl
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote, urlsplit

from yarl import URL

from modelshelf.catalog.source import ListOrder, ListPage
from modelshelf.catalog.sources import cards, commits, scans
from modelshelf.catalog.sources.api import Access, HubApi, Params
from modelshelf.catalog.sources.tokens import Secrets, environment_token, find_token, hub_endpoint, saved_token
from modelshelf.catalog.types import History, Location, RepoCard, RepoDetail, RepoFile, SecurityStatus
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import ModelshelfError, StoreError, Unreachable
from modelshelf.network.addresses import is_loopback
from modelshelf.network.client import tls_context
from modelshelf.vault import Secret

log = logging.getLogger(__name__)

README_LIMIT = 2 * 2**20
FILE_LIMIT = 100_000
SEARCH_LIMIT = 1000
_ORDERS = {"created": ("createdAt", "1"), "modified": ("lastModified", "-1"), "downloads": ("downloads", "-1")}


class HubSource:
    """A Hub by its address: `settings.url`, else HF_ENDPOINT, else the public Hub."""

    remote = True

    def __init__(self, settings: SourceConfig, config: ConfigManager) -> None:
        endpoint = hub_endpoint(settings, config)
        self.name = settings.name
        self.label = settings.label or settings.name
        self._settings, self._config = settings, config
        self._context: ssl.SSLContext | None = None
        self._secrets: Secrets | None = None
        self._saved: Secret | None = None
        self._api = HubApi(endpoint, self.label, self._access)

    def use_secrets(self, secrets: Secrets) -> None:
        """Look there for the token that a person saved."""
        self._secrets = secrets

    async def search(self, text: str, *, limit: int = 50) -> Sequence[RepoCard]:
        """The repositories whose names match, most downloaded first."""
        await self._prepare()
        return await search(self._api, self.name, text, limit, owner=self._settings.owner)

    async def listing(self, order: ListOrder, cursor: str = "", *, size: int = 1000) -> ListPage:
        """A page of all that the hub, or the organisation, has."""
        await self._prepare()
        return await listing(self._api, self.name, order, cursor, size=size, owner=self._settings.owner)

    async def detail(self, repo: str, revision: str | None = None) -> RepoDetail:
        """One commit of a repository with its files."""
        await self._prepare()
        return await detail(self._api, self.name, repo, revision)

    async def security(self, repo: str, commit: str) -> SecurityStatus | None:
        """What the Hub's own scanners say."""
        await self._prepare()
        return await scans.security(self._api, repo, commit)

    async def history(self, repo: str, revision: str = "main", *, limit: int = 20) -> History:
        """The newest commits, and the Hub's page of all."""
        await self._prepare()
        return await commits.history(self._api, repo, revision, limit, public=True)

    async def locate(self, repo: str, commit: str, path: str) -> Location:
        """The address of a file, with the token for it."""
        await self._prepare()
        access = self._access()
        headers = {"Authorization": f"Bearer {access.token}"} if access.token else {}
        hosts = frozenset(self._settings.hosts)
        return Location(file_url(self._api.endpoint, repo, commit, path), headers, access.context, hosts)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _prepare(self) -> None:
        # Reading the certificates takes some 30 ms, which belong in a thread.
        if self._context is None:
            ca_file = self._config.config.network.ca_file
            self._context = await asyncio.to_thread(tls_context, ca_file, self._config.environ)
        if environment_token(self._settings, self._config) is None:
            self._saved = await self._saved_token()

    async def _saved_token(self) -> Secret | None:
        try:
            return await saved_token(self._settings, self._config, self._secrets)
        except StoreError as error:
            # Most of a hub is open to everyone: it goes on without the token.
            log.warning("The token of %s is not used: %s", self.label, error)
            return None

    def _access(self) -> Access:
        found = find_token(self._settings, self._config, self._saved)
        token = found.secret.reveal() if found else None
        proxy = None if is_loopback(urlsplit(self._api.endpoint).hostname or "") else self._config.config.network.proxy
        return Access(token, proxy or None, self._context)


async def search(api: HubApi, source: str, text: str, limit: int, *, owner: str = "") -> Sequence[RepoCard]:
    """The first `limit` repositories of a Hub for these words, or of one organisation there."""
    base = [("limit", str(min(limit, SEARCH_LIMIT))), ("sort", "downloads"), ("direction", "-1")]
    base += [("search", text)] if text else []
    base += [("author", owner)] if owner else []
    return (await _listed(api, source, base)).cards[:limit]


async def listing(
    api: HubApi, source: str, order: ListOrder, cursor: str, *, size: int = 1000, owner: str = ""
) -> ListPage:
    """A page of everything that a Hub has. Its own order, by trend, leaves models out: ours is always named."""
    if cursor:
        return await _listed(api, source, (), _sized(cursor, size))
    sort, direction = _ORDERS[order]
    base = [("limit", str(size)), ("sort", sort), ("direction", direction)]
    return await _listed(api, source, [*base, *([("author", owner)] if owner else [])])


def _sized(cursor: str, size: int) -> str:
    """The address of a next page, asking for as many models as are wanted now."""
    return str(URL(cursor, encoded=True).update_query(limit=str(size)))


async def _listed(api: HubApi, source: str, base: Params, path: str = "/api/models") -> ListPage:
    try:
        asked = [*base, *(("expand", field) for field in cards.FIELDS)] if base else ()
        data, page = await api.parsed(path, asked)
    except Unreachable as error:
        # Mirrors and older hubs refuse fields that they do not know; `full` is the older way to ask for most of them.
        if error.facts.get("http") not in (400, 422) or not base:
            raise
        data, page = await api.parsed(path, [*base, ("full", "true")])
    if not isinstance(data, list):
        raise Unreachable(f"{api.label} ({api.endpoint}) answers a search with something that is no list.")
    found = await asyncio.to_thread(lambda: [card for item in data if (card := cards.card(source, item))])
    return ListPage(found, page.next or "", page.received)


async def with_sizes(api: HubApi, found: Sequence[RepoCard]) -> Sequence[RepoCard]:
    """The same cards with the sizes that a search does not tell: a request for each, so only for small hubs."""

    async def sized(card: RepoCard) -> RepoCard:
        files = await _tree(api, card.repo, card.commit or "main")
        return replace(card, size=cards.weights_size({file.path: file.size for file in files}) or card.size)

    return await asyncio.gather(*(sized(card) for card in found))


async def detail(api: HubApi, source: str, repo: str, revision: str | None) -> RepoDetail:
    """One commit of a repository of a Hub, with every file and the text of its card."""
    path = f"/api/models/{repo}" + (f"/revision/{quote(revision, safe='')}" if revision else "")
    data, _ = await api.json(path, about=repo)
    card = cards.card(source, data)
    commit = card.commit if card else None
    if card is None or commit is None:
        raise Unreachable(f"{api.label} ({api.endpoint}) does not say what is in {repo}.")
    files = await _tree(api, repo, commit)
    sizes = {file.path: file.size for file in files}
    card = replace(card, repo=repo, size=cards.weights_size(sizes) or card.size)
    return RepoDetail(card, commit, files, await _readme(api, repo, commit, files))


async def _tree(api: HubApi, repo: str, commit: str) -> tuple[RepoFile, ...]:
    files: dict[str, RepoFile] = {}
    page: str | None = f"/api/models/{repo}/tree/{commit}"
    params: Params = [("recursive", "true")]
    seen = set()
    while page and page not in seen and len(files) < FILE_LIMIT:
        seen.add(page)
        data, following = await api.json(page, params, about=repo)
        files |= {file.path: file for file in cards.files(data)}
        page, params = following, ()
    return tuple(sorted(files.values(), key=lambda file: file.path))


async def _readme(api: HubApi, repo: str, commit: str, files: Sequence[RepoFile]) -> str | None:
    readme = next((file for file in files if file.path == "README.md"), None)
    if readme is None or readme.size > README_LIMIT:
        return None
    try:
        url = file_url(api.endpoint, repo, commit, readme.path)
        return (await api.get(url, about=repo, limit=README_LIMIT)).body.decode("utf-8", "replace")
    except ModelshelfError:
        return None  # a gated repository shows its files but not their bytes


def file_url(endpoint: str, repo: str, commit: str, path: str) -> str:
    """Where a Hub serves a file of a commit."""
    return f"{endpoint}/{repo}/resolve/{quote(commit, safe='')}/{quote(path)}"
