"""Downloads as rows: what runs and waits, what has ended, batches that fold, and the files of each."""

import json
from collections.abc import Sequence
from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class Queue(Piece):
    """Tells `{do, id, context}` for its buttons, and `{do: unfold | fold | more, id}`.

    sections: `{id, title, count, rows, more, actions}`; `more` is the word on the button for the next page, if there is
    one. A row is `{id, title, sub, tags, moving, word, tone, note, done, total, rate, eta, actions, more, open, files,
    lines, left, inside}`: `more` are the actions it shows when it is unfolded (`open`), `inside` is True for a member
    of the batch above it. A file is `{path, size, done, word, tone, note, action}`; `lines` are further facts in words,
    `left` says how many files are not listed.

    What ticks comes by the event `ms-progress` of the dock, or in `ticks` where there is no dock. The line of the speed
    is drawn from it: the last minute, as long as the page is open.
    """

    told = param.String(default="[]", doc="the sections as JSON: as a text a long list is compared and sent at once")
    ticks = param.List(default=[], item_type=dict, doc="`{id, moving, done, total, rate, eta}` of what has not ended")
    state: "param.Selector[str]" = param.Selector(default="loading", objects=["loading", "ready", "empty", "error"])
    note = param.Dict(default={}, doc="`{text, remedy, action}` for the states empty and error")
    label = param.String(default="", doc="what is listed")

    _esm = script("queue")
    _stylesheets = style("queue")

    def __init__(self, sections: Sequence[dict[str, Any]] = (), **params: Any) -> None:
        words = {
            "of": _("{done} of {total}"),
            "left": _("{time} left"),
            "files": _("Files"),
            "unfold": _("Show the files and more"),
            "fold": _("Show less"),
            "speed": _("Speed over the last {time}: from {low} to {high}, now {now}"),
            "loading": _("Loading"),
        }
        told = json.dumps(list(sections))
        super().__init__(words=words, told=told, sizing_mode="stretch_width", **params)

    @property
    def sections(self) -> list[dict[str, Any]]:
        """What it shows."""
        found: list[dict[str, Any]] = json.loads(self.told)
        return found

    def fill(self, sections: Sequence[dict[str, Any]], *, empty: dict[str, Any]) -> None:
        """Sections as they are now; the note of `empty` when there are none."""
        state = "ready" if sections else "empty"
        self.param.update(told=json.dumps(list(sections)), state=state, note={} if sections else empty)
