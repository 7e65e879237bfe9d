"""From a model's name to what is known of it: installed, served by a provider here, or listed by a source."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf.catalog.types import RepoCard, RepoDetail, RepoFile
from modelshelf.compat.candidates import Candidate, candidates, of_served
from modelshelf.compat.fit import BUILTIN
from modelshelf.errors import AccessError, FormatError, ModelshelfError, NotFound, Unreachable, UsageError
from modelshelf.ids import ModelId, split_served
from modelshelf.metadata.facts import ModelFacts

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService
    from modelshelf.library import ModelLibrary
    from modelshelf.library.types import InstalledModel
    from modelshelf.metadata import MetadataService
    from modelshelf.providers.spec import ServedModel

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Subject:
    """A model as it is known before anyone judges it.

    `key` is what measurements are kept under, `names` are those by which providers may offer it. `facts` are of the one
    file that is meant, or of the file that most people want where `choices` are several. `served` is what its provider
    says of it. `error`: why its header was not read. `size`: bytes that are still to be fetched, 0 if it is here.
    """

    model: str
    key: str
    facts: ModelFacts | None = None
    names: frozenset[str] = frozenset()
    detail: RepoDetail | None = None
    choices: tuple[Candidate, ...] = ()
    served: "ServedModel | None" = None
    error: ModelshelfError | None = None
    size: int = 0


class Subjects:
    """Finds models by whatever name they have."""

    def __init__(
        self,
        catalog: "CatalogService",
        metadata: "MetadataService",
        library: "ModelLibrary",
        served: Callable[[str], "Sequence[ServedModel] | None"],
    ) -> None:
        self._catalog, self._metadata, self._library, self._served = catalog, metadata, library, served

    async def find(self, model: ModelId | str) -> Subject:
        """What is known of a model; of a source's repository the choice of files too, when none is named.

        Raises:
            NotFound: there is no such model.
            FormatError: an installed file is broken.
            Unreachable, SourceError: nothing is known here, and the source does not answer.
        """
        name = str(model)
        if (file := await self._offered(name)) is not None:
            return await self._file(name, file)
        if (installed := await self._library.find(name)) is not None:
            return await self._installed(installed, name)
        if (served := self._by_provider(name)) is not None:
            return self.served(served)
        return await self.remote(model)

    def served(self, served: "ServedModel") -> Subject:
        """What a provider says of a model of its own."""
        names = frozenset({served.id, served.name, *([served.repo] if served.repo else [])})
        return Subject(served.id, served.id, of_served(served), names, served=served)

    async def remote(self, model: ModelId | str, file: str = "") -> Subject:
        """What a source says of a model, or of one `file` of it; its header is read where it can be.

        Raises:
            NotFound, Unreachable, SourceError.
        """
        named = model if isinstance(model, ModelId) else ModelId.parse(model)
        return await self.of_detail(await self._catalog.detail(named), file or named.file or "", str(named))

    async def of_detail(self, detail: RepoDetail, wanted: str = "", model: str = "") -> Subject:
        """As `remote`, for a commit whose files are known."""
        named = detail.card.id
        found = candidates(detail)
        chosen = next((one for one in found if wanted in one.files), None) if wanted else None
        if wanted and chosen is None:
            raise NotFound(f"{named.repo} has no model file {wanted}.", remedy="`modelshelf show` lists its files.")
        facts, error = await self._known(detail, (chosen,) if chosen else found)
        choices = (chosen,) if chosen else found
        size = choices[0].size if choices else 0
        key = key_of(detail.card.repo, choices[0].files[0] if choices else "")
        names = _names(named.repo)
        return Subject(model or str(named), key, facts, names, detail, choices, None, error, size)

    async def _offered(self, model: str) -> Path | None:
        """The installed file that the built-in engine offers under a name."""
        name = model.removeprefix(f"{BUILTIN}/")
        return next((one.files[0].file for one in await self._library.served() if one.name == name), None)

    async def _file(self, model: str, file: Path) -> Subject:
        facts = await self._metadata.local(file)
        installed = await self._library.find(model.removeprefix(f"{BUILTIN}/"))
        repo = installed.repo if installed else model
        path = next((one.path for one in installed.files if one.file == file), file.name) if installed else file.name
        names = _names(repo) | {model.removeprefix(f"{BUILTIN}/"), f"{BUILTIN}/{model.removeprefix(f'{BUILTIN}/')}"}
        return Subject(model, key_of(repo, path), facts, names)

    async def _installed(self, installed: "InstalledModel", model: str) -> Subject:
        named = _file_of(model)
        paths = {file.path: file.file for file in installed.files}
        found = candidates(_as_detail(installed))
        chosen = next((one for one in found if named in one.files), found[0] if found else None)
        if chosen is None or (named and named not in paths):
            raise NotFound(f"{installed.repo} holds no such model file.", remedy="Name one of its files.")
        names = _names(installed.repo) | {installed.served_name, f"{BUILTIN}/{installed.served_name}"}
        key = key_of(installed.repo, chosen.files[0])
        if chosen.format not in {"gguf", "safetensors"}:
            return Subject(model, key, ModelFacts(chosen.format, chosen.size, tier=1), names)
        return Subject(model, key, await self._metadata.local(paths[chosen.files[0]]), names)

    def _by_provider(self, model: str) -> "ServedModel | None":
        """A model by the name that a provider gives it."""
        try:
            provider, name = split_served(model)
        except UsageError:
            return None
        return next((one for one in self._served(provider) or () if one.name == name), None)

    async def _known(
        self, detail: RepoDetail, found: Sequence[Candidate]
    ) -> tuple[ModelFacts | None, ModelshelfError | None]:
        """Facts from the header of the file that most people want, or why there are none."""
        if not found or found[0].format not in {"gguf", "safetensors"}:
            return None, None
        named = detail.card.id.at(detail.commit)
        try:
            return await self._metadata.facts(named, found[0].files[0] if len(found) == 1 else None), None
        except (AccessError, FormatError, NotFound, Unreachable) as error:
            log.info("the header of %s was not read: %s", named, error)
            return None, error


def key_of(repo: str, file: str) -> str:
    """What measurements of a file are kept under."""
    return f"{repo.lower()}/{file}"


def _names(repo: str) -> frozenset[str]:
    return frozenset({repo, repo.lower()})


def _file_of(model: str) -> str | None:
    try:
        return ModelId.parse(model).file
    except UsageError:
        return None


def _as_detail(installed: "InstalledModel") -> RepoDetail:
    """An installed commit in the form of a listed one."""
    files = tuple(RepoFile(file.path, file.size) for file in installed.files)
    return RepoDetail(RepoCard(installed.source or "", installed.repo), installed.commit, files)
