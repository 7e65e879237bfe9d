"""The check of the library that runs in the background: one at a time, begun, paused, resumed and ended by anyone."""

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from modelshelf.access import Role, require
from modelshelf.errors import ModelshelfError, UsageError
from modelshelf.vetting.sweep import Sweep, SweepStep

if TYPE_CHECKING:
    from modelshelf.library import ModelLibrary
    from modelshelf.vetting.service import VettingService

log = logging.getLogger(__name__)

KEPT = 1000
Deed = Literal["pause", "resume", "cancel"]
_GOOD = frozenset({"ok", "recorded"})


@dataclass(frozen=True, slots=True)
class CheckState:
    """Where the check stands: none | running | paused | done | cancelled | failed; `done` of `total` bytes.

    `ended` is when, in UTC.
    """

    status: str = "none"
    done: int = 0
    total: int = 0
    bad: int = 0
    files: int = 0
    error: str = ""
    troubles: tuple[SweepStep, ...] = ()
    ended: datetime | None = None


class Checks:
    """Owns the task of the check."""

    def __init__(self, vetting: "VettingService") -> None:
        self._vetting = vetting
        self.access = vetting.access
        self._sweep: Sweep | None = None
        self._task: asyncio.Task[None] | None = None
        self._state = CheckState()

    @property
    def state(self) -> CheckState:
        """Where the present or the last check stands."""
        sweep = self._sweep
        if sweep is None or self._state.status != "running":
            return self._state
        status = "paused" if sweep.paused else "running"
        return replace(self._state, status=status, done=sweep.done, total=sweep.total, bad=sweep.bad)

    @require(Role.OPERATOR, "vetting.check")
    async def begin(self, model: str, library: "ModelLibrary", *, scan: bool = False) -> CheckState:
        """Begin a check of a model, or with an empty name of everything.

        Raises:
            RoleRequired: a viewer asks.
            UsageError: one is running.
            NotFound: the model is not installed.
        """
        if self._task is not None and not self._task.done():
            raise UsageError("A check is running.", remedy="Wait for its end, or cancel it.")
        if model:
            await library.get(model)
        self._sweep, self._state = self._vetting.sweep(library), CheckState("running")
        self._task = asyncio.create_task(self._run(self._sweep, model or None, scan), name="vetting.check")
        return self.state

    @require(Role.OPERATOR, "vetting.check")
    async def steer(self, deed: Deed) -> None:
        """Pause, resume or cancel; nothing happens where nothing runs.

        Raises:
            RoleRequired: a viewer asks.
        """
        if self._sweep is None or self._task is None or self._task.done():
            return
        if deed == "pause":
            self._sweep.pause()
            return
        self._sweep.resume()
        if deed == "cancel":
            await self.stop()

    async def stop(self) -> None:
        """End the check, if one runs."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            if self._state.status == "running":  # it was ended before it began
                self._state = replace(self._state, status="cancelled")

    async def wait(self) -> CheckState:
        """The state at its end."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        return self.state

    async def _run(self, sweep: Sweep, model: str | None, scan: bool) -> None:
        status, error = "cancelled", ""
        try:
            async with aclosing(sweep.run(model, scan=scan)) as steps:
                async for step in steps:
                    self._note(step)
            status = "done"
        except ModelshelfError as failure:
            log.warning("the check of the library failed: %s", failure)
            status, error = "failed", failure.message
        finally:
            self._state = replace(
                self._state, status=status, error=error, done=sweep.done, total=sweep.total, bad=sweep.bad,
                ended=datetime.now(UTC),
            )  # fmt: skip
            sweep.tell()

    def _note(self, step: SweepStep) -> None:
        troubles = self._state.troubles
        if step.status not in _GOOD and len(troubles) < KEPT:
            troubles = (*troubles, step)
        self._state = replace(self._state, files=self._state.files + 1, troubles=troubles)
