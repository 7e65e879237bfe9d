"""What runs, always in sight: the first downloads with progress, speed and time left."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Dock(Piece):
    """Tells `{do: pause | resume | cancel | all, id}`.

    Where a server serves events, what ticks comes from them, a single time for all: a push to every session would
    cost seven times as much. Elsewhere (a notebook) the figures in `jobs` are pushed.
    """

    jobs = param.List(
        default=[],
        item_type=dict,
        doc="`{id, title, status, word, detail, done, total, rate, eta}` of the first that have not ended",
    )
    more = param.Integer(default=0, doc="how many others have not ended")
    quiet = param.Boolean(default=False, doc="not shown, since a list above says the same; it ticks all the same")
    events = param.String(default="", doc="where the server's events are; empty: none, figures come in `jobs`")

    _esm = script("dock")
    _stylesheets = style("dock")

    def __init__(self, **params: Any) -> None:
        words = {
            "pause": _("Pause"),
            "resume": _("Resume"),
            "cancel": _("Cancel"),
            "of": _("{done} of {total}"),
            "more": _("and {n} more"),
            "all": _("All downloads"),
        }
        super().__init__(words=words, sizing_mode="stretch_width", **params)
