"""What the scanner says of a model or a file, in plain words: the panel that a shield opens."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Verdict(Piece):
    """Tells `{do, id, context}` for its buttons, and `{do: closed}`. Hears `save: {name, text, type}`: a file to keep.

    shown: `{id, title, sub, shield, lead, notes, facts, files, left, actions}`; shield is `{kind, word, tip}`, notes
    are `{tone, text, lines}`, facts `{name, value, when, code}`, files `{path, shield, note, findings}` with findings
    `{title, rule, where, could, todo, tone}`, and actions those of a table; one with a `why` cannot be pressed.
    """

    shown = param.Dict(default={}, doc="see above")
    state: "param.Selector[str]" = param.Selector(
        default="closed", objects=["closed", "loading", "ready", "error", "stale"]
    )
    note = param.Dict(default={}, doc="why nothing, or nothing new, can be told: `{text, remedy, action}`")
    busy = param.String(default="", doc="what is being done; nothing but Close can be pressed meanwhile")

    _esm = script("verdict")
    _stylesheets = style("verdict")

    def __init__(self, **params: Any) -> None:
        words = {
            "close": _("Close"),
            "loading": _("Looking up what is known"),
            "files": _("Files"),
            "where": _("Where"),
            "todo": _("What to do"),
            "rule": _("Rule"),
        }
        super().__init__(words=words, **params)
