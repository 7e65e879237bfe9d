"""The engine's log: bounded on disk, its end in memory for the sentence that says why a child ended."""

import logging
from collections import deque
from pathlib import Path

log = logging.getLogger(__name__)

LIMIT = 1 << 20
KEPT_LINES = 40
LINE = 2000


class EngineLog:
    """Takes lines; when the file is full it becomes `….1`, replacing the one before."""

    def __init__(self, file: Path, limit: int = LIMIT) -> None:
        self.file = file
        self.limit = limit
        self.tail: deque[str] = deque(maxlen=KEPT_LINES)

    def add(self, line: str) -> None:
        """Append a line; a disk that refuses it costs the line, not the engine."""
        text = line.rstrip()[:LINE]
        self.tail.append(text)
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            if self.file.exists() and self.file.stat().st_size + len(text) > self.limit:
                self.file.replace(self.file.with_name(self.file.name + ".1"))
            with self.file.open("a", encoding="utf-8") as handle:
                handle.write(text + "\n")
        except OSError as error:
            log.debug("the engine's log cannot be written: %s", error)

    def reason(self) -> str:
        """The last line that speaks of an error, in plain form, or nothing."""
        for line in reversed(self.tail):
            _, marker, said = line.partition(" E ")
            if marker and "exiting" not in said and "failed to load model" not in said:
                return " ".join(said.split())
        return ""
