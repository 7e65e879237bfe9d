"""Which models the engine holds: loads on demand, shares a loaded one, makes room, starts anew after a crash."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from modelshelf.config import ConfigManager
from modelshelf.errors import ModelDoesNotFit, ProviderError
from modelshelf.providers.engine.fit import fitted
from modelshelf.providers.engine.log import EngineLog
from modelshelf.providers.engine.process import EngineModel, EngineProcess

HELD = 2
WAIT_SECONDS = 600.0


class _Place:
    """A model's place: who uses it, and its child once that is loaded."""

    def __init__(self, model: EngineModel, loading: "asyncio.Task[EngineProcess]") -> None:
        self.model = model
        self.loading = loading
        self.users = 0
        self.used = time.monotonic()
        self.idle_seconds = model.idle_seconds
        self.expiry: asyncio.TimerHandle | None = None

    def stay(self) -> None:
        """It is used again."""
        if self.expiry:
            self.expiry.cancel()

    @property
    def process(self) -> EngineProcess | None:
        """The child, if it was loaded."""
        if self.loading.done() and not self.loading.cancelled() and self.loading.exception() is None:
            return self.loading.result()
        return None

    @property
    def usable(self) -> bool:
        """Whether it is loading or runs."""
        return not self.loading.done() or ((process := self.process) is not None and process.alive)


class Engine:
    """Holds up to `held` models at a time, each in a child; the one unused longest makes room for the next.

    A model that nobody used for its `idle_seconds` is let go. `changed` is called when a model was loaded or left, by
    itself too; `loaded` with its name and the seconds it took.
    """

    def __init__(
        self,
        config: ConfigManager,
        *,
        held: int = HELD,
        fit: Callable[[EngineModel], EngineModel] = fitted,
        changed: Callable[[], None] = lambda: None,
        loaded: Callable[[str, float], None] = lambda _name, _seconds: None,
    ) -> None:
        self._config = config
        self._held = held
        self._fit = fit
        self._changed = changed
        self._loaded = loaded
        self._places: dict[Path, _Place] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._room = asyncio.Condition()

    @property
    def loaded(self) -> Sequence[EngineProcess]:
        """The children that run."""
        found = (place.process for place in self._places.values())
        return tuple(process for process in found if process is not None and process.alive)

    @asynccontextmanager
    async def hold(self, model: EngineModel) -> AsyncIterator[EngineProcess]:
        """The child with this model, loaded first if need be; it is not ended within the block to make room.

        Raises:
            ModelDoesNotFit: loading it would need more memory than there is.
            EngineFailed: the child ended or refused the model.
            ProviderError: every place stays taken by running answers.
        """
        place = await self._enter(model)
        try:
            # Shielded: others may wait for the same child, and one that gives up must not take it from them.
            yield await asyncio.shield(place.loading)
        finally:
            place.users -= 1
            place.used = time.monotonic()
            if not place.users and place.idle_seconds:
                place.expiry = asyncio.get_running_loop().call_later(place.idle_seconds, self._expire, place)
            async with self._room:
                self._room.notify_all()

    async def unload(self, file: Path) -> None:
        """Give a model's memory back; running answers of it end. Nothing happens if it is not loaded."""
        if place := self._places.pop(file, None):
            await self._leave(place)

    async def aclose(self) -> None:
        """End every child."""
        places, self._places = list(self._places.values()), {}
        await asyncio.gather(*(self._leave(place) for place in places), *self._leaving)

    async def _enter(self, model: EngineModel) -> _Place:
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._room:
                while (place := await self._place(model)) is None:
                    await self._room.wait()
                place.users += 1
                place.stay()
                place.idle_seconds = model.idle_seconds
                return place
        except TimeoutError:
            raise ProviderError(
                f"The built-in engine is busy with other models; {model.name} was not loaded.",
                remedy="Wait until their answers end, or stop one.",
            ) from None

    async def _place(self, model: EngineModel) -> _Place | None:
        """The model's place, a new one if there is room, or None while every place is in use."""
        if (place := self._places.get(model.file)) and place.usable and place.model == model:
            return place
        if place and place.usable and place.users:
            return None  # the same file with other settings: its answers end first
        if place:
            await self._drop(place)
        while len(self._places) >= self._held:
            idle = self._idle()
            if not idle:
                return None
            await self._drop(idle[0])
        place = _Place(model, asyncio.create_task(self._load(model), name=f"engine.load.{model.name}"))
        self._places[model.file] = place
        return place

    async def _load(self, model: EngineModel) -> EngineProcess:
        try:
            model = await asyncio.to_thread(self._fit, model)
        except ModelDoesNotFit:
            idle = self._idle()
            if not idle:
                raise
            for place in idle:
                await self._drop(place)
            model = await asyncio.to_thread(self._fit, model)
        log = EngineLog(self._config.paths.logs / "engine.log")
        began = time.monotonic()
        process = await EngineProcess.start(model, log, self._config.config.engine.start_seconds)
        self._loaded(model.name, time.monotonic() - began)
        process.on_end(self._changed)
        self._changed()
        return process

    def _idle(self) -> list[_Place]:
        """The places nobody uses, the one unused longest first; a child that ended counts whoever used it."""
        free = [p for p in self._places.values() if (p.users == 0 and p.loading.done()) or not p.usable]
        return sorted(free, key=lambda place: (place.usable, place.used))

    async def _drop(self, place: _Place) -> None:
        if self._places.get(place.model.file) is place:
            del self._places[place.model.file]
        await self._leave(place)

    def _expire(self, place: _Place) -> None:
        # Out of its place at once: whoever comes from now on must not find it.
        if not place.users and self._places.get(place.model.file) is place:
            del self._places[place.model.file]
            task = asyncio.create_task(self._leave(place), name=f"engine.idle.{place.model.name}")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _leave(self, place: _Place) -> None:
        place.stay()
        place.loading.cancel()
        await asyncio.wait({place.loading})
        if process := place.process:
            await process.stop()
