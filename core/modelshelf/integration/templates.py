"""Whether a provider goes by the chat template of what it was given: asked once for each registration, not again."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf.errors import ModelshelfError
from modelshelf.integration.findings import Plain
from modelshelf.integration.status import ANSWERING
from modelshelf.metadata import local
from modelshelf.providers.rows import BUILTIN
from modelshelf.registration.types import Registration, Status

if TYPE_CHECKING:
    from modelshelf.library import ModelLibrary
    from modelshelf.library.served import ServedFile
    from modelshelf.providers import HealthMonitor, ProviderRegistry

KIND = "ollama"  # the one that has templates of its own, and keeps to plain text where it knows none
NONE = frozenset({"", "{{ .Prompt }}", "{{.Prompt}}"})


class Templates:
    """What providers said of the templates of registrations, as of when these changed last."""

    def __init__(self, library: "ModelLibrary", providers: "ProviderRegistry", health: "HealthMonitor") -> None:
        self._library = library
        self._providers = providers
        self._health = health
        self._known: dict[tuple[str, datetime | None], bool] = {}

    async def plain(self, made: Iterable[Registration], served: "Sequence[ServedFile]") -> list[Plain]:
        """The copies that are served without a template though their files bring one."""
        kinds = {config.id: config.kind for config in await self._providers.list() if config.enabled}
        given = [item for item in made if item.status is Status.REGISTERED and kinds.get(item.provider) == KIND]
        pairs = [(item, file) for item in given for file in served if _same(file, item)]
        return [
            Plain(f"{item.provider}/{item.name}", f"{BUILTIN.id}/{own.name}")
            for item, own in pairs
            if await self._lost(item, own.files[0].file)
        ]

    async def _lost(self, item: Registration, file: Path) -> bool:
        key = item.id, item.updated
        look = self._health.latest.get(item.provider)
        if key not in self._known and look is not None and look.status in ANSWERING:
            try:
                told = (await (await self._providers.get(item.provider)).detail(item.name)).get("template")
                brings = await asyncio.to_thread(lambda: bool(local.read(file).chat_template))
            except ModelshelfError:
                return False  # it is asked again the next time
            self._known[key] = brings and str(told or "").strip() in NONE
        return self._known.get(key, False)


def _same(file: "ServedFile", item: Registration) -> bool:
    return (file.model.repo, file.model.commit) == (item.repo, item.commit) and (
        not item.path or item.path == file.files[0].path
    )
