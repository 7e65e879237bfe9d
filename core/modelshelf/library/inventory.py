"""What is in the cache, read again only where something changed."""

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from modelshelf.catalog.files import format_of
from modelshelf.library.cache import CachedFile, CachedRepo, CachedSnapshot, is_current, read_repository, repositories
from modelshelf.library.traits import Traits, describe
from modelshelf.library.types import InstalledFile, InstalledModel
from modelshelf.store.tables import FileRow
from modelshelf.vetting import rules
from modelshelf.vetting.types import Verdict

_SHA256 = re.compile(r"^[0-9a-f]{64}$")

FileKey = tuple[str, str, str]
ACCEPTED = "accepted"  # a verdict of a file that passes because a person said so


@dataclass(frozen=True, slots=True)
class KnownRepo:
    """A repository as it was last read."""

    read: CachedRepo
    traits: tuple[Traits, ...]


@dataclass(frozen=True, slots=True)
class Records:
    """What the database knows: files by repository, commit and path, verdicts by SHA-256 and rules.

    A verdict is pass, review or block, or `ACCEPTED`. `pins` are repositories.
    """

    files: Mapping[FileKey, FileRow]
    verdicts: Mapping[tuple[str, str], str]
    pins: frozenset[str] = frozenset()


class Inventory:
    """The repositories of one cache. Its methods block: call them in a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cache: Path | None = None
        self._outside: frozenset[Path] = frozenset()
        self._known: dict[str, KnownRepo] = {}

    def refresh(
        self, cache: Path, outside: frozenset[Path] = frozenset()
    ) -> tuple[Mapping[str, KnownRepo], frozenset[str]]:
        """Every repository in the cache, and which of them came, went or changed since the last time.

        `outside` are the files elsewhere that the library may lead to.
        """
        with self._lock:
            same = outside == self._outside
            before = self._known if cache == self._cache else {}
            known = {}
            for repo, folder in repositories(cache).items():
                old = before.get(repo)
                current = old if old and same and is_current(old.read) else None
                known[repo] = current or _look(repo, folder, cache, old, outside)
            self._known, self._cache, self._outside = known, cache, outside
            changed = {repo for repo in before.keys() | known.keys() if _differ(before.get(repo), known.get(repo))}
            return known, frozenset(changed)


def assemble(known: Mapping[str, KnownRepo], records: Records) -> tuple[InstalledModel, ...]:
    """The models, by name and, within a repository, the newest first."""
    models = [
        _model(repo.read, snapshot, traits, records)
        for _, repo in sorted(known.items(), key=lambda item: item[0].lower())
        for snapshot, traits in zip(repo.read.snapshots, repo.traits, strict=True)
        if snapshot.files or snapshot.broken
    ]
    return tuple(sorted(models, key=lambda model: (model.repo.lower(), "main" not in model.refs, -_time(model))))


def sha256_of(file: CachedFile, row: FileRow | None) -> str | None:
    """The published or recorded SHA-256: blobs of large files are named by it."""
    if row and row.sha256:
        return row.sha256
    return file.blob.name if file.blob != file.file and _SHA256.match(file.blob.name) else None


def _differ(before: KnownRepo | None, after: KnownRepo | None) -> bool:
    return before is not after and (before is None or after is None or before.read.snapshots != after.read.snapshots)


def _look(repo: str, folder: Path, cache: Path, old: KnownRepo | None, outside: frozenset[Path]) -> KnownRepo:
    read = read_repository(repo, folder, cache, outside)
    if old and old.read.snapshots == read.snapshots:
        return KnownRepo(read, old.traits)
    return KnownRepo(read, tuple(describe(snapshot) for snapshot in read.snapshots))


def _model(repo: CachedRepo, snapshot: CachedSnapshot, traits: Traits, records: Records) -> InstalledModel:
    rows = {file.path: records.files.get((repo.repo, snapshot.commit, file.path)) for file in snapshot.files}
    files = tuple(
        InstalledFile(file.path, file.size, file.blob, file.file, sha256_of(file, rows[file.path]), file.links)
        for file in snapshot.files
    )
    source = next((row.source for row in rows.values() if row and row.source), None)
    modified = max((file.modified for file in snapshot.files), default=None)
    return InstalledModel(
        repo=repo.repo,
        commit=snapshot.commit,
        snapshot=snapshot.folder,
        files=files,
        refs=snapshot.refs,
        source=source,
        size=sum({file.inode: file.size for file in snapshot.files}.values()),
        modified=datetime.fromtimestamp(modified, UTC) if modified is not None else None,
        format=traits.format,
        quantisation=traits.quantisation,
        managed=source is not None,
        verdict=_verdict(files, records.verdicts),
        accepted=tuple(path for path, said in _said(files, records.verdicts).items() if said == ACCEPTED),
        complete=traits.complete,
        damaged=tuple(path for path, row in rows.items() if row and row.damaged),
        pinned=repo.repo in records.pins,
    )


def _verdict(files: Iterable[InstalledFile], verdicts: Mapping[tuple[str, str], str]) -> str | None:
    """The worst verdict on any file; none as long as some weights were never looked at."""
    found = _said(files, verdicts)
    told = [Verdict.PASS if name == ACCEPTED else Verdict(name) for name in found.values() if name]
    worst = max(told, key=lambda item: item.severity, default=None)
    unseen = any(name is None and format_of(path) for path, name in found.items())
    return None if worst is None or (unseen and worst is Verdict.PASS) else worst.value


def _said(files: Iterable[InstalledFile], verdicts: Mapping[tuple[str, str], str]) -> Mapping[str, str | None]:
    return {file.path: verdicts.get((file.sha256 or "", rules.key(file.path))) for file in files}


def _time(model: InstalledModel) -> float:
    return model.modified.timestamp() if model.modified else 0.0
