"""The built-in engine as a provider: what the library holds in GGUF, answered by a child of ours."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from modelshelf.errors import NotFound, ProviderError, Unreachable, Unsupported, UsageError
from modelshelf.library.served import ServedFile
from modelshelf.library.types import InstalledModel
from modelshelf.metadata import local
from modelshelf.providers.adapter import Adapter
from modelshelf.providers.engine import Engine, EngineModel, EngineProcess, installed_version
from modelshelf.providers.engine.fit import needed
from modelshelf.providers.engine.header import makes_vectors
from modelshelf.providers.http import Endpoint
from modelshelf.providers.openai import embeddings, stream_chat
from modelshelf.providers.spec import (
    Ability,
    ChatChunk,
    ChatRequest,
    Embeddings,
    Health,
    HealthStatus,
    LoadSettings,
    Progress,
    ProviderConfig,
    ProviderContext,
    ServedModel,
    check_load_settings,
)
from modelshelf.providers.taking import Goods, Taking, Way

CRASH_SECONDS = 1.0
EMBED_SECONDS = 600.0
_PASSED = "pass"


class BuiltinProvider(Adapter):
    """Every whole GGUF model of the library that passed vetting, or that other programs put there."""

    kind = "builtin"
    label = "Built-in engine"
    about = "llama.cpp in a process of ours: runs what the library holds in GGUF, with nothing to install."
    load_options = frozenset({"context", "kv", "gpu_layers", "slots", "flash_attention", "idle_seconds"})
    abilities = frozenset({
        Ability.LIST, Ability.DETAIL, Ability.HEALTH, Ability.LOADED, Ability.LOAD, Ability.UNLOAD, Ability.CHAT,
        Ability.EMBED, Ability.ESTIMATE,
    })  # fmt: skip
    reasons: ClassVar[Mapping[Ability, str]] = {
        Ability.PULL: "It runs what the library holds: download the model there.",
        Ability.DELETE: "It runs what the library holds: delete the model there.",
        **dict.fromkeys(
            (Ability.REGISTER_PATH, Ability.REGISTER_LINK, Ability.REGISTER_UPLOAD),
            "It needs none: every model of the library in GGUF is served by itself.",
        ),
    }

    def __init__(self, config: ProviderConfig, context: ProviderContext) -> None:
        super().__init__(config, context)
        self._engine = Engine(
            context.config,
            changed=lambda: context.changed(config.id),
            loaded=lambda name, seconds: context.loaded(f"{config.id}/{name}", seconds),
        )
        self._asked: dict[Path, LoadSettings] = {}

    async def health(self) -> Health:
        """Whether the engine is installed; nothing is loaded for the look."""
        version = installed_version()
        if version is None:
            return Health(
                HealthStatus.DOWN,
                datetime.now(UTC),
                detail="The engine xllamacpp is not installed.",
                remedy="Install it: pip install xllamacpp",
            )
        loaded = ", ".join(process.model.name for process in self._engine.loaded)
        detail = f"Loaded: {loaded}." if loaded else "Ready; nothing is loaded."
        return Health(HealthStatus.WELL, datetime.now(UTC), 0.0, detail, version=f"xllamacpp {version}")

    async def models(self) -> Sequence[ServedModel]:
        """What the library holds for it now."""
        running = {process.model.file: process for process in self._engine.loaded}
        return await asyncio.to_thread(self._described, await self._served(), running)

    async def detail(self, model: str) -> Mapping[str, Any]:
        """What the header of its file says.

        Raises:
            NotFound, FormatError.
        """
        item = await self._find(model)
        return await asyncio.to_thread(_facts, item)

    async def estimate(self, model: str, settings: LoadSettings | None = None) -> Mapping[str, int]:
        """The bytes that it would take: `weights`, `kv`, `compute` and others, their `total`, and `host` beside it.

        Raises:
            NotFound, FormatError, UsageError.
        """
        return await asyncio.to_thread(needed, await self._order(await self._find(model), settings))

    async def chat(self, model: str, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Stream an answer, loading the model first if need be; closing the generator stops the engine's work.

        Raises:
            NotFound: the library has no such model.
            Unsupported: it makes embeddings.
            ModelDoesNotFit, EngineFailed, FormatError, ProviderError.
        """
        wanted = await self._order(await self._find(model))
        if wanted.embeds:
            raise Unsupported(f"{wanted.name} makes embeddings and does not chat.", remedy="Choose another model.")
        async with self._engine.hold(wanted) as process, _endpoint(process) as endpoint:
            answer = stream_chat(endpoint, "v1/chat/completions", wanted.name, request)
            async with _told_when_it_ends(process), aclosing(answer) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """A vector for each text, by a model that was made for it.

        Raises:
            NotFound: the library has no such model.
            Unsupported: it was made to chat.
            ModelDoesNotFit, EngineFailed, FormatError, ProviderError.
        """
        wanted = await self._order(await self._find(model))
        if not wanted.embeds:
            raise Unsupported(
                f"{wanted.name} was made to chat, and its vectors would mean little.",
                remedy="Choose a model that was made for embeddings.",
            )
        async with self._engine.hold(wanted) as process, _endpoint(process) as endpoint, _told_when_it_ends(process):
            return await embeddings(
                endpoint, "v1/embeddings", wanted.name, texts, self.config.id, seconds=EMBED_SECONDS
            )

    async def load(self, model: str, settings: LoadSettings | None = None) -> None:
        """Load a model; one that is loaded stays so, unless it is to be loaded otherwise: then its answers end first.

        `settings` hold until it is unloaded or loaded again; what they leave open is as it was settled for the model,
        and else as the configuration says.

        Raises:
            UsageError: the settings make no sense.
            As `chat`.
        """
        item, asked, held = await self._find(model), settings or LoadSettings(), False
        wanted = await self._order(item, asked)
        # Before the load: a question that comes during it must want the same.
        self._asked[wanted.file] = asked
        try:
            async with self._engine.hold(wanted):
                held = True
        finally:
            if not held:
                self._asked.pop(wanted.file, None)

    async def unload(self, model: str) -> None:
        """Give a model's memory back; its running answers end."""
        file = _file(await self._find(model))
        self._asked.pop(file, None)
        await self._engine.unload(file)

    async def taking(self, goods: Goods) -> Taking:
        """By its path: whatever the library holds in GGUF is served."""
        if goods.format != "gguf":
            return Taking(goods.name, refused=f"The built-in engine runs GGUF files, and this is {goods.format}.")
        return Taking(goods.name, Way.PATH, place=str(goods.first), there=True)

    async def take(self, _goods: Goods, taking: Taking) -> AsyncGenerator[Progress, None]:
        """There is nothing to do: the list is the proof."""
        yield Progress(taking.way.value)

    async def aclose(self) -> None:
        """End the engine's children."""
        await self._engine.aclose()

    async def _served(self) -> tuple[ServedFile, ...]:
        return tuple(item for item in await self.context.library.served() if _usable(item.model))

    async def _find(self, name: str) -> ServedFile:
        found = await self._served()
        for item in found:
            if item.name.lower() == name.lower() or item.model.repo.lower() == name.lower():
                return item
        known = ", ".join(item.name for item in found[:10])
        raise NotFound(
            f"The built-in engine has no model “{name}”.",
            remedy=f"It has: {known}." if known else "Download a model in GGUF format first.",
        )

    async def _order(self, item: ServedFile, settings: LoadSettings | None = None) -> EngineModel:
        """How it is to be loaded: as asked for now, or when it was loaded; as settled for it; as configured."""
        file, engine = _file(item), self.context.config.config.engine
        asked = settings or self._asked.get(file, LoadSettings())
        wanted = asked.over(await self.context.load_settings(self.config.id, item.name))
        check_load_settings(wanted)
        kv = wanted.kv or (engine.kv if wanted.flash_attention is not False else "f16")
        if kv != "f16" and wanted.flash_attention is False:
            raise UsageError(f"A cache in {kv} needs flash attention.", remedy="Leave it on, or choose kv = f16.")
        return EngineModel(
            file, item.name, wanted.context or engine.context, wanted.slots or engine.slots, kv, engine.threads,
            wanted.gpu_layers, wanted.flash_attention, await asyncio.to_thread(makes_vectors, file),
            wanted.idle_seconds or 0,
        )  # fmt: skip

    def _described(self, items: Sequence[ServedFile], running: Mapping[Path, EngineProcess]) -> tuple[ServedModel, ...]:
        return tuple(self._describe(item, running.get(_file(item))) for item in items)

    def _describe(self, item: ServedFile, process: EngineProcess | None) -> ServedModel:
        return ServedModel(
            self.config.id,
            item.name,
            size=item.size,
            context=process.model.context if process else None,
            quantisation=item.quantisation,
            repo=item.model.repo,
            commit=item.model.commit,
            loaded=process is not None,
            abilities=("embed",) if makes_vectors(_file(item)) else ("chat",),
        )


