"""What a command prints: tables and sentences for people, or JSON and nothing else on standard output."""

import errno
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from modelshelf.errors import ModelshelfError

NO_SPACE = 7
WIDEST = 100_000  # letters in a row of a table

# Names come from strangers' stores and servers, answers from models: none of them may steer the terminal, or let a text
# run backwards so that it reads as another.
_STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

# Only a terminal has an edge: in a file or a pipe a name stays in one piece, to be found again.
out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDEST)
err = Console(stderr=True, highlight=False)


class Output:
    """One command's output, for people or (`as_json`) for programs."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def document(self, document: Any) -> None:
        """The one JSON document of the command; nothing for people."""
        if self.as_json:
            emit(document)

    def line(self, text: str = "") -> None:
        """A line for people; nothing for programs. The text is taken as it is, not as markup."""
        if not self.as_json:
            out.print(shown(text), markup=False, soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
        """A table for people; `right` names the columns to align right."""
        if self.as_json:
            return
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in columns:
            table.add_column(column, justify="right" if column in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_plain(cell) for cell in row))
        out.print(table)

    def error(self, error: ModelshelfError) -> None:
        """What happened and what to do."""
        self.document(error.as_dict())
        complain(error)


def exit_code(error: ModelshelfError) -> int:
    """What the command leaves with: 7 when a full disk lies behind the error, else what the error says."""
    return NO_SPACE if is_disk_full(error) else error.exit_code


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a disk without space lies behind an error."""
    import sqlite3

    full = {errno.ENOSPC, errno.EDQUOT}
    # SQLite says it by name, or as a write that the disk did not take.
    full_database = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # an adapter's error may be its own cause
        seen.add(id(error))
        driver = getattr(error, "orig", None) or error  # SQLAlchemy keeps the driver's own error there
        if getattr(driver, "errno", None) in full or getattr(driver, "sqlite_errorcode", None) in full_database:
            return True
        error = error.__cause__
    return False


def err_line(text: str) -> None:
    """A line for people on standard error, beside what the command prints."""
    err.print(shown(text), markup=False, soft_wrap=True)


def shown(text: str) -> str:
    """A text as a terminal may have it: what would steer it is written out instead, as `\\x1b`."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def complain(error: ModelshelfError) -> None:
    """The sentence and the remedy, on standard error."""
    err.print(shown(f"{error}"), style="red", markup=False, soft_wrap=True)
    err.print(shown(error.remedy), markup=False, soft_wrap=True)


def emit(document: Any) -> None:
    """One JSON document on one line."""
    ascii_only = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    sys.stdout.write(json.dumps(document, default=_jsonable, ensure_ascii=ascii_only) + "\n")
    sys.stdout.flush()


def file_size(size: int | None) -> str:
    """Bytes as files are measured: 4.9 GB, in powers of ten."""
    if size is None or size < 0:
        return "—"
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} B"


def memory_size(size: int | None) -> str:
    """Bytes as memory is measured: 4.6 GiB, in powers of two."""
    if size is None:
        return "—"
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def duration(seconds: float | None) -> str:
    """Seconds as people say them."""
    if seconds is None or math.isinf(seconds):
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _plain(cell: object) -> str:
    return "—" if cell is None else shown(str(cell)).replace("[", r"\[")


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "item"):
        return value.item()
    return str(value)
