"""The root of our own components: plain JavaScript modules, nothing from another host."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from modelshelf_dashboard import theme

HERE = Path(__file__).parent
SET = re.compile(r"\bmodel\.(\w+) = ")
Message = dict[str, Any]
Heard = Callable[[Message], object]


def script(*names: str) -> str:
    """The component's JavaScript, its last name, with what all components share and what it shares with some.

    Read here rather than handed over as a path: a notebook has no server that could answer a relative import.
    """
    return "".join((HERE / f"{name}.js").read_text("utf-8") for name in ("common", *names))


def style(*names: str) -> list[str]:
    """The tokens, what all components share, what it shares with some, and the component's CSS."""
    return [theme.host_css(), *((HERE / f"{name}.css").read_text("utf-8") for name in ("base", *names))]


class Piece(JSComponent):
    """A component that is told by parameters and tells by messages: `heard` gets each as a dict with `do`."""

    _abstract = True

    words = param.Dict(default={}, doc="the texts it shows, translated")
    margin = param.Parameter(default=0)

    def __init__(self, heard: Heard | None = None, **params: Any) -> None:
        self._heard = heard
        super().__init__(**params)

    def listen(self, heard: Heard) -> None:
        """Who gets its messages from now on."""
        self._heard = heard

    def tell(self, **message: Any) -> None:
        """Say something to the component in the browser."""
        self._send_msg(message)

    def change(self, **values: Any) -> None:
        """Set what differs, in one update. To see that rows are the same takes Param itself tens of milliseconds."""
        if changed := {name: value for name, value in values.items() if getattr(self, name) != value}:
            self.param.update(**changed)

    @property
    def _linked_properties(self) -> tuple[str, ...]:
        """What its JavaScript sets, and nothing else: no browser changes rows or texts of ours.

        A notebook sends back whatever it is told. Late, that would undo what has become of it since.
        """
        names = set(SET.findall(str(self._esm)))
        return tuple(name for name in super()._linked_properties if name in names)

    async def _handle_msg(self, msg: Message) -> None:  # type: ignore[override]
        # A coroutine, so that it is run in the loop: plain callbacks are run in a thread, where no task can be started.
        if self._heard is not None and isinstance(msg, dict):
            self._heard(msg)
