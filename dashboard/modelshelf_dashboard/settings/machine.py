"""This machine: what models can use, where it is known from, and where things lie."""

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelshelf_dashboard import figures
from modelshelf_dashboard.components.cards import Cards
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.compat import Machine
    from modelshelf.shelf import Shelf


class ThisMachine:
    """Cards of memory, processors, graphics cards and disks."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf = shelf
        self._session = session
        self.cards = Cards(heard=self._heard)
        self.ask()

    def ask(self) -> None:
        """Look at the machine again."""
        self._session.run(self._look(), key="machine", what="machine")

    async def _look(self) -> None:
        machine = await self._shelf.compatibility.machine()
        paths = self._shelf.config.paths
        disks = await asyncio.to_thread(_disks, {_("Models"): paths.cache, _("Application data"): paths.home})
        self.cards.cards = [_memory(machine), *(_gpus(machine)), disks]

    def _heard(self, message: dict[str, Any]) -> None:
        if message["do"] == "again":
            self.ask()


def _memory(machine: "Machine") -> dict[str, Any]:
    pairs = [
        {"name": _("Memory"), "value": figures.memory(machine.ram_total)},
        {"name": _("Free for models now"), "value": figures.memory(machine.ram_available)},
        {"name": _("Processor"), "value": machine.cpu or figures.NONE},
        {"name": _("Cores"), "value": str(machine.cores)},
    ]
    if machine.memory_limit is not None:
        pairs.insert(1, {"name": _("Limit of its control group"), "value": figures.memory(machine.memory_limit)})
    if machine.memory_bandwidth:
        pairs.append({"name": _("Memory bandwidth"), "value": f"{machine.memory_bandwidth / 1e9:.0f} GB/s"})
    again = {"do": "again", "word": _("Look again"), "help": "memory"}
    return {"id": "memory", "title": machine.name or _("This machine"), "pairs": pairs, "actions": [again]}


def _gpus(machine: "Machine") -> list[dict[str, Any]]:
    if not machine.gpus:
        text = _("None found: models run on the processor.")
        return [{"id": "gpus", "title": _("Graphics cards"), "text": text}]
    return [
        {
            "id": f"gpu{place}",
            "title": gpu.name,
            "pairs": [
                {"name": _("Memory"), "value": figures.memory(gpu.memory_total)},
                {"name": _("Free now"), "value": figures.memory(gpu.memory_free)},
            ],
        }
        for place, gpu in enumerate(machine.gpus)
    ]


def _disks(places: dict[str, Path]) -> dict[str, Any]:
    pairs = []
    for name, path in places.items():
        there = next((folder for folder in (path, *path.parents) if folder.exists()), None)
        pairs.append({"name": name, "value": str(path)})
        if there is not None:
            usage = shutil.disk_usage(there)
            free = _("{free} of {total} free", free=figures.size(usage.free), total=figures.size(usage.total))
            pairs.append({"name": "", "value": free, "tone": "muted"})
    return {"id": "disks", "title": _("Disks"), "sub": _n("{n} folder", "{n} folders", len(places)), "pairs": pairs}
