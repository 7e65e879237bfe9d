"""What the numbers in a generation mean; another meaning makes another version."""

from modelshelf.metadata import abilities
from modelshelf.metadata.listed import FORMATS_BY_TAG

VERSION = 1
ABILITY_NAMES = (abilities.CHAT, abilities.EMBED, abilities.RERANK, abilities.VISION, abilities.AUDIO)
EMBEDS = 1 << ABILITY_NAMES.index(abilities.EMBED)
KINDS = ("", *FORMATS_BY_TAG)
ADAPTER = 1 << 8  # in a kind: it goes with a model, and is none
TASK, LIBRARY, LICENCE, SOURCE, FORMATS, ABILITIES, KIND, GATED, PRIVATE = range(9)
"""The columns of `combinations`, which hold once what many models have alike."""
VALUED = {
    "task": (TASK, "pipeline_tag"),
    "library": (LIBRARY, "library"),
    "license": (LICENCE, "license"),
    "format": (FORMATS, "formats"),
}
"""Filters on one value of a combination: the column, and the name of its values."""
