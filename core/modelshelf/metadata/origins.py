"""Where facts came from: told for each one that is known, and for no other."""

from collections.abc import Mapping
from dataclasses import fields, replace

from modelshelf.metadata.facts import ModelFacts

# What needs no origin: the bytes themselves, and what says how much of them was read.
SELF_EVIDENT = frozenset({"format", "size", "tensors", "keys", "tier", "origins"})


def with_origins(facts: ModelFacts, origins: Mapping[str, str]) -> ModelFacts:
    """The facts with where they came from; what is said of facts that nobody knows is left out."""
    return replace(facts, origins={fact: origins[fact] for fact in known(facts) if fact in origins})


def known(facts: ModelFacts) -> tuple[str, ...]:
    """The names of the facts that are known."""
    empty: tuple[object, ...] = (None, (), {}, frozenset())
    return tuple(
        item.name for item in fields(facts) if item.name not in SELF_EVIDENT and getattr(facts, item.name) not in empty
    )
