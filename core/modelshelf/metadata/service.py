"""Facts of any model by name: the least bytes that answer, fetched once for a commit."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from modelshelf.catalog.files import default_variant, format_of, is_weights, is_whole, variants
from modelshelf.catalog.source import Source
from modelshelf.catalog.types import RepoDetail, RepoFile
from modelshelf.config import ConfigManager
from modelshelf.errors import FileNotInRepository, FormatError, NotFound
from modelshelf.ids import ModelId
from modelshelf.metadata import gguf_facts, local, remote, safetensors, transformers_facts
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.remote import Fetch, RemoteFile
from modelshelf.network import Network, RangeAnswer

KEPT = 512
AT_ONCE = 8
MAX_SHARDS_READ = 8  # beyond, the index and the sizes answer


class Catalog(Protocol):
    """What is asked of the catalogue."""

    async def resolve(self, model: ModelId | str) -> tuple[Source, ModelId]:
        """The source that has the model, and the model's full name."""
        ...

    async def detail(self, model: ModelId | str) -> RepoDetail:
        """The files of one commit."""
        ...


class MetadataService:
    """What models are. Answers are kept for each commit, which never changes."""

    name = "metadata"

    def __init__(self, config: ConfigManager, catalog: Catalog) -> None:
        self._catalog = catalog
        self._network = Network(config)
        self._kept: dict[tuple[object, ...], ModelFacts] = {}

    async def start(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Close the connections."""
        await self._network.aclose()

    async def facts(self, model: ModelId | str, file: str | None = None, *, exact: bool = True) -> ModelFacts:
        """What a model is, from the header bytes of its files.

        Without a file it is the one that most people want. Without `exact` a GGUF is judged by its first 64 KiB, which
        give everything but the single tensors.

        Raises:
            NotFound: no such model or file, or nothing in it that holds weights in a known format.
            FormatError: a header is broken; the message names the field.
            Unreachable: the source does not answer.
        """
        source, name = await self._catalog.resolve(model)
        detail = await self._catalog.detail(name)
        files = _wanted(detail, file or name.file)
        key = (source.name, name.repo, detail.commit, *(item.path for item in files))
        found = self._kept.get((*key, True)) or (None if exact else self._kept.get((*key, False)))
        if found is None:
            found = await self._read(_Repository(source, name.repo, detail, self._network), files, exact)
            self._keep((*key, found.tier == 2), found)
            if exact:
                self._keep((*key, True), found)
        return found

    async def local(self, path: Path | str) -> ModelFacts:
        """What a file, a split one by any of its parts, or a folder on this machine is.

        Raises:
            NotFound: there is nothing, or nothing that holds weights.
            FormatError: a header is broken; the message names the field.
        """
        return await asyncio.to_thread(local.read, path)

    def _keep(self, key: tuple[object, ...], found: ModelFacts) -> None:
        self._kept[key] = found
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    async def _read(self, repository: "_Repository", files: Sequence[RepoFile], exact: bool) -> ModelFacts:
        if format_of(files[0].path) == "gguf":
            return await _gguf(repository, files, exact)
        return await _safetensors(repository, files)


class _Repository:
    """One commit of a repository whose files can be read from their beginnings."""

    def __init__(self, source: Source, repo: str, detail: RepoDetail, network: Network) -> None:
        self._source, self._repo, self._commit, self._network = source, repo, detail.commit, network
        self.files = {file.path: file for file in detail.files}

    async def open(self, file: RepoFile) -> RemoteFile:
        """The file, with nothing read yet."""
        location = await self._source.locate(self._repo, self._commit, file.path)

        async def fetch(start: int, length: int) -> RangeAnswer:
            return await self._network.fetch_range(location, start, length)

        reader: Fetch = fetch
        return RemoteFile(PurePosixPath(file.path).name, file.size, reader)

    async def small(self, path: str, limit: int) -> bytes | None:
        """A whole small file; None if there is none."""
        listed = self.files.get(path)
        if listed is None:
            return None
        if listed.size > limit:
            raise FormatError(f"{path} has {listed.size:,} bytes, more than {limit:,}.")
        file = await self.open(listed)
        await file.grow(listed.size)
        return file.data


async def _gguf(repository: _Repository, files: Sequence[RepoFile], exact: bool) -> ModelFacts:
    """Keys are in the first part; the others are read only for their tensors."""
    size = sum(file.size for file in files)
    opened = [await repository.open(file) for file in (files if exact else files[:1])]
    first = await remote.gguf_header(opened[0], exact=exact)
    headers = [first, *await _all(remote.gguf_header(file, exact=exact) for file in opened[1:])]
    return gguf_facts.facts(headers, size=size, whole=len(headers) == len(files))


async def _safetensors(repository: _Repository, files: Sequence[RepoFile]) -> ModelFacts:
    folder = PurePosixPath(files[0].path).parent
    data = await repository.small(str(folder / "config.json"), transformers_facts.MAX_CONFIG)
    config = transformers_facts.read_config(data) if data is not None else {}
    size = sum(file.size for file in files)
    if len(files) > MAX_SHARDS_READ:
        index = await repository.small(str(folder / "model.safetensors.index.json"), safetensors.MAX_INDEX)
        total = safetensors.read_index(index).total_size if index is not None else None
        return transformers_facts.facts(config, size=size, weights=total or size)
    opened = [await repository.open(file) for file in files]
    headers = await _all(remote.safetensors_header(file) for file in opened)
    return transformers_facts.facts(config, tuple(chain.from_iterable(h.tensors for h in headers)), size=size)


def _wanted(detail: RepoDetail, file: str | None) -> tuple[RepoFile, ...]:
    """The files that make up the model: all parts of the one named, or of the one most people want."""
    files = {item.path: item for item in detail.files}
    if file is not None and file not in files:
        raise FileNotInRepository(f"{detail.card.repo} has no file {file}.")
    if file is None:
        chosen: Sequence[str] = default_variant(files) or _safetensors_of(files)
    elif format_of(file) == "gguf":
        chosen = next((parts for parts in variants(files) if file in parts), (file,))
    elif format_of(file) == "safetensors":
        chosen = _safetensors_of(path for path in files if PurePosixPath(path).parent == PurePosixPath(file).parent)
        chosen = chosen if file in chosen else (file,)
    else:
        raise FormatError(f"{file} is neither GGUF nor safetensors: nothing can be read from it without running it.")
    if not chosen:
        raise NotFound(f"{detail.card.repo} holds no weights in GGUF or safetensors format.")
    if format_of(chosen[0]) == "gguf" and not is_whole(chosen):
        raise FileNotInRepository(f"{detail.card.repo} lacks a part of {PurePosixPath(chosen[0]).name}.")
    return tuple(files[path] for path in chosen)


def _safetensors_of(paths: Iterable[str]) -> tuple[str, ...]:
    """The files of the model nearest to the repository's root: `model*`, else all; never the same weights twice."""
    found = sorted(path for path in paths if is_weights(path, "safetensors"))
    depth = min((path.count("/") for path in found), default=0)
    nearest = [path for path in found if path.count("/") == depth]
    folder = PurePosixPath(nearest[0]).parent if nearest else None
    nearest = [path for path in nearest if PurePosixPath(path).parent == folder]
    return tuple(path for path in nearest if PurePosixPath(path).name.startswith("model")) or tuple(nearest)


async def _all[T](coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results in order, a few at once; the first error ends the others and is raised."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def limited(coroutine: Coroutine[Any, Any, T]) -> T:
        async with turns:
            return await coroutine

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(limited(coroutine)) for coroutine in coroutines]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
