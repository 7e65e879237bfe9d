"""Models x providers: asks for every pair, and fills figure and table as the answers come."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.compat.types import Compatibility
from modelshelf.errors import ModelshelfError
from modelshelf_dashboard import fits
from modelshelf_dashboard.components.heat_map import HeatMap
from modelshelf_dashboard.follow import PUSH_SECONDS
from modelshelf_dashboard.library.painting import Painting
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

AT_ONCE = 3  # models are asked about side by side


@dataclass(frozen=True, slots=True)
class Compared:
    """A model to compare; `first` is what each provider is known to make of it without asking anyone."""

    id: str
    title: str
    sub: str = ""
    first: Mapping[str, Compatibility] = field(default_factory=dict)


class Comparison:
    """The heat map of one session. `heard` gets what the map does not settle by itself."""

    def __init__(self, shelf: "Shelf", session: Session, heard: Callable[[dict[str, Any]], None]) -> None:
        self._shelf = shelf
        self._session = session
        self._heard = heard
        self.answers: dict[tuple[str, str], Compatibility] = {}
        self._painting = Painting()
        self._cells: dict[str, dict[str, dict[str, Any]]] = {}
        self._painted = 0.0
        self._figure = pn.pane.Bokeh(self._painting.figure, margin=0, sizing_mode="fixed")
        self.piece = HeatMap(heard=self._told, figure=self._figure, ramp=self._painting.colours())

    async def compare(self, models: Sequence[Compared], providers: Mapping[str, str]) -> None:
        """Show these models with these providers, by id with their names."""
        names = list(providers)
        self.answers = {(one.id, name): one.first[name] for one in models for name in names if name in one.first}
        self._cells = {one.id: {} for one in models}
        for (model, name), answer in self.answers.items():
            self._cells[model][name] = _cell(answer)
        with pn.io.hold():
            self.piece.param.update(
                rows=[{"id": one.id, "title": one.title, "sub": one.sub} for one in models],
                columns=[{"id": name, "title": title} for name, title in providers.items()],
                state="loading",
                note={},
            )
            self._show(0, len(models))
        turns = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(one.id, names, turns)) for one in models]
            for done, task in enumerate(asyncio.as_completed(tasks), 1):
                await task
                if monotonic() - self._painted > PUSH_SECONDS:
                    self._show(done, len(models))
        self._show(len(models), len(models))

    def nothing(self, note: dict[str, Any]) -> None:
        """There is nothing to compare: why, and what to do."""
        self.piece.param.update(state="empty", note=note, rows=[], cells={})

    async def _ask(self, model: str, providers: list[str], turns: asyncio.Semaphore) -> None:
        async with turns:
            try:
                found = await self._shelf.compatibility.answers([model], providers)
            except ModelshelfError as error:
                self._cells[model] = {name: {"score": None, "told": str(error)} for name in providers}
                return
        self.answers |= found
        self._cells[model] = {name: _cell(answer) for (_model, name), answer in found.items()}

    def _show(self, done: int, count: int) -> None:
        pairs = _n("{n} pair", "{n} pairs", sum(map(len, self._cells.values())))
        status = pairs if done == count else _("{pairs} · {done} of {n} models judged", pairs=pairs, done=done, n=count)
        with pn.io.hold():
            self._paint()
            state = "ready" if done == count else "loading"
            self.piece.param.update(
                cells={row: dict(cells) for row, cells in self._cells.items()}, status=status, state=state
            )

    def _paint(self) -> None:
        """A figure belongs to its document: a server lets nobody change it but in the document's own turn."""
        self._painted = monotonic()
        doc = self._session.doc
        if doc is not None and doc.session_context is not None:
            doc.add_next_tick_callback(self._paint_now)
        else:
            self._painting.paint(self.piece.rows, self.piece.columns, self._cells)
            pn.io.push_notebook(self._figure)

    async def _paint_now(self) -> None:
        self._painting.paint(self.piece.rows, self.piece.columns, self._cells)

    def _told(self, message: dict[str, Any]) -> None:
        if message["do"] == "theme":
            self._painting.dark = bool(message.get("dark"))
            with pn.io.hold():
                self._paint()
                self.piece.ramp = self._painting.colours()
        else:
            self._heard(message)


def _cell(answer: Compatibility) -> dict[str, Any]:
    return {"score": answer.score, "told": fits.line(answer)}
