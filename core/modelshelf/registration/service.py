"""Registrations: a model that lands turns up where it can be used, and is taken back from there when it goes."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf.access import AccessService, Role, require
from modelshelf.downloads.types import Copy, DownloadPlan
from modelshelf.events import EventBus
from modelshelf.hooks import Hooks
from modelshelf.library.cache import Inode
from modelshelf.library.types import InstalledModel, Removal
from modelshelf.registration.copies import copies_of
from modelshelf.registration.registrar import Registrar
from modelshelf.registration.repair import Dependents, Repair
from modelshelf.registration.types import Breaks, Finding, Status
from modelshelf.store import Store

if TYPE_CHECKING:
    from modelshelf.compat import CompatibilityService
    from modelshelf.library import ModelLibrary
    from modelshelf.metadata import MetadataService
    from modelshelf.providers import ProviderRegistry
    from modelshelf.providers.profiles import ProfileManager


class RegistrationService(Registrar):
    """A `Registrar` that also finds what is wrong, and tells the library what hangs on a model."""

    def __init__(
        self,
        store: Store,
        events: EventBus,
        access: AccessService,
        library: "ModelLibrary",
        metadata: "MetadataService",
        providers: "ProviderRegistry",
        compatibility: "CompatibilityService",
        profiles: "ProfileManager",
        hooks: Hooks | None = None,
    ) -> None:
        super().__init__(store, events, access, library, metadata, providers, compatibility, hooks)
        self._providers = providers
        self._repair = Repair(self, library, providers)
        self._dependents = Dependents(self, library, profiles)

    async def check(self) -> tuple[Finding, ...]:
        """What is listed and not there, or there and not listed; providers that do not answer are left out."""
        return await self._repair.check()

    @require(Role.OPERATOR, "registration.repair")
    async def repair(self) -> tuple[Finding, ...]:
        """Register again what is there and not listed; what lost its file is for a person to take back, by `undo`.

        What waits or was left behind by a process that is gone is tried first, whoever leads.
        """
        waiting = [item for item in await self.every() if item.status is Status.WAITING]
        for item in (*waiting, *await self.left_behind()):
            await self.retry(item)
        return await self._repair.repair()

    async def breaks(self, model: str | InstalledModel) -> Breaks:
        """What would be lost if a model, or the file or commit that is named, were deleted.

        Raises:
            NotFound: it is not installed.
            UsageError: it cannot be deleted now.
        """
        return await self._dependents.breaks(model)

    async def links(self, repo: str) -> Mapping[Inode, Collection[Path]]:
        """The names of a repository's files that go with it, since they were made for providers."""
        return await self._dependents.links(repo)

    async def let_go(self, removal: Removal) -> None:
        """The library is about to delete this: take it back from every provider."""
        await self._dependents.release(removal)

    async def copies(self, plan: DownloadPlan) -> Sequence[Copy]:
        """The places that will hold a planned model once more, because a provider is given copies by itself."""
        return await copies_of(plan, self._library.cache, self._providers)
