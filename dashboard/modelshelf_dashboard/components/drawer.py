"""One model explained as a person would: does it fit, where the memory goes, what to do about it, which file."""

from typing import Any

import param
from panel.viewable import Child

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.fits import badge_words
from modelshelf_dashboard.texts import _


class Drawer(Piece):
    """Tells `{do, context}` for its buttons and `{do: provider | explain | go, id}` for what it lists.

    Those buttons that are named `navigate-to-…` go out as events on window.

    shown: `{title, sub, chips, shield, fit, fixes, providers, where, commands, files, notes, actions, pending}`; each
    part may be missing: the shield is that of a table's row, fit is `{where, score, verdict, how, sentence, facts,
    memory: [{label, told, share, colour}], quality, values}`, fixes are `{text, score, action}`, providers `{id, title,
    sub, score, chosen, mark, go}`, where `{title, file, sub, tone, command, action}`, commands `{name, text}`, files
    `{title, size, score, best, action}`, notes `{tone, text, lines, link}`. Around it stand facts `{name, value}`,
    commits `{items: [{title, sub, mark}], more, link}`, lists of models to go to, `{title, items: [{id, title, sub}]}`,
    and card, markup that was made harmless before it came.
    """

    what_if = Child()
    shown = param.Dict(default={}, doc="see above")
    state: "param.Selector[str]" = param.Selector(default="loading", objects=["loading", "ready", "error"])
    note = param.Dict(default={}, doc="why nothing can be told: `{text, remedy, action}`")

    _esm = script("badge", "drawer")
    _stylesheets = style("badge", "drawer")

    def __init__(self, **params: Any) -> None:
        words = {
            "here": _("On this machine"),
            "works": _("Works with"),
            "open": _("Open"),
            "toProvider": _("{what} in LLM Settings"),
            "where": _("Where it can be used"),
            "commands": _("Start a server with it"),
            "files": _("Files"),
            "best": _("best here"),
            "loading": _("Loading"),
            "fixes": _("What would help"),
            "becomes": _("The fit becomes"),
            "why": _("How the score comes about"),
            "facts": _("History"),
            "commits": _("Commits"),
            "card": _("What its publisher says"),
        }
        super().__init__(words={**words, **badge_words()}, sizing_mode="stretch_width", **params)
