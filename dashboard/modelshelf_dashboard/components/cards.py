"""Facts side by side: cards with a heading and pairs of name and value."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style


class Cards(Piece):
    """Tells `{do, id}` for its buttons."""

    cards = param.List(
        default=[],
        item_type=dict,
        doc="`{id, title, sub, lead, pairs: [{name, value, tone, stack}], text, actions}` in their order",
    )

    reveal = param.Integer(default=0, doc="raised when a person asked for them: they come into sight")

    _esm = script("cards")
    _stylesheets = style("cards")

    def __init__(self, **params: Any) -> None:
        super().__init__(sizing_mode="stretch_width", **params)
