"""What is not as it should be with registrations, and what breaks when a model goes."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf.errors import ModelshelfError
from modelshelf.library.cache import Inode
from modelshelf.library.types import InstalledModel, Removal
from modelshelf.providers.boundary import contained
from modelshelf.providers.rows import BUILTIN
from modelshelf.providers.taking import Taker, Way
from modelshelf.registration.keeping import SEEN
from modelshelf.registration.registrar import REGISTER, UNDO, Registrar
from modelshelf.registration.types import HELD, Breaks, Finding, Made, Registration, Status

if TYPE_CHECKING:
    from modelshelf.library import ModelLibrary
    from modelshelf.providers import ProviderRegistry
    from modelshelf.providers.profiles import ProfileManager
    from modelshelf.providers.served import ServedModel

LOST, UNLISTED = "listed but file gone", "file there but not listed"


class Repair:
    """Looks at every registration as provider, folder and library have it now."""

    def __init__(self, service: Registrar, library: "ModelLibrary", providers: "ProviderRegistry") -> None:
        self._service, self._library, self._providers = service, library, providers

    async def check(self) -> tuple[Finding, ...]:
        """What is not as it should be; every provider is asked once, and those that do not answer are left out."""
        models = await self._library.models()
        items = [item for item in await self._service.every() if item.status in SEEN and not item.command]
        lists: dict[str, tuple[Taker, Sequence[ServedModel]] | None] = {}
        found: list[Finding] = []
        for item in items:
            if item.provider not in lists:
                lists[item.provider] = await self._asked(item.provider)
            if (known := lists[item.provider]) is not None:
                adapter, served = known
                listed = any(adapter.shows(item.name, one) for one in served)
                held = any((model.repo, model.commit) == (item.repo, item.commit) for model in models)
                there = await asyncio.to_thread(_there, item, held)
                if finding := _judge(item, listed=listed, there=there, held=held):
                    found.append(finding)
        return tuple(found)

    async def repair(self) -> tuple[Finding, ...]:
        """Register again what is there and not listed; what is listed without its file is for a person to take back.

        Raises:
            RoleRequired.
        """
        return tuple([await self._again(one) if one.deed == REGISTER else one for one in await self.check()])

    async def _again(self, finding: Finding) -> Finding:
        item = finding.registration
        try:
            made = await self._service.register(f"{item.model}/{item.path}" if item.path else item.model, item.provider)
        except ModelshelfError as error:
            return Finding(item, finding.problem, finding.deed, f"{error.message} {error.remedy}")
        done = any(one.status is Status.REGISTERED for one in made)
        return Finding(made[0] if made else item, finding.problem, finding.deed, finding.detail, done)

    async def _asked(self, provider: str) -> "tuple[Taker, Sequence[ServedModel]] | None":
        try:
            adapter = await self._providers.get(provider)
            if isinstance(adapter, Taker):
                with contained(adapter.config):
                    return adapter, await adapter.models()
        except ModelshelfError:
            return None
        return None


class Dependents:
    """What of other programs and of ours hangs on a model of the library."""

    def __init__(self, service: Registrar, library: "ModelLibrary", profiles: "ProfileManager") -> None:
        self._service, self._library, self._profiles = service, library, profiles

    async def breaks(self, model: str | InstalledModel) -> Breaks:
        """What would be lost if a model, or the file or commit that is named, were deleted.

        Raises:
            NotFound: it is not installed.
            UsageError: it cannot be deleted now.
        """
        removal = await self._library.removal(model)
        every = [item for item in await self._of(removal) if item.status in HELD and item.wish != UNDO]
        held = tuple(item for item in every if item.provider != BUILTIN.id)
        names = {f"{item.provider}/{item.name}".lower() for item in every} | await self._served(removal)
        profiles = [one.name for one in await self._profiles.list() if any(n.lower() in names for n in one.candidates)]
        return Breaks(held, tuple(profiles), removal.used_by)

    async def links(self, repo: str) -> Mapping[Inode, Collection[Path]]:
        """The names of a repository's files that we made in folders of providers: they go with it."""
        return await asyncio.to_thread(_names, await self._service.made_everywhere(), repo)

    async def release(self, removal: Removal) -> None:
        """Take back what was given of what is about to be deleted; fails for no provider's sake.

        Only what a provider that is down has still to forget is kept: the model may come again, and is new then.
        """
        for item in await self._of(removal):
            held = item.provider != BUILTIN.id and item.status in HELD
            if not held or (await self._service.take_back(item)).status is not Status.WAITING:
                await self._service.forget([item])

    async def _of(self, removal: Removal) -> list[Registration]:
        every = [item for item in await self._service.of_repo(removal.repo) if item.commit in removal.commits]
        return [item for item in every if not removal.files or item.path in removal.files]

    async def _served(self, removal: Removal) -> set[str]:
        """What the built-in engine calls it, whether or not it was written down."""
        found = [item for item in await self._library.served() if item.model.repo == removal.repo]
        gone = [
            item for item in found
            if item.model.commit in removal.commits and (not removal.files or item.files[0].path in removal.files)
        ]  # fmt: skip
        return {f"{BUILTIN.id}/{item.name}".lower() for item in gone}


def _there(item: Registration, held: bool) -> bool:
    """Whether the bytes that the provider goes by are there; `held`: the library has them."""
    if item.links:
        return all(Path(link).exists() for link in item.links)
    # What is neither linked nor a path lies in a store of the provider's own.
    return held or item.way != Way.PATH


def _judge(item: Registration, *, listed: bool, there: bool, held: bool) -> Finding | None:
    if listed and not there:
        return Finding(item, LOST, UNDO, f"{item.provider} lists {item.name}, but {item.place or 'its file'} is gone.")
    if not listed and held:
        return Finding(item, UNLISTED, REGISTER, f"{item.provider} does not list {item.name}; its file is there.")
    if not listed:
        return Finding(item, LOST, UNDO, f"{item.name} is neither in the list of {item.provider} nor in the library.")
    return None


def _names(made: Sequence[tuple[str, Made]], repo: str) -> Mapping[Inode, Collection[Path]]:
    """Hard links by the file that they lead to."""
    names: dict[Inode, set[Path]] = {}
    for name, one in made:
        if name == repo and not one.folder and one.still_ours():
            names.setdefault((one.device, one.inode), set()).add(Path(one.path).resolve())
    return names
