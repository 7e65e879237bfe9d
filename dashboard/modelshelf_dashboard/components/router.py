"""Keeps the address and the page's navigation in step, and hears the events that lead from one tab to the other."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style


class Router(Piece):
    """Tells `{do: address, search}` on back and forward and `{do: <event name>, context}` for events on window."""

    address = param.String(default="", doc="what stands after the path, from `?` on")
    push = param.Boolean(default=False, doc="whether the address is a new step or replaces the present one")
    title = param.String(default="Modelshelf", doc="the document's title")
    events = param.List(default=[], item_type=str, doc="names of the events on window that it passes on")

    _esm = script("router")
    _stylesheets = style("router")

    def __init__(self, **params: Any) -> None:
        super().__init__(width=0, height=0, **params)
