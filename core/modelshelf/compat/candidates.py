"""From what a source lists, cards and files, to facts that can be judged before any header was read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from modelshelf.catalog.files import (
    PREFERRED_QUANTISATIONS,
    formats_of,
    is_weights,
    is_whole,
    quantisation_of,
    variants,
)
from modelshelf.catalog.types import RepoCard, RepoDetail
from modelshelf.metadata.facts import ModelFacts
from modelshelf.providers.spec import ServedModel

# Bits that one weight takes on average, by the quantisation of the file.
BITS: Mapping[str, float] = {
    "F32": 32.0,
    "F16": 16.0,
    "BF16": 16.0,
    "Q8_0": 8.5,
    "Q6_K": 6.6,
    "Q5_K_M": 5.7,
    "Q5_K_S": 5.5,
    "Q5_0": 5.5,
    "Q4_K_M": 4.85,
    "Q4_K_S": 4.6,
    "Q4_0": 4.6,
    "IQ4_XS": 4.3,
    "MXFP4": 4.4,
    "Q3_K_M": 3.9,
    "Q3_K_S": 3.5,
    "Q2_K": 3.0,
}
USUAL_BITS = 4.85


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to have a repository: the files to fetch, their bytes and what their names say."""

    files: tuple[str, ...]
    size: int
    format: str
    quantisation: str | None


def candidates(detail: RepoDetail) -> tuple[Candidate, ...]:
    """Every whole GGUF model of a commit, one for each quantisation; else what its safetensors files make up."""
    sizes = {file.path: file.size for file in detail.files}
    found: dict[str, Candidate] = {}
    for parts in variants(sizes):
        if is_whole(parts):
            name = quantisation_of(parts[0])
            found.setdefault(name or parts[0], Candidate(parts, sum(sizes[p] for p in parts), "gguf", name))
    if found:
        return tuple(found.values())
    for kind in formats_of(sizes):
        paths = tuple(sorted(path for path in sizes if is_weights(path, kind)))
        if paths:
            return (Candidate(paths, sum(sizes[path] for path in paths), kind, None),)
    return ()


def of_card(card: RepoCard) -> ModelFacts | None:
    """What a card tells of its model; None if it does not even tell a format and a size."""
    kind = card.formats[0] if card.formats else None
    quantisation = _usual(card.quantisations)
    if card.size is None and card.parameters is None:
        return None
    bits = BITS.get(quantisation or "", USUAL_BITS if kind == "gguf" else 16.0)
    # A repository of many quantisations may be listed with the size of all: no file is larger than its weights allow.
    expected = round(card.parameters * bits / 8) if card.parameters else None
    size = card.size if card.size is not None else expected or 0
    if expected and len(card.quantisations) > 1:
        size = min(size, expected * 5 // 4)
    return ModelFacts(
        format=kind or "unknown",
        size=size,
        architecture=card.architecture,
        parameters=card.parameters,
        context=card.context,
        quantisation=quantisation,
        chat_template="" if card.task == "text-generation" or card.task is None else None,
        weights=size,
        tier=1,
        origins={"size": "source", "weights": "file size"},
    )


def of_candidate(candidate: Candidate, known: ModelFacts | None, card: RepoCard) -> ModelFacts:
    """A file of a repository by the facts of another one of it, which differs only in how its weights are kept."""
    base = known or of_card(card) or ModelFacts(candidate.format, candidate.size, tier=1)
    return replace(
        base,
        format=candidate.format,
        size=candidate.size,
        weights=candidate.size,
        quantisation=candidate.quantisation or base.quantisation,
        tensors=(),
        tier=1,
    )


def of_served(served: ServedModel) -> ModelFacts | None:
    """What a provider tells of a model that it runs on this machine; None without a size."""
    if served.size is None:
        return None
    return ModelFacts(
        format="gguf",
        size=served.size,
        architecture=served.architecture,
        context=served.context,
        quantisation=served.quantisation,
        chat_template="",
        weights=served.size,
        tier=1,
        origins={"size": served.provider},
    )


def _usual(quantisations: tuple[str, ...]) -> str | None:
    for name in PREFERRED_QUANTISATIONS:
        if name in quantisations:
            return name
    return quantisations[0] if quantisations else None
