"""Fits in a cell of a notebook, or inside another Panel app: the heat map and “what if” by themselves."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import panel as pn
import param

from modelshelf.compat.types import Compatibility
from modelshelf_dashboard.library.comparison import Compared, Comparison
from modelshelf_dashboard.library.judged import own_providers
from modelshelf_dashboard.library.marks import BUILTIN
from modelshelf_dashboard.library.supposing import Supposing
from modelshelf_dashboard.notebook import Cell, InCell, begin

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class CompatibilityMap(InCell):
    """Models x providers as a heat map, or as a table: `CompatibilityMap(shelf)` in a cell or a layout.

    Without models it shows what is installed, without providers those that are switched on. The answer of the cell that
    was pressed last is `chosen`. `ready` is the task that starts the shelf, where that is still to come.
    """

    chosen: "param.ClassSelector[Compatibility | None]" = param.ClassSelector(
        default=None, class_=Compatibility, doc="the answer of the cell that was pressed last"
    )

    def __init__(
        self,
        shelf: "Shelf",
        models: Sequence[str] | None = None,
        providers: Sequence[str] | None = None,
        *,
        ready: "asyncio.Task[None] | None" = None,
        **params: Any,
    ) -> None:
        self._shelf, self._models, self._providers, self._ready = shelf, models, providers, ready
        super().__init__(**params)

    def __panel__(self) -> pn.viewable.Viewable:
        session, notices = begin(self._shelf, self._ready)
        shown = Comparison(self._shelf, session, lambda message: self._pressed(shown, message))
        session.run(self._compare(shown), what="compare")
        return Cell(notices, shown.piece, session=session, margin=0, sizing_mode="stretch_width", min_width=320)

    async def _compare(self, shown: Comparison) -> None:
        known = own_providers(self._shelf)
        names = known if self._providers is None else {name: known.get(name, name) for name in self._providers}
        models = self._models
        if models is None:
            models = list(dict.fromkeys(model.repo for model in await self._shelf.library.models()))
        await shown.compare([Compared(model, model.rpartition("/")[2]) for model in models], names)

    def _pressed(self, shown: Comparison, message: dict[str, Any]) -> None:
        if message["do"] == "open":
            self.chosen = shown.answers.get((str(message.get("row")), str(message.get("column"))))


class WhatIfPanel(InCell):
    """Sliders that say how a model would do with other settings or on another machine: `WhatIfPanel(shelf, model)`.

    `ready` is the task that starts the shelf, where that is still to come.
    """

    def __init__(
        self,
        shelf: "Shelf",
        model: str,
        provider: str = BUILTIN,
        *,
        ready: "asyncio.Task[None] | None" = None,
        **params: Any,
    ) -> None:
        self._shelf, self._model, self._provider, self._ready = shelf, model, provider, ready
        super().__init__(**params)

    def __panel__(self) -> pn.viewable.Viewable:
        session, notices = begin(self._shelf, self._ready)
        supposing = Supposing(self._shelf, session, folded=False)
        title = self._model.rpartition("/")[2]
        session.run(supposing.load(self._model, self._provider, title), what="what if")
        return Cell(notices, supposing.piece, session=session, margin=0, sizing_mode="stretch_width", min_width=320)
