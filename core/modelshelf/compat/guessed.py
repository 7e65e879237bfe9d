"""The part of the score that sizes and context decide, for many models of which nothing else is known, at once.

It is the arithmetic of `memory._guess`, `placement.place`, `speed.tokens_per_second` and `score.rate` over arrays; a
test holds it against these, model by model.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelshelf.compat import budgets, memory
from modelshelf.compat.asking import Asking
from modelshelf.compat.machine import Machine
from modelshelf.compat.placement import CARD_RESERVE
from modelshelf.compat.score import FAST, JUST_FITS, LOWEST, ROOMY, SHORTEST, SLOW, WEIGHTS
from modelshelf.compat.speed import EFFICIENCY, GUESSED_CARD, GUESSED_RAM, MOST
from modelshelf.compat.types import Settings
from modelshelf.compat.ways import fewer

type Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Sized:
    """Models by their bytes, parameters, and the tokens of context that they were made for, 0 where not said."""

    sizes: Array
    parameters: Array
    contexts: Array

    def take(self, rows: Array) -> "Sized":
        """Those of these numbers."""
        return Sized(self.sizes[rows], self.parameters[rows], self.contexts[rows])


@dataclass(frozen=True, slots=True)
class _Held:
    """Bytes of a model in memory: `high` is what to plan with."""

    kv: Array
    compute: Array
    total: Array
    high: Array


def guessed(asking: Asking, family: str, models: Sized) -> Array:
    """The logarithm of the score's part, before quantisation and abilities; minus infinity where nothing fits."""
    settings = asking.settings
    best = np.full(len(models.sizes), -np.inf)
    left = np.arange(len(best))
    limits = np.where(models.contexts > 0, models.contexts, settings.context)
    asked = np.full(len(left), settings.context) if asking.required else np.minimum(limits, settings.context)
    cap = np.full(len(left), np.inf)
    for tried, shorten in _tried(settings, int(asked.max(initial=0)), required=asking.required):
        context = _shortened(asked[left], shorten)
        held = _held(models.take(left), tried, context)
        budget, share = _placed(asking, family, tried, held)
        rest = WEIGHTS["speed"] * np.log(_speed(models.sizes[left], held, asking.machine, share))
        # A context beyond the model's own is of no use to it.
        part = np.sqrt(np.minimum(context, limits[left]) / asked[left])
        rest += WEIGHTS["context"] * np.log(np.maximum(LOWEST, part))
        fits = held.high <= budget
        own = WEIGHTS["memory"] * np.log(_headroom(held.high, budget)) + rest
        best[left[fits]] = np.minimum(own, cap)[fits]
        cap = np.minimum(cap, WEIGHTS["memory"] * np.log(JUST_FITS) + rest)
        more = ~fits & (models.sizes[left] <= budget)  # weights alone that do not fit never will
        left, cap = left[more], cap[more]
        if not len(left):
            break
    return best


def _shortened(asked: Array, times: int) -> Array:
    """The context after it was halved so often, as far as it goes."""
    return np.where(asked > SHORTEST, np.maximum(asked >> times, SHORTEST), asked)


def _tried(settings: Settings, longest: int, *, required: bool) -> Iterator[tuple[Settings, int]]:
    """As asked, then what can be given up, least first, as `score.downgrades` has it; how often contexts are halved."""
    yield settings, 0
    if settings.kv in {"f16", "f32", "bf16"} and settings.flash_attention:
        settings = replace(settings, kv="q8_0")
        yield settings, 0
    if settings.slots > 1:
        settings = replace(settings, slots=1)
        yield settings, 0
    times = 0
    while not required and longest >> times > SHORTEST:
        times += 1
        yield settings, times


def _held(models: Sized, settings: Settings, context: Array) -> _Held:
    scale = np.sqrt(models.parameters / memory.USUAL_PARAMETERS)
    block, size = memory.CACHE_ROWS.get(settings.kv, memory.CACHE_ROWS["f16"])
    row = np.ceil(np.round(memory.USUAL_ROW * scale) // 2 / block) * size
    kv = np.ceil(context / memory.CELLS) * memory.CELLS * row
    compute = np.round(memory.USUAL_COMPUTE * scale * settings.ubatch / 512)
    total = models.sizes + kv + compute + 4 * memory.USUAL_WORDS * settings.slots
    return _Held(kv, compute, total, total + kv + compute)


def _placed(asking: Asking, family: str, settings: Settings, held: _Held) -> tuple[Array, Array]:
    """The bytes that may be taken, and the share of the model that lies on cards."""
    machine = asking.machine
    if family != "llamacpp":
        on_cards = bool(machine.cards) or family == "mlx"
        rooms = [budgets.room(family, settings, one) for one in _machines(family, machine)]
        return np.full(len(held.total), max(rooms)), np.full(len(held.total), 1.0 if on_cards else 0.0)
    ram = max(machine.ram_available - (memory.PROCESS + memory.PER_TOKEN * memory.USUAL_WORDS), 0)
    unified = [gpu.memory_free for gpu in machine.gpus if gpu.unified]
    if not asking.engine.gpus or (not machine.cards and not unified):
        return np.full(len(held.total), ram), np.zeros(len(held.total))
    if not machine.cards:
        return np.full(len(held.total), min(ram, max(unified))), np.ones(len(held.total))
    free = np.array([gpu.memory_free - CARD_RESERVE for gpu in machine.cards])
    usable = np.maximum(free[:, None] - held.compute[None, :], 0).sum(axis=0)
    return ram + usable, np.minimum(1.0, usable / (held.total - held.compute))


def _machines(family: str, machine: Machine) -> Iterator[Machine]:
    return fewer(machine) if family in budgets.SPLITTING else iter([machine])


def _speed(sizes: Array, held: _Held, machine: Machine, share: Array) -> Array:
    """The value of the speed to expect."""
    rates = [gpu.bandwidth or GUESSED_CARD for gpu in machine.cards]
    unified = [gpu.bandwidth for gpu in machine.gpus if gpu.unified and gpu.bandwidth]
    ram = max([machine.memory_bandwidth or GUESSED_RAM, *unified])
    card = max(min(rates, default=GUESSED_CARD), ram) if machine.cards else ram
    seconds = (sizes + held.kv / 2) * (share / card + (1 - share) / ram)
    low, high = (np.minimum(part / seconds, MOST) for part in EFFICIENCY)
    value = LOWEST + (1 - LOWEST) * np.log(np.sqrt(low * high) / SLOW) / np.log(FAST / SLOW)
    return np.asarray(np.clip(value, LOWEST, 1.0))


def _headroom(need: Array, budget: Array) -> Array:
    free = np.maximum(budget - need, 0) / np.maximum(budget, 1)
    return np.where(budget > 0, JUST_FITS + (1 - JUST_FITS) * np.minimum(free / ROOMY, 1.0), LOWEST)
