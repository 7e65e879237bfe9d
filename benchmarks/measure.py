"""What the benchmarks share: repeated runs, medians, one table."""

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

BIN = Path(__file__).parent.parent / ".venv" / "bin"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure; `budget` is what the documentation promises, None for a peer."""

    what: str
    who: str
    value: float
    unit: str
    budget: float | None = None

    @property
    def kept(self) -> bool:
        return self.budget is None or self.value <= self.budget


def median_seconds(work: Callable[[], object], *, times: int) -> float:
    """The median duration of some runs, after one that warms the caches."""
    work()
    spans = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spans.append(time.perf_counter() - start)
    return statistics.median(spans)


def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a command to its end; its output is thrown away."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| what | who | measured | promised |", "|---|---|---|---|"]
    for figure in figures:
        promised = (
            "" if figure.budget is None else f"{figure.budget:g} {figure.unit}{'' if figure.kept else ' (missed)'}"
        )
        lines.append(f"| {figure.what} | {figure.who} | {figure.value:.3g} {figure.unit} | {promised} |")
    return "\n".join(lines)
