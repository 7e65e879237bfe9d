"""Gives one model to one provider and takes it back: everything that touches the provider and its folder."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from modelshelf.errors import NotFound, ProviderError
from modelshelf.providers.boundary import contained
from modelshelf.providers.registry import ProviderRegistry
from modelshelf.providers.served import ServedModel
from modelshelf.providers.spec import Provider
from modelshelf.providers.taking import SAID, Goods, Taker, Taking, Way
from modelshelf.registration.types import Made, Registration, Status, way_of


@dataclass(frozen=True, slots=True)
class Hands:
    """What is done with providers. Every deed may be done again: one that was broken off is finished that way."""

    providers: ProviderRegistry

    async def give(self, provider: str, goods: Goods, taking: Taking) -> Mapping[str, Any]:
        """Give a model to a provider and look for it in its list; what the table is to say.

        Raises:
            UsageError, NotFound, FolderNotWritable, Unsupported, Unreachable, ProviderError.
        """
        adapter = await self._taker(provider)
        if taking.command:
            listed = await self.listed(adapter, taking.name)
            return {"status": Status.REGISTERED if listed else Status.TO_START, "mark": _mark(listed), "copied": 0}
        said = Way.HARD_LINK if taking.links else taking.way
        folders = await asyncio.to_thread(_lacking, taking.links)
        copied = taking.copies
        if not taking.there:
            with contained(adapter.config):
                async with aclosing(adapter.take(goods, taking)) as steps:
                    async for step in steps:
                        said = SAID.get(step.status, said)
                        copied = 0 if step.status in SAID and step.status != "copied" else copied
        listed = await self.listed(adapter, taking.name)
        if listed is None:
            raise ProviderError(
                f"{adapter.config.name} took {taking.name} but does not list it.",
                remedy="Look into its own log, then register it again.",
            )
        way = await asyncio.to_thread(way_of, taking.links, goods.first, said if taking.copies else taking.way)
        links = await asyncio.to_thread(_made, [*taking.links, *folders], taking.shared)
        return {
            "status": Status.REGISTERED, "mark": _mark(listed), "way": way.value, "copied": copied, "links": links,
            "name": taking.name,
        }  # fmt: skip

    async def take_back(self, item: Registration, links: Sequence[Made], mark: str) -> None:
        """Have a provider forget a model that we gave it; what became another's since is left alone.

        Raises:
            Unreachable, NotSignedIn, ProviderError, FolderNotWritable.
        """
        adapter = await self._taker(item.provider)
        if not item.given or item.command:
            return
        listed = await self.listed(adapter, item.name)  # first: of a provider that is down nothing is undone by half
        await asyncio.to_thread(_unlink, links)
        if listed is None or (mark and _mark(listed) != mark):
            return
        with contained(adapter.config):
            try:
                await adapter.let_go(item.name)
            except NotFound:
                return

    async def listed(self, adapter: "Both", name: str) -> ServedModel | None:
        """The entry of a provider's own list, asked now.

        Raises:
            Unreachable, NotSignedIn, ProviderError.
        """
        with contained(adapter.config):
            return next((served for served in await adapter.models() if adapter.shows(name, served)), None)

    async def _taker(self, provider: str) -> "Both":
        adapter = await self.providers.get(provider)
        if not isinstance(adapter, Taker):
            raise ProviderError(f"{adapter.config.name} has no way to be given models.")
        return adapter


class Both(Provider, Taker, Protocol):
    """A provider that can be given models, for annotations."""


def _mark(listed: ServedModel | None) -> str:
    """What tells a model from another of its name, where the provider says."""
    found = listed.extra.get("digest") if listed else ""
    return str(found or "")[:200]


def _lacking(links: Sequence[Path]) -> list[Path]:
    """The folders that have to be made for these names, the innermost first."""
    return [folder for folder in dict.fromkeys(p for link in links for p in link.parents) if not folder.exists()]


def _made(names: Sequence[Path], shared: Sequence[Path]) -> list[dict[str, object]]:
    ours = [Made.of(name) for name in names if name.exists()]
    return [one.as_dict() for one in (*ours, *(Made.of(name, theirs=True) for name in shared if name.exists()))]


def _unlink(made: Sequence[Made]) -> None:
    """Remove the names that are still as we made them, and the folders that are empty by that."""
    for one in made:
        if not one.theirs and one.still_ours():
            place = Path(one.path)
            with suppress(OSError):  # a folder that somebody else uses by now stays
                place.rmdir() if one.folder else place.unlink(missing_ok=True)
