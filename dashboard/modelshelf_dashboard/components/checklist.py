"""A list of things that were looked at: each with a sign, what was seen, what mends it and a button that does."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Checklist(Piece):
    """Tells `{do, id, context}` for its buttons and `{do: option, id, on}` for its switches. Hears `save`.

    shown: `{title, text, tone, told, busy, share, help, actions, options, groups}`. A share, 0 to 100, makes a bar.
    Options are `{id, label, on, why}`; groups `{title, rows}` with rows `{tone, word, name, figure, text, remedy,
    action}`, whose tone is well | bad | slow | off.
    """

    shown = param.Dict(default={}, doc="see above")

    _esm = script("checklist")
    _stylesheets = style("checklist")

    def __init__(self, **params: Any) -> None:
        words = {"progress": _("Progress")}
        super().__init__(words=words, sizing_mode="stretch_width", **params)
