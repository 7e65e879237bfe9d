"""Verifying everything: checksums, whole models and verdicts of the library, with progress, and a pause."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelshelf.events import EventBus, LibraryChanged, VerifyProgress
from modelshelf.library.verify import Stopped
from modelshelf.vetting.integrity import flaws
from modelshelf.vetting.types import Verdict

if TYPE_CHECKING:
    from modelshelf.library import ModelLibrary
    from modelshelf.library.types import InstalledModel
    from modelshelf.vetting.service import VettingService

TELL_SECONDS = 0.25
BAD = frozenset({"mismatch", "broken", "block"})


@dataclass(frozen=True, slots=True)
class SweepStep:
    """What was found of one file.

    status is ok | recorded (seen for the first time) | mismatch | missing | incomplete | broken | review | block;
    `done` and `total` are bytes of the whole sweep.
    """

    repo: str
    commit: str
    path: str
    status: str
    detail: str = ""
    size: int = 0
    sha256: str | None = None
    expected: str | None = None
    done: int = 0
    total: int = 0

    @property
    def bad(self) -> bool:
        """Whether the file must not be used."""
        return self.status in BAD

    def as_dict(self) -> dict[str, object]:
        """As JSON."""
        names = ("repo", "commit", "path", "status", "size", "sha256", "expected", "detail", "done", "total")
        return {name: getattr(self, name) for name in names}


class Sweep:
    """One check of the library, or of one model, made by `VettingService.sweep`; `pause` and `resume` at any time."""

    def __init__(self, library: "ModelLibrary", vetting: "VettingService", events: EventBus) -> None:
        self.done = self.total = self.bad = 0
        self._library, self._vetting, self._events = library, vetting, events
        self._going = threading.Event()
        self._going.set()
        self._lock = threading.Lock()
        self._model = ""

    @property
    def paused(self) -> bool:
        """Whether it waits."""
        return not self._going.is_set()

    def pause(self) -> None:
        """Stop reading for now; what is being read waits where it is."""
        self._going.clear()
        self.tell()

    def resume(self) -> None:
        """Go on."""
        self._going.set()
        self.tell()

    def arrived(self, count: int, stop: threading.Event) -> None:
        """Count bytes, and wait while it is paused. In the reading threads."""
        while not self._going.wait(0.1):
            if stop.is_set():
                raise Stopped
        with self._lock:
            self.done += count

    async def run(self, model: str | None = None, *, scan: bool = False) -> AsyncGenerator[SweepStep, None]:
        """Check every file, and every model as a whole; with `scan`, look for what is unsafe under the present rules.

        Raises:
            NotFound: the model is not installed.
        """
        models = [await self._library.get(model)] if model else list(await self._library.models())
        sizes = {file.blob: file.size for one in models for file in one.files}
        self.done, self.total, self.bad = 0, sum(sizes.values()), 0
        telling = asyncio.create_task(self._keep_telling(), name="vetting.sweep")
        try:
            async with aclosing(self._bytes(model)) as steps:
                async for step in steps:
                    yield step
            for one in models:
                self._model = str(one.id)
                for step in await self._whole(one, scan=scan):
                    yield step
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            self.tell()

    async def _bytes(self, model: str | None) -> AsyncGenerator[SweepStep, None]:
        async with aclosing(self._library.verify(model, gauge=self)) as results:
            async for found in results:
                self._model = found.repo
                yield self._step(
                    SweepStep(found.repo, found.commit, found.path, found.status, found.detail, found.size,
                              found.sha256, found.expected, self.done, self.total)
                )  # fmt: skip

    async def _whole(self, model: "InstalledModel", *, scan: bool) -> Sequence[SweepStep]:
        def step(path: str, status: str, detail: str) -> SweepStep:
            return SweepStep(model.repo, model.commit, path, status, detail, done=self.done, total=self.total)

        flawed = await asyncio.to_thread(lambda: list(flaws(model)))
        found = [step(flaw.path, flaw.status, flaw.detail) for flaw in flawed]
        for report in await self._vetting.scan_installed(model) if scan else ():
            if report.verdict is not Verdict.PASS:
                detail = report.findings[0].detail if report.findings else ""
                found.append(step(report.path, report.verdict.value, detail))
        if scan:
            self._events.publish(LibraryChanged(repo=model.repo))
        return [self._step(one) for one in found]

    def _step(self, step: SweepStep) -> SweepStep:
        self.bad += step.bad
        return step

    async def _keep_telling(self) -> None:
        told = -1
        while True:
            if told != self.done:
                told = self.done
                self.tell()
            await asyncio.sleep(TELL_SECONDS)

    def tell(self) -> None:
        """Say how far it is."""
        self._events.publish(
            VerifyProgress(done=self.done, total=self.total, bad=self.bad, model=self._model, paused=self.paused)
        )
