"""Facts of a repository elsewhere: which files of a commit to read, and the least bytes of them that answer."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from modelshelf.catalog.files import default_variant, format_of, is_weights, is_whole, variants
from modelshelf.catalog.types import RepoDetail, RepoFile
from modelshelf.errors import FileNotInRepository, FormatError, NotFound
from modelshelf.metadata import (
    beside,
    choosing,
    gguf_facts,
    onnx,
    onnx_facts,
    remote,
    safetensors,
    splits,
    transformers_facts,
)
from modelshelf.metadata.beside import Beside
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.kinds import START, kind_of
from modelshelf.metadata.projectors import with_projector
from modelshelf.metadata.remote import RemoteFile

AT_ONCE = 8
MAX_SHARDS_READ = 8  # beyond, the index and the sizes answer
INDEX = "model.safetensors.index.json"

Open = Callable[[RepoFile], Coroutine[Any, Any, RemoteFile]]


async def read(detail: RepoDetail, named: str | None, open_: Open, *, exact: bool) -> ModelFacts:
    """What the file, or the one that most people want, is; `open_` gives a file with nothing read yet.

    Raises:
        NotFound, FormatError, Unreachable: as the service says.
    """
    repository = _Repository(detail, open_)
    files = wanted(detail, named)
    first = await open_(files[0])
    await first.grow(remote.FIRST)
    kind = kind_of(first.data[:START], first.name)
    if kind == "gguf":
        return await _gguf(repository, files, first, exact)
    if kind == "onnx":
        return await _onnx(repository, files[0], first, exact)
    return await _safetensors(repository, files, first)


def wanted(detail: RepoDetail, named: str | None) -> tuple[RepoFile, ...]:
    """The files that make up the model: all parts of the one named, or of the one most people want.

    Raises:
        NotFound: there is no such file, a part of it is missing, or there is nothing that holds weights.
    """
    files = {item.path: item for item in detail.files}
    if named is not None and named not in files:
        raise FileNotInRepository(f"{detail.card.repo} has no file {named}.")
    if named is None:
        chosen: Sequence[str] = default_variant(files) or _safetensors_of(files) or _graph_of(files)
    elif format_of(named) == "gguf":
        chosen = next((parts for parts in variants(files) if named in parts), (named,))
    else:
        beside_it = [path for path in files if PurePosixPath(path).parent == PurePosixPath(named).parent]
        chosen = _safetensors_of(beside_it) if format_of(named) == "safetensors" else ()
        chosen = chosen if named in chosen else (named,)
    if not chosen:
        raise NotFound(f"{detail.card.repo} holds no weights in GGUF, safetensors or ONNX format.")
    if format_of(chosen[0]) == "gguf" and not is_whole(chosen):
        raise FileNotInRepository(f"{detail.card.repo} lacks a part of {PurePosixPath(chosen[0]).name}.")
    return tuple(files[path] for path in chosen)


class _Repository:
    """One commit of a repository whose files can be read from their beginnings."""

    def __init__(self, detail: RepoDetail, open_: Open) -> None:
        self.open = open_
        self.files = {file.path: file for file in detail.files}

    async def small(self, name: str, path: str, limit: int) -> tuple[str, bytes | None]:
        """A whole small file under `name`; None if it is too long for one that only advises."""
        listed = self.files[path]
        if listed.size > limit:
            beside.too_long(name, listed.size)
            return name, None
        file = await self.open(listed)
        await file.grow(listed.size)
        return name, file.data

    async def beside(self, folder: str) -> Beside:
        """What stands beside the weights in a folder."""
        paths = beside.wanted(self.files.keys(), "" if folder == "." else folder)
        found = await _all(self.small(name, path, beside.limit(name)) for name, path in paths.items())
        return beside.read({name: data for name, data in found if data is not None})


async def _gguf(repository: _Repository, files: Sequence[RepoFile], first: RemoteFile, exact: bool) -> ModelFacts:
    """Keys are in the first part; the others are read only for their tensors."""
    names = [PurePosixPath(file.path).name for file in files]
    opened = [await repository.open(file) for file in files[1:]] if exact else []
    head = await remote.gguf_header(first, exact=exact)
    headers = [head, *await _all(remote.gguf_header(file, exact=exact) for file in opened)]
    splits.check(headers, names)
    size = sum(file.size for file in files)
    facts = gguf_facts.facts(headers, size=size, whole=len(headers) == len(files), name=names[0])
    return with_projector(facts, await _projector(repository)) if facts.role == "model" else facts


async def _projector(repository: _Repository) -> ModelFacts | None:
    """What the first projector of the repository adds; the name only tells which file to look into."""
    named = sorted(path for path in repository.files if format_of(path) == "gguf" and not is_weights(path, "gguf"))
    for path in [path for path in named if "mmproj" in path.lower()][:1]:
        with suppress(FormatError):
            file = await repository.open(repository.files[path])
            facts = gguf_facts.facts([await remote.gguf_header(file, exact=False)], size=file.size, name=file.name)
            return facts if facts.role == "projector" else None
    return None


async def _safetensors(repository: _Repository, files: Sequence[RepoFile], first: RemoteFile) -> ModelFacts:
    folder = str(PurePosixPath(files[0].path).parent)
    told = await repository.beside(folder)
    size = sum(file.size for file in files)
    few = len(files) <= MAX_SHARDS_READ
    opened = [first, *[await repository.open(file) for file in (files[1:] if few else ())]]
    headers = await _all(remote.safetensors_header(file) for file in opened)
    metadata = headers[0].metadata
    if few:
        tensors = tuple(chain.from_iterable(header.tensors for header in headers))
        return transformers_facts.facts(told.config, tensors, size=size, metadata=metadata, beside=told)
    total = None
    if (path := str(PurePosixPath(folder) / INDEX)) in repository.files:
        _, index = await repository.small(INDEX, path, safetensors.MAX_INDEX)
        total = safetensors.read_index(index).total_size if index is not None else None
    return transformers_facts.facts(told.config, size=size, weights=total or size, metadata=metadata, beside=told)


async def _onnx(repository: _Repository, file: RepoFile, first: RemoteFile, exact: bool) -> ModelFacts:
    folder = PurePosixPath(file.path).parent
    told = await repository.beside(str(folder))
    model = await remote.onnx_model(first, exact=exact)
    places = {name: str(folder / name) for name in model.external}
    sizes = {name: repository.files[path].size for name, path in places.items() if path in repository.files}
    if not model.complete:
        # What it has named so far says which data files there are, but not how long they must be.
        model = replace(model, external=dict.fromkeys(sizes, 0))
    data = onnx.check_external(model, first.name, sizes)
    return onnx_facts.facts(model, told, size=file.size + data)


def _safetensors_of(paths: Iterable[str]) -> tuple[str, ...]:
    """The files of the model nearest to the repository's root."""
    return choosing.weights(nearest) if (nearest := _nearest(paths, "safetensors")) else ()


def _graph_of(paths: Iterable[str]) -> tuple[str, ...]:
    return (choosing.graph(nearest),) if (nearest := _nearest(paths, "onnx")) else ()


def _nearest(paths: Iterable[str], kind: str) -> list[str]:
    found = sorted(path for path in paths if is_weights(path, kind))
    depth = min((path.count("/") for path in found), default=0)
    nearest = [path for path in found if path.count("/") == depth]
    return [path for path in nearest if PurePosixPath(path).parent == PurePosixPath(nearest[0]).parent]


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
