"""What an engine would hold of a model and where, by the rule of the engine's family."""

from collections.abc import Iterator

from modelshelf.compat import budgets, memory
from modelshelf.compat.engines import Engine
from modelshelf.compat.machine import Machine
from modelshelf.compat.measures import Measures
from modelshelf.compat.memory import Estimate
from modelshelf.compat.placement import Placement, place
from modelshelf.compat.types import Settings
from modelshelf.metadata.facts import ModelFacts

GIB = 1 << 30
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
    larger card never runs less.
    """
    family = engine.family_for(facts.format)
    if family == "llamacpp":
        known = memory.estimate(facts, settings, measures)
        yield known, place(known.memory, settings, machine, engine, facts.layers)
        return
    card = min((gpu.memory_total for gpu in machine.cards), default=0)
    budget = budgets.room(family, settings, machine)
    share = 1.0 if machine.cards or family == "mlx" else 0.0
    placed = Placement(budget, budget if machine.cards else 0, share)
    smaller = [step - 1 for step in STEPS if step <= card] if family in {"vllm", "sglang"} else []
    for size in (card, *smaller):
        known = budgets.estimate(
            facts, settings, measures, family=family, card_memory=size, cards=len(machine.cards) or 1
        )
        yield known, placed
