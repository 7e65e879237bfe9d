"""The score of a model on an engine on a machine: hard gates, then a weighted geometric mean of five values.

A sum would hide a fatal weakness; in a geometric mean one poor value pulls everything down. Each value is 0.05 to 1:

| value     | weight | 1.0                                  | falls to                                             |
|-----------|--------|--------------------------------------|------------------------------------------------------|
| memory    | 0.35   | a quarter of the memory stays free   | 0.3 when it just fits                                |
| speed     | 0.25   | 20 tokens per second or more         | 0.05 at 0.5 tokens per second, by the logarithm      |
| fidelity  | 0.15   | 16 bits per weight                   | by `compat.fidelity`, 0.25 for one bit                |
| context   | 0.15   | all the context that was asked for   | the square root of the part that can be had          |
| abilities | 0.10   | it has what is wanted beside         | 0.6 without any of it, or without a chat template    |

What does not fit as asked is tried with a q8_0 cache, one slot, and ever shorter contexts. A score for such a downgrade
never exceeds what the settings before it would give when they just fit, so that more memory never lowers a score.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import exp, log

from modelshelf.compat.engines import Engine
from modelshelf.compat.fidelity import fidelity
from modelshelf.compat.machine import Machine
from modelshelf.compat.measures import Measures, measure
from modelshelf.compat.memory import Estimate
from modelshelf.compat.placement import Placement
from modelshelf.compat.speed import Pace, tokens_per_second
from modelshelf.compat.types import Settings
from modelshelf.compat.ways import ways
from modelshelf.metadata.facts import ModelFacts

WEIGHTS: Mapping[str, float] = {"memory": 0.35, "speed": 0.25, "fidelity": 0.15, "context": 0.15, "abilities": 0.10}
LOWEST = 0.05
JUST_FITS, ROOMY = 0.3, 0.25
FAST, SLOW = 20.0, 0.5
SHORTEST = 512  # tokens: below, a chat makes no sense
NO_TEMPLATE = 0.6
UNKNOWN_ARCHITECTURE_CAP = 50


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a model, on an engine, on a machine, with settings.

    required: the context was asked for on purpose and must not be shortened. measures: those of the facts, if known.
    needs, wants: abilities (chat, tools, vision, …) that it must have, and that it should have. refused: licences, in
    small letters, that may not be used here. pace: what was measured on this machine. held: bytes of memory that other
    models hold and would give back, by the name to unload.
    """

    facts: ModelFacts
    settings: Settings
    machine: Machine
    engine: Engine
    required: bool = False
    measures: Measures | None = None
    needs: frozenset[str] = frozenset()
    wants: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    pace: Pace | None = None
    held: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rating:
    """One set of settings, rated. `score` is 0 where it does not fit, `values` are the five of the table."""

    settings: Settings
    estimate: Estimate
    placement: Placement
    speed: tuple[float, float]
    values: Mapping[str, float]
    score: float
    fits: bool

    @property
    def spare(self) -> int:
        """Bytes that stay free; negative: that are missing."""
        return self.placement.budget - self.estimate.memory.total


def rate(question: Question) -> tuple[Rating, Rating]:
    """The rating as asked, and that of the first downgrade that fits; the same twice when no downgrade is needed."""
    if question.measures is None:
        question = replace(question, measures=measure(question.facts))
    asked = first = rate_as_asked(question, question.settings)
    cap = 100.0
    for settings in downgrades(question):
        if first.fits:
            break
        cap = min(cap, _mean({**first.values, "memory": JUST_FITS}))
        first = rate_as_asked(question, settings)
    return asked, replace(first, score=min(first.score, cap)) if first is not asked else asked


def downgrades(question: Question) -> Iterator[Settings]:
    """What can be given up, least first: exact cache, slots, then context unless it is required."""
    settings = question.settings
    if settings.kv in {"f16", "f32", "bf16"} and settings.flash_attention:
        settings = replace(settings, kv="q8_0")
        yield settings
    if settings.slots > 1:
        settings = replace(settings, slots=1)
        yield settings
    while not question.required and settings.context > SHORTEST:
        settings = replace(settings, context=max(settings.context // 2, SHORTEST))
        yield settings


def refused(question: Question, settings: Settings) -> bool:
    """Whether llama.cpp will not have these settings: values of a cache in blocks need flash attention."""
    plain = {"f16", "f32", "bf16"}
    family = question.engine.family_for(question.facts.format)
    return family == "llamacpp" and not settings.flash_attention and (settings.kv_values or settings.kv) not in plain


def rate_as_asked(question: Question, settings: Settings) -> Rating:
    """The rating of these settings, downgraded by nothing: the best way of the engine to load the model so."""
    measures = question.measures or measure(question.facts)
    found = ways(question.facts, settings, question.machine, question.engine, measures)
    return max((_rated(question, settings, measures, *way) for way in found), key=lambda rating: rating.score)


def _rated(question: Question, settings: Settings, measures: Measures, known: Estimate, placement: Placement) -> Rating:
    facts, machine = question.facts, question.machine
    speed = tokens_per_second(measures, known.memory, machine, placement, _pace_of(question))
    fits = known.high <= placement.budget and not refused(question, settings)
    if placement.told:
        settings = replace(settings, gpu_layers=placement.layers)
    values = {
        "memory": _headroom(known.high, placement.budget),
        "speed": speed_value(speed),
        "fidelity": fidelity(facts.quantisation),
        "context": share_of(min(settings.context, facts.context or settings.context), question.settings.context),
        "abilities": _abilities(question),
    }
    return Rating(settings, known, placement, speed, values, _mean(values) if fits else 0.0, fits)


def _pace_of(question: Question) -> Pace | None:
    """What other models showed says nothing about one that may lie in two kinds of memory."""
    pace = question.pace
    split = question.engine.gpus and bool(question.machine.cards)
    return None if pace is None or (split and not pace.exact) else pace


def _abilities(question: Question) -> float:
    """The part of what is wanted that the model has. An embedder needs no template to be useful."""
    facts = question.facts
    if not question.wants:
        return 1.0 if facts.chat_template is not None or "embed" in facts.abilities else NO_TEMPLATE
    return NO_TEMPLATE + (1 - NO_TEMPLATE) * len(question.wants & facts.abilities) / len(question.wants)


def _headroom(need: int, budget: int) -> float:
    if budget <= 0:
        return LOWEST
    free = max(budget - need, 0) / budget
    return JUST_FITS + (1 - JUST_FITS) * min(free / ROOMY, 1.0)


def speed_value(speed: tuple[float, float]) -> float:
    """0.05 to 1 for a range of tokens per second, by its geometric middle."""
    middle = (speed[0] * speed[1]) ** 0.5
    if middle <= SLOW:
        return LOWEST
    return max(LOWEST, min(1.0, LOWEST + (1 - LOWEST) * log(middle / SLOW) / log(FAST / SLOW)))


def share_of(had: int, asked: int) -> float:
    """The square root of the part that can be had of what was asked."""
    return max(LOWEST, min(1.0, had / asked) ** 0.5) if asked else 1.0


def _mean(values: Mapping[str, float]) -> float:
    return 100 * exp(sum(weight * log(max(values[name], LOWEST)) for name, weight in WEIGHTS.items()))
