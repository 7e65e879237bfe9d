"""What the database keeps about the library."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from modelshelf.library.inventory import ACCEPTED, Records
from modelshelf.library.types import Removal
from modelshelf.store.tables import FileRow, FoundFileRow, JobRow, PinRow, RefMoveRow, VerdictRow, now
from modelshelf.vetting import memory
from modelshelf.vetting.types import Verdict


def read(session: Session) -> Records:
    """Every known file and every verdict under the present rules."""
    files = {(row.repo, row.commit, row.path): row for row in session.scalars(select(FileRow))}
    verdicts = {(row.sha256, row.rules): row for row in session.scalars(select(VerdictRow))}
    pins = frozenset(session.scalars(select(PinRow.repo)))
    return Records(files, {key: _said(row, verdicts) for key, row in verdicts.items()}, pins)


def _said(row: VerdictRow, verdicts: Mapping[tuple[str, str], VerdictRow]) -> str:
    """The verdict, or that a person accepted what was found."""
    if row.verdict == Verdict.PASS.value:
        return row.verdict
    acceptance = verdicts.get((row.sha256, memory.acceptance_key(row.rules)))
    return ACCEPTED if memory.passes(row, acceptance) else row.verdict


def write(session: Session, rows: Sequence[FileRow]) -> None:
    """Add rows, or replace those of the same file; what a row does not say is set to its default."""
    for row in rows:
        row.damaged, row.verified = bool(row.damaged), now()
        session.merge(row)


def forget(session: Session, removal: Removal) -> None:
    """Drop the rows of what was deleted."""
    query = delete(FileRow).where(FileRow.repo == removal.repo, FileRow.commit.in_(removal.commits))
    session.execute(query.where(FileRow.path.in_(removal.files)) if removal.files else query)


def active_job(session: Session, repo: str) -> tuple[str, str] | None:
    """The id and status of a download of the repository that has not ended."""
    row = session.scalars(select(JobRow).where(JobRow.repo == repo, JobRow.ended.is_(None))).first()
    return (row.id, row.status) if row else None


def outside(session: Session) -> frozenset[Path]:
    """The files of other programs that the library may lead to."""
    return frozenset(map(Path, session.scalars(select(FoundFileRow.path).where(FoundFileRow.led))))


def lead_out(session: Session, files: Sequence[tuple[Path, str]]) -> None:
    """Let the library lead to these files, each with the SHA-256 that it had."""
    for place, sha256 in files:
        status = place.stat()
        row = session.get(FoundFileRow, str(place)) or FoundFileRow(path=str(place))
        row.device, row.inode, row.size = str(status.st_dev), str(status.st_ino), status.st_size
        row.mtime_ns, row.sha256, row.led = status.st_mtime_ns, sha256, True
        session.add(row)


def note_moves(session: Session, repo: str, before: Mapping[str, str], commit: str) -> None:
    """Keep where names led before they lead to a commit; those that lead there already do not move."""
    for ref, old in before.items():
        if old != commit:
            session.add(RefMoveRow(repo=repo, ref=ref, before=old, after=commit))


def moved_from(session: Session, repo: str, ref: str, commit: str) -> str:
    """Where a name led before it led to this commit; empty if that is not known."""
    query = select(RefMoveRow.before).where(RefMoveRow.repo == repo, RefMoveRow.ref == ref, RefMoveRow.after == commit)
    return session.scalars(query.where(RefMoveRow.before != "").order_by(RefMoveRow.id.desc())).first() or ""
