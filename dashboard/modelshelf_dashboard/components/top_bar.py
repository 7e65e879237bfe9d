"""Brand, the two tabs, and what is always in sight: providers, downloads, theme, help."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class TopBar(Piece):
    """Tells `tab` by its parameter, and `{do: providers | downloads | help | account}` by message."""

    beside = param.String(default="", doc="which page it belongs to, where there are several in a notebook")
    tab: "param.Selector[str]" = param.Selector(default="library", objects=["library", "settings"])
    dark = param.Boolean(default=False, doc="set by the browser: its own choice, else the setting, else the system's")
    theme = param.String(default="system", doc="system | light | dark")
    embedded = param.Boolean(default=False, doc="in a notebook, which has a theme of its own")
    providers = param.Dict(default={}, doc="tone and text of the providers' pill; empty: not known yet")
    news = param.Integer(default=0, doc="what ended or waits and nobody has seen yet")
    active = param.Integer(default=0, doc="downloads that have not ended")
    person = param.Dict(default={}, doc="name and role of who is signed in; empty: nobody has to be")

    _esm = script("top_bar")
    _stylesheets = style("top_bar")

    def __init__(self, **params: Any) -> None:
        words = {
            "views": _("Views"),
            "library": _("Model Library"),
            "settings": _("LLM Settings"),
            "theme": _("Dark theme"),
            "help": _("Help"),
            "downloads": _("Downloads"),
            "waiting": _("waiting"),
            "news": _("News"),
            "nothing": _("nothing new"),
        }
        super().__init__(words=words, sizing_mode="stretch_width", height=51, **params)
