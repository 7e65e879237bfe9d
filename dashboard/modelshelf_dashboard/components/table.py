"""The one list of the page: a grid that keyboard and screen reader know, cards on a phone, and four designed states."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.fits import badge_words
from modelshelf_dashboard.texts import _


class Table(Piece):
    """Tells `{do: open, id}` and, for buttons, `{do, id}`; a `do` of `navigate-to-…` goes out as an event on window.

    columns: `{key, label, kind, width, wide, off}`; kind is figure | fit | text | progress | line, or “text prose” for
    two lines of text; `wide` gives way first, `off` is not shown before it is asked for.
    rows: `{id, title, mark, sub, more, dot, chips, shield, cells, actions}`; mark is `{text, tip}`, a shield `{kind,
    word, tip}` that tells `{do: shield, id}`, an action `{do, word, kind, label, help, context, why}`; one with a
    `why` cannot be pressed, and says so. A cell is `{main, sub, score, tone, job, percent}` or, for a line, `{main,
    points, tone, label}` (points: numbers, -1 where something failed, None where nothing is known). `more` is what a
    narrow list says in place of its columns.
    Where it `keeps` columns, it tells `{do: columns, context: {off}}` when other ones are chosen.
    A fit is `{score, explains}`: one that explains itself is a badge, which asks `{do: explain, id}` and is answered by
    `tell(explained=…)`, see `fits.told`.
    note: `{text, remedy, action}`, for the states empty, error and stale.
    """

    columns = param.List(default=[], item_type=dict, doc="see above")
    rows = param.List(default=[], item_type=dict, doc="see above; replaced, not changed")
    state: "param.Selector[str]" = param.Selector(
        default="loading", objects=["loading", "ready", "empty", "error", "stale"]
    )
    note = param.Dict(default={}, doc="what to say when there is nothing, or nothing new")
    status = param.String(default="", doc="what was found, in a line")
    chosen = param.String(default="", doc="id of the row that is open")
    arrive = param.Integer(default=0, doc="raised for who comes from elsewhere: the first row gets the keyboard")
    opens = param.Boolean(default=True, doc="whether rows can be opened")
    picks = param.Boolean(default=False, doc="whether rows can be ticked")
    picked = param.List(default=[], item_type=str, doc="ids of the rows that are ticked; set by the browser")
    bar = param.Dict(default={}, doc="`{text, actions}` of what is ticked; its actions tell `{do, context: {ids}}`")
    label = param.String(default="", doc="what is listed")
    heading = param.String(default="", doc="what the first column is called")
    topic = param.String(default="", doc="the help topic of its rows")
    tools = param.List(
        default=[], item_type=dict, doc="over it at the right: `{kind: choice | columns | button, key, label, …}`"
    )
    pages = param.Dict(default={}, doc="`{offset, size, total}` of a list that goes on; it tells `{do: page, offset}`")
    keeps = param.String(default="", doc="under which name the browser keeps which columns are shown, too")
    omitted = param.List(
        default=None, allow_None=True, item_type=str, doc="columns not to show; None where the person never said"
    )

    _esm = script("badge", "tools", "table")
    _stylesheets = style("badge", "table")

    def __init__(self, **params: Any) -> None:
        words = {
            "actions": _("Actions"),
            "details": _("Details"),
            "loading": _("Loading"),
            "pick": _("Choose"),
            "pickAll": _("Choose all that are shown"),
            "picked": _("What is chosen"),
            "unpick": _("Choose none"),
            "pager": _("Pages"),
            "pages": _("{first} to {last} of {total}"),
            "before": _("Before"),
            "after": _("Next"),
        }
        super().__init__(words={**words, **badge_words()}, sizing_mode="stretch_width", **params)

    def fill(
        self,
        rows: list[dict[str, Any]],
        *,
        status: str = "",
        empty: dict[str, Any] | None = None,
        pages: dict[str, int] | None = None,
        tools: list[dict[str, Any]] | None = None,
    ) -> None:
        """Rows as they are now; the note of `empty` when there are none."""
        state = "ready" if rows else "empty"
        shown: dict[str, Any] = {"rows": rows, "state": state, "pages": pages or {}, "tools": tools or []}
        self.change(**shown, status=status if rows else "", note={} if rows else (empty or {}))

    def trouble(self, text: str, remedy: str, action: dict[str, Any] | None = None) -> None:
        """Say why nothing can be shown; rows already there stay, as stale."""
        state = "stale" if self.rows else "error"
        self.param.update(state=state, note={"text": text, "remedy": remedy, "action": action})
