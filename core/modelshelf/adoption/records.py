"""What the database keeps of other stores' files: checksums that were computed here, and what was made one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from modelshelf.adoption.types import StoredFile
from modelshelf.downloads.types import RUNNING
from modelshelf.library.service import PATH_LIMIT
from modelshelf.store.tables import FoundFileRow, JobRow, now

Mark = tuple[str, str, str, int, int]


def mark_of(file: StoredFile) -> Mark:
    """What a file is known by: if anything of it differs, its bytes may."""
    return str(file.place), str(file.inode[0]), str(file.inode[1]), file.size, file.mtime_ns


def checksums(session: Session) -> Mapping[Mark, str]:
    """The SHA-256 of every file that was read, by what it was then."""
    rows = session.scalars(select(FoundFileRow))
    return {(row.path, row.device, row.inode, row.size, row.mtime_ns): row.sha256 for row in rows}


def remember(session: Session, file: StoredFile, sha256: str) -> None:
    """Keep the checksum of a file; one with too long a path is read again another time."""
    path, device, inode, size, mtime_ns = mark_of(file)
    if len(path) > PATH_LIMIT:
        return
    row = session.get(FoundFileRow, path) or FoundFileRow(path=path)
    row.device, row.inode, row.size, row.mtime_ns, row.sha256, row.at = device, inode, size, mtime_ns, sha256, now()
    session.add(row)


def note_given(session: Session, places: Sequence[Path], sha256: str) -> None:
    """Keep that these files share their bytes with another from now on."""
    for place in places:
        row = session.get(FoundFileRow, str(place)) or FoundFileRow(path=str(place))
        row.sha256, row.given = sha256, now()
        session.add(row)


def forget_given(session: Session, place: Path) -> None:
    """A file has bytes of its own again."""
    session.execute(update(FoundFileRow).where(FoundFileRow.path == str(place)).values(given=None))


def given(session: Session) -> Mapping[Path, str]:
    """The files that were made to share their bytes, with their SHA-256."""
    rows = session.scalars(select(FoundFileRow).where(FoundFileRow.given.is_not(None)).order_by(FoundFileRow.path))
    return {Path(row.path): row.sha256 for row in rows}


def is_downloading(session: Session) -> bool:
    """Whether any download moves bytes now."""
    return session.scalars(select(JobRow.id).where(JobRow.status.in_([s.value for s in RUNNING]))).first() is not None
