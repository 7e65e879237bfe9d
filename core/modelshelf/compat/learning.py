"""Listens to loads and answers, and keeps how fast they were."""

import asyncio
import logging
from typing import TYPE_CHECKING

from modelshelf.compat.calibration import CHAT, LEAST_TOKENS, LOAD, Calibration, Measurement
from modelshelf.compat.measures import measure
from modelshelf.compat.memory import estimate
from modelshelf.compat.places import Places
from modelshelf.compat.speed import moved_by_a_token
from modelshelf.compat.subjects import Subject, Subjects
from modelshelf.compat.types import Settings
from modelshelf.errors import ModelshelfError
from modelshelf.events import Event, EventBus, ModelAnswered, ModelLoaded, ProviderChanged, SpeedMeasured, Subscription
from modelshelf.ids import split_served

if TYPE_CHECKING:
    from modelshelf.providers.spec import ProviderConfig

log = logging.getLogger(__name__)
LAST_SECONDS = 2.0  # for what is still to be kept at the end
_END = Event()


class Learning:
    """Turns what is told on the bus into measurements."""

    def __init__(self, events: EventBus, calibration: Calibration, subjects: Subjects, places: Places) -> None:
        self._events, self._calibration, self._subjects, self._places = events, calibration, subjects, places
        self._task: asyncio.Task[None] | None = None
        self._told: Subscription | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._listen(), name="compatibility.learning")

    async def stop(self) -> None:
        """End it, once what was told already is kept: a command that asks one thing ends right after the answer."""
        if self._task and self._told:
            self._told.put(_END)
            await asyncio.wait([self._task], timeout=LAST_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _listen(self) -> None:
        with self._events.subscribe() as self._told:
            async for event in self._told:
                if event is _END:
                    return
                try:
                    if isinstance(event, ModelAnswered) and event.written >= LEAST_TOKENS and event.rate > 0:
                        await self._answered(event)
                    elif isinstance(event, ModelLoaded) and event.seconds > 0:
                        await self._loaded(event)
                    elif isinstance(event, ProviderChanged):
                        await self._places.refresh()  # what lists say of it must not wait for a question
                    elif isinstance(event, SpeedMeasured) and event.process != self._events.process:
                        await self._calibration.read()
                except ModelshelfError as error:
                    log.info("a measurement was not kept: %s", error)

    async def _answered(self, event: ModelAnswered) -> None:
        config, subject = await self._find(event.model)
        if not self._places.runs_here(config):
            await self._keep(event.model, Measurement(config.kind, event.model, CHAT, event.rate, 0.0))
        elif moved := await self._moved(config, subject, event.tokens):
            await self._keep(event.model, Measurement(config.kind, subject.key, CHAT, event.rate, moved))

    async def _loaded(self, event: ModelLoaded) -> None:
        config, subject = await self._find(event.model)
        if subject.facts is not None and subject.facts.size and self._places.runs_here(config):
            rate = subject.facts.size / event.seconds
            size = float(subject.facts.size)
            await self._keep(event.model, Measurement(config.kind, subject.key, LOAD, rate, size))

    async def _keep(self, model: str, measurement: Measurement) -> None:
        await self._calibration.note(measurement)
        self._events.publish(SpeedMeasured(model=model, process=self._events.process))

    async def _find(self, model: str) -> "tuple[ProviderConfig, Subject]":
        await self._places.refresh()
        return self._places.config(split_served(model)[0]), await self._subjects.find(model)

    async def _moved(self, config: "ProviderConfig", subject: Subject, tokens: int) -> float:
        """The bytes that each token of the answer moved, when half of what was said had been said."""
        if subject.facts is None:
            return 0.0
        settings: Settings = await self._places.settings(config, subject)
        measures = measure(subject.facts)
        memory = estimate(subject.facts, settings, measures).memory
        filled = min(tokens / 2 / settings.context, 1.0) if settings.context else 0.0
        return moved_by_a_token(measures, memory, filled)
