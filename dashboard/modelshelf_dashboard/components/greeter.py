"""Says when a page is drawn where no server knows: in a notebook."""

from typing import Any

from modelshelf_dashboard.components.piece import Piece, script, style


class Greeter(Piece):
    """Tells `{do: drawn, who}`, a `who` for each drawing, until it is told that `who` was heard."""

    _esm = script("greeter")
    _stylesheets = style("greeter")

    def __init__(self, **params: Any) -> None:
        super().__init__(width=0, height=0, **params)
