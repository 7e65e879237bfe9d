"""The check of everything that is installed: one button, then progress with a pause, then what was found."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Checkup(Piece):
    """Tells `{do}` for its buttons and `{do: open, id}` for what is troubled. Hears `save`, as the panel of verdicts.

    shown: `{text, sub, tone, done, total, told, actions, troubles, left}`; with a `total` there is a bar, `told` says
    it in words, and troubles are `{id, title, word, text, tone}`.
    """

    shown = param.Dict(default={}, doc="see above; empty: not shown at all")

    _esm = script("checkup")
    _stylesheets = style("checkup")

    def __init__(self, **params: Any) -> None:
        words = {"label": _("Verify everything"), "open": _("Show")}
        super().__init__(words=words, sizing_mode="stretch_width", **params)
