"""The search box: words stay words, `key:value` becomes a token that can be taken away again."""

from typing import Any, ClassVar

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Search(Piece):
    """Tells by its parameters `text` and `tokens`, and `{do}` for the button beside it."""

    text = param.String(default="", doc="the words as typed")
    tokens = param.List(default=[], item_type=str, doc="the filters, as the query language writes them")
    known = param.List(default=[], item_type=str, doc="what it proposes while one types")
    proposals = param.List(default=[], item_type=str, doc="what the last word may become, as the shelf knows it")
    wrong = param.Dict(default={}, doc="`{text, remedy, before, word, after}`: what makes no sense in it, and where")
    label = param.String(default="", doc="what it finds, as its placeholder says")
    topic = param.String(default="searchFiltering", doc="its help topic")
    action = param.Dict(default={}, doc="`{do, word, kind, help}`: a button beside it")
    sheet = param.Boolean(default=False, doc="whether a phone shows the button of the filters")

    # Panel waits 50 ms before it hears of a change: a third of the time in which a key has to be answered.
    _priority_changes: ClassVar[list[str]] = ["text"]

    _esm = script("search")
    _stylesheets = style("search")

    def __init__(self, **params: Any) -> None:
        words = {
            "terms": _("Filters in use"),
            "suggestions": _("Proposals"),
            "remove": _("Remove {what}"),
            "filters": _("Filters"),
        }
        super().__init__(words=words, sizing_mode="stretch_width", **params)
