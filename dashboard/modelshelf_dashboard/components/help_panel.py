"""What `?` opens: the topic of the control in focus, or all topics."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class HelpPanel(Piece):
    """Opens by `?`, by the event `ms-help` on window, or by `?` in the header."""

    topics = param.List(default=[], item_type=dict, doc="`{key, title, text}` in their order")
    keys = param.List(default=[], item_type=dict, doc="`{keys, text}`: what the keyboard does")

    _esm = script("help_panel")
    _stylesheets = style("help_panel")

    def __init__(self, **params: Any) -> None:
        words = {"title": _("Help"), "keys": _("Keyboard"), "close": _("Close"), "all": _("All topics")}
        super().__init__(words=words, **params)
