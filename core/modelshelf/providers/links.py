"""Puts a model's files into another program's folder without their bytes being there twice.

A hard link where both folders are on one file system, a reflink where that forbids it, else a symbolic link. Nothing is
overwritten.
"""

import errno
import filecmp
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from modelshelf.errors import FolderNotWritable, NotFound, UsageError
from modelshelf.metadata import local
from modelshelf.reflinks import reflink

LONGEST = 120
_FOREIGN = re.compile(r"[^\w.+@ -]+")
# Another disk, a file system without hard links, one that forbids them for the files of others, or too many of them.
_NO_HARD_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.EACCES})


@dataclass(frozen=True, slots=True)
class Linked:
    """What was linked: the names in the folder, the bytes behind them; `symbolic` if one had to be a symbolic link."""

    files: tuple[Path, ...]
    size: int
    symbolic: bool


def file_name(text: str) -> str:
    """A name that is good for one file or folder on every system, made from any text.

    Raises:
        UsageError: nothing of it can be kept.
    """
    name = _FOREIGN.sub("-", text).strip(" .-")[:LONGEST].strip(" .-")
    if not name:
        raise UsageError(f"“{text[:100]}” is no name for a file.", remedy="Choose a name with letters or digits.")
    return name


def home_path(text: str, environ: Mapping[str, str]) -> Path:
    """A path as a person writes it, `~` being the home folder of the environment."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home, text[1:].lstrip("/\\")) if home and text.startswith("~") else Path(text).expanduser()


def targets(file: Path, folder: Path, stem: str = "") -> Sequence[tuple[Path, Path]]:
    """Every part of a model with the name that it would get in a folder. Blocking.

    Raises:
        NotFound: a part is not there.
    """
    parts = local.parts(file)
    return [(part, folder / (f"{stem}{part.suffix}" if stem and len(parts) == 1 else part.name)) for part in parts]


def projector_name(file: Path) -> str:
    """What a projector is called in a folder: engines know it by how its name begins."""
    return file.name if file.name.lower().startswith("mmproj") else f"mmproj-{file.name}"


def link_model(file: Path, folder: Path, stem: str = "") -> Linked:
    """Link a model, every part of a split one, into a folder that is made if need be. Blocking.

    A model in one file gets the name `stem`, if there is one; parts keep theirs, since they find each other by them.

    Raises:
        NotFound: the file, or a part of it, is not there.
        UsageError: another file has that name already.
        FolderNotWritable: the folder takes no links.
    """
    wanted = targets(file, folder, stem)
    made: list[Path] = []
    size, symbolic, whole = 0, False, False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The first part comes last: whoever watches the folder takes it for a whole model.
        for part, target in reversed(wanted):
            data = part.resolve(strict=True)
            size += data.stat().st_size
            if not _there(data, target):
                symbolic = _link(data, target) or symbolic
                made.append(target)
        whole = True
    except FileExistsError as error:
        raise _taken(folder) from error
    except FileNotFoundError as error:
        raise NotFound(f"{file} is not there.", remedy="Download the model again.") from error
    except OSError as error:
        raise FolderNotWritable(f"{folder} takes no links: {error.strerror or error}.") from error
    finally:
        if not whole:
            for target in made:
                target.unlink(missing_ok=True)
    return Linked(tuple(target for _, target in wanted), size, symbolic)


def share(data: Path, target: Path) -> bool:
    """Give the bytes a second name by hard link, or a second file that shares them by reflink. Blocking.

    Returns:
        False where this disk does neither; then nothing was made.

    Raises:
        OSError: the bytes cannot be read, or the name is taken.
    """
    try:
        os.link(data, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINK:
            raise
    else:
        return True
    return _clone(data, target)


def same_device(file: Path, folder: Path) -> bool:
    """Whether a folder is on the file system of a file; neither need exist yet. Blocking."""
    return _device(folder) == _device(file) is not None


def found_below(folder: Path, file: Path, depth: int = 3) -> Path | None:
    """A name that a file's bytes have in a folder already, whoever gave it; None without one. Blocking."""
    with suppress(OSError):
        wanted = file.stat()
        for name in _names_below(folder, depth):
            with suppress(OSError):
                found = name.stat()
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    return name
    return None


def _device(place: Path) -> int | None:
    for name in (place, *place.parents):
        with suppress(OSError):
            return name.stat().st_dev
    return None


def _names_below(folder: Path, depth: int) -> Iterator[Path]:
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if depth > 1:
                yield from _names_below(Path(entry.path), depth - 1)
        elif entry.name.lower().endswith(".gguf"):
            yield Path(entry.path)


def _there(data: Path, target: Path) -> bool:
    """Whether the name leads to these bytes already."""
    if not os.path.lexists(target):
        return False
    # A reflink is a file of its own: only its bytes tell.
    if target.exists() and (target.samefile(data) or filecmp.cmp(data, target, shallow=False)):
        return True
    raise _taken(target)


def _link(data: Path, target: Path) -> bool:
    """Link it; whether it had to be a symbolic one. Either way the name appears at once or not at all."""
    if share(data, target):
        return False
    target.symlink_to(data)
    return True


def _clone(data: Path, target: Path) -> bool:
    """A reflink under a name that appears when the file is whole."""
    growing = target.with_name(f".{target.name}.modelshelf")
    try:
        with data.open("rb") as reading, growing.open("xb") as writing:
            if not reflink(reading, writing):
                return False
        os.link(growing, target)
        return True
    finally:
        growing.unlink(missing_ok=True)


def _taken(target: Path) -> UsageError:
    return UsageError(
        f"{target} is there already and is something else; it was not overwritten.",
        remedy="Choose another name, or move it away.",
    )
