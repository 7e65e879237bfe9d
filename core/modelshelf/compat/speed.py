"""How fast a model answers: a range, because the truth is only known once it was measured on the machine.

A token needs every active weight and the cache of what was said so far to pass through the processor once; memory's
bandwidth bounds it. What was measured here takes the place of the bound: see `calibration`.
"""

from dataclasses import dataclass

from modelshelf.compat.machine import Machine
from modelshelf.compat.measures import Measures
from modelshelf.compat.placement import Placement
from modelshelf.compat.types import Memory

GUESSED_RAM = 25e9  # bytes per second of ordinary memory, when nothing was measured
GUESSED_CARD = 250e9
EFFICIENCY = (0.35, 0.85)  # of the bound, what engines were seen to reach
MOST = 400.0  # tokens per second: beyond, overheads rule and not the memory


@dataclass(frozen=True, slots=True)
class Pace:
    """What was seen on this machine.

    `exact`: it was this very model, and `low` and `high` are its tokens per second. Else they are the bytes per second
    that answers of other models on the same engine moved.
    """

    low: float
    high: float
    exact: bool


def moved_by_a_token(measures: Measures, memory: Memory, filled: float = 0.5) -> float:
    """Bytes that one token moves when a part of the context is `filled`."""
    return measures.active + memory.recurrent + memory.kv * filled


def tokens_per_second(
    measures: Measures, memory: Memory, machine: Machine, placement: Placement, pace: Pace | None = None
) -> tuple[float, float]:
    """The lowest and the highest speed to expect; (0, 0) when nothing is known of the size."""
    if pace is not None and pace.exact:
        return pace.low, pace.high
    moved = moved_by_a_token(measures, memory)
    if not moved:
        return 0.0, 0.0
    if pace is not None:
        return min(pace.low / moved, MOST), min(pace.high / moved, MOST)
    ram = machine.memory_bandwidth or GUESSED_RAM
    rates = [gpu.bandwidth or GUESSED_CARD for gpu in machine.cards]
    unified = [gpu.bandwidth for gpu in machine.gpus if gpu.unified and gpu.bandwidth]
    ram = max([ram, *unified])
    card = max(min(rates, default=GUESSED_CARD), ram) if machine.cards else ram
    seconds = moved * (placement.share / card + (1 - placement.share) / ram)
    low, high = (min(part / seconds, MOST) for part in EFFICIENCY)
    return low, high
