"""Puts a model's files into another program's folder without their bytes being there twice.

A hard link where both folders are on one file system; a symbolic link where they are not. Nothing is overwritten.
"""

import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelshelf.errors import FolderNotWritable, NotFound, UsageError
from modelshelf.metadata import local

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


def link_model(file: Path, folder: Path, stem: str = "") -> Linked:
    """Link a model, every part of a split one, into a folder that is made if need be. Blocking.

    A model in one file gets the name `stem`, if there is one; parts keep theirs, since they find each other by them.

    Raises:
        NotFound: the file, or a part of it, is not there.
        UsageError: another file has that name already.
        FolderNotWritable: the folder takes no links.
    """
    parts = local.parts(file)
    made: list[Path] = []
    size, symbolic, whole = 0, False, False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The first part comes last: whoever watches the folder takes it for a whole model.
        for part in reversed(parts):
            target = folder / (f"{stem}{part.suffix}" if stem and len(parts) == 1 else part.name)
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
    return Linked(tuple(reversed(made)), size, symbolic)


def _there(data: Path, target: Path) -> bool:
    """Whether the name leads to these bytes already."""
    if not os.path.lexists(target):
        return False
    if target.exists() and target.samefile(data):
        return True
    raise _taken(target)


def _link(data: Path, target: Path) -> bool:
    """Link it; whether it had to be a symbolic one. Either way the name appears at once or not at all."""
    try:
        os.link(data, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINK:
            raise
    else:
        return False
    target.symlink_to(data)
    return True


def _taken(target: Path) -> UsageError:
    return UsageError(
        f"{target} is there already and is something else; it was not overwritten.",
        remedy="Choose another name, or move it away.",
    )
