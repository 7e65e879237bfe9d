"""Repositories as the sample hub holds them: commits, files and what the Hub publishes about each."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

LFS_SUFFIXES = frozenset({".gguf", ".safetensors", ".bin", ".pt", ".pth", ".pkl", ".ckpt", ".onnx", ".zip", ".model"})
LFS_FROM = 10 << 20
READ = 4 << 20
FIRST_DAY = "2026-10-01T09:00:00.000Z"

Gate = Literal[False, "auto", "manual"]


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file: its bytes or the path that holds them, and the hashes that are published.

    `oid` is the git id of the blob; for a file in LFS that is the id of its pointer, and `sha256` is published too.
    `security` is what the Hub's scanners are said to have found: safe | unsafe | suspicious | caution | queued.
    `xet` is the hash of a file that the Hub keeps in pieces in its Xet store; who does not speak Xet gets it over HTTP.
    """

    path: str
    size: int
    sha256: str
    oid: str
    lfs: bool
    content: bytes | Path = field(repr=False)
    security: str = "safe"
    xet: str = ""

    @property
    def etag(self) -> str:
        """What stands between the quotes of the ETag: SHA-256 in LFS, else the git id."""
        return self.sha256 if self.lfs else self.oid

    @property
    def content_etag(self) -> str:
        """The same on the content server, which knows a file of the Xet store by its hash there."""
        return self.xet or self.etag

    @property
    def pointer(self) -> bytes:
        """The LFS pointer that git holds in place of the file."""
        return pointer(self.sha256, self.size)


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its id, which follows from its files, and the files by path."""

    id: str
    files: Mapping[str, HubFile]
    date: str = FIRST_DAY


@dataclass(frozen=True, slots=True)
class HubRepo:
    """A repository: its commits, the newest last, and the fields that a search shows."""

    id: str
    commits: tuple[Commit, ...]
    gated: Gate = False
    private: bool = False
    tags: tuple[str, ...] = ()
    task: str | None = None
    library: str | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None
    gguf: Mapping[str, Any] | None = None
    safetensors: Mapping[str, Any] | None = None
    downloads: int = 0
    likes: int = 0
    created: str = FIRST_DAY

    @property
    def head(self) -> Commit:
        """The newest commit: what `main` points to."""
        return self.commits[-1]

    def commit(self, revision: str) -> Commit | None:
        """The commit of a revision: `main`, or a commit id, in full or its first seven or more digits."""
        if revision in {"main", "refs/heads/main", "HEAD"}:
            return self.head
        if len(revision) < 7:
            return None
        return next((c for c in reversed(self.commits) if c.id.startswith(revision)), None)

    def with_commit(self, commit: Commit) -> "HubRepo":
        """The repository after a commit; the same one if nothing changed."""
        return self if commit.id == self.head.id else replace(self, commits=(*self.commits, commit))


def hub_file(path: str, content: bytes | Path, *, security: str = "safe", xet: str = "") -> HubFile:
    """Hash a file as the Hub does: into LFS by its suffix, or because it is large.

    Raises:
        OSError: the path cannot be read.
    """
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    lfs = PurePosixPath(path).suffix in LFS_SUFFIXES or size > LFS_FROM
    sha256 = _digest(hashlib.sha256(), content)
    if lfs:
        text = pointer(sha256, size)
        oid = _digest(hashlib.sha1(b"blob %d\0" % len(text), usedforsecurity=False), text)
    else:
        oid = _digest(hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False), content)
    return HubFile(path, size, sha256, oid, lfs, content, security, xet)


def make_commit(files: Mapping[str, HubFile], parent: str = "", date: str = FIRST_DAY) -> Commit:
    """A commit whose id follows from its files and its parent, so that it is the same on every machine."""
    ordered = {path: files[path] for path in sorted(files)}
    listing = json.dumps([parent, [(file.path, file.oid, file.size) for file in ordered.values()]])
    return Commit(hashlib.sha1(listing.encode(), usedforsecurity=False).hexdigest(), ordered, date)


def pointer(sha256: str, size: int) -> bytes:
    """The text of an LFS pointer."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def _digest(state: "hashlib._Hash", content: bytes | Path) -> str:
    if isinstance(content, bytes):
        state.update(content)
    else:
        with content.open("rb") as handle:
            while block := handle.read(READ):
                state.update(block)
    return state.hexdigest()
