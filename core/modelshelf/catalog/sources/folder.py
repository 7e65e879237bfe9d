"""A folder of models on this machine: `org/name/…` as LM Studio keeps them, or loose GGUF files."""

import asyncio
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from modelshelf.catalog.files import formats_of, quantisations_of, without_part
from modelshelf.catalog.sources.cards import is_path, is_repo, weights_size
from modelshelf.catalog.types import Location, RepoCard, RepoDetail, RepoFile
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import FileNotInRepository, RepositoryNotFound, RevisionNotFound, Unreachable

LOOSE = "local"
FILE_LIMIT = 20_000
README_LIMIT = 2 * 2**20
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")
_REPEATED = re.compile(r"[.-]{2,}")


@dataclass(frozen=True, slots=True)
class FolderRepo:
    """Files of one model: repository path -> (place on disk, size, time of change)."""

    name: str
    files: dict[str, tuple[Path, int, int]]

    @property
    def state(self) -> str:
        """Stands for a commit: other files, sizes or times make another one."""
        lines = sorted(f"{path}\0{size}\0{time}\n" for path, (_, size, time) in self.files.items())
        return hashlib.sha1("".join(lines).encode(), usedforsecurity=False).hexdigest()


class FolderSource:
    """The models below `settings.path`. A link that leads out of the folder is not followed."""

    remote = False

    def __init__(self, settings: SourceConfig, config: ConfigManager) -> None:
        self.name = settings.name
        self.label = settings.label or settings.name
        self.folder = Path(settings.path).expanduser()
        self._configured = bool(settings.path)

    async def search(self, text: str, *, limit: int = 50) -> Sequence[RepoCard]:
        """The models whose names hold every word."""
        words = text.lower().split()
        repos = await asyncio.to_thread(self._scan)
        found = [repo for name, repo in sorted(repos.items()) if all(word in name.lower() for word in words)]
        return [self._card(repo) for repo in found[:limit]]

    async def detail(self, repo: str, revision: str | None = None) -> RepoDetail:
        """A model with its files, as they are now."""
        found = await self._find(repo)
        if revision not in (None, "main", found.state):
            raise RevisionNotFound(f"{repo} in {self.folder} has changed since {revision}.")
        files = tuple(RepoFile(path, size) for path, (_, size, _) in sorted(found.files.items()))
        return RepoDetail(self._card(found), found.state, files, await asyncio.to_thread(_readme, found))

    async def locate(self, repo: str, commit: str, path: str) -> Location:
        """The file itself."""
        found = await self._find(repo)
        if path not in found.files:
            raise FileNotInRepository(f"{repo} in {self.folder} has no file {path}.")
        return Location(path=found.files[path][0])

    async def aclose(self) -> None:
        """Nothing is held."""

    async def _find(self, repo: str) -> FolderRepo:
        repos = await asyncio.to_thread(self._scan)
        if repo not in repos:
            raise RepositoryNotFound(f"{self.label} ({self.folder}) has no {repo}.")
        return repos[repo]

    def _card(self, repo: FolderRepo) -> RepoCard:
        sizes = {path: size for path, (_, size, _) in repo.files.items()}
        return RepoCard(
            source=self.name,
            repo=repo.name,
            commit=repo.state,
            formats=formats_of(sizes),
            quantisations=quantisations_of(sizes),
            modified=datetime.fromtimestamp(max(time for _, _, time in repo.files.values()) / 1e9, UTC),
            size=weights_size(sizes),
        )

    def _scan(self) -> dict[str, FolderRepo]:
        if not self._configured or not self.folder.is_dir():
            raise Unreachable(
                f"The folder {self.folder} of the source {self.name} does not exist."
                if self._configured
                else f"The source {self.name} names no folder.",
                remedy="Set its path in the settings, or attach the disk.",
            )
        return scan(self.folder)


def scan(folder: Path) -> dict[str, FolderRepo]:
    """The models below a folder, by the names they get. For threads."""
    root = folder.resolve()
    return group(islice(_walk(root, root), FILE_LIMIT))


def group(files: Iterable[tuple[str, Path, os.stat_result]]) -> dict[str, FolderRepo]:
    """Models by their names, from the files below a folder: each its path there, its place and its state."""
    repos: dict[str, FolderRepo] = {}
    for path, place, status in files:
        parts = path.split("/")
        if len(parts) >= 3 and is_repo("/".join(parts[:2])):
            name, inner = "/".join(parts[:2]), "/".join(parts[2:])
        elif path.lower().endswith(".gguf"):
            name, inner = f"{LOOSE}/{plain_name(without_part(Path(path).stem))}", parts[-1]
        else:
            continue
        repo = repos.setdefault(name, FolderRepo(name, {}))
        repo.files[inner] = (place, status.st_size, status.st_mtime_ns)
    return {name: repo for name, repo in repos.items() if formats_of(repo.files) and is_repo(name)}


def _walk(folder: Path, root: Path, depth: int = 0) -> Iterator[tuple[str, Path, os.stat_result]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        relative = str(path.relative_to(root))
        if entry.name.startswith(".") or not is_path(relative):
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth < 8:
                yield from _walk(path, root, depth + 1)
        elif status := _file_status(entry, path, root):
            yield relative, path, status


def _file_status(entry: os.DirEntry[str], path: Path, root: Path) -> os.stat_result | None:
    try:
        if entry.is_symlink() and not path.resolve(strict=True).is_relative_to(root):
            return None
        return entry.stat() if entry.is_file() else None
    except (OSError, RuntimeError):
        return None


def plain_name(stem: str) -> str:
    """A name that hubs allow, from any file's name."""
    plain = _REPEATED.sub(lambda run: "." if "." in run[0] else "-", _NOT_IN_NAMES.sub("-", stem))
    return plain[:90].strip(".-") or "model"


def _readme(repo: FolderRepo) -> str | None:
    found = repo.files.get("README.md")
    try:
        return found[0].read_text("utf-8", "replace") if found and found[1] <= README_LIMIT else None
    except OSError:
        return None
