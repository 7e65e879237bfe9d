"""Facts of any model by name: the least bytes that answer, fetched once for a commit."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Protocol
from weakref import WeakValueDictionary

from modelshelf.catalog.source import Source
from modelshelf.catalog.types import RepoDetail, RepoFile
from modelshelf.config import ConfigManager
from modelshelf.errors import Unreachable
from modelshelf.ids import ModelId
from modelshelf.metadata import local, repository
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.kept import KeptFacts, Key
from modelshelf.metadata.listed import with_card
from modelshelf.metadata.remote import RemoteFile, ranges
from modelshelf.network import Network
from modelshelf.store import Store

_COMMIT = re.compile(r"[0-9a-f]{40}")


class Catalog(Protocol):
    """What is asked of the catalogue."""

    async def resolve(self, model: ModelId | str) -> tuple[Source, ModelId]:
        """The source that has the model, and the model's full name."""
        ...

    async def detail(self, model: ModelId | str) -> RepoDetail:
        """The files of one commit."""
        ...


class MetadataService:
    """What models are. Answers are kept for each commit, which never changes, also when the process ends."""

    name = "metadata"

    def __init__(self, config: ConfigManager, catalog: Catalog, store: Store | None = None) -> None:
        self._config = config
        self._catalog = catalog
        self._network = Network(config)
        self._kept = KeptFacts(store)
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def start(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Close the connections."""
        await self._network.aclose()

    async def facts(self, model: ModelId | str, file: str | None = None, *, exact: bool = True) -> ModelFacts:
        """What a model is, from the header bytes of its files.

        Without a file it is the one that most people want. Without `exact` a GGUF is judged by its first 64 KiB, which
        give everything but the single tensors. A model whose commit is named is answered without the network once it
        was read; any other one too, as it was read last, while its source does not answer.

        Raises:
            NotFound: no such model or file, or nothing in it that holds weights in a known format.
            FormatError: a header is broken; the message names the field.
            Unreachable: the source does not answer, or not as it should.
        """
        named = ModelId.parse(model) if isinstance(model, str) else model
        asked = file or named.file
        if (found := await self._pinned(named, asked, exact)) is not None:
            return found
        try:
            source, name = await self._catalog.resolve(named)
            detail = await self._catalog.detail(name)
        except Unreachable:
            if (found := await self._last(named, asked, exact)) is not None:
                return found
            raise
        key = Key(source.name, name.repo, detail.commit, asked or "")
        first = replace(key, file=repository.wanted(detail, asked)[0].path)
        async with self._turn(first):
            found = await self._kept.get(key, exact=exact) or await self._kept.get(first, exact=exact)
            opener = self._opener(source, name.repo, detail.commit)
            read = found or await repository.read(detail, asked, opener, exact=exact)
            told = with_card(read, detail.card)
            for place in {key, first}:
                if told is not await self._kept.get(place, exact=exact):
                    await self._kept.put(place, told, exact=exact or told.tier == 2)
        return told

    async def local(self, path: Path | str) -> ModelFacts:
        """What a file, a split one by any of its parts, or a folder on this machine is.

        Raises:
            NotFound: there is nothing, or nothing that holds weights.
            FormatError: a header is broken; the message names the field.
        """
        return await asyncio.to_thread(local.read, path)

    async def _pinned(self, named: ModelId, asked: str | None, exact: bool) -> ModelFacts | None:
        """What is kept of the very commit that is named."""
        if named.revision is None or not _COMMIT.fullmatch(named.revision):
            return None
        for source in self._sources(named):
            key = Key(source, named.repo, named.revision, asked or "")
            if (found := await self._kept.get(key, exact=exact)) is not None:
                return found
        return None

    async def _last(self, named: ModelId, asked: str | None, exact: bool) -> ModelFacts | None:
        """What is kept of the newest commit that was read, if no other one is asked for."""
        if named.revision not in (None, "main"):
            return None
        for source in self._sources(named):
            if (found := await self._kept.newest(source, named.repo, asked or "", exact=exact)) is not None:
                return found
        return None

    def _turn(self, key: Key) -> asyncio.Lock:
        """Who asks for the same at the same time waits for the first one's answer."""
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = asyncio.Lock()
        return turn

    def _sources(self, named: ModelId) -> list[str]:
        if named.source:
            return [named.source]
        return [source.name for source in self._config.config.sources if source.enabled]

    def _opener(self, source: Source, repo: str, commit: str) -> repository.Open:
        async def open_(file: RepoFile) -> RemoteFile:
            location = await source.locate(repo, commit, file.path)
            return RemoteFile(PurePosixPath(file.path).name, file.size, ranges(self._network, location))

        return open_
