"""Projectors: files beside a model that turn pictures or sounds into its vectors, and so let it see or hear."""

from dataclasses import replace

from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.gguf import read_header
from modelshelf.metadata.gguf_general import role
from modelshelf.metadata.source import WindowSource

_LENGTHS = ("vision.projection_dim", "audio.projection_dim")


def is_projector(window: WindowSource) -> bool:
    """Whether the first bytes are those of a projector.

    Raises:
        FormatError: they are no GGUF header. ShortError: they are too few to tell.
    """
    return role(read_header(window, partial=True), window.name) == "projector"


def fits(projector: ModelFacts, model: ModelFacts) -> bool:
    """Whether its vectors have the length of the model's."""
    lengths = {projector.keys.get(key) for key in _LENGTHS} - {None}
    return model.embedding is not None and model.embedding in lengths


def with_projector(model: ModelFacts, projector: ModelFacts | None) -> ModelFacts:
    """The model as it is with a projector beside it."""
    if projector is None or not projector.abilities:
        return model
    origins = {**model.origins, "abilities": "projector"}
    return replace(model, abilities=model.abilities | projector.abilities, origins=origins)
