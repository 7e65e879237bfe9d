"""What nobody has seen yet: downloads that ended, and what needs a decision."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class News(Piece):
    """Tells `{do, id, context}` for the one action of an entry, `{do: seen, id}` and `{do: seen-all}`.

    Opens by the event `ms-news` on window, which the bell in the header sends; `inline` shows it where it stands.
    items: `{id, tone, title, text, when, action: {do, word, context}}`; tone is bad | warn | good.
    """

    items = param.List(default=[], item_type=dict, doc="see above, the most urgent first")
    left = param.String(default="", doc="how many more there are, in words")
    inline = param.Boolean(default=False, doc="in a notebook: always open, in its place")

    _esm = script("news")
    _stylesheets = style("news")

    def __init__(self, **params: Any) -> None:
        words = {
            "title": _("News"),
            "close": _("Close"),
            "seen": _("Seen"),
            "all": _("Mark all as seen"),
            "none": _("Nothing new."),
            "about": _("What ends or needs a decision shows here, also what did while this page was closed."),
        }
        super().__init__(words=words, sizing_mode="stretch_width" if params.get("inline") else None, **params)
