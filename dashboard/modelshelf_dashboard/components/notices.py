"""Trouble first: one sentence each, its remedy, and where there is one a button."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Notices(Piece):
    """Tells `{do, id}` for its buttons and `{do: dismiss, id}`."""

    items = param.List(
        default=[], item_type=dict, doc="`{id, tone, text, remedy, action, lasting}`; tone is bad | warn | good"
    )

    _esm = script("notices")
    _stylesheets = style("notices")

    def __init__(self, **params: Any) -> None:
        words = {"dismiss": _("Dismiss")}
        super().__init__(words=words, sizing_mode="stretch_width", **params)
