"""ModelScope: its REST API for searching, files with their SHA-256, and the route that leads to the bytes."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from modelshelf.catalog.files import formats_of, quantisations_of
from modelshelf.catalog.sources.api import Access, HubApi, Params
from modelshelf.catalog.sources.cards import is_path, is_repo, weights_size
from modelshelf.catalog.sources.credentials import Credentials
from modelshelf.catalog.sources.said import HEX40, HEX64, amount, listing, mapping, matching, moment, text
from modelshelf.catalog.sources.tokens import Secrets
from modelshelf.catalog.types import Location, RepoCard, RepoDetail, RepoFile
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import (
    GatedRepository,
    ModelshelfError,
    NotSignedIn,
    RepositoryNotFound,
    RevisionNotFound,
    Unreachable,
)

PUBLIC = "https://modelscope.cn"
VARIABLES = ("MODELSCOPE_API_TOKEN",)
BRANCH = "master"
PAGE = 50
SEARCH_PAGES = 20
FILES_PAGE = 500
FILE_LIMIT = 100_000
README_LIMIT = 2 * 2**20
_MISSING = re.compile(r"not (?:exist|found)|不存在", re.IGNORECASE)
_GATED = frozenset({403, 10010205003})
_NOT_SIGNED_IN = frozenset({401, 10010205002})
_SIGN_IN = "Save an access token of your ModelScope account: modelshelf sources token NAME --token-stdin."
_FORMAT_TAGS = ("gguf", "safetensors", "pytorch", "onnx")


class ModelScopeSource:
    """ModelScope by its address: `settings.url`, else the public service."""

    remote = True

    def __init__(self, settings: SourceConfig, config: ConfigManager) -> None:
        self.name = settings.name
        self.label = settings.label or settings.name
        self._hosts = frozenset(settings.hosts)
        endpoint = (settings.url or PUBLIC).rstrip("/")
        self._credentials = Credentials(settings, config, endpoint, VARIABLES)
        self._api = HubApi(endpoint, self.label, self._access, sign_in=_SIGN_IN.replace("NAME", self.name))
        self._listed: dict[tuple[str, str], str] = {}  # a commit -> the revision to ask for its bytes by

    def use_secrets(self, secrets: Secrets) -> None:
        """Look there for the token that a person saved."""
        self._credentials.secrets = secrets

    async def search(self, words: str, *, limit: int = 50) -> Sequence[RepoCard]:
        """The models that match, most downloaded first."""
        await self._credentials.prepare()
        found: dict[str, RepoCard] = {}
        for page in range(1, SEARCH_PAGES + 1):
            params = [("page_number", str(page)), ("page_size", str(min(limit, PAGE))), ("sort", "downloads")]
            said = await self._ask("/openapi/v1/models", [*params, *([("search", words)] if words else [])])
            rows = [card for item in listing(said.get("models")) if (card := self._card(item))]
            fresh = {card.repo: card for card in rows if card.repo not in found}
            found |= fresh
            if len(found) >= limit or not fresh or len(found) >= (amount(said.get("total_count")) or 0):
                break
        return list(found.values())[:limit]

    async def detail(self, repo: str, revision: str | None = None) -> RepoDetail:
        """One commit of a model with its files.

        Where the service does not name the commit, the content of the list stands for it, and it is only there as
        long as nobody changes the model.
        """
        await self._credentials.prepare()
        card = self._card(await self._ask(f"/openapi/v1/models/{repo}", about=repo)) or RepoCard(self.name, repo)
        files, commit = await self._revision(repo, BRANCH if revision in (None, "main") else revision or BRANCH)
        sizes = {file.path: file.size for file in files}
        card = replace(
            card,
            repo=repo,
            commit=commit,
            formats=formats_of(sizes) or card.formats,
            quantisations=quantisations_of(sizes),
            size=weights_size(sizes),
        )
        return RepoDetail(card, commit, files, await self._readme(repo, commit, files))

    async def locate(self, repo: str, commit: str, path: str) -> Location:
        """The address of a file, with the token for it."""
        await self._credentials.prepare()
        if (repo, commit) not in self._listed:  # a plan that another process made
            await self._revision(repo, commit)
        access = self._access()
        headers = {"Authorization": f"Bearer {access.token}", **access.headers} if access.token else {}
        url = f"{self._api.endpoint}{self._route(repo, commit)}&{urlencode({'FilePath': path})}"
        return Location(url, headers, access.context, self._hosts)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    def _access(self) -> Access:
        access = self._credentials.access()
        # Older routes know the token as the session's cookie only.
        return replace(access, headers={"Cookie": f"m_session_id={access.token}"}) if access.token else access

    def _route(self, repo: str, commit: str) -> str:
        revision = self._listed.get((repo, commit), commit)
        return f"/api/v1/models/{repo}/repo?{urlencode({'Revision': revision})}"

    async def _ask(self, path: str, params: Params = (), about: str = "") -> dict[str, Any]:
        """What an answer holds; the service says with status 200, too, that it refuses."""
        answer, _ = await self._api.json(path, params, about=about)
        said = mapping(answer)
        if said.get("success", said.get("Success")) is not True:
            raise self._refused(amount(said.get("Code")) or 0, text(said.get("Message") or said.get("message")), about)
        return dict(mapping(said.get("data", said.get("Data"))))

    def _refused(self, code: int, message: str | None, about: str) -> ModelshelfError:
        what = about or "this search"
        if code == 404 or (message and _MISSING.search(message)):
            return RepositoryNotFound(f"{self.label} has no {what}.")
        if code in _NOT_SIGNED_IN:
            return NotSignedIn(f"{self.label} wants a token for {what}.", remedy=_SIGN_IN.replace("NAME", self.name))
        if code in _GATED:
            return GatedRepository(f"{self.label} does not let this account see {what}.")
        reason = f": {message.rstrip('.')}" if message else ""
        return Unreachable(f"{self.label} ({self._api.endpoint}) does not answer for {what}{reason}.")

    def _card(self, data: Any) -> RepoCard | None:
        fields = mapping(data)
        repo = text(fields.get("id"))
        if repo is None or not is_repo(repo):
            return None
        tags = tuple(tag for item in listing(fields.get("tags")) if (tag := text(item)))
        tasks = [task for item in listing(fields.get("tasks")) if (task := text(item))]
        lowered = {tag.lower() for tag in tags} | ({"gguf"} if "gguf" in repo.lower() else set())
        licence = text(fields.get("license"))
        return RepoCard(
            source=self.name,
            repo=repo,
            task=tasks[0] if tasks else None,
            licence=licence.lower().replace(" ", "-") if licence else None,
            tags=tags,
            formats=tuple(name for name in _FORMAT_TAGS if name in lowered),
            downloads=amount(fields.get("downloads")),
            likes=amount(fields.get("likes")),
            gated=fields.get("gated") is True,
            private=fields.get("private") is True,
            created=moment(fields.get("created_at")),
            modified=moment(fields.get("last_modified")),
            parameters=amount(fields.get("params")) or None,
            size=amount(fields.get("file_size")) or None,
        )

    async def _revision(self, repo: str, revision: str) -> tuple[tuple[RepoFile, ...], str]:
        try:
            return await self._files(repo, revision)
        except RepositoryNotFound as error:
            # A commit that stands for a list is known to nobody but us.
            found = await self._files(repo, BRANCH) if HEX40.fullmatch(revision) else ((), "")
            if found[1] != revision:
                raise RevisionNotFound(
                    f"{self.label} has no revision {revision} of {repo}, or it was changed since."
                ) from error
            return found

    async def _files(self, repo: str, revision: str) -> tuple[tuple[RepoFile, ...], str]:
        """The files of a revision, and its commit."""
        files: dict[str, RepoFile] = {}
        seen, commit = 0, None
        for page in range(1, FILE_LIMIT // FILES_PAGE + 2):
            params = {"Revision": revision, "Recursive": "True", "PageNumber": page, "PageSize": FILES_PAGE}
            said = await self._ask(
                f"/api/v1/models/{repo}/repo/files", [(key, str(value)) for key, value in params.items()], about=repo
            )
            rows = listing(said.get("Files"))
            fresh = {file.path: file for item in rows if (file := _file(item)) and file.path not in files}
            files |= fresh
            seen += len(rows)
            commit = commit or matching(HEX40, mapping(said.get("LatestCommitter")).get("Id"))
            # Some versions of the service page their lists, others send all of it whatever page is asked for.
            if not fresh or seen >= (amount(said.get("TotalCount")) or 0) or len(files) >= FILE_LIMIT:
                break
        found = tuple(sorted(files.values(), key=lambda file: file.path))
        if HEX40.fullmatch(revision) and commit not in (None, revision):
            raise RepositoryNotFound(f"{self.label} gives another commit of {repo} than {revision}.")
        if commit is None:
            commit = revision if HEX40.fullmatch(revision) else await asyncio.to_thread(_stand_in, found)
            self._listed[repo, commit] = revision
        self._listed.setdefault((repo, commit), commit)
        return found, commit

    async def _readme(self, repo: str, commit: str, files: Sequence[RepoFile]) -> str | None:
        readme = next((file for file in files if file.path == "README.md"), None)
        if readme is None or readme.size > README_LIMIT:
            return None
        try:
            route = f"{self._route(repo, commit)}&FilePath={quote(readme.path)}"
            return (await self._api.get(route, about=repo, limit=README_LIMIT)).body.decode("utf-8", "replace")
        except ModelshelfError:
            return None  # a gated model shows its files but not their bytes


def _file(data: Any) -> RepoFile | None:
    fields = mapping(data)
    path, size = text(fields.get("Path")), amount(fields.get("Size"))
    if fields.get("Type") == "tree" or path is None or size is None or not is_path(path):
        return None
    sha256 = fields.get("Sha256")
    return RepoFile(path, size, matching(HEX64, sha256.lower() if isinstance(sha256, str) else None))


def _stand_in(files: Sequence[RepoFile]) -> str:
    lines = "".join(f"{file.path}\0{file.size}\0{file.sha256}\n" for file in files)
    return hashlib.sha1(lines.encode(), usedforsecurity=False).hexdigest()
