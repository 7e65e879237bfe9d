"""The filters at the left, each with its count; one choice is one token of the search."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Filters(Piece):
    """Tells `{do: toggle, token, on}` and `{do: clear}`."""

    machine = param.String(default="", doc="what the machine has, in a few words")
    fits = param.Boolean(default=False, doc="whether only models that fit are shown")
    groups = param.List(
        default=[], item_type=dict, doc="`{title, topic, choices: [{token, label, count, on}]}` in their order"
    )
    dirty = param.Boolean(default=False, doc="whether any filter is in use")

    _esm = script("filters")
    _stylesheets = style("filters")

    def __init__(self, **params: Any) -> None:
        words = {"label": _("Filters"), "fits": _("Fits this machine"), "clear": _("Clear the filters")}
        super().__init__(words=words, sizing_mode="stretch_width", **params)
