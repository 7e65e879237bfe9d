"""Landing: verified files enter the Hugging Face cache under huggingface_hub's own locks, the snapshot as a whole."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from modelshelf.downloads.cache import RepoCache
from modelshelf.downloads.part import disk_errors
from modelshelf.errors import DownloadError

_LOCK_SECONDS = 60.0
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified file: `part` holds its bytes, or is None when the cache has them already."""

    path: str
    size: int
    blob: str
    sha256: str
    part: Path | None


def land(cache: RepoCache, commit: str, arrivals: Sequence[Arrival], refs: Sequence[str], work: Path) -> Path:
    """Bring the files into the cache and return the snapshot's folder. For threads.

    A new snapshot appears by one rename when all its blobs are in place; refs follow last. `work` is a folder on the
    cache's file system.

    Raises:
        NotEnoughDisk, FolderNotWritable, DownloadError.
    """
    with disk_errors(cache.folder):
        work.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_AT_ONCE) as threads:  # the disk takes several to heart at once
            for blob in [threads.submit(_land_blob, cache, one) for one in _first_of_each(arrivals)]:
                blob.result()
        _sync(cache.blob("x").parent)
        snapshot = cache.snapshot(commit)
        snapshot.parent.mkdir(parents=True, exist_ok=True)
        if not snapshot.exists():
            _publish(cache, snapshot, arrivals, work)
        for arrival in arrivals:
            _link(cache, snapshot, snapshot / arrival.path, arrival.blob)
        _sync(snapshot.parent)
        for name in refs:
            _write_ref(cache.ref(name), commit, work)
            _sync(cache.ref(name).parent)
    return snapshot


def _first_of_each(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """One of those that are the same bytes."""
    return list({arrival.blob: arrival for arrival in reversed(arrivals)}.values())


def _land_blob(cache: RepoCache, arrival: Arrival) -> None:
    blob, lock = cache.blob(arrival.blob), cache.lock(arrival.blob)
    blob.parent.mkdir(parents=True, exist_ok=True)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with _held(lock):
        if arrival.part is not None and arrival.part.exists():
            _move(arrival.part, blob)
        elif not blob.exists():
            raise DownloadError(f"The bytes of {arrival.path} are gone from {blob.parent}.")


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    try:
        with FileLock(lock, timeout=_LOCK_SECONDS, mode=0o664):
            yield
    except Timeout:
        raise DownloadError(
            f"Another program holds {lock}.", remedy="End the other download of this file, then retry."
        ) from None


def _move(part: Path, blob: Path) -> None:
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        part.replace(blob)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(part, blob)


def _copy(part: Path, blob: Path) -> None:
    """For a cache on another file system than expected, for example a link: copy, then rename."""
    temporary = blob.with_name(f"{blob.name}.{uuid.uuid4().hex[:8]}.incomplete")
    try:
        with part.open("rb") as source, temporary.open("xb") as target:
            shutil.copyfileobj(source, target, 4 * 2**20)
            target.flush()
            os.fsync(target.fileno())
        temporary.replace(blob)
    finally:
        temporary.unlink(missing_ok=True)
    part.unlink(missing_ok=True)


def _publish(cache: RepoCache, snapshot: Path, arrivals: Sequence[Arrival], work: Path) -> None:
    building = work / f"snapshot-{uuid.uuid4().hex}"
    try:
        for arrival in arrivals:
            place = building / arrival.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(_target(cache, snapshot / arrival.path, arrival.blob))
        building.rename(snapshot)
    except OSError:
        # No links on this disk, another file system, or another process was first: `_link` settles each file.
        snapshot.mkdir(exist_ok=True)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _link(cache: RepoCache, snapshot: Path, place: Path, blob: str) -> None:
    target = _target(cache, place, blob)
    if place.is_symlink() and str(place.readlink()) == target:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.parent.resolve().is_relative_to(snapshot.resolve()):
        raise DownloadError(f"{place.parent} leads out of the library.", remedy="Remove that link, then try again.")
    temporary = place.with_name(f".{uuid.uuid4().hex[:12]}")
    try:
        temporary.symlink_to(target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
        # As huggingface_hub does on disks without links: the file itself stands in the snapshot.
        cache.blob(blob).replace(place)
        return
    try:
        temporary.replace(place)
    finally:
        with suppress(OSError):
            temporary.unlink()


def _target(cache: RepoCache, place: Path, blob: str) -> str:
    return os.path.relpath(cache.blob(blob), place.parent)


def _write_ref(ref: Path, commit: str, work: Path) -> None:
    ref.parent.mkdir(parents=True, exist_ok=True)
    temporary = work / f"ref-{uuid.uuid4().hex}"
    temporary.write_text(commit)
    _move(temporary, ref)


def _sync(folder: Path) -> None:
    """Make renames in a folder last over a loss of power, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
