"""`modelshelf.lock`: which commits, which files, which bytes. Sorted TOML, that can be kept under version control."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tomlkit

from modelshelf.downloads.names import check_names
from modelshelf.errors import DownloadError, FormatError, UsageError
from modelshelf.ids import ModelId

VERSION = 1
NAME = "modelshelf.lock"
LONGEST = 64 * 2**20
_SHA256, _SHA1 = re.compile(r"^[0-9a-f]{64}$"), re.compile(r"^[0-9a-f]{40}$")
_COMMIT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
_SOURCE = re.compile(r"^[a-z0-9][a-z0-9_.-]{0,39}$")


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A file and its bytes. `git_sha1` is what its blob is named by, for files whose source publishes no SHA-256."""

    path: str
    size: int
    sha256: str
    git_sha1: str | None = None

    @property
    def blob(self) -> str:
        """The name of its bytes in the Hugging Face cache."""
        return self.git_sha1 or self.sha256


@dataclass(frozen=True, slots=True)
class LockedModel:
    """One commit of a repository; `source` is empty if nobody knows where it came from."""

    repo: str
    commit: str
    files: tuple[LockedFile, ...]
    source: str = ""
    refs: tuple[str, ...] = ()

    @property
    def id(self) -> ModelId:
        """The pinned name."""
        return ModelId(self.repo, self.source or None, self.commit)

    @property
    def size(self) -> int:
        """All its files, in bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Lock:
    """What a machine is to hold."""

    models: tuple[LockedModel, ...]

    @property
    def size(self) -> int:
        """All files of all models, in bytes."""
        return sum(model.size for model in self.models)


def dumps(lock: Lock) -> str:
    """The lock as TOML."""
    document = tomlkit.document()
    document.add(tomlkit.comment("Written by `modelshelf lock`; `modelshelf sync` makes a machine match it."))
    document.add("version", tomlkit.item(VERSION))
    models = tomlkit.aot()
    for model in sorted(lock.models, key=lambda item: (item.repo, item.commit)):
        table = tomlkit.table()
        for key, value in (("source", model.source), ("repo", model.repo), ("commit", model.commit)):
            if value:
                table.add(key, value)
        table.add("refs", sorted(model.refs))
        files = tomlkit.aot()
        for file in sorted(model.files, key=lambda item: item.path):
            row = tomlkit.table()
            row.add("path", file.path)
            row.add("size", file.size)
            row.add("sha256", file.sha256)
            if file.git_sha1:
                row.add("git_sha1", file.git_sha1)
            files.append(row)
        table.add("file", files)
        models.append(table)
    document.add("model", models)
    return tomlkit.dumps(document)


def loads(text: str) -> Lock:
    """The lock in a text, every name and checksum looked at.

    Raises:
        FormatError: it is no lock file, or says something that cannot be; the message names the place.
    """
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _wrong(f"it is not TOML ({error})") from None
    if data.get("version") != VERSION:
        raise FormatError(
            f"This lock file has version {str(data.get('version'))[:20]}.", remedy="Install the newest Modelshelf."
        )
    models = data.get("model", [])
    if not isinstance(models, list):
        raise _wrong("`model` is no list of tables")
    found = tuple(_model(item, f"model {n}") for n, item in enumerate(models, 1))
    if len({(model.repo.lower(), model.commit) for model in found}) != len(found):
        raise _wrong("it names a commit twice")
    return Lock(found)


def _model(data: object, where: str) -> LockedModel:
    table = _table(data, where)
    repo, source = _text(table, "repo", where), str(table.get("source", ""))
    try:
        name = ModelId.parse(repo)
    except UsageError as error:
        raise _wrong(f"{where}: {error.message}") from None
    commit, refs, files = _text(table, "commit", where), table.get("refs", []), table.get("file", [])
    if name.repo != repo or not _COMMIT.match(commit) or (source and not _SOURCE.match(source)):
        raise _wrong(f"{where}: repo, commit or source is no name")
    if not isinstance(refs, list) or not all(isinstance(ref, str) for ref in refs):
        raise _wrong(f"{where}: `refs` is no list of names")
    if not isinstance(files, list) or not files:
        raise _wrong(f"{where}: `file` is no list of tables")
    found = tuple(_file(item, f"{where}, file {n}") for n, item in enumerate(files, 1))
    try:
        check_names([file.path for file in found])
        check_names(refs)
    except DownloadError as error:
        raise _wrong(f"{where}: {error.message}") from None
    return LockedModel(repo, commit, found, source, tuple(refs))


def _file(data: object, where: str) -> LockedFile:
    table = _table(data, where)
    size, sha256, git = table.get("size"), table.get("sha256"), table.get("git_sha1")
    if type(size) is not int or not 0 <= size < 2**60:
        raise _wrong(f"{where}: `size` is no number of bytes")
    if not isinstance(sha256, str) or not _SHA256.match(sha256):
        raise _wrong(f"{where}: `sha256` is no SHA-256")
    if git is not None and (not isinstance(git, str) or not _SHA1.match(git)):
        raise _wrong(f"{where}: `git_sha1` is no SHA-1")
    return LockedFile(_text(table, "path", where), size, sha256, git)


def _table(data: object, where: str) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise _wrong(f"{where} is no table")
    return data


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise _wrong(f"{where}: `{key}` is no text")
    return value


def _wrong(what: str) -> FormatError:
    return FormatError(f"The lock file cannot be used: {what}.", remedy="Write it anew with `modelshelf lock`.")
