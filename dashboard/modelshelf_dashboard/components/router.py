"""Keeps the address and the page's navigation in step, and hears the events that lead from one tab to the other."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style

KEPT = 20


class Router(Piece):
    """Tells `{do: address, search, asked}` on back and forward, `{do: <event name>, context}` for events on window."""

    places = param.List(
        default=[],
        item_type=dict,
        doc="the last `{n, address, push, answers}`, numbered: what stands after the path, whether it is a new step or "
        "replaces this one, and which `asked` it answers",
    )
    title = param.String(default="Modelshelf", doc="the document's title")
    embedded = param.Boolean(default=False, doc="in a notebook: address and title are not ours")
    events = param.List(default=[], item_type=str, doc="names of the events on window that it passes on")

    _esm = script("router")
    _stylesheets = style("router")

    def __init__(self, **params: Any) -> None:
        super().__init__(width=0, height=0, **params)

    def go(self, address: str, title: str, *, push: bool) -> None:
        """Have the browser show another address and title, as a new step or in place of this one."""
        self.param.update(places=self._with({"address": address, "push": push}), title=title)

    def answer(self, address: str, asked: int) -> None:
        """What the address comes to that the browser went back or forward to."""
        self.places = self._with({"address": address, "push": False, "answers": asked})

    def _with(self, place: dict[str, Any]) -> list[dict[str, Any]]:
        number = self.places[-1]["n"] + 1 if self.places else 1
        return [*self.places[1 - KEPT :], {"n": number, **place}]
