"""The same deed for several installed models: it goes on after one fails, and says of each what became of it."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelshelf.errors import ChecksumMismatch, ModelshelfError, ProviderError, UsageError
from modelshelf.library.cache import Inode
from modelshelf.library.removal import LentNames
from modelshelf.library.types import InstalledModel
from modelshelf.registration.types import Breaks, Status

if TYPE_CHECKING:
    from modelshelf.library import ModelLibrary
    from modelshelf.registration import RegistrationService
    from modelshelf.updates import UpdateService

DEEDS = ("delete", "verify", "update", "register", "pin", "unpin")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one model: status is done | failed; `place` of `total`; `detail` says what is worth knowing."""

    model: str
    status: str
    place: int
    total: int
    detail: str = ""
    error: str = ""
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Deletion:
    """What deleting several models means: the bytes it frees together, and what it breaks, in sentences."""

    models: tuple[str, ...]
    freed: int
    breaks: tuple[str, ...]
    kept: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class BulkService:
    """Works a list off, one model after the other; closing the generator stops it after the one it is at."""

    name = "bulk"

    def __init__(
        self,
        library: "ModelLibrary",
        updates: "UpdateService",
        registration: "RegistrationService",
    ) -> None:
        self._library = library
        self._updates = updates
        self._registration = registration

    async def deletion(self, models: Iterable[str]) -> Deletion:
        """What deleting them would free and break. Models that are pinned are kept; their names are in `kept`.

        Raises:
            NotFound: one of them is not installed.
            UsageError: one of them cannot be deleted now.
        """
        chosen = [await self._library.get(model) for model in dict.fromkeys(models)]
        going = [model for model in chosen if not model.pinned]
        everything = await self._library.models()
        lost = {str(model.id): await self._registration.breaks(model) for model in going}
        lent = [await self._registration.links(model.repo) for model in going]
        freed = await asyncio.to_thread(_freed, going, everything, lent)
        breaks = _broken(going, lost)
        kept = tuple(str(model.id) for model in chosen if model.pinned)
        return Deletion(tuple(str(model.id) for model in going), freed, breaks, kept)

    async def run(self, deed: str, models: Sequence[str]) -> AsyncGenerator[Outcome, None]:
        """Do it with each; an error of one is its outcome, and the next is begun.

        Raises:
            UsageError: there is no such deed.
        """
        one = self._deed(deed)
        wanted = list(dict.fromkeys(models))
        for place, model in enumerate(wanted, 1):
            try:
                detail = await one(model)
            except ModelshelfError as error:
                yield Outcome(model, "failed", place, len(wanted), error=error.message, remedy=error.remedy)
            else:
                yield Outcome(model, "done", place, len(wanted), detail)

    def _deed(self, deed: str) -> Callable[[str], Awaitable[str]]:
        deeds: Mapping[str, Callable[[str], Awaitable[str]]] = {
            "delete": self._delete,
            "verify": self._verify,
            "update": self._update,
            "register": self._register,
            "pin": self._pin,
            "unpin": self._unpin,
        }
        if deed not in deeds:
            raise UsageError(f"“{deed}” cannot be done with several.", remedy=f"These can: {', '.join(DEEDS)}.")
        return deeds[deed]

    async def _delete(self, model: str) -> str:
        found = await self._library.get(model)
        if found.pinned:
            raise UsageError(f"{found.repo} is pinned and stays.", remedy="Unpin it first.")
        removal = await self._library.remove(model)
        return f"{removal.freed} bytes freed"

    async def _verify(self, model: str) -> str:
        async with aclosing(self._library.verify(model)) as results:
            found = [result async for result in results]
        bad = [result.path for result in found if result.status not in {"ok", "recorded"}]
        if bad:
            what = "is not what it should be" if len(bad) == 1 else "are not what they should be"
            raise ChecksumMismatch(f"{', '.join(bad[:5])} {what}.", remedy="Delete the model and download it again.")
        return f"{len(found)} files are what they should be"

    async def _update(self, model: str) -> str:
        job = await self._updates.update(model)
        return f"its newest commit is being fetched, as job {job}" if job else "it is the newest"

    async def _register(self, model: str) -> str:
        made = await self._registration.register(model)
        failed = [item for item in made if item.status is Status.FAILED]
        if failed:
            why = "; ".join(f"{item.provider}: {item.error}" for item in failed)
            raise ProviderError(why, remedy=failed[0].remedy)
        told = ", ".join(f"{item.provider} ({item.status.value})" for item in made)
        return told or "no provider takes it by itself"

    async def _pin(self, model: str) -> str:
        return f"{await self._library.pins.pin(model)} stays as it is"

    async def _unpin(self, model: str) -> str:
        return f"{await self._library.pins.unpin(model)} may be updated and deleted with others"


def _broken(going: Sequence[InstalledModel], lost: Mapping[str, Breaks]) -> tuple[str, ...]:
    """Who loses something, in sentences; other models that go as well lose nothing."""
    doomed = {f"{model.repo}@{model.commit[:8]}" for model in going}
    told: dict[str, None] = {}
    for model in going:
        breaks = lost[str(model.id)]
        others = [user for user in breaks.others if user not in doomed]
        told |= dict.fromkeys([f"{model.repo} is used by {', '.join(others)} too."] if others else [])
        told |= dict.fromkeys(f"{item.provider} loses {item.name}." for item in breaks.registrations)
        told |= dict.fromkeys(f"The profile “{name}” loses its model." for name in breaks.profiles)
    return tuple(told)


def _freed(going: Sequence[InstalledModel], everything: Sequence[InstalledModel], lent: Sequence[LentNames]) -> int:
    """The bytes that no name leads to once all of them are gone. Looks at the disk: for threads.

    `lent` are the names that we made in folders of providers, which go with them.
    """
    gone = {(model.repo, model.commit) for model in going}
    kept = {file.blob for model in everything if (model.repo, model.commit) not in gone for file in model.files}
    ours = Counter({inode: len(places) for found in lent for inode, places in found.items()})
    names: dict[Inode, set[Path]] = defaultdict(set)
    sizes: dict[Inode, tuple[int, int]] = {}
    for path in {file.blob for model in going for file in model.files} - kept:
        try:
            status = path.stat()
        except OSError:
            continue
        inode = status.st_dev, status.st_ino
        names[inode].add(path)
        sizes[inode] = status.st_size, status.st_nlink
    return sum(size for inode, (size, links) in sizes.items() if links <= len(names[inode]) + ours[inode])
