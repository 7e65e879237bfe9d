"""Models of a registry that speaks as Ollama's: `ollama://library/llama3.2:1b` is a manifest, its layers are files."""

import asyncio
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from modelshelf.catalog.files import formats_of, quantisations_of
from modelshelf.catalog.sources.cards import is_repo, weights_size
from modelshelf.catalog.sources.credentials import Credentials
from modelshelf.catalog.sources.kept import Kept
from modelshelf.catalog.sources.ollama_manifest import Layer, files_of, read_manifest
from modelshelf.catalog.sources.registry_api import RegistryApi
from modelshelf.catalog.sources.said import HEX40, HEX64, mapping, text
from modelshelf.catalog.sources.tokens import Secrets
from modelshelf.catalog.types import Location, RepoCard, RepoDetail
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import (
    ChecksumMismatch,
    FileNotInRepository,
    FormatError,
    NotFound,
    RevisionNotFound,
    Unreachable,
    UsageError,
)
from modelshelf.ids import ModelId

PUBLIC = "https://registry.ollama.ai"
SCHEME = "ollama://"
LATEST = "latest"
CONFIG_LIMIT = 2**20
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
_EXAMPLE = "Write it as ollama://library/llama3.2:1b."


class OllamaSource:
    """A registry by its address: `settings.url`, else Ollama's. It cannot be searched: its models are named."""

    remote = True
    by_address = True

    def __init__(self, settings: SourceConfig, config: ConfigManager) -> None:
        self.name = settings.name
        self.label = settings.label or settings.name
        self._credentials = Credentials(settings, config, (settings.url or PUBLIC).rstrip("/"))
        sign_in = f"Save a token for it: modelshelf sources token {self.name} --token-stdin."
        self._api = RegistryApi(self._credentials, self.label, config, frozenset(settings.hosts), sign_in)
        self._kept = Kept(Path(config.paths.home) / "registry")

    def use_secrets(self, secrets: Secrets) -> None:
        """Look there for the token that a person saved."""
        self._credentials.secrets = secrets

    async def take(self, address: str, *, sha256: str = "", beside: bool = False) -> ModelId | None:
        """The model that `ollama://…` names; None for other addresses.

        Raises:
            UsageError: it names none, or one of another registry.
        """
        if not address.lower().startswith(SCHEME):
            return None
        if sha256 or beside:
            raise UsageError("An Ollama model brings its checksums along.", remedy="Leave the checksum out.")
        return _named(address[len(SCHEME) :], self.name)

    async def search(self, text: str, *, limit: int = 50) -> Sequence[RepoCard]:
        """Nothing: the protocol has no search."""
        return ()

    async def everything(self) -> Sequence[RepoCard]:
        """What the registry lists; Ollama's own lists nothing."""
        names = await self._api.repositories()
        return [RepoCard(self.name, name, formats=("gguf",)) for name in names if is_repo(name)]

    async def detail(self, repo: str, revision: str | None = None) -> RepoDetail:
        """The manifest of a tag, or of a commit: the first 40 digits of a manifest's digest, or all of them."""
        raw = await self._manifest(repo, revision)
        digest = hashlib.sha256(raw).hexdigest()
        layers, config = read_manifest(self.label, repo, raw)
        described = await self._config(repo, config)
        commit = digest[:40]
        files = tuple(sorted(files_of(repo, layers, config, described), key=lambda file: file.path))
        await asyncio.to_thread(self._kept.put, raw)
        sizes = {file.path: file.size for file in files}
        card = RepoCard(
            source=self.name,
            repo=repo,
            commit=commit,
            formats=formats_of(sizes),
            quantisations=quantisations_of(sizes),
            size=weights_size(sizes),
            architecture=text(mapping(described).get("model_family")),
        )
        return RepoDetail(card, commit, files)

    async def locate(self, repo: str, commit: str, path: str) -> Location:
        """The blob behind a file of a manifest."""
        detail = await self.detail(repo, commit)
        found = next((file for file in detail.files if file.path == path), None)
        if found is None or found.sha256 is None:
            raise FileNotInRepository(f"{repo} of {self.label} has no file {path}.")
        return await self._api.location(repo, f"sha256:{found.sha256}")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _manifest(self, repo: str, revision: str | None) -> bytes:
        if revision and (HEX40.fullmatch(revision) or HEX64.fullmatch(revision)):
            return await self._by_digest(repo, revision)
        tag = LATEST if revision in (None, "main") else revision or LATEST
        if not _TAG.fullmatch(tag):
            raise RevisionNotFound(f"“{tag}” is no tag of {repo}.", remedy=_EXAMPLE)
        return await self._api.manifest(repo, tag)

    async def _by_digest(self, repo: str, commit: str) -> bytes:
        if kept := await asyncio.to_thread(self._kept.get, commit):
            return kept
        whole = HEX64.fullmatch(commit) is not None
        try:
            raw = await self._api.manifest(repo, f"sha256:{commit}" if whole else LATEST)
        except NotFound as error:
            raise RevisionNotFound(f"{self.label} has no manifest {commit[:12]} of {repo}.") from error
        found = hashlib.sha256(raw).hexdigest()
        if whole and found != commit:
            raise ChecksumMismatch(
                f"{self.label} gives another manifest of {repo} than was asked for.", expected=commit, found=found
            )
        if not found.startswith(commit):
            raise RevisionNotFound(
                f"{self.label} has other files of {repo} by now than {commit[:12]}.",
                remedy="Name the tag to take its present files.",
            )
        return raw

    async def _config(self, repo: str, layer: Layer) -> object:
        """What the model says of itself; its bytes are kept, since files are named by it."""
        raw = await asyncio.to_thread(self._kept.get, layer.digest)
        if raw is None:
            if layer.size > CONFIG_LIMIT:
                raise Unreachable(f"{self.label} describes {repo} in {layer.size:,} bytes, which cannot be.")
            raw = await self._api.blob(repo, f"sha256:{layer.digest}", CONFIG_LIMIT)
            found = hashlib.sha256(raw).hexdigest()
            if found != layer.digest:
                raise ChecksumMismatch(
                    f"{self.label} sends another description of {repo} than its manifest names.",
                    expected=layer.digest,
                    found=found,
                )
            await asyncio.to_thread(self._kept.put, raw)
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise FormatError(f"The description of {repo} is not JSON.", remedy="Choose another model.") from None


def _named(name: str, source: str) -> ModelId:
    path, at, digest = name.partition("@")
    repo, _, tag = path.rpartition(":") if ":" in path.rpartition("/")[2] else (path, "", "")
    parts = repo.strip("/").split("/")
    repo = "/".join(["library", *parts] if len(parts) == 1 else parts)
    if len(parts) > 2:
        raise UsageError(
            f"{SCHEME}{name} names another registry.",
            remedy=f"Add it first: modelshelf sources add NAME --kind ollama --url https://{parts[0]}",
        )
    if at and not _DIGEST.fullmatch(digest):
        raise UsageError(f"“{digest}” is no digest.", remedy="A digest is sha256: and 64 digits.")
    if not is_repo(repo) or (tag and not _TAG.fullmatch(tag)):
        raise UsageError(f"{SCHEME}{name} names no model of Ollama's.", remedy=_EXAMPLE)
    revision = digest.removeprefix("sha256:") if at else tag if tag != LATEST else ""
    return ModelId(repo, source, revision or None)
