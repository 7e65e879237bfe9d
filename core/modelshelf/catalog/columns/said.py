"""What tags, tasks and libraries say of all models at once: what they can do, and formats that lie in other files.

It follows `modelshelf.metadata.listed`, card by card.
"""

from collections.abc import Callable

import numpy as np

from modelshelf.catalog.columns.meanings import ABILITY_NAMES, ADAPTER, KINDS
from modelshelf.catalog.columns.models import Array, Models
from modelshelf.metadata import abilities
from modelshelf.metadata.listed import TASK_ABILITIES

_NUMBERS = 1 << ABILITY_NAMES.index(abilities.EMBED) | 1 << ABILITY_NAMES.index(abilities.RERANK)


def said_abilities(models: Models) -> Array:
    """A bit for each of `ABILITY_NAMES`."""
    tasks = models.coders["pipeline_tag"].values
    found = _bits(tasks)[models.codes["pipeline_tag"]]
    trained = _has(models, "sentence-transformers") | (_library(models, "sentence-transformers"))
    embeds = np.uint8(1 << ABILITY_NAMES.index(abilities.EMBED))
    ranks = np.uint8(1 << ABILITY_NAMES.index(abilities.RERANK))
    found[trained & ((found & ranks) == 0)] |= embeds
    found[_has(models, "conversational") & ((found & np.uint8(_NUMBERS)) == 0)] |= np.uint8(1)
    return found


def said_kinds(models: Models) -> Array:
    """The number in `KINDS` of a format that lies in files of another one; with `ADAPTER` where it is one."""
    found = np.zeros(len(models), np.int16)
    for number in range(len(KINDS) - 1, 0, -1):
        found[_has(models, KINDS[number]) | _library(models, KINDS[number])] = number
    found[_tagged(models, lambda tag: tag.startswith("base_model:adapter:"))] |= ADAPTER
    return found


def _bits(tasks: list[str]) -> Array:
    return np.array(
        [sum(1 << ABILITY_NAMES.index(one) for one in TASK_ABILITIES.get(task, ())) for task in tasks], np.uint8
    )


def _library(models: Models, name: str) -> Array:
    values = models.coders["library"].values
    return np.asarray(models.codes["library"] == (values.index(name) if name in values else -1))


def _has(models: Models, name: str) -> Array:
    return _tagged(models, lambda tag: tag == name)


def _tagged(models: Models, wanted: Callable[[str], bool]) -> Array:
    """Which models have such a tag."""
    meant = np.array([wanted(tag) for tag in models.coders["tags"].values], bool)
    tags, mask = models.lists["tags"], np.zeros(len(models), bool)
    if meant.any():
        places = np.flatnonzero(meant[tags.codes])
        mask[np.searchsorted(tags.ends, places, side="right") - 1] = True
    return mask
