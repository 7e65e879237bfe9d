"""What if: sliders for context, cache and conversations, a machine to choose, and the fit that would come of them."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.fits import badge_words
from modelshelf_dashboard.texts import _


class WhatIf(Piece):
    """Tells `{do: try, n, context, kv, slots, machine}` at every move, `{do: machine, text}` and `{do: use}`.

    Each `try` is answered by `tell(n=…, answer=…)`; the next is sent only then, with the latest values. offer:
    `{contexts, kvs, slots_most, machines: [{value, label}]}` and what is in use now, `context, kv, slots, machine`;
    answer: as `fits.told`, with `before`, the score as it is now, `changed`, whether anything differs from that, and
    `use`, the button of what may be used.
    """

    offer = param.Dict(default={}, doc="see above; empty: nothing can be asked")
    answer = param.Dict(default={}, doc="see above: the answer to start from")
    folded = param.Boolean(default=True, doc="whether it is opened by a heading")
    title = param.String(default="", doc="whose fit it is, where that is not said beside it")

    _esm = script("badge", "what_if")
    _stylesheets = style("badge", "what_if")

    def __init__(self, **params: Any) -> None:
        words = {
            "what_if": _("What if"),
            "context": _("Context"),
            "tokens": _("{n} tokens"),
            "kv": _("Precision of the context's cache"),
            "kvs": {
                "f16": _("f16: exact"),
                "q8_0": _("q8_0: half the memory"),
                "q4_0": _("q4_0: a quarter, less exact"),
            },
            "slots": _("Conversations at once"),
            "machine": _("Machine"),
            "other": _("Another machine …"),
            "describe": _("Describe it, for example: 24 GB card"),
            "look": _("Use it"),
            "before": _("now {n}"),
            "same": _("as it is now"),
        }
        super().__init__(words={**words, **badge_words()}, sizing_mode="stretch_width", **params)
