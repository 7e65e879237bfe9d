"""Does what resolves a conflict, and says what takes it back."""

import asyncio
import filecmp
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelshelf.catalog.files import format_of
from modelshelf.errors import FolderNotWritable, NotFound, UsageError
from modelshelf.imports.links import hard_link
from modelshelf.integration.conflict_types import Deed
from modelshelf.integration.trash import Trash
from modelshelf.library.types import InstalledModel
from modelshelf.providers.spec import LoadSettings

if TYPE_CHECKING:
    from modelshelf.library import ModelLibrary
    from modelshelf.providers import ProviderRegistry
    from modelshelf.providers.profiles import ProfileManager
    from modelshelf.registration import RegistrationService


class Mender:
    """One method for each deed; all return the deed that takes it back, or None if nothing does."""

    def __init__(
        self,
        library: "ModelLibrary",
        providers: "ProviderRegistry",
        profiles: "ProfileManager",
        registration: "RegistrationService",
        trash: Trash,
    ) -> None:
        self._library = library
        self._providers = providers
        self._profiles = profiles
        self._registration = registration
        self._trash = trash

    async def do(self, deed: Deed) -> Deed | None:
        """Do it.

        Raises:
            UsageError, NotFound: it makes no sense any more.
            FolderNotWritable: the disk refuses.
        """
        deeds = {
            "link": self._link,
            "own copies": self._own_copies,
            "put away": self._put_away,
            "put back": self._put_back,
            "trash": self._into_trash,
            "empty trash": self._empty_trash,
            "settings": self._settle,
            "enable": self._enable,
            "profile": self._point,
            "unregister": self._unregister,
        }
        return await deeds[deed.do](deed.what)

    async def _link(self, what: Mapping[str, Any]) -> Deed | None:
        keep, others = Path(what["keep"]), [Path(other) for other in what["others"]]
        await asyncio.to_thread(_link_all, keep, others)
        return Deed("own copies", {"paths": [str(other) for other in others]})

    async def _own_copies(self, what: Mapping[str, Any]) -> Deed | None:
        for path in what["paths"]:
            await asyncio.to_thread(_own_copy, Path(path))
        return None

    async def _into_trash(self, what: Mapping[str, Any], profiles: Mapping[str, str] | None = None) -> Deed | None:
        name, paths = uuid.uuid4().hex[:12], [Path(path) for path in what["paths"]]
        await asyncio.to_thread(self._trash.put, name, paths)
        await self._library.models()  # which tells everybody what is gone
        return Deed(
            "put back", {"name": name, "paths": [str(path) for path in paths], "profiles": dict(profiles or {})}
        )

    async def _put_away(self, what: Mapping[str, Any]) -> Deed | None:
        paths: list[Path] = []
        for named in what["models"]:
            paths += await self._paths(named)
        back = await self._point({"models": what["profiles"]})
        return await self._into_trash({"paths": paths}, back.what["models"])

    async def _put_back(self, what: Mapping[str, Any]) -> Deed | None:
        await asyncio.to_thread(self._trash.back, what["name"], [Path(path) for path in what["paths"]])
        await self._library.models()
        for profile, model in what["profiles"].items():
            await self._profiles.use_nearest(profile, model)
        return None

    async def _empty_trash(self, _what: Mapping[str, Any]) -> Deed | None:
        await asyncio.to_thread(self._trash.empty)
        return None

    async def _settle(self, what: Mapping[str, Any]) -> Deed | None:
        provider, _, name = what["model"].partition("/")
        before = await self._providers.load_settings(provider, name)
        await self._providers.set_load_settings(what["model"], LoadSettings(**what["settings"]))
        return Deed("settings", {"model": what["model"], "settings": before.as_dict()})

    async def _enable(self, what: Mapping[str, Any]) -> Deed | None:
        for provider in what["providers"]:
            await self._providers.enable(provider, what["enabled"])
        return Deed("enable", {**what, "enabled": not what["enabled"]})

    async def _point(self, what: Mapping[str, Any]) -> Deed:
        before: dict[str, str] = {}
        for profile, model in what["models"].items():
            before[profile] = (await self._profiles.get(profile)).model
            await self._profiles.use_nearest(profile, model)
        return Deed("profile", {"models": before})

    async def _unregister(self, what: Mapping[str, Any]) -> Deed | None:
        await self._registration.undo(what["registration"])
        return None

    async def _paths(self, named: Mapping[str, Any]) -> list[Path]:
        """What has to go for a model, or for some files of it, to be gone; what others use stays."""
        models = [model for model in await self._library.models() if model.repo == named["repo"]]
        model = next((model for model in models if model.commit == named["commit"]), None)
        if model is None:
            raise NotFound(f"{named['repo']} is not installed any more.")
        await self._library.removal(model)  # which refuses while a download writes to it
        folder = self._library.cache / f"models--{model.repo.replace('/', '--')}"
        return await asyncio.to_thread(_paths_of, folder, model, models, named["files"])


def _paths_of(
    folder: Path, model: InstalledModel, models: Sequence[InstalledModel], files: Sequence[str]
) -> list[Path]:
    weights = {file.path for file in model.files if format_of(file.path)}
    whole = weights <= set(files)
    if whole and len(models) == 1:
        return [folder]
    going = [file for file in model.files if whole or file.path in files]
    others = [file.blob for other in models for file in other.files if other is not model]
    others += [file.blob for file in model.files if file not in going]
    blobs = {file.blob for file in going if file.blob != file.file} - set(others)
    if not whole:
        return [*(file.file for file in going), *sorted(blobs)]
    refs = [folder / "refs" / name for name in model.refs]
    return [model.snapshot, *refs, *sorted(blobs)]


def _link_all(keep: Path, others: Sequence[Path]) -> None:
    """Let all names lead to one copy; bytes that differ after all are never given up."""
    for other in others:
        if other.is_symlink() or keep.is_symlink():
            raise UsageError(f"{other.name} is a link to another place.", remedy="Remove one of the models.")
        try:
            if not filecmp.cmp(keep, other, shallow=False):
                raise UsageError(f"The copies of {other.name} are not the same any more.", remedy="Verify both models.")
            _replace(other, lambda place: hard_link(keep, place))
        except OSError as error:
            raise FolderNotWritable(f"{other} cannot be linked: {error.strerror}.") from error


def _own_copy(path: Path) -> None:
    """Give a name bytes of its own again."""

    def copy(place: Path) -> bool:
        shutil.copy2(path, place)
        return True

    try:
        _replace(path, copy)
    except OSError as error:
        raise FolderNotWritable(f"{path} cannot be copied: {error.strerror}.") from error


def _replace(path: Path, make: Any) -> None:
    """Put something else in the place of a file, in one step."""
    place = path.with_name(f".{path.name[:16]}-{uuid.uuid4().hex[:8]}")
    try:
        if not make(place):
            raise FolderNotWritable(
                f"This disk cannot give {path.name} a second name.", remedy="Remove one of the models instead."
            )
        place.replace(path)
    finally:
        place.unlink(missing_ok=True)
