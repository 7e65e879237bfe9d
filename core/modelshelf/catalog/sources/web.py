"""A file by its address, `https://host/path/model.gguf`, with the SHA-256 that a person gives or that lies beside."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import PurePosixPath
from urllib.parse import unquote

from yarl import URL

from modelshelf.access import Role, current
from modelshelf.catalog.files import formats_of, quantisations_of
from modelshelf.catalog.sources.addresses import Addresses, NamedFile
from modelshelf.catalog.sources.api import authorization
from modelshelf.catalog.sources.cards import is_path, is_repo, weights_size
from modelshelf.catalog.sources.credentials import Credentials
from modelshelf.catalog.sources.folder import plain_name
from modelshelf.catalog.sources.said import HEX64
from modelshelf.catalog.sources.tokens import Secrets
from modelshelf.catalog.types import Location, RepoCard, RepoDetail, RepoFile
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import (
    FileNotInRepository,
    RepositoryNotFound,
    RevisionNotFound,
    RoleRequired,
    Unreachable,
    UnsafeAddress,
    UsageError,
)
from modelshelf.ids import ModelId
from modelshelf.network import Network
from modelshelf.network.addresses import check_https, origin_of, without_secrets

SUFFIX = ".sha256"
SUMS_LIMIT = 2**20
LONGEST = 4000
_REMEDY = "Give it with --sha256, or take the one that lies beside the file with --sha256-beside if you trust the host."


class WebSource:
    """Any host, or the one of `settings.url` alone. What a person named is kept as `host/name`."""

    remote = False  # what is known of a file lies here; only its bytes are asked for
    by_address = True

    def __init__(self, settings: SourceConfig, config: ConfigManager) -> None:
        self.name = settings.name
        self.label = settings.label or settings.name
        self._origin = origin_of(settings.url) if settings.url else ""
        self._hosts = frozenset(settings.hosts)
        self._credentials = Credentials(settings, config, settings.url.rstrip("/"))
        self._network = Network(config)
        self._addresses = Addresses(config.paths.home / "addresses.json")

    def use_secrets(self, secrets: Secrets) -> None:
        """Look there for the token that a person saved."""
        self._credentials.secrets = secrets

    async def take(self, address: str, *, sha256: str = "", beside: bool = False) -> ModelId | None:
        """Note a file by its address; None if the address is not for this source.

        `beside` takes the checksum from the file of the same name that ends in `.sha256`. The host is then asked how
        long the file is.

        Raises:
            UsageError: there is no checksum, or the address names no file.
            RoleRequired: the server asks the address, so only who owns it may name one.
            UnsafeAddress: it is not https.
            Unreachable, NotFound, AccessError: the host does not give the file, or does not say how long it is.
        """
        if "://" not in address or address.partition("://")[0].lower() not in ("https", "http"):
            return None
        url = _parsed(address)
        if self._origin and str(url.origin()) != self._origin:
            return None
        who = current()
        if who.role < Role.ADMIN:
            raise RoleRequired(f"{who.name} is {who.role.label}; to fetch from an address needs {Role.ADMIN.label}.")
        path = _file_name(url)
        published = sha256.strip().lower().removeprefix("sha256:")
        if published and not HEX64.fullmatch(published):
            raise UsageError("That is no SHA-256.", remedy="It has 64 digits from 0 to 9 and a to f.")
        await self._credentials.prepare()
        if not published and beside:
            published = await self._beside(url, path)
        if not published:
            raise UsageError(f"{path} has no checksum: without one nobody could tell what arrives.", remedy=_REMEDY)
        file = NamedFile(_repo(url, path), path, str(url), await self._size(url, path), published)
        await asyncio.to_thread(self._addresses.add, file)
        # No commit: what was named last is what the name leads to, so that it gets the ref `main`.
        return ModelId(file.repo, self.name, None, file.path)

    async def search(self, text: str, *, limit: int = 50) -> Sequence[RepoCard]:
        """Nothing: the web has no list of its files."""
        return ()

    async def detail(self, repo: str, revision: str | None = None) -> RepoDetail:
        """What a person named: the latest under this name, or the one of a commit."""
        found = [file for file in await asyncio.to_thread(self._addresses.all) if file.repo == repo]
        if not found:
            raise RepositoryNotFound(
                f"Nobody has named a file of {repo} yet.", remedy="Download it by its address once more."
            )
        file = next((f for f in reversed(found) if revision in (None, "main", f.commit)), None)
        if file is None:
            raise RevisionNotFound(f"{repo} has no revision {revision}.")
        sizes = {file.path: file.size}
        card = RepoCard(
            source=self.name,
            repo=repo,
            commit=file.commit,
            formats=formats_of(sizes),
            quantisations=quantisations_of(sizes),
            size=weights_size(sizes),
        )
        return RepoDetail(card, file.commit, (RepoFile(file.path, file.size, file.sha256),))

    async def locate(self, repo: str, commit: str, path: str) -> Location:
        """The address."""
        await self._credentials.prepare()
        for file in await asyncio.to_thread(self._addresses.all):
            if (file.repo, file.commit, file.path) == (repo, commit, path):
                return self._location(URL(file.url))
        raise FileNotInRepository(f"{path} of {repo} is not known any more.", remedy="Name its address once more.")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._network.aclose()

    def _location(self, url: URL) -> Location:
        # A token belongs to the address it was given for; a source for every host has none.
        token = self._credentials.token() if self._origin == str(url.origin()) else None
        return Location(str(url), authorization(token), self._credentials.context, self._hosts)

    async def _size(self, url: URL, path: str) -> int:
        async with self._network.open(self._location(url), 0, 1) as answer:
            if answer.total is None:
                raise Unreachable(
                    f"{url.host} does not say how long {path} is.", remedy="Take the file from another host."
                )
            return answer.total

    async def _beside(self, url: URL, path: str) -> str:
        """The checksum in the file beside: alone, or in a line as `sha256sum` writes them."""
        beside, data = url.with_path(url.path + SUFFIX), bytearray()
        async with self._network.open(self._location(beside)) as answer, aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                data += chunk
                if len(data) > SUMS_LIMIT:
                    raise Unreachable(f"{without_secrets(beside)} is too long for a checksum.", remedy=_REMEDY)
        for line in data.decode("utf-8", "replace").splitlines():
            if published := _published(line.strip(), path):
                return published
        raise Unreachable(f"{without_secrets(beside)} holds no SHA-256 of {path}.", remedy=_REMEDY)


def _published(line: str, path: str) -> str | None:
    words = line.replace("=", " ").split()
    sums = [word.lower() for word in words if HEX64.fullmatch(word.lower())]
    others = {word.strip("*()").rpartition("/")[2] for word in words if not HEX64.fullmatch(word.lower())}
    return sums[0] if len(sums) == 1 and (path in others or not others) else None


def _parsed(address: str) -> URL:
    try:
        url = URL(address.strip())
        check_https(url)
        url.origin()
    except ValueError:
        raise UsageError("That is no address of a file.", remedy="Write it as https://host/path/model.gguf.") from None
    except UnsafeAddress as error:
        raise UnsafeAddress(str(error), remedy="Use an https address; nothing is fetched in clear.") from None
    if len(address) > LONGEST:
        raise UsageError("The address is too long.", remedy="Use a shorter one.")
    return url.with_fragment(None)


def _file_name(url: URL) -> str:
    name = unquote(url.raw_path.rpartition("/")[2])
    if "/" in name or not is_path(name) or not PurePosixPath(name).suffix:
        raise UsageError(
            f"{without_secrets(url)} names no file.", remedy="The address must end in a file's name, as model.gguf."
        )
    return name


def _repo(url: URL, path: str) -> str:
    """`host/name`: as hubs allow it, whatever the host and the file are called."""
    host = f"{url.raw_host}-{url.explicit_port}" if url.explicit_port else url.raw_host or ""
    repo = f"{plain_name(host)}/{plain_name(PurePosixPath(path).stem)}"
    return repo if is_repo(repo) else "web/model"
