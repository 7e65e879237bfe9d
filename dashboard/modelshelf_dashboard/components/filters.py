"""The filters at the left, each with its count; one choice is one token of the search."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Filters(Piece):
    """Tells `{do: toggle, token, on}`, `{do: choose, key, token}`, `{do: clear}` and `{do, id}` for what is kept."""

    machine = param.String(default="", doc="what the machine has, in a few words")
    fits = param.Boolean(default=False, doc="whether only models that fit are shown")
    fitting = param.Integer(default=None, allow_None=True, doc="how many fit; None while it is not known")
    groups = param.List(
        default=[],
        item_type=dict,
        doc="`{title, topic, kind, key, choices: [{token, label, count, on}]}`; of the kind select one at a time",
    )
    kept = param.List(
        default=[],
        item_type=dict,
        doc="`{title, items: [{do, id, label, title, on, count, fresh, removable}]}` over them",
    )
    foot = param.Dict(default={}, doc="`{text, actions}` below them: how old the list is")
    dirty = param.Boolean(default=False, doc="whether any filter is in use")

    _esm = script("filters")
    _stylesheets = style("filters")

    def __init__(self, **params: Any) -> None:
        words = {
            "label": _("Filters"),
            "fits": _("Fits this machine"),
            "clear": _("Clear the filters"),
            "any": _("any"),
        }
        words |= {"forget": _("Forget {what}"), "fresh": _("Show what is new in {what}")}
        super().__init__(words=words, sizing_mode="stretch_width", **params)
