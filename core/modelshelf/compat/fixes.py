"""The smallest changes that raise a score, each with the score that it would give."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from modelshelf.compat.machine import Machine
from modelshelf.compat.placement import layers_that_fit, with_free
from modelshelf.compat.score import SHORTEST, Question, Rating, downgrades, rate_as_asked
from modelshelf.compat.types import Fix, Settings
from modelshelf.compat.words import changes, size

MOST_FIXES = 4
WORTH = 3  # points a change must bring to be proposed
PLAIN_CACHES = frozenset({"f16", "f32", "bf16"})
_MACHINE = frozenset({"UNLOAD", "FREE_MEMORY"})  # these change the machine and not the settings
NAMES = ("context", "kv", "slots", "gpu_layers", "flash_attention")


@dataclass(frozen=True, slots=True)
class _Option:
    code: str
    question: Question
    detail: str


def fixes(question: Question, score: int, scored: Callable[[Question, Rating], int]) -> tuple[Fix, ...]:
    """At most four changes, each alone before all of them together. `scored` gives the points of a rating."""
    found: list[Fix] = []
    if score > 100 - WORTH:
        return ()
    seen: set[str] = set()
    tried: set[Settings] = set()
    for option in _options(question):
        changed = option.question
        if option.code in seen or (option.code not in _MACHINE and changed.settings in tried):
            continue
        tried.add(changed.settings)
        asked = rate_as_asked(changed, changed.settings)
        if not asked.fits or _too_long(question, changed.settings):
            continue
        reached = scored(changed, asked)
        if reached < score + WORTH:
            continue
        seen.add(option.code)
        found.append(Fix(option.code, option.detail, reached, _applied(question, changed)))
        if len(found) == MOST_FIXES:
            break
    return tuple(found)


def _options(question: Question) -> Iterator[_Option]:
    """Every change alone, what costs least first; then all of them together."""
    before = question.settings
    for code, settings in _settings(question):
        yield _Option(code, replace(question, settings=settings), f"Use {changes(before, settings)}.")
    yield from _unloads(question)
    for settings in downgrades(replace(question, required=False)):
        yield _Option("SMALLER", replace(question, settings=settings), f"Use {changes(before, settings)}.")
    idle = question.machine.idle()
    if idle.ram_available > question.machine.ram_available or idle.gpus != question.machine.gpus:
        told = f"Close other programs: up to {size(_free(idle))} would be free."
        yield _Option("FREE_MEMORY", replace(question, machine=idle), told)


def _settings(question: Question) -> Iterator[tuple[str, Settings]]:
    settings, limit = question.settings, question.facts.context
    if limit and settings.context > limit:
        yield "CONTEXT", replace(settings, context=limit)
    yield from _offloads(question)
    if not settings.flash_attention:
        yield "FLASH_ATTENTION", replace(settings, flash_attention=True)
        if settings.kv not in PLAIN_CACHES:
            yield "KV_TYPE", replace(settings, kv="f16")
    if settings.kv in PLAIN_CACHES and settings.flash_attention:
        yield "KV_TYPE", replace(settings, kv="q8_0")
    if settings.slots > 1:
        yield "SLOTS", replace(settings, slots=1)
    context = settings.context
    while context > SHORTEST:
        context = max(context // 2, SHORTEST)
        yield "CONTEXT", replace(settings, context=context)


def _offloads(question: Question) -> Iterator[tuple[str, Settings]]:
    """Where layers were put on cards by hand: as many as there is room for."""
    settings, layers = question.settings, question.facts.layers
    if settings.gpu_layers is None or not layers or not question.engine.gpus or not question.machine.cards:
        return
    asked = rate_as_asked(question, settings)
    room = layers_that_fit(asked.estimate.memory, question.machine, layers)
    if room != settings.gpu_layers:
        yield "OFFLOAD", replace(settings, gpu_layers=room)


def _unloads(question: Question) -> Iterator[_Option]:
    """Models that are in memory now; the smallest first, because the least is given up by it."""
    machine = question.machine
    for name, count in sorted(question.held.items(), key=lambda item: item[1]):
        freed = replace(question, machine=with_free(machine, count, cards=question.engine.gpus))
        yield _Option(
            "UNLOAD",
            replace(freed, held={other: taken for other, taken in question.held.items() if other != name}),
            f"Unload {name}, which holds {size(count)}.",
        )


def _free(machine: Machine) -> int:
    return machine.ram_available + sum(gpu.memory_free for gpu in machine.cards)


def _too_long(question: Question, changed: Settings) -> bool:
    limit = question.facts.context
    return bool(question.required and limit and changed.context > limit)


def _applied(before: Question, after: Question) -> dict[str, object]:
    if gone := before.held.keys() - after.held.keys():
        return {"unload": next(iter(gone))}
    one, two = before.settings, after.settings
    return {name: getattr(two, name) for name in NAMES if getattr(two, name) != getattr(one, name)}
