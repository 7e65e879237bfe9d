"""What each source said so far, on disk: files of models, and how far its crawl has come.

    catalog/stock/<source>/state.json     the files that count, and the cursor
    catalog/stock/<source>/*.parquet      models as of a crawl, an import or a round of news

A file counts once the state names it. What a crawl has so far counts as news on top of the base; when it has come to
its end it is the base, and what it did not see is gone.
"""

import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelshelf.catalog.types import RepoCard

if TYPE_CHECKING:
    from modelshelf.catalog.stock import Taken

MOST_NEWS = 50  # files of news before a full crawl is due


@dataclass(frozen=True, slots=True)
class SourceState:
    """How far a source is known.

    `crawled` are the files of a crawl under way, `cursor` where it goes on, `found` how many models it has brought;
    `topped` are the files of the most downloaded while those are being listed, `top_cursor` where that goes on and
    `top_found` how many came; `received` are the bytes that they took. `origin` tells for which address all
    that is. Times are in ISO form: `full` when the last whole crawl began, `asked` when news was last asked for,
    `watermark` the newest change that was seen.
    """

    origin: str = ""
    base: tuple[str, ...] = ()
    news: tuple[str, ...] = ()
    crawled: tuple[str, ...] = ()
    crawling: bool = False
    cursor: str = ""
    found: int = 0
    began: str = ""
    full: str = ""
    asked: str = ""
    watermark: str = ""
    top: bool = False
    models: int = 0
    topped: tuple[str, ...] = ()
    top_cursor: str = ""
    top_found: int = 0
    received: int = 0

    @property
    def named(self) -> tuple[str, ...]:
        """The files that count, later ones before which earlier ones yield."""
        return *self.base, *self.news, *self.topped, *self.crawled


class Holdings:
    """The files and the state of one source. For threads."""

    def __init__(self, folder: Path, source: str) -> None:
        self.source = source
        self.folder = folder / "stock" / source

    def state(self) -> SourceState:
        """What is known; nothing where the state is missing or of another version."""
        try:
            said: dict[str, Any] = json.loads((self.folder / "state.json").read_text("utf-8"))
            for name in ("base", "news", "crawled", "topped"):
                said[name] = tuple(said.get(name, ()))
            return SourceState(**said)
        except (OSError, ValueError, TypeError, KeyError):
            return SourceState()

    def save(self, state: SourceState) -> None:
        """Keep a state in place of the one before, in one step.

        Raises:
            OSError: it cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self.folder / f"state.{secrets.token_hex(3)}"
        try:
            beside.write_text(json.dumps(asdict(state)), "utf-8")
            beside.replace(self.folder / "state.json")
        finally:
            beside.unlink(missing_ok=True)

    def files(self) -> list[Path]:
        """The files that count, later ones before which earlier ones yield."""
        named = [self.folder / name for name in self.state().named]
        return [file for file in named if file.is_file()]

    def write(self, cards: Sequence[RepoCard]) -> str:
        """A new file of these models, which counts once the state names it.

        Raises:
            OSError: it cannot be written.
        """
        from modelshelf.catalog import stock  # Arrow takes a while to load: only who needs it waits

        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{secrets.token_hex(8)}.parquet"
        stock.write(cards, self.folder / name)
        return name

    def take(self, file: Path, at: datetime, origin: str = "") -> "Taken":
        """Let a Parquet file of somebody's be all that is known of this source.

        Raises:
            UsageError: it cannot be read as models; what was known stays.
            OSError: it cannot be written; what was known stays.
        """
        from modelshelf.catalog import stock

        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{secrets.token_hex(8)}.parquet"
        taken = stock.take(file, self.folder / name)
        when = at.isoformat()
        self.save(SourceState(origin, base=(name,), full=when, asked=when, models=taken.rows, top=True))
        return taken

    def tidy(self) -> None:
        """Remove files that the state does not name."""
        named = set(self.state().named)
        for file in self.folder.glob("*.parquet"):
            if file.name not in named:
                with suppress(OSError):
                    file.unlink()

    def forget(self) -> None:
        """Let go of everything but what a whole crawl may still replace."""
        self.save(replace(SourceState(), origin=self.state().origin))
        self.tidy()


def sources(folder: Path) -> list[str]:
    """The sources of which something is known, by name."""
    return sorted(state.parent.name for state in (folder / "stock").glob("*/state.json"))
