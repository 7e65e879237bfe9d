"""Deletes commits or files of a repository from the cache, as huggingface_hub does: bytes that others use stay."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from modelshelf.errors import FolderNotWritable, UsageError
from modelshelf.library.cache import CachedFile, CachedRepo, CachedSnapshot, Inode
from modelshelf.library.types import Removal

if TYPE_CHECKING:
    from huggingface_hub import DeleteCacheStrategy

Repos = Mapping[str, CachedRepo]
LentNames = Mapping[Inode, Collection[Path]]
Holders = Callable[[Collection[Inode]], Mapping[Inode, Mapping[Path, str]]]


def nobody(_inodes: Collection[Inode]) -> Mapping[Inode, Mapping[Path, str]]:
    """No other program's store is known."""
    return {}


@dataclass(frozen=True, slots=True)
class Deletion:
    """What to delete, and what that means."""

    removal: Removal
    strategy: "DeleteCacheStrategy"


@dataclass(frozen=True, slots=True)
class _Use:
    """An entry of a snapshot that uses some bytes."""

    repo: str
    commit: str
    file: CachedFile


def plan(
    repos: Repos,
    repo: str,
    commits: Collection[str],
    files: Collection[str],
    cache: Path,
    *,
    holders: Holders = nobody,
    lent: LentNames | None = None,
) -> Deletion:
    """What deleting these commits of a repository, or these files of them, takes.

    `holders` tells in which other programs' stores the same bytes are, and where; `lent` which names of a file we made
    elsewhere, which go with it.

    Raises:
        UsageError: the repository's folder is a link to another place.
    """
    found = repos[repo]
    if found.folder.is_symlink():
        raise UsageError(
            f"{repo} is kept in another place, {found.folder.resolve()}, which the library only links to.",
            remedy="Delete it there, then the link.",
        )
    doomed = [use for use in _uses(repos) if use.repo == repo and use.commit in commits]
    doomed = [use for use in doomed if not files or use.file.path in files]
    gone = {(use.commit, use.file.path) for use in doomed}
    staying = [use for use in _uses(repos) if use.repo != repo or (use.commit, use.file.path) not in gone]
    kept = {use.file.blob for use in staying}
    blobs = {use.file.blob for use in doomed if use.file.blob != use.file.file} - kept
    going = [use.file for use in doomed if use.file.blob not in kept]
    users = _used_by(doomed, staying, holders, lent or {})
    freed = _freed(going, staying, lent or {})
    removal = Removal(repo, tuple(sorted(commits)), freed, users, tuple(sorted(files)))
    snapshots = [item for item in found.snapshots if item.commit in commits]
    return Deletion(removal, _strategy(found, snapshots, blobs, doomed if files else [], removal, cache))


def execute(deletion: Deletion) -> None:
    """Delete, references first and bytes last.

    Raises:
        FolderNotWritable: something could not be deleted.
    """
    strategy = deletion.strategy
    try:
        strategy.execute()
    except OSError as error:
        raise FolderNotWritable(f"{deletion.removal.repo} could not be deleted: {error.strerror}.") from error
    left = [
        path for path in (*strategy.repos, *strategy.snapshots, *strategy.files, *strategy.blobs) if _is_there(path)
    ]
    if left:
        raise FolderNotWritable(f"{left[0]} could not be deleted.", remedy="Give yourself write permission there.")


def check_idle(repo: str, cache: Path) -> None:
    """Raises UsageError while another program holds one of huggingface_hub's locks on the repository."""
    folder = cache / ".locks" / f"models--{repo.replace('/', '--')}"
    for path in folder.glob("*.lock"):
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                f"Another program is downloading {repo} at this moment.",
                remedy="Wait until it is done, then try again.",
            ) from None
        except OSError:
            continue
        lock.release()


def _strategy(
    repo: CachedRepo,
    snapshots: list[CachedSnapshot],
    blobs: Iterable[Path],
    files: Iterable[_Use],
    removal: Removal,
    cache: Path,
) -> "DeleteCacheStrategy":
    from huggingface_hub import DeleteCacheStrategy  # slow to load; only a removal needs it

    whole = not removal.files and len(snapshots) == len(repo.snapshots)
    parts = not removal.files and not whole
    return DeleteCacheStrategy(
        expected_freed_size=removal.freed,
        repos=frozenset({repo.folder} if whole else ()),
        snapshots=frozenset(item.folder for item in snapshots if parts),
        refs=frozenset(repo.folder / "refs" / name for item in snapshots for name in item.refs if parts),
        files=frozenset(use.file.file for use in files),
        blobs=frozenset(() if whole else blobs),
        cache_dir=cache,
    )


def _uses(repos: Repos) -> list[_Use]:
    return [
        _Use(name, snapshot.commit, file)
        for name, repo in repos.items()
        for snapshot in repo.snapshots
        for file in snapshot.files
    ]


def _freed(going: Iterable[CachedFile], staying: Iterable[_Use], lent: LentNames) -> int:
    used = {use.file.inode for use in staying}
    sizes: dict[Inode, int] = {}
    for inode, names in _names(going).items():
        file = next(iter(names.values()))
        ours = max(_own_names(names), 1) + len(lent.get(inode, ()))
        if inode not in used and not file.outside and file.links <= ours:
            sizes[inode] = file.size
    return sum(sizes.values())


def _used_by(doomed: Iterable[_Use], staying: Iterable[_Use], holders: Holders, lent: LentNames) -> tuple[str, ...]:
    names = _names(use.file for use in doomed)
    users: dict[str, None] = {}
    for use in staying:
        if use.file.inode in names:
            users[f"{use.repo}@{use.commit[:8]}"] = None
            names[use.file.inode].setdefault(use.file.blob, use.file)
    first = [next(iter(found.values())) for found in names.values()]
    ours = {file.inode: max(_own_names(names[file.inode]), 1) + len(lent.get(file.inode, ())) for file in first}
    others = [file for file in first if file.outside or file.links > ours[file.inode]]
    known = holders([file.inode for file in others]) if others else {}
    for file in others:
        unknown = f"{Path(file.path).name}, linked from outside the library"
        places = known.get(file.inode, {})
        keeping = [label for place, label in places.items() if place not in lent.get(file.inode, ())]
        users |= dict.fromkeys(keeping or [unknown])
    return tuple(users)


def _names(files: Iterable[CachedFile]) -> dict[Inode, dict[Path, CachedFile]]:
    found: dict[Inode, dict[Path, CachedFile]] = {}
    for file in files:
        found.setdefault(file.inode, {})[file.blob] = file
    return found


def _own_names(names: Mapping[Path, CachedFile]) -> int:
    """How many of a file's hard links these are; a link to the store that repositories share is none."""
    return sum(not path.is_symlink() for path in names)


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()
