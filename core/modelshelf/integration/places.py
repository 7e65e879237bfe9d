"""What can be wrong on the disk: folders, space, the settings' file, the database, locks, part files."""

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from filelock import FileLock, Timeout

from modelshelf.config import ConfigManager
from modelshelf.integration.check import NOTE, WELL, WRONG, Check
from modelshelf.store.database import revisions

LOW_DISK = 5_000_000_000
SMALL_DATABASE = 200_000_000  # a larger one is looked at by the quicker check
LOG_TAIL = 100_000
OLD_PART = 24 * 3600.0  # seconds that nobody wrote to it


def on_disk(config: ConfigManager) -> list[Check]:
    """Everything that can be seen without opening the shelf. For threads."""
    return [*_folders(config), _settings(config), *_database(config), *_locks(config), *_engine_log(config)]


def orphans(parts: Path, expected: frozenset[Path], moment: float | None = None) -> Check:
    """Part files that no job that could go on will use again. For threads."""
    old = (time.time() if moment is None else moment) - OLD_PART
    left = [file for file in parts.rglob("*.part") if file not in expected and _older(file, old)]
    if not left:
        return Check("part files", WELL, "none is left over")
    size = sum(file.stat().st_blocks * 512 for file in left if file.exists())
    return Check(
        "part files",
        NOTE,
        f"{len(left)} belong to no download any more and hold {size / 1e6:,.1f} MB, for example {left[0]}.",
        f"Delete them; nothing in {parts} that is older than a day is needed then.",
    )


def _older(file: Path, moment: float) -> bool:
    try:
        return file.stat().st_mtime < moment
    except OSError:
        return False


def _folders(config: ConfigManager) -> Iterator[Check]:
    paths = config.paths
    for name, folder in {"home": paths.home, "library": paths.cache, "work": paths.work}.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            remedy = "Give yourself write permission there, or choose another folder (MODELSHELF_HOME, HF_HOME)."
            yield Check(name, WRONG, f"{folder} cannot be written: {error.strerror}.", remedy)
            continue
        free = shutil.disk_usage(folder).free
        status, remedy = (WELL, "") if free > LOW_DISK else (NOTE, "Free some space before the next download.")
        yield Check(name, status, f"{folder}, {free / 1e9:.1f} GB free", remedy)


def _settings(config: ConfigManager) -> Check:
    if not config.file.exists():
        return Check("settings", WELL, "defaults")
    if os.name == "posix" and config.file.stat().st_mode & 0o022:
        return Check(
            "settings",
            NOTE,
            f"{config.file} can be written by others; it names programs.",
            f"chmod go-w {config.file}",
        )
    return Check("settings", WELL, str(config.file))


def _database(config: ConfigManager) -> Iterator[Check]:
    file = config.paths.database
    if not file.exists():
        yield Check("database", WELL, "there is none yet")
        return
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as database:
            deep = file.stat().st_size <= SMALL_DATABASE
            said = database.execute(f"PRAGMA {'integrity' if deep else 'quick'}_check(3)").fetchall()
            found = database.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        remedy = "Restore a backup, or move it away: a new one is made, and models on disk are found again."
        yield Check("database", WRONG, f"{file} cannot be read: {error}.", remedy)
        return
    if said != [("ok",)]:
        remedy = "Move it away or restore a backup: models on disk are found again, settings of providers are not."
        yield Check("database", WRONG, f"{file} is damaged: {said[0][0]}", remedy)
        return
    yield Check("database", WELL, f"{file}, whole")
    yield _revision(found[0] if found else "")


def _revision(found: str) -> Check:
    known = revisions()
    if found == known[-1]:
        return Check("migrations", WELL, f"revision {found}, the newest")
    if found in known:
        return Check("migrations", NOTE, f"Revision {found} of {known[-1]}.", "The next start brings it up to date.")
    return Check(
        "migrations",
        WRONG,
        f"A newer Modelshelf wrote the database (revision {found or 'unknown'}).",
        "Install the newest Modelshelf, or choose another data folder with MODELSHELF_HOME.",
    )


def _engine_log(config: ConfigManager) -> Iterator[Check]:
    """The last line in which the engine spoke of an error, if that was lately."""
    file = config.paths.logs / "engine.log"
    try:
        recent = file.stat().st_mtime > time.time() - OLD_PART
        lines = file.read_text("utf-8", "replace")[-LOG_TAIL:].splitlines() if recent else []
    except OSError:
        return
    if said := next((line for line in reversed(lines) if " E " in line), ""):
        remedy = f"If a model does not load: choose another file of it. The whole log is {file}."
        yield Check("engine log", NOTE, said.partition(" E ")[2].strip()[:300], remedy)


def _locks(config: ConfigManager) -> Iterator[Check]:
    files = (config.paths.leader, config.home / "vault.lock")
    held = [file.name for file in files if file.exists() and _held(file)]
    if not held:
        yield Check("locks", WELL, "nobody holds one")
    elif held == [config.paths.leader.name]:
        yield Check("locks", WELL, "another process of this home runs and leads")
    else:
        yield Check(
            "locks",
            NOTE,
            f"{', '.join(held)} is held by a process.",
            "If that lasts, end the other processes of Modelshelf; the lock goes with its process.",
        )


def _held(file: Path) -> bool:
    try:
        with FileLock(file, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False  # a folder that cannot be written is told of elsewhere
