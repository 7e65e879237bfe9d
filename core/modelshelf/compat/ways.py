"""What an engine would hold of a model and where, by the rule of the engine's family."""

from collections.abc import Iterator
from dataclasses import replace

from modelshelf.compat import budgets, memory
from modelshelf.compat.engines import Engine
from modelshelf.compat.machine import Machine
from modelshelf.compat.measures import Measures
from modelshelf.compat.memory import Estimate
from modelshelf.compat.placement import Placement, place
from modelshelf.compat.types import Settings
from modelshelf.metadata.facts import ModelFacts

GIB = 1 << 30
MOST_TRIED = 8  # cards that a model is cut over, where not all are
STEPS = (
    160 * GIB,
    70 * GIB,
    60 * GIB,
    35 * GIB,
    20 * GIB,
)  # from these sizes of a card on, servers take larger batches


def ways(
    facts: ModelFacts, settings: Settings, machine: Machine, engine: Engine, measures: Measures
) -> Iterator[tuple[Estimate, Placement]]:
    """As the engine does it by itself; then as it does when told to take the batches of a smaller card.

    vLLM and SGLang keep more memory back on larger cards. Who has one may still tell them to be modest, so that a
    larger card, or one more, never runs less.
    """
    family = engine.family_for(facts.format)
    if family == "llamacpp":
        known = memory.estimate(facts, settings, measures)
        yield known, place(known.memory, settings, machine, engine, facts.layers)
        return
    serves = family in {"vllm", "sglang"}
    for chosen in fewer(machine) if serves else (machine,):
        card = min((gpu.memory_total for gpu in chosen.cards), default=0)
        budget = budgets.room(family, settings, chosen)
        share = 1.0 if chosen.cards or family == "mlx" else 0.0
        placed = Placement(budget, budget if chosen.cards else 0, share)
        for size in (card, *(step - 1 for step in STEPS if serves and step <= card)):
            count = len(chosen.cards) or 1
            yield budgets.estimate(facts, settings, measures, family=family, card_memory=size, cards=count), placed


def fewer(machine: Machine) -> Iterator[Machine]:
    """The machine with all its cards, then with fewer of the largest: each card copies a part of what is held."""
    cards = sorted(machine.cards, key=lambda gpu: gpu.memory_free, reverse=True)
    counts = [len(cards), *(count for count in range(len(cards) - 1, 0, -1) if count <= MOST_TRIED)]
    for count in counts:
        yield replace(machine, gpus=tuple(cards[:count]))
