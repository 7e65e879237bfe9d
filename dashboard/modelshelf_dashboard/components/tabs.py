"""The views within a tab, with their counts."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style


class Tabs(Piece):
    """Tells by its parameter `value`."""

    value = param.String(default="", doc="the key of the view that is shown")
    views = param.List(default=[], item_type=dict, doc="`{key, label, count, topic}` in their order")
    label = param.String(default="", doc="what it is called for a screen reader")
    aside = param.Boolean(default=False, doc="one below the other, as at the left of the settings")

    _esm = script("tabs")
    _stylesheets = style("tabs")

    def __init__(self, **params: Any) -> None:
        super().__init__(sizing_mode="stretch_width", **params)
