"""Models x providers: a Bokeh figure of colours and figures, and the same as a table, which keyboards and readers use.

The table always lies over the figure, cell upon cell: in it one moves by arrows and hears what a cell says, whether its
own figures are shown or those of the picture below.
"""

from typing import Any

import param
from panel.viewable import Child

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _

WIDTH, HEIGHT = 96, 40  # of a cell in px, the same in figure and table


class HeatMap(Piece):
    """Tells `{do: open, row, column}`, `{do: theme, dark}` and, for its choices, `{do: choose, name, value}`.

    rows: `{id, title, sub}`; columns: `{id, title}`; cells: by row and column `{score, told}`, missing while it is not
    known; choices: `{name, label, kind: select | many, value, options: [{value, label}]}`.
    """

    figure = Child()
    rows = param.List(default=[], item_type=dict, doc="the models, from above")
    columns = param.List(default=[], item_type=dict, doc="the providers, from the left")
    cells = param.Dict(default={}, doc="see above; replaced, not changed")
    choices = param.List(default=[], item_type=dict, doc="what can be chosen above it")
    state: "param.Selector[str]" = param.Selector(default="loading", objects=["loading", "ready", "empty"])
    note = param.Dict(default={}, doc="what to say when there is nothing: `{text, remedy, action}`")
    ramp = param.List(default=[], item_type=str, doc="the colours from poor to good")
    status = param.String(default="", doc="how much of it is known")

    _esm = script("heat_map")
    _stylesheets = style("heat_map")

    def __init__(self, **params: Any) -> None:
        words = {
            "label": _("Fit of models with providers"),
            "model": _("Model"),
            "as": _("Show as"),
            "map": _("Map"),
            "table": _("Table"),
            "cell": _("{row}, {column}: {score}. {told}"),
            "none": _("no score"),
            "pending": _("not known yet"),
            "poor": _("does not run"),
            "good": _("runs well"),
            "hint": _("Arrows move over the cells, Enter opens one."),
        }
        super().__init__(words=words, sizing_mode="stretch_width", **params)
