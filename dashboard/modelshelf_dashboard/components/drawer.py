"""One model explained as a person would: does it fit, where the memory goes, what to do about it, which file."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Drawer(Piece):
    """Tells `{do, context}` for its buttons; those named `navigate-to-…` go out as events on window.

    shown: `{title, sub, chips, verdict, fit, fix, providers, files, notes, actions}`; each part may be missing:
    fit is `{score, how, sentence, memory: [{label, size, grade}], total}`, fix `{text, effect, action}`,
    providers and files are lists of `{title, sub, size, score, best}`, notes are `{tone, text, lines}`.
    """

    shown = param.Dict(default={}, doc="see above")
    state: "param.Selector[str]" = param.Selector(default="loading", objects=["loading", "ready", "error"])
    note = param.Dict(default={}, doc="why nothing can be told: `{text, remedy, action}`")

    _esm = script("drawer")
    _stylesheets = style("drawer")

    def __init__(self, **params: Any) -> None:
        words = {
            "here": _("On this machine"),
            "works": _("Works with"),
            "files": _("Files"),
            "best": _("best here"),
            "memory": _("Memory"),
            "loading": _("Loading"),
            "unknown": _("not known yet"),
        }
        super().__init__(words=words, sizing_mode="stretch_width", **params)
