"""The same deed for several installed models: it goes on after one fails, and says of each what became of it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modelshelf.errors import ChecksumMismatch, ModelshelfError, UsageError
from modelshelf.library.types import InstalledModel
from modelshelf.providers.rows import BUILTIN

if TYPE_CHECKING:
    from modelshelf.library import ModelLibrary
    from modelshelf.providers.profiles import ProfileManager
    from modelshelf.updates import UpdateService

DEEDS = ("delete", "verify", "update", "register", "pin", "unpin")


class Registers(Protocol):
    """Who tells engines of a model."""

    async def register(self, model: str) -> object:
        """Have every engine that fits take the model."""
        ...


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
        profiles: "ProfileManager",
        registration: Callable[[], Registers | None],
    ) -> None:
        self._library = library
        self._updates = updates
        self._profiles = profiles
        self._registration = registration

    @property
    def deeds(self) -> tuple[str, ...]:
        """What can be done here."""
        return tuple(deed for deed in DEEDS if deed != "register" or self._registration() is not None)

    async def deletion(self, models: Iterable[str]) -> Deletion:
        """What deleting them would free and break. Models that are pinned are kept; their names are in `kept`.

        Raises:
            NotFound: one of them is not installed.
            UsageError: one of them cannot be deleted now.
        """
        chosen = [await self._library.get(model) for model in dict.fromkeys(models)]
        going = [model for model in chosen if not model.pinned]
        everything = await self._library.models()
        users: dict[str, list[str]] = {}
        for model in going:
            users[str(model.id)] = list((await self._library.removal(model)).used_by)
        freed = await asyncio.to_thread(_freed, going, everything)
        breaks = [*_users(going, users), *await self._lost_profiles(going)]
        kept = tuple(str(model.id) for model in chosen if model.pinned)
        return Deletion(tuple(str(model.id) for model in going), freed, tuple(breaks), kept)

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
        if deed not in self.deeds:
            raise UsageError(f"“{deed}” cannot be done with several.", remedy=f"These can: {', '.join(self.deeds)}.")
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
        registration = self._registration()
        if registration is not None:
            await registration.register(model)
        return "registered"

    async def _pin(self, model: str) -> str:
        return f"{await self._library.pins.pin(model)} stays as it is"

    async def _unpin(self, model: str) -> str:
        return f"{await self._library.pins.unpin(model)} may be updated and deleted with others"

    async def _lost_profiles(self, going: Sequence[InstalledModel]) -> list[str]:
        gone = {(model.repo, model.commit) for model in going}
        served = await self._library.served()
        names = {f"{BUILTIN.id}/{item.name}" for item in served if (item.model.repo, item.model.commit) in gone}
        lost = [profile for profile in await self._profiles.list() if profile.model in names]
        return [f"The profile “{profile.name}” loses its model {profile.model}." for profile in lost]


def _users(going: Sequence[InstalledModel], users: Mapping[str, Sequence[str]]) -> list[str]:
    """Who else uses the bytes, those left out that go as well."""
    doomed = {f"{model.repo}@{model.commit[:8]}" for model in going}
    named = {str(model.id): model.repo for model in going}
    told = {name: [user for user in found if user not in doomed] for name, found in users.items()}
    return [f"{named[name]} is used by {', '.join(found)} too." for name, found in told.items() if found]


def _freed(going: Sequence[InstalledModel], everything: Sequence[InstalledModel]) -> int:
    """The bytes that no name leads to once all of them are gone. Looks at the disk: for threads."""
    gone = {(model.repo, model.commit) for model in going}
    kept = {file.blob for model in everything if (model.repo, model.commit) not in gone for file in model.files}
    names: dict[tuple[int, int], set[Path]] = defaultdict(set)
    sizes: dict[tuple[int, int], tuple[int, int]] = {}
    for path in {file.blob for model in going for file in model.files} - kept:
        try:
            status = path.stat()
        except OSError:
            continue
        inode = status.st_dev, status.st_ino
        names[inode].add(path)
        sizes[inode] = status.st_size, status.st_nlink
    return sum(size for inode, (size, links) in sizes.items() if links <= len(names[inode]))
