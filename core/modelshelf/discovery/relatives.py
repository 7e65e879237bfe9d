"""What goes together with a model, by the tags in which publishers say what theirs was made of."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modelshelf.discovery.types import Relatives

if TYPE_CHECKING:
    from modelshelf.catalog.columns.mapped import Mapped, Row

KINDS = ("finetune", "quantized", "adapter", "merge")
PREFIX = "base_model:"
SHOWN = 20


def relatives(mapped: "Mapped", model: "Row") -> Relatives:
    """Base, derivatives and other formats of a model. For threads."""
    made_of = _bases(model.card.tags)
    names = [name for _, name in made_of]
    known = {name: mapped.find(name) for name in names}
    rows = {kind: mapped.tags.rows_of(_tag(kind, model.card.repo)) for kind in KINDS}
    root = next((name for kind, name in made_of if kind == "quantized"), model.card.repo)
    return Relatives(
        base=mapped.fetch(found[0] for found in known.values() if found),
        named=tuple(name for name, found in known.items() if not found),
        derived={kind: mapped.fetch(np.sort(found)[:SHOWN].tolist()) for kind, found in rows.items() if len(found)},
        counts={kind: len(found) for kind, found in rows.items() if len(found)},
        formats=_formats(mapped, root, model),
    )


def _bases(tags: Iterable[str]) -> list[tuple[str, str]]:
    """Of what a model was made, and how; the kind is empty where it is not said."""
    found: dict[str, str] = {}
    for tag in tags:
        if tag.startswith(PREFIX):
            kind, colon, name = tag.removeprefix(PREFIX).partition(":")
            kind, name = (kind, name) if colon else ("", kind)
            found[name] = kind or found.get(name, "")
    return [(kind, name) for name, kind in found.items()]


def _tag(kind: str, repo: str) -> str:
    return f"{PREFIX}{kind}:{repo}".lower()


def _formats(mapped: "Mapped", root: str, model: "Row") -> dict[str, tuple["Row", ...]]:
    """The model as its maker offers it, and what others made of it that differs in nothing but how weights are kept."""
    rows = {*mapped.find(root)[:1], *np.sort(mapped.tags.rows_of(_tag("quantized", root)))[:SHOWN].tolist()}
    found: dict[str, list[Row]] = {}
    for row in mapped.fetch(sorted(rows - {model.number})):
        for name in row.card.formats:
            found.setdefault(name, []).append(row)
    return {name: tuple(_first(same)) for name, same in found.items()}


def _first(rows: Sequence["Row"]) -> Sequence["Row"]:
    return rows[:SHOWN]
