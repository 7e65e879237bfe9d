"""`panel serve dashboard/app.py`: the page on Panel's own server, for the owner on this machine.

`modelshelf serve` adds the login, REST and live events, and is what others should reach.
"""

import asyncio

import panel as pn

from modelshelf.config import ConfigManager
from modelshelf.shelf import Shelf
from modelshelf_dashboard.page import create_page

KEPT = "modelshelf"  # the shelf of this process, and the task that starts it: every session shares them


def _open() -> tuple[Shelf, "asyncio.Task[None]"]:
    if KEPT not in pn.state.cache:
        shelf = Shelf(ConfigManager())
        pn.state.cache[KEPT] = shelf, asyncio.get_running_loop().create_task(shelf.start())
    kept: tuple[Shelf, asyncio.Task[None]] = pn.state.cache[KEPT]
    return kept


_shelf, _starting = _open()
create_page(_shelf, events="", ready=_starting).servable()
