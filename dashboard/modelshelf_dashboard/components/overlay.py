"""A button that opens something over whatever page it is on, and the thing it opens."""

from typing import Any

import param
from panel.viewable import Child

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Overlay(Piece):
    """Both tell by `open`."""

    content = Child()
    word = param.String(default="", doc="what its button says; without one it has no button")
    title = param.String(default="", doc="what it is called")
    open = param.Boolean(default=False, doc="whether it is shown")

    _esm = script("overlay")
    _stylesheets = style("overlay")

    def __init__(self, **params: Any) -> None:
        super().__init__(words={"close": _("Close")}, **params)
