"""Calls hooks where something is about to happen or has happened. What a hook does wrong stays with it."""

import asyncio
import contextvars
import copy
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from modelshelf.access import current
from modelshelf.errors import Vetoed
from modelshelf.hooks.finding import Known, known
from modelshelf.hooks.spec import AFTER_VERDICT, Hook, Veto

log = logging.getLogger(__name__)

SECONDS = 10.0

Note = Callable[[str, str, str], Awaitable[None]]


class HookFailed(Exception):
    """A hook raised, took too long, answered nonsense, or cannot be loaded."""


async def _unnoted(_hook: str, _point: str, _why: str) -> None:
    """Nobody keeps it."""


class Hooks:
    """Hooks by name, none at first. `note(hook, point, why)` is told of each that failed; `seconds` is what one has."""

    def __init__(self, note: Note = _unnoted, *, seconds: float = SECONDS) -> None:
        self._note = note
        self._seconds = seconds
        self._known: dict[str, Known] = {}

    async def listed(self) -> Sequence[Known]:
        """Every hook, broken ones included."""
        return tuple(self._known.values())

    def add(self, name: str, hook: Hook) -> None:
        """Take a hook in for as long as this process lives, in place of one of that name.

        Raises:
            TypeError: it is none.
        """
        self._known[name] = known(name, hook, "this process")

    async def ask(self, point: str, about: Mapping[str, Any]) -> None:
        """Let every hook of the point refuse.

        Raises:
            Vetoed: one refuses, or fails.
        """
        for hook in await self._at(point):
            try:
                veto = await self._call(hook, point, about)
            except HookFailed as error:
                await self._failed(hook, point, error)
                raise Vetoed(
                    f"The hook {hook.name} did not do its work at {point}: {error}. Nothing was begun.",
                    remedy=f"Mend the hook ({hook.origin}), or add it to hooks.off in the settings.",
                    hook=hook.name,
                ) from error
            if veto is not None:
                raise Vetoed(f"The hook {hook.name} refuses: {veto.reason}", hook=hook.name, reason=veto.reason)

    async def tell(self, point: str, about: Mapping[str, Any]) -> None:
        """Tell every hook of the point, all at once; what they answer does not matter."""
        await asyncio.gather(*(self._tell(hook, point, about) for hook in await self._at(point)))

    async def verdicts(self, about: Mapping[str, Any]) -> list[tuple[str, Veto]]:
        """What hooks find in addition of a file that was scanned: by name, what makes its verdict stricter."""
        found = []
        for hook in await self._at(AFTER_VERDICT):
            try:
                veto = await self._call(hook, AFTER_VERDICT, about)
            except HookFailed as error:
                await self._failed(hook, AFTER_VERDICT, error)
                veto = Veto(f"The hook could not judge it: {error}.", "review")
            if veto is not None:
                found.append((hook.name, veto))
        return found

    async def judges(self) -> bool:
        """Whether any hook has its say on verdicts."""
        return bool(await self._at(AFTER_VERDICT))

    async def _at(self, point: str) -> list[Known]:
        return [hook for hook in await self.listed() if point in hook.points]

    async def _tell(self, hook: Known, point: str, about: Mapping[str, Any]) -> None:
        try:
            await self._call(hook, point, about)
        except HookFailed as error:
            await self._failed(hook, point, error)

    async def _failed(self, hook: Known, point: str, error: HookFailed) -> None:
        log.warning("the hook %s failed at %s: %s", hook.name, point, error)
        await self._note(hook.name, point, str(error))

    async def _call(self, known: Known, point: str, about: Mapping[str, Any]) -> Veto | None:
        if known.hook is None:
            raise HookFailed(f"it cannot be loaded ({known.error})")
        told = {"by": current().name, **copy.deepcopy(dict(about))}
        try:
            async with asyncio.timeout(self._seconds):
                answer = await _in_thread(known.hook, point, told)
        except TimeoutError:
            raise HookFailed(f"it was not done within {self._seconds:g} s") from None
        if answer is None or (isinstance(answer, Veto) and answer.verdict in ("review", "block")):
            return answer
        raise HookFailed(f"it answered {type(answer).__name__} where only None or a Veto makes sense")


def _in_thread(hook: Hook, point: str, about: dict[str, Any]) -> asyncio.Future[Any]:
    """Call it in a thread that nobody waits for: one that hangs keeps neither the loop nor the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def work() -> None:
        try:
            settle, value = done.set_result, _answer(hook, point, about)
        except TimeoutError as error:  # its own, not ours
            settle, value = done.set_exception, HookFailed(f"it waited in vain: {error}")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the hook's and is told as such
            settle, value = done.set_exception, HookFailed(f"{type(error).__name__}: {error}")
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(lambda: None if done.done() else settle(value))

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), daemon=True, name=f"hook.{point}").start()
    return done


def _answer(hook: Hook, point: str, about: dict[str, Any]) -> Any:
    answer = hook(point, about)
    return asyncio.run(cast("Coroutine[Any, Any, Any]", answer)) if inspect.iscoroutine(answer) else answer
