"""A question that must be answered before something is done that cannot be undone, and small forms."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Dialog(Piece):
    """Tells `{do: confirmed, id, fields}` or `{do: dismissed, id}`."""

    question = param.Dict(
        default={},
        doc="`{id, title, lines, word, kind, fields, help}`; empty: closed. fields: `{name, label, value, options}`",
    )

    _esm = script("dialog")
    _stylesheets = style("dialog")

    def __init__(self, **params: Any) -> None:
        words = {"cancel": _("Cancel")}
        super().__init__(words=words, **params)

    def ask(self, **question: Any) -> None:
        """Open with this question."""
        self.question = question

    def close(self) -> None:
        """Take the question away."""
        self.question = {}
