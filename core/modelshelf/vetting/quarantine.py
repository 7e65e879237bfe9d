"""Where unsafe files are held: out of reach of every engine, with the reason, until somebody deletes them."""

import asyncio
import logging
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from modelshelf.access import AccessService, Role, require
from modelshelf.config import ConfigManager
from modelshelf.errors import ChecksumMismatch, FolderNotWritable, NotFound
from modelshelf.events import EventBus, QuarantineChanged
from modelshelf.store import Store
from modelshelf.store.tables import QuarantineRow
from modelshelf.vetting import memory
from modelshelf.vetting.checksums import CHUNK, digests
from modelshelf.vetting.types import Finding

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A file in quarantine; `path` is its name in the repository."""

    id: str
    sha256: str
    size: int
    source: str
    repo: str
    commit: str
    path: str
    findings: tuple[Finding, ...]
    at: datetime

    @property
    def why(self) -> str:
        """The first thing that was found, in plain words."""
        return self.findings[0].detail if self.findings else "It did not pass."

    def as_dict(self) -> dict[str, object]:
        """As JSON."""
        names = ("id", "sha256", "size", "source", "repo", "commit", "path")
        findings = memory.write_findings(self.findings)
        return {name: getattr(self, name) for name in names} | {"findings": findings, "at": self.at.isoformat()}


class Quarantine:
    """The folder, 0700, its files 0400 and named by id alone: no name from outside becomes a path."""

    def __init__(self, config: ConfigManager, store: Store, events: EventBus, access: AccessService) -> None:
        self._config, self._store, self._events, self.access = config, store, events, access

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._config.paths.quarantine

    async def hold(
        self,
        file: Path,
        *,
        sha256: str,
        source: str,
        repo: str,
        commit: str,
        path: str,
        findings: Sequence[Finding],
    ) -> Held:
        """Move a file into quarantine; it is gone from where it was.

        Raises:
            FolderNotWritable: it cannot be moved; it stays where it is.
        """
        item = uuid.uuid4().hex
        size = await asyncio.to_thread(self._take, file, item)
        row = QuarantineRow(
            id=item,
            sha256=sha256,
            size=size,
            source=source,
            repo=repo,
            commit=commit,
            path=path,
            findings=memory.write_findings(findings),
        )
        held = await self._store.write(_add, row)
        await self.access.record("quarantine.hold", f"{source}:{repo}@{commit}/{path}", detail=sha256)
        self._events.publish(QuarantineChanged(item=item))
        return held

    async def items(self) -> tuple[Held, ...]:
        """Everything held, the newest first."""
        return await self._store.read(_all)

    async def get(self, item: str) -> Held:
        """One held file.

        Raises:
            NotFound: there is none with this id.
        """
        held = await self._store.read(_one, item)
        if held is None:
            raise NotFound(f"Nothing in quarantine has the id {item}.", remedy="It may have been deleted; look again.")
        return held

    async def find(self, start: str) -> Held:
        """One held file by its id, or by the first digits of it.

        Raises:
            NotFound: there is none, or there are several.
        """
        found = [held for held in await self.items() if held.id.startswith(start)] if start else []
        if len(found) != 1:
            said = (
                "Several files in quarantine have ids that begin"
                if found
                else "Nothing in quarantine has an id that begins"
            )
            raise NotFound(f"{said} with {start}.", remedy="`modelshelf quarantine list` shows them.")
        return found[0]

    @require(Role.ADMIN, "quarantine.release")
    async def release(self, item: str, reason: str) -> Held:
        """Let a held file go: its bytes pass from now on, as what they were held for, and the download can go on.

        The bytes wait where downloads grow, so that they need not be fetched again.

        Raises:
            RoleRequired: only an administrator may.
            UsageError: there is no reason.
            NotFound: there is none with this id, or its bytes are gone.
            ChecksumMismatch: the bytes are not those that were held; they stay.
            FolderNotWritable: it cannot be moved.
        """
        said = memory.checked_reason(reason)
        held = await self.get(item)
        place = await asyncio.to_thread(self._free, held)
        await self._store.write(memory.accept, held.sha256, held.path, held.findings, said)
        await self._store.write(_remove, item)
        about = f"{held.source}:{held.repo}@{held.commit}/{held.path}"
        await self.access.record("quarantine.release", about, detail=f"{held.sha256}: {said}")
        log.warning("%s was released from quarantine to %s", about, place)
        self._events.publish(QuarantineChanged(item=item))
        return held

    @require(Role.OPERATOR, "quarantine.delete")
    async def delete(self, item: str) -> Held:
        """Delete a held file for good.

        Raises:
            NotFound: there is none with this id.
            FolderNotWritable: it cannot be deleted.
        """
        held = await self.get(item)
        await asyncio.to_thread(self._drop, item)
        await self._store.write(_remove, item)
        self._events.publish(QuarantineChanged(item=item))
        return held

    def _free(self, held: Held) -> Path:
        """Hash the held bytes once more, and move them to where a download looks for them."""
        place = self.folder / held.id
        found = digests(place, name=held.path)
        if found.sha256 != held.sha256:
            raise ChecksumMismatch(
                f"{held.path} is not released: its bytes are not those that were held.",
                remedy="Delete it, and download it again.",
                path=held.path,
            )
        target = self._config.paths.parts / f"models--{held.repo.replace('/', '--')}" / f"{held.sha256}.part"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            place.chmod(0o600)
            place.rename(target)
        except OSError as error:
            raise FolderNotWritable(f"{held.path} cannot be moved out of quarantine: {error.strerror}.") from error
        return target

    def _take(self, file: Path, item: str) -> int:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.folder.is_symlink():
                raise FolderNotWritable(f"{self.folder} is a link; nothing is held in it.", remedy="Remove the link.")
            self.folder.chmod(0o700)
            target = self.folder / item
            if file.is_symlink():
                file = file.resolve(strict=True)
            if file.lstat().st_nlink > 1:
                # Other names of these bytes are not ours to take rights from: what is held is a copy of its own.
                _copied(file, target)
                file.unlink()
            else:
                file.rename(target)
            target.chmod(0o400)
            return target.stat().st_size
        except OSError as error:
            raise FolderNotWritable(f"{file.name} cannot be moved into quarantine: {error.strerror}.") from error

    def _drop(self, item: str) -> None:
        try:
            os.unlink(self.folder / item)  # noqa: PTH108 - the id is ours, the file may be gone
        except FileNotFoundError:
            pass
        except OSError as error:
            raise FolderNotWritable(f"The held file {item} cannot be deleted: {error.strerror}.") from error


def _copied(file: Path, target: Path) -> None:
    target.touch(0o600, exist_ok=False)
    with file.open("rb") as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, CHUNK)


def _held(row: QuarantineRow) -> Held:
    findings = memory.read_findings(row.findings)
    return Held(row.id, row.sha256, row.size, row.source, row.repo, row.commit, row.path, findings, row.at)


def _add(session: Session, row: QuarantineRow) -> Held:
    session.add(row)
    session.flush()
    return _held(row)


def _all(session: Session) -> tuple[Held, ...]:
    return tuple(_held(row) for row in session.scalars(select(QuarantineRow).order_by(QuarantineRow.at.desc())))


def _one(session: Session, item: str) -> Held | None:
    row = session.get(QuarantineRow, item)
    return _held(row) if row is not None else None


def _remove(session: Session, item: str) -> None:
    row = session.get(QuarantineRow, item)
    if row is not None:
        session.delete(row)