def _usable(model: InstalledModel) -> bool:
    passed = model.verdict == _PASSED or (not model.managed and model.verdict is None)
    return model.complete and passed and not model.damaged


def _file(item: ServedFile) -> Path:
    return item.files[0].file


def _facts(item: ServedFile) -> Mapping[str, Any]:
    facts = local.read(_file(item))
    told = {field.name: getattr(facts, field.name) for field in fields(facts) if field.name != "tensors"}
    told = {name: value for name, value in told.items() if value not in (None, (), {})}
    return told | {"files": [file.path for file in item.files], "repo": item.model.repo, "commit": item.model.commit}


@asynccontextmanager
async def _told_when_it_ends(process: EngineProcess) -> AsyncIterator[None]:
    """Say in plain words why an answer broke off, be it that the child ended."""
    try:
        yield
    except (Unreachable, ProviderError) as error:
        # A child that was killed closes its connections first and is seen to have ended a moment later.
        if (isinstance(error, Unreachable) or "broken" in error.facts) and await process.ended(CRASH_SECONDS):
            raise process.failure() from error
        if "is too large to process" in error.message:
            raise ProviderError(
                f"A text is longer than {process.model.name} can take in.", remedy="Cut it into shorter pieces."
            ) from error
        raise


@asynccontextmanager
async def _endpoint(process: EngineProcess) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint("The built-in engine", process.url, headers={"Authorization": f"Bearer {process.key}"})
    try:
        yield endpoint
    finally:
        await endpoint.aclose()
