"""Where a model's bytes lie: on graphics cards, in main memory, or in memory that both share."""

from dataclasses import dataclass, replace

from modelshelf.compat.engines import Engine
from modelshelf.compat.machine import Machine
from modelshelf.compat.types import Memory, Settings

CARD_RESERVE = 320 << 20  # what a driver's context and the engine's own work take of a card; measured on none of ours


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the bytes are: `share` of them on graphics cards, which hold `cards` bytes of models; `budget` of both.

    `layers` are those on the cards of `of`, both 0 where that is not known. `told` are the layers that the cards were
    told to take, where they have no room for so many: with that number the engine fails.
    """

    budget: int
    cards: int
    share: float
    layers: int = 0
    of: int = 0
    told: int = 0


def place(memory: Memory, settings: Settings, machine: Machine, engine: Engine, layers: int | None) -> Placement:
    """Put as many layers as fit, or as the settings say, on the cards; the rest goes to main memory.

    Every card that takes part computes: the work buffer counts on each.
    """
    ram = max(machine.ram_available - memory.host, 0)
    if not engine.gpus:
        return Placement(ram, 0, 0.0)
    shared = [gpu.memory_free for gpu in machine.gpus if gpu.unified]
    if shared and not machine.cards:
        # A chip with one memory for all: the system lets its graphics have a part of it.
        return Placement(min(ram, max(shared)), 0, 1.0)
    usable = sum(max(gpu.memory_free - CARD_RESERVE - memory.compute, 0) for gpu in machine.cards)
    held = memory.total - memory.compute
    if settings.gpu_layers is None or not layers:
        share = min(1.0, usable / held) if held else 0.0
        return Placement(ram + usable, usable, share, int(share * layers) if layers else 0, layers or 0)
    wanted = min(settings.gpu_layers, layers) if machine.cards else 0
    placed = min(wanted, usable * layers // held) if held else wanted
    taken = held * placed // layers
    return Placement(ram + taken, taken, placed / layers, placed, layers, wanted if wanted > placed else 0)


def layers_that_fit(memory: Memory, machine: Machine, layers: int) -> int:
    """How many of a model's layers the cards can hold."""
    usable = sum(max(gpu.memory_free - CARD_RESERVE - memory.compute, 0) for gpu in machine.cards)
    held = memory.total - memory.compute
    return min(layers, usable * layers // held) if held > 0 else layers


def with_free(machine: Machine, count: int, *, cards: bool) -> Machine:
    """The machine when so many bytes were given back: on its first card where the engine uses cards."""
    if cards and machine.cards:
        first = machine.cards[0]
        freed = replace(first, memory_free=min(first.memory_free + count, first.memory_total))
        return replace(machine, gpus=tuple(freed if gpu is first else gpu for gpu in machine.gpus))
    return replace(machine, ram_available=min(machine.ram_available + count, machine.ram_total))
