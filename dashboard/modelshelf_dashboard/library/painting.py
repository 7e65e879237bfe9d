"""The heat map as a Bokeh figure: a rectangle and a figure for each pair, and what it says when one points at it."""

from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, HoverTool, Range1d
from bokeh.plotting import figure

from modelshelf_dashboard import figures, ramp, theme
from modelshelf_dashboard.components.heat_map import HEIGHT, WIDTH

GAP = 0.06  # of a cell: what parts it from the next
COLUMNS = ("x", "y", "colour", "ink", "text", "model", "provider", "told")
# Bokeh puts it into the body of the page, where the tokens are; a notebook has none. What it fills in, it escapes.
SAYS = (
    '<div style="margin:-6px -8px;padding:8px 11px;max-width:300px;white-space:normal;font:12.5px/1.45 sans-serif;'
    'background:var(--ms-card,#fff);color:var(--ms-text,#1d232a)"><b>@model · @provider</b><br>@told</div>'
)
Cells = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Painting:
    """A figure that is painted anew when pairs, answers or the theme change, cell by cell as the table over it."""

    def __init__(self) -> None:
        self.dark = False
        self.source = ColumnDataSource({name: [] for name in COLUMNS})
        self._across, self._down = Range1d(start=0, end=1), Range1d(start=1, end=0)
        self.figure = figure(
            width=WIDTH,
            height=HEIGHT,
            x_range=self._across,
            y_range=self._down,
            min_border=0,
            toolbar_location=None,
            tools="",
            outline_line_color=None,
            background_fill_alpha=0,
            border_fill_alpha=0,
            output_backend="canvas",
        )
        self.figure.axis.visible = False
        self.figure.grid.visible = False
        cells = self.figure.rect(
            "x",
            "y",
            width=1 - GAP,
            height=1 - GAP * WIDTH / HEIGHT,
            fill_color="colour",
            line_color=None,
            source=self.source,
        )
        # What one points at is not painted otherwise than the rest: its colour is what it says.
        cells.nonselection_glyph = cells.hover_glyph = None
        self.figure.text(
            "x",
            "y",
            "text",
            text_color="ink",
            text_align="center",
            text_baseline="middle",
            text_font=value(theme.FONT),
            text_font_size="13.5px",
            text_font_style=value("bold"),
            source=self.source,
        )
        hover = HoverTool(renderers=[cells], tooltips=SAYS, show_arrow=False, attachment="vertical")
        hover.update(point_policy="snap_to_data", anchor="top_center")
        self.figure.add_tools(hover)

    def paint(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[Mapping[str, Any]], cells: Cells) -> None:
        """Show these pairs."""
        told: dict[str, Any] = {name: [] for name in COLUMNS}
        for down, row in enumerate(rows):
            for across, column in enumerate(columns):
                cell = cells.get(row["id"], {}).get(column["id"])
                entry = {"x": across + 0.5, "y": down + 0.5, "model": row["title"], "provider": column["title"]}
                for name, shown in (entry | self._look(cell)).items():
                    told[name].append(shown)
        self.figure.update(width=max(1, WIDTH * len(columns)), height=max(1, HEIGHT * len(rows)))
        self._across.update(start=0, end=max(1, len(columns)))
        self._down.update(start=max(1, len(rows)), end=0)
        self.source.data = told

    def _look(self, cell: Mapping[str, Any] | None) -> dict[str, Any]:
        """Colour, ink and words of a cell; one that is not known yet is an empty place."""
        which = 1 if self.dark else 0
        quiet = {"colour": theme.TOKENS["ground"][which], "ink": theme.TOKENS["muted"][which]}
        if cell is None:
            return {**quiet, "text": "·", "told": ""}
        if cell["score"] is None:
            return {**quiet, "text": figures.NONE, "told": cell["told"]}
        ground = ramp.colour(cell["score"], dark=self.dark)
        return {"colour": ground, "ink": ramp.ink(ground), "text": str(cell["score"]), "told": cell["told"]}

    def colours(self) -> list[str]:
        """The scale, from poor to good."""
        return [ramp.colour(score, dark=self.dark) for score in range(0, 101, 10)]
