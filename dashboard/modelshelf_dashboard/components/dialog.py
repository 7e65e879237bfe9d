"""A question that must be answered before something is done that cannot be undone, and small forms."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Dialog(Piece):
    """Tells `{do: confirmed, id, fields}`, `{do: dismissed, id}`, or `{do, id, fields}` for one of its `actions`.

    question: `{id, title, lines, fields, word, kind, help, error, note, busy, actions}`; empty: closed. Without a
    `word` there is nothing to confirm. Asked again under the same id it is drawn anew, and what was typed stays.

    fields: `{name, kind, label, help, value, hint, error, live, more}`; `live` tells `{do: changed, id, name, fields}`
    when another value is chosen, `more` puts it below “More settings”. Kinds and what they answer:

    - text, password, number (with min, max and step): the text in it.
    - textarea (rows; readonly; file: endings that may be chosen; save: the name to download it by): its text.
    - select: the value of one of the `options`, `{value, label, group}`; if they are many, or with `free`, any text:
      the options are proposed while one types.
    - list: several of the `options` in an order, as a list; `add` is the word on its button.
    - checkbox: true or false.

    `options` without a kind make a select. A password's value is never drawn anew from here.
    """

    question = param.Dict(default={}, doc="see above")

    _esm = script("dialog")
    _stylesheets = style("dialog")

    def __init__(self, **params: Any) -> None:
        words = {
            "cancel": _("Cancel"),
            "close": _("Close"),
            "more": _("More settings"),
            "gone": _("not offered now"),
            "add": _("Add"),
            "remove": _("Remove {what}"),
            "file": _("Choose a file"),
            "save": _("Download"),
            "show": _("Show"),
            "hide": _("Hide"),
        }
        super().__init__(words=words, **params)

    def ask(self, **question: Any) -> None:
        """Open with this question."""
        self.question = question

    def refuse(self, error: str, field: str = "") -> None:
        """Say what is wrong, beside the field if one is named; what was typed stays."""
        fields = [{**item, "error": error if item["name"] == field else ""} for item in self.question.get("fields", ())]
        beside = any(item["error"] for item in fields)
        self._again(fields=fields, error="" if beside else error, busy="")

    def wait(self, text: str) -> None:
        """Say what is being done; until the next question or refusal nothing can be pressed but Cancel."""
        self._again(busy=text, error="")

    def close(self) -> None:
        """Take the question away."""
        self.question = {}

    def _again(self, **changes: Any) -> None:
        if self.question:
            self.question = {**self.question, **changes}
