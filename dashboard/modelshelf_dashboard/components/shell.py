"""The frame of the page: filters, list and drawer side by side; on a phone a sheet, the list and a page."""

from typing import Any

import param
from panel.viewable import Child

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Shell(Piece):
    """Two tabs with a side, a body and a drawer each; dock and notices belong to both. Tells `{do: closed}`."""

    library_side = Child()
    library_body = Child()
    library_drawer = Child()
    settings_side = Child()
    settings_body = Child()
    settings_drawer = Child()
    notices = Child()
    dock = Child()
    overlays = Child()
    tab: "param.Selector[str]" = param.Selector(default="library", objects=["library", "settings"])
    drawer = param.Boolean(default=False, doc="whether the drawer of the present tab is open")
    wide = param.Boolean(default=False, doc="whether the drawer shows two things side by side")
    beside = param.String(default="", doc="which bar at the top belongs to it")
    embedded = param.Boolean(default=False, doc="in a notebook: of a height of its own")

    _esm = script("shell")
    _stylesheets = style("shell")

    def __init__(self, **params: Any) -> None:
        words = {
            "filters": _("Filters"),
            "sections": _("Sections"),
            "close": _("Close"),
            "done": _("Show the results"),
            "library": _("Model"),
            "settings": _("Try it"),
            "dock": _("Running downloads"),
        }
        super().__init__(words=words, sizing_mode="stretch_width", **params)
