"""A bundle on disk: `modelshelf.lock` and `blobs/<sha256>`, in a folder or in a tar file. Nothing in it is trusted."""

import hashlib
import io
import os
import shutil
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from modelshelf.downloads.part import disk_errors
from modelshelf.errors import ChecksumMismatch, FormatError, NotFound, UsageError
from modelshelf.sync.lockfile import LONGEST, NAME, Lock, LockedFile, dumps
from modelshelf.sync.types import Gauge

BLOBS = "blobs"
_CHUNK = 4 * 2**20


class Archive(Protocol):
    """A bundle that is open for reading. Its files are asked for by name; what else lies in it is never looked at."""

    def lock(self) -> str:
        """The text of its lock file."""
        ...

    def open(self, sha256: str) -> IO[bytes]:
        """The bytes that are said to have this checksum."""
        ...


class _Folder:
    def __init__(self, place: Path) -> None:
        self._place = place

    def lock(self) -> str:
        with _plain(self._place / NAME) as handle:
            return _text(handle)

    def open(self, sha256: str) -> IO[bytes]:
        return _plain(self._place / BLOBS / sha256)


class _Tar:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._members = {member.name.removeprefix("./"): member for member in tar if member.isreg()}

    def lock(self) -> str:
        with self._member(NAME) as handle:
            return _text(handle)

    def open(self, sha256: str) -> IO[bytes]:
        return self._member(f"{BLOBS}/{sha256}")

    def _member(self, name: str) -> IO[bytes]:
        member = self._members.get(name)
        handle = self._tar.extractfile(member) if member else None
        if handle is None:
            raise FormatError(f"The bundle lacks {name}.", remedy="Export it again.")
        return handle


@contextmanager
def opened(place: Path) -> Iterator[Archive]:
    """Open a bundle. For threads.

    Raises:
        NotFound: there is nothing. FormatError: it is no bundle.
    """
    if place.is_dir():
        yield _Folder(place)
        return
    if not place.exists():
        raise NotFound(f"There is no bundle {place}.", remedy="Check the path.")
    try:
        tar = tarfile.open(place, "r:")  # noqa: SIM115 - closed below; opening it must fail apart from reading it
    except (tarfile.TarError, EOFError) as error:
        raise FormatError(f"{place} is no bundle: {error}.", remedy="Export it again.") from None
    with tar:
        try:
            yield _Tar(tar)
        except tarfile.TarError as error:
            raise FormatError(f"{place} is damaged: {error}.", remedy="Export it again.") from None


def copy_checked(source: IO[bytes], target: Path, file: LockedFile, gauge: Gauge | None = None) -> None:
    """Copy bytes to the disk and compare them with what the lock says of them.

    Raises:
        ChecksumMismatch: they are others; nothing is kept.
    """
    sha256 = hashlib.sha256()
    git = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    left = file.size + 1  # one more than there may be: a longer file is another file
    with target.open("xb") as handle:
        while left > 0 and (chunk := source.read(min(_CHUNK, left))):
            left -= len(chunk)
            sha256.update(chunk)
            git.update(chunk)
            handle.write(chunk)
            if gauge is not None:
                gauge.add(len(chunk))
        handle.flush()
        os.fsync(handle.fileno())
    if left != 1 or sha256.hexdigest() != file.sha256 or (file.git_sha1 or git.hexdigest()) != git.hexdigest():
        target.unlink()
        raise ChecksumMismatch(
            f"{file.path} has other bytes than the lock file says; nothing was kept.",
            remedy="Export the bundle again; if that is no help, do not trust where it came from.",
            expected=file.sha256,
            found=sha256.hexdigest(),
        )


def write(lock: Lock, files: Mapping[str, Path], to: Path, gauge: Gauge | None = None) -> None:
    """Write a bundle: `files` by their SHA-256. It gets its name when it is whole. For threads.

    Raises:
        UsageError: something is there already. ChecksumMismatch: a file is damaged.
        NotEnoughDisk, FolderNotWritable, DownloadError.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} is there already.", remedy="Choose another place, or remove it first.")
    gauge = gauge or Gauge()
    gauge.expect(sum(file.size for file in _unique(lock)))
    temporary = to.with_name(f".{to.name}-{uuid.uuid4().hex[:8]}")
    with disk_errors(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            if to.suffix == ".tar":
                _write_tar(lock, files, temporary, gauge)
            else:
                _write_folder(lock, files, temporary, gauge)
                if to.is_dir():
                    to.rmdir()
            temporary.replace(to)
        finally:
            _sweep(temporary)


def _write_folder(lock: Lock, files: Mapping[str, Path], folder: Path, gauge: Gauge) -> None:
    (folder / BLOBS).mkdir(parents=True)
    for locked in _unique(lock):
        with files[locked.sha256].open("rb") as source:
            copy_checked(source, folder / BLOBS / locked.sha256, locked, gauge)
    (folder / NAME).write_text(dumps(lock), "utf-8")


def _write_tar(lock: Lock, files: Mapping[str, Path], place: Path, gauge: Gauge) -> None:
    text = dumps(lock).encode()
    with tarfile.open(place, "w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, NAME, len(text), io.BytesIO(text))
        for locked in _unique(lock):
            with files[locked.sha256].open("rb") as source:
                reader = _Hashing(source, gauge)
                _add(tar, f"{BLOBS}/{locked.sha256}", locked.size, reader)
                if reader.sha256.hexdigest() != locked.sha256 or source.read(1):
                    raise ChecksumMismatch(
                        f"{locked.path} is damaged; nothing was exported.",
                        remedy="Download it again, then export it.",
                        expected=locked.sha256,
                        found=reader.sha256.hexdigest(),
                    )


class _Hashing(io.RawIOBase):
    """A file that is hashed as it is read."""

    def __init__(self, source: IO[bytes], gauge: Gauge) -> None:
        self.sha256 = hashlib.sha256()
        self._gauge = gauge
        self._source = source

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.sha256.update(data)
        self._gauge.add(len(data))
        return data


def _add(tar: tarfile.TarFile, name: str, size: int, source: IO[bytes] | io.RawIOBase) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    try:
        tar.addfile(member, source)
    except OSError as error:
        if error.errno is None:  # how tarfile says that a file ends too early
            raise ChecksumMismatch(f"{name} is shorter than it was.", remedy="Try again.") from error
        raise


def _unique(lock: Lock) -> list[LockedFile]:
    return list({file.sha256: file for model in lock.models for file in model.files}.values())


def _plain(place: Path) -> IO[bytes]:
    """A file of a bundle, never a link to elsewhere, a pipe or a device."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise FormatError(f"The bundle lacks {place.name}.", remedy="Export it again.") from None
    handle = os.fdopen(descriptor, "rb")
    if not place.is_file():
        handle.close()
        raise FormatError(f"{place.name} in the bundle is no file.", remedy="Export it again.")
    return handle


def _text(handle: IO[bytes]) -> str:
    data = handle.read(LONGEST + 1)
    try:
        if len(data) <= LONGEST:
            return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise FormatError("The bundle's lock file cannot be read.", remedy="Export it again.")


def _sweep(place: Path) -> None:
    with suppress(OSError):
        place.unlink() if not place.is_dir() else shutil.rmtree(place)
