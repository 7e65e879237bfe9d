"""A conversation with a model: several turns, an answer that grows as it comes, and a stop button."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Chat(Piece):
    """Tells `{do: send, text}`, `{do: stop}`, `{do: clear}`, `{do: beside, model}` and `{do: alone}`."""

    title = param.String(default="", doc="the model")
    subtitle = param.String(default="", doc="who serves it")
    turns = param.List(default=[], item_type=dict, doc="`{role, text, note, tone}` of what was said")
    live = param.String(default="", doc="the answer so far")
    busy = param.Boolean(default=False, doc="whether an answer is on its way")
    others = param.List(default=[], item_type=dict, doc="`{value, label}`: the models it can be compared with")
    beside = param.String(default="", doc="the model that is asked the same")
    mute = param.Boolean(default=False, doc="whether it is asked by another one and has no box of its own")
    half = param.Boolean(default=False, doc="whether it shares its place with another one")
    waiting = param.String(default="", doc="what happens until the first word comes")

    _esm = script("chat")
    _stylesheets = style("chat")

    def __init__(self, **params: Any) -> None:
        words = {
            "log": _("Conversation"),
            "ask": _("Ask something"),
            "send": _("Send"),
            "stop": _("Stop"),
            "clear": _("Start afresh"),
            "user": _("You"),
            "assistant": _("Model"),
            "compare": _("Compare with"),
            "nobody": _("nothing"),
            "alone": _("End the comparison"),
            "hint": _("What you write goes to this model only and is not kept."),
        }
        super().__init__(words=words, sizing_mode="stretch_width", **params)
