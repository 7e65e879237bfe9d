"""Up to four models side by side: what each is, and where they differ."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Beside(Piece):
    """Tells `{do: open | drop | download …, id}` for a model and `{do: clear}` for all of them."""

    models = param.List(default=[], item_type=dict, doc="`{id, title, sub, actions}` of each")
    facts = param.List(
        default=[], item_type=dict, doc="`{label, values: [{main, score}]}`, a value for each model; None while unknown"
    )

    _esm = script("beside")
    _stylesheets = style("beside")

    def __init__(self, **params: Any) -> None:
        words = {
            "label": _("Models side by side"),
            "fact": _("Property"),
            "drop": _("Leave out {what}"),
            "clear": _("Leave out all"),
            "open": _("Details"),
        }
        super().__init__(words=words, sizing_mode="stretch_width", **params)
