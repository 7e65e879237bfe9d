"""Fetches an engine's package with pip and reads its source files; nothing of it is imported or run.

Of a package that has no wheel pip asks the build tool for its metadata, which for llama.cpp compiles nothing.
"""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

PLATFORMS = tuple(f"manylinux_2_{minor}_x86_64" for minor in (17, 24, 27, 28, 31, 34, 35, 38, 39))
PYTHON = "3.12"  # the version that most engines publish for
LARGEST = 8 << 20  # bytes; no source file that is read here comes near it


@dataclass(frozen=True, slots=True)
class Package:
    """The text files of a package by their path, and its version."""

    version: str
    files: Mapping[str, str] = field(repr=False)


def fetch(name: str, patterns: tuple[str, ...], folder: Path, *, source: bool = False) -> Package:
    """The newest version's files that match one of the patterns."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    if source:
        command += ["--no-binary", name]
    else:
        command += ["--only-binary", ":all:", "--python-version", PYTHON]
        command += [part for platform in PLATFORMS for part in ("--platform", platform)]
    subprocess.run([*command, name], check=True)
    return read(newest(name.partition("==")[0], folder), patterns)


def newest(name: str, folder: Path) -> Path:
    """The file that pip left last."""
    stem = name.replace("-", "_").lower()
    found = [path for path in folder.iterdir() if path.name.lower().startswith(f"{stem}-")]
    return max(found, key=lambda path: path.stat().st_mtime)


def read(archive: Path, patterns: tuple[str, ...]) -> Package:
    """The files of a wheel or a source archive that match one of the patterns (`*` crosses folders)."""
    texts = _wheel(archive, patterns) if archive.suffix == ".whl" else _source(archive, patterns)
    return Package(_version(archive), texts)


def _version(archive: Path) -> str:
    stem = archive.name.removesuffix(".tar.gz").removesuffix(".whl")
    return stem.split("-")[1]


def _wanted(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _wheel(archive: Path, patterns: tuple[str, ...]) -> dict[str, str]:
    with zipfile.ZipFile(archive) as opened:
        members = [item for item in opened.infolist() if item.file_size <= LARGEST and _wanted(item.filename, patterns)]
        return {item.filename: opened.read(item).decode("utf-8", errors="replace") for item in members}


def _source(archive: Path, patterns: tuple[str, ...]) -> dict[str, str]:
    texts = {}
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.size <= LARGEST and _wanted(member.name, patterns) and (content := opened.extractfile(member)):
                texts[member.name] = content.read().decode("utf-8", errors="replace")
    return texts
