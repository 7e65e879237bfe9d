"""How fast a model answers: a range, because the truth is only known once it was measured on the machine.

A token needs every active weight and half the cache to pass through the processor once; memory's bandwidth bounds it.
"""

from dataclasses import dataclass

from modelshelf.compat.engines import Engine
from modelshelf.compat.machine import Machine
from modelshelf.compat.measures import Measures
from modelshelf.compat.types import Memory, Settings

GUESSED_RAM = 25e9  # bytes per second of ordinary memory, when nothing was measured
GUESSED_CARD = 250e9
EFFICIENCY = (0.35, 0.85)  # of the bound, what engines were seen to reach
MOST = 400.0  # tokens per second: beyond, overheads rule and not the memory


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the bytes are: `share` of them on graphics cards, of which `cards` bytes are free; `budget` of both."""

    budget: int
    cards: int
    share: float


def place(memory: Memory, settings: Settings, machine: Machine, engine: Engine, layers: int | None) -> Placement:
    """Put as much as fits, or as many layers as the settings say, on the cards; the rest goes to main memory."""
    cards = sum(gpu.memory_free for gpu in machine.cards) if engine.gpus else 0
    if settings.gpu_layers is not None and layers:
        cards = min(cards, memory.total * min(settings.gpu_layers, layers) // layers)
    share = min(1.0, cards / memory.total) if memory.total else 0.0
    return Placement(max(machine.ram_available - memory.host, 0) + cards, cards, share)


def tokens_per_second(
    measures: Measures, memory: Memory, machine: Machine, placement: Placement
) -> tuple[float, float]:
    """The lowest and the highest speed to expect; (0, 0) when nothing is known of the size."""
    moved = measures.active + memory.recurrent + memory.kv / 2
    if not moved:
        return 0.0, 0.0
    ram = machine.memory_bandwidth or GUESSED_RAM
    rates = [gpu.bandwidth or GUESSED_CARD for gpu in machine.cards]
    unified = [gpu.bandwidth for gpu in machine.gpus if gpu.unified and gpu.bandwidth]
    ram = max([ram, *unified])
    card = max(min(rates, default=GUESSED_CARD), ram)
    seconds = moved * (placement.share / card + (1 - placement.share) / ram)
    low, high = (min(part / seconds, MOST) for part in EFFICIENCY)
    return low, high
