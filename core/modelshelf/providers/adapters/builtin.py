"""The built-in engine as a provider: what the library holds in GGUF, answered by a child of ours."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from modelshelf.errors import NotFound, ProviderError, Unreachable
from modelshelf.library.served import ServedFile
from modelshelf.library.types import InstalledModel
from modelshelf.providers.adapter import Adapter
from modelshelf.providers.engine import Engine, EngineModel, EngineProcess, installed_version
from modelshelf.providers.http import Endpoint
from modelshelf.providers.openai import stream_chat
from modelshelf.providers.spec import (
    Ability,
    ChatChunk,
    ChatRequest,
    Health,
    HealthStatus,
    LoadSettings,
    ProviderConfig,
    ProviderContext,
    ServedModel,
)

CRASH_SECONDS = 1.0
_PASSED = "pass"


class BuiltinProvider(Adapter):
    """Every whole GGUF model of the library that passed vetting, or that other programs put there."""

    kind = "builtin"
    label = "Built-in engine"
    about = "llama.cpp in a process of ours: runs what the library holds in GGUF, with nothing to install."
    abilities = frozenset({
        Ability.LIST, Ability.HEALTH, Ability.LOADED, Ability.LOAD, Ability.UNLOAD, Ability.CHAT, Ability.ESTIMATE,
    })  # fmt: skip

    def __init__(self, config: ProviderConfig, context: ProviderContext) -> None:
        super().__init__(config, context)
        self._engine = Engine(context.config, changed=lambda: context.changed(config.id))

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
        return tuple(self._describe(item, running.get(_file(item))) for item in await self._served())

    async def chat(self, model: str, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Stream an answer, loading the model first if need be; closing the generator stops the engine's work.

        Raises:
            NotFound: the library has no such model.
            ModelDoesNotFit, EngineFailed, FormatError, ProviderError.
        """
        wanted = self._order(await self._find(model))
        async with self._engine.hold(wanted) as process, _endpoint(process) as endpoint:
            try:
                async with aclosing(stream_chat(endpoint, "v1/chat/completions", wanted.name, request)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except (Unreachable, ProviderError) as error:
                # A child that was killed closes its connections first and is seen to have ended a moment later.
                if not (isinstance(error, Unreachable) or "broken" in error.facts):
                    raise
                if await process.ended(CRASH_SECONDS):
                    raise process.failure() from error
                raise

    async def load(self, model: str, settings: LoadSettings | None = None) -> None:
        """Load a model; one that is loaded stays so.

        Raises:
            As `chat`.
        """
        async with self._engine.hold(self._order(await self._find(model))):
            pass

    async def unload(self, model: str) -> None:
        """Give a model's memory back; its running answers end."""
        await self._engine.unload(_file(await self._find(model)))

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

    def _order(self, item: ServedFile) -> EngineModel:
        engine = self.context.config.config.engine
        return EngineModel(_file(item), item.name, engine.context, engine.slots, threads=engine.threads)

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
            abilities=("chat",),
        )


def _usable(model: InstalledModel) -> bool:
    passed = model.verdict == _PASSED or (not model.managed and model.verdict is None)
    return model.complete and passed and not model.damaged


def _file(item: ServedFile) -> Path:
    return item.files[0].file


@asynccontextmanager
async def _endpoint(process: EngineProcess) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint("The built-in engine", process.url, headers={"Authorization": f"Bearer {process.key}"})
    try:
        yield endpoint
    finally:
        await endpoint.aclose()
