"""Steps of the self-test, and the report that they make."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from modelshelf.errors import ModelshelfError, TimedOut

log = logging.getLogger(__name__)

PASSED, FAILED, NOT_RUN = "passed", "failed", "not run"
JOURNEY = "journey"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: status is passed | failed | not run, never passed when it did not run.

    `evidence` is what was seen; `error` why it is red or did not run, `remedy` what mends that. `group` is `journey` or
    the id of a provider, `mend` the part of LLM Settings where a person mends it (`providers`, `sources`, …), empty if
    there is none. `code` and `exit_code` are those of the error.
    """

    name: str
    status: str
    seconds: float = 0.0
    evidence: str = ""
    error: str = ""
    remedy: str = ""
    group: str = JOURNEY
    mend: str = ""
    code: str = ""
    exit_code: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        told = asdict(self)
        del told["exit_code"]
        return told | {"seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class Advice:
    """Something that could be better here: a stable code, a sentence, what to do, and the figures behind it."""

    code: str
    detail: str
    remedy: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole self-test: what was tried where and when, every step, and what could be better."""

    version: str
    machine: str
    started: datetime
    seconds: float
    steps: tuple[Step, ...]
    advice: tuple[Advice, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing is red. What did not run counts as neither."""
        return not any(step.status == FAILED for step in self.steps)

    @property
    def exit_code(self) -> int:
        """What the command line leaves with: by the first step that is red."""
        return next((step.exit_code or 1 for step in self.steps if step.status == FAILED), 0)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "version": self.version,
            "machine": self.machine,
            "started": self.started.isoformat(),
            "seconds": round(self.seconds, 3),
            "passed": self.passed,
            "steps": [step.as_dict() for step in self.steps],
            "advice": [asdict(one) for one in self.advice],
        }

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> "Report":
        """The report of such JSON.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        return cls(
            told["version"],
            told["machine"],
            datetime.fromisoformat(told["started"]),
            float(told["seconds"]),
            tuple(Step(**step) for step in told["steps"]),
            tuple(Advice(**one) for one in told["advice"]),
        )


class NotRun(Exception):
    """A step finds that it cannot run here, and why; that is no fault."""


async def take(
    name: str,
    work: Callable[[], Awaitable[str]],
    *,
    seconds: float,
    late: str = TimedOut.remedy,
    detail: Callable[[], str] = lambda: "",
    finish: float = 0.0,
    group: str = JOURNEY,
    mend: str = "",
) -> Step:
    """Run one step: `work` returns its evidence. `late` mends one that takes too long, `detail` says where it is.

    Who stops in the middle waits up to `finish` seconds for its end.
    """
    started = time.perf_counter()
    try:
        evidence = await _within(work, seconds, finish)
    except NotRun as why:
        return Step(name, NOT_RUN, time.perf_counter() - started, error=str(why), group=group)
    except ModelshelfError as error:
        failure = error
    except TimeoutError:
        failure = TimedOut(f"It was not done within {seconds:g} s. {detail()}".strip(), remedy=late)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        failure = ModelshelfError(
            f"{where}{error.strerror or error}.", remedy="Check that the folder is there and can be written to."
        )
    except Exception as error:  # a defect makes its own step red, and the others are still looked at
        log.exception("the self-test failed at %s", name)
        failure = ModelshelfError(
            f"Something went wrong that should not: {type(error).__name__}: {error}.",
            remedy="Send the support file of `modelshelf doctor --bundle` to who looks after Modelshelf.",
        )
    else:
        return Step(name, PASSED, time.perf_counter() - started, evidence, group=group)
    return Step(
        name,
        FAILED,
        time.perf_counter() - started,
        error=failure.message,
        remedy=failure.remedy,
        group=group,
        mend=mend,
        code=failure.code,
        exit_code=failure.exit_code,
    )


async def _within(work: Callable[[], Awaitable[str]], seconds: float, finish: float) -> str:
    """What the work returns, in time. Who gives it up waits `finish` seconds for its end.

    What it does in threads cannot be stopped, and would go on behind the back of whoever cleans up.
    """
    task, patience = asyncio.ensure_future(work()), finish
    try:
        done, _ = await asyncio.wait([task], timeout=seconds)
        if done:
            return task.result()
        patience = 0.0
        raise TimeoutError
    finally:
        if patience and not task.done():
            await asyncio.wait([task], timeout=patience)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def skipped(names: Sequence[str], broken: str, *, group: str = JOURNEY) -> list[Step]:
    """Steps that cannot run because one before them is red."""
    return [Step(name, NOT_RUN, error=f"“{broken}” failed before it.", group=group) for name in names]
