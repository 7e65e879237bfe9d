"""The one way in which a view may watch shared state: for the life of its session and no longer.

A watcher only marks what is due; the views are written in the session's next tick, once however often the
state changed. An exception in a view therefore never reaches the task that changed the state.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import panel as pn
import param
from bokeh.document import Document

log = logging.getLogger(__name__)

Flush = Callable[[], None]
PUSH_SECONDS = 0.1  # a browser wants ten updates a second, not one per chunk


class Follower:
    """Binds views to shared state on behalf of one session."""

    def __init__(self, doc: Document | None) -> None:
        self._doc = doc
        self._watched: list[tuple[param.Parameterized, Any]] = []
        self._items: dict[tuple[int, str, int], list[tuple[param.Parameterized, Any]]] = {}
        self._due: dict[Flush, None] = {}
        self._pending = False
        self._closed = False
        self._waiting: list[Callable[[], None]] | None = []

    def begin(self) -> None:
        """Watch from now on. A page is made in a thread of its own, so this is called in the loop, once it is made.

        What changed between the making and now is shown.
        """
        waiting, self._waiting = self._waiting or [], None
        for watch in waiting:
            watch()

    def watch(self, source: param.Parameterized, names: Iterable[str], flush: Flush) -> None:
        """Call `flush` after any of these parameters changed."""
        wanted = list(names)

        def watch() -> None:
            self._watched.append((source, source.param.watch(partial(self._mark, flush), wanted)))
            self._mark(flush)

        self._when_begun(watch)

    def watch_items(self, source: param.Parameterized, collection: str, names: Iterable[str], flush: Flush) -> None:
        """Call `flush` after the list `collection` was replaced or one of its items changed in these parameters."""
        wanted = list(names)
        place = (id(flush), collection, id(source))

        def again(*_: Any) -> None:
            # Only what came or went is bound or let go: of two hundred jobs it is mostly one.
            before = {id(item): (item, watcher) for item, watcher in self._items.pop(place, [])}
            kept: list[tuple[param.Parameterized, Any]] = []
            for item in getattr(source, collection):
                if id(item) in before:
                    kept.append(before.pop(id(item)))
                else:
                    kept.append((item, item.param.watch(partial(self._mark, flush), wanted)))
            self._let_go(list(before.values()))
            self._items[place] = kept

        def watch() -> None:
            again()
            self._watched.append((source, source.param.watch(again, [collection])))

        self._when_begun(watch)
        self.watch(source, [collection], flush)

    def soon(self, flush: Flush) -> None:
        """Call `flush` in the session's next tick, once however often that is asked for.

        What a task found out is shown so: written at once it could reach the browser after what was written later.
        """
        self._mark(flush)

    def close(self) -> None:
        """Let go of everything."""
        self._closed = True
        self._let_go(self._watched)
        for watched in self._items.values():
            self._let_go(watched)
        self._watched, self._items = [], {}
        self._due.clear()

    def _when_begun(self, watch: Callable[[], None]) -> None:
        if self._waiting is None:
            watch()
        else:
            self._waiting.append(watch)

    def _let_go(self, watched: list[tuple[param.Parameterized, Any]]) -> None:
        for source, watcher in watched:
            source.param.unwatch(watcher)

    def _mark(self, flush: Flush, *_: Any) -> None:
        self._due[flush] = None
        if self._pending or self._closed:
            return
        self._pending = True
        try:
            asyncio.get_running_loop().call_later(PUSH_SECONDS, self._schedule)
        except RuntimeError:  # state that changes outside a loop: a test, or a plain cell of a notebook
            self._flush()

    def _schedule(self) -> None:
        if self._closed:
            return
        if self._doc is not None and self._doc.session_context is not None:
            self._doc.add_next_tick_callback(self._tick)
        else:
            self._flush()

    async def _tick(self) -> None:
        """A coroutine: plain callbacks are run in a thread, beside the loop."""
        self._flush()

    def _flush(self) -> None:
        self._pending = False
        due, self._due = self._due, {}
        if self._closed:
            return
        with pn.io.hold():
            for flush in due:
                try:
                    flush()
                except Exception:  # one broken view must not stop the others of its session
                    log.exception("a view could not follow")
