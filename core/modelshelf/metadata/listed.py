"""What a source tells of a model in its lists: facts of tier 0, before anything of the model was read."""

from collections.abc import Mapping
from dataclasses import replace

from modelshelf.catalog.files import PREFERRED_QUANTISATIONS
from modelshelf.catalog.types import RepoCard
from modelshelf.metadata import abilities, experts
from modelshelf.metadata.facts import ModelFacts

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
USUAL_BITS, WHOLE_BITS = 4.85, 16.0
SOURCE = "source"

TASK_ABILITIES: Mapping[str, frozenset[str]] = {
    "feature-extraction": frozenset({abilities.EMBED}),
    "sentence-similarity": frozenset({abilities.EMBED}),
    "text-ranking": frozenset({abilities.RERANK}),
    "image-text-to-text": frozenset({abilities.VISION}),
    "visual-question-answering": frozenset({abilities.VISION}),
    "video-text-to-text": frozenset({abilities.VISION}),
    "audio-text-to-text": frozenset({abilities.AUDIO}),
    "any-to-any": frozenset({abilities.VISION, abilities.AUDIO}),
}
_BASE = "base_model:"
_ADAPTER = "base_model:adapter:"
FORMATS_BY_TAG = ("exl3", "exl2", "mlx")  # which lie in safetensors files, and are told by tags


def of_card(card: RepoCard) -> ModelFacts | None:
    """What a card tells of its model; None if it does not even tell a size."""
    if card.size is None and card.parameters is None:
        return None
    kind = next((name for name in FORMATS_BY_TAG if name in {card.library, *card.tags}), None)
    kind = kind or (card.formats[0] if card.formats else None)
    quantisation = usual(card.quantisations)
    size = _size(card, quantisation, kind)
    base = next((tag.rpartition(":")[2] for tag in card.tags if tag.startswith(_BASE)), None)
    told = {
        "architecture": card.architecture,
        "parameters": card.parameters,
        "context": card.context,
        "quantisation": quantisation,
        "licence": card.licence,
        "base": base,
    }
    return ModelFacts(
        format=kind or "unknown",
        size=size,
        architecture=card.architecture,
        parameters=card.parameters,
        context=card.context,
        quantisation=quantisation,
        licence=card.licence,
        gated=card.gated,
        role="adapter" if any(tag.startswith(_ADAPTER) for tag in card.tags) else "model",
        base=base,
        abilities=abilities_of(card),
        chat_template="" if card.task == "text-generation" or card.task is None else None,
        weights=size,
        tier=0,
        origins=dict.fromkeys(
            ("size", "weights", "gated", "abilities", *(fact for fact, value in told.items() if value is not None)),
            SOURCE,
        ),
    )


def with_card(facts: ModelFacts, card: RepoCard) -> ModelFacts:
    """Facts that were read, with what only the source knows: whether the model is gated, and what files left out."""
    licence = _or_told(facts, "licence", card.licence)
    # Those on the card of an adapter or a projector may be of the model that it goes with.
    parameters = _or_told(facts, "parameters", card.parameters) if facts.role == "model" else facts.parameters
    if (facts.gated, facts.licence, facts.parameters) == (card.gated, licence, parameters):
        return facts
    told = {"gated": SOURCE}
    told |= {"licence": SOURCE} if licence != facts.licence else {}
    told |= {"parameters": SOURCE} if parameters != facts.parameters else {}
    active = facts.active
    if active is None and facts.role == "model":
        active = experts.by_keys(parameters, facts.layers, facts.embedding, facts.keys)
        told |= {"active": "keys"} if active is not None else {}
    return replace(
        facts,
        gated=card.gated,
        licence=licence,
        parameters=parameters,
        active=active,
        origins={**facts.origins, **told},
    )


def _or_told[T](facts: ModelFacts, fact: str, told: T | None) -> T | None:
    """What the files say, else what the source says now."""
    said: T | None = getattr(facts, fact)
    return told if told is not None and (said is None or facts.origins.get(fact) == SOURCE) else said


def _size(card: RepoCard, quantisation: str | None, kind: str | None) -> int:
    bits = BITS.get(quantisation or "", USUAL_BITS if kind == "gguf" else WHOLE_BITS)
    # A repository of many quantisations may be listed with the size of all: no file is larger than its weights allow.
    expected = round(card.parameters * bits / 8) if card.parameters else None
    size = card.size if card.size is not None else expected or 0
    return min(size, expected * 5 // 4) if expected and len(card.quantisations) > 1 else size


def abilities_of(card: RepoCard) -> frozenset[str]:
    """What its task, library and tags say that it can do."""
    found = TASK_ABILITIES.get(card.task or "", frozenset())
    if "sentence-transformers" in {card.library, *card.tags} and abilities.RERANK not in found:
        found |= {abilities.EMBED}
    return found | ({abilities.CHAT} if "conversational" in card.tags and not found & _NUMBERS else set())


_NUMBERS = frozenset({abilities.EMBED, abilities.RERANK})


def usual(quantisations: tuple[str, ...]) -> str | None:
    """Of several quantisations the one that most people would load."""
    for name in PREFERRED_QUANTISATIONS:
        if name in quantisations:
            return name
    return quantisations[0] if quantisations else None
