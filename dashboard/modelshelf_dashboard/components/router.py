"""Keeps the address and the page's navigation in step, and hears the events that lead from one tab to the other."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style


class Router(Piece):
    """Tells `{do: address, search}` on back and forward and `{do: <event name>, context}` for events on window."""

    place = param.Dict(
        default={},
        doc="`{address, push}`: what stands after the path, and whether it is a new step or replaces this one",
    )
    title = param.String(default="Modelshelf", doc="the document's title")
    embedded = param.Boolean(default=False, doc="in a notebook: address and title are not ours")
    events = param.List(default=[], item_type=str, doc="names of the events on window that it passes on")

    _esm = script("router")
    _stylesheets = style("router")

    def __init__(self, **params: Any) -> None:
        super().__init__(width=0, height=0, **params)
