"""What could stand in for a model that is gone: the same one elsewhere, its repository, its family, its likes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelshelf.providers.spec import ServedModel

MOST = 5
SAME_ARCHITECTURE = 15.0  # as many points of likeness

_QUANTISATION = re.compile(
    r"[-_.:](?:i?q\d(?:_[a-z0-9]+)*|b?f(?:p)?(?:4|8|16|32)|int[48]|[48]-?bit|awq|gptq|gguf|mlx|exl2|nvfp4|mxfp4)(?=$|[-_.:])"
)
_WORDS = {"completion": "chat", "embedding": "embed", "embeddings": "embed", "thinking": "reasoning"}
_NEEDS = {"embedding": "embed", "vision": "vision", "reasoning": "reasoning"}
_OTHER = frozenset({"embed", "rerank", "image", "audio"})
_NO_CHAT = re.compile(r"embed|rerank|whisper|tts|dall-e|moderation|transcri")


@dataclass(frozen=True, slots=True)
class Traits:
    """What is remembered of a model, for the day when nobody lists it any more."""

    repo: str = ""
    architecture: str = ""
    abilities: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: ServedModel) -> "Traits":
        """The traits of a model that is listed."""
        return cls(model.repo or "", model.architecture or "", tuple(sorted(words(model))))

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> "Traits":
        """Read what `as_dict` wrote."""
        return cls(found.get("repo", ""), found.get("architecture", ""), tuple(found.get("abilities", ())))

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"repo": self.repo, "architecture": self.architecture, "abilities": list(self.abilities)}


NOTHING = Traits()


def nearest(
    model: str, purpose: str, traits: Traits, served: Sequence[ServedModel], most: int = MOST
) -> tuple[str, ...]:
    """The ids of the models most like `provider/name` that can do what the purpose asks, the best first."""
    lost = model.partition("/")[2]
    able = [item for item in served if item.id != model and not item.deprecated and _can(item, purpose)]
    ranked = sorted(able, key=lambda item: _distance(lost, purpose, traits, item))  # stable: providers keep their order
    return tuple(item.id for item in ranked[:most])


def words(model: ServedModel) -> frozenset[str]:
    """What a model can do, in our words; empty where its provider does not say."""
    return frozenset(_WORDS.get(word.lower(), word.lower()) for word in model.abilities)


def family(name: str) -> str:
    """A served name without publisher, quantisation and file ending: `org/Qwen2.5:7b-q4_K_M` is `qwen2.5-7b`."""
    found = _QUANTISATION.sub("", plain(name))
    return re.sub(r"[-_:\s]+", "-", found).strip("-.")


def plain(name: str) -> str:
    """A served name without publisher and without what says nothing, to be compared."""
    return name.casefold().rpartition("/")[2].removesuffix(":latest").removesuffix(".gguf")


def _distance(lost: str, purpose: str, traits: Traits, item: ServedModel) -> tuple[int, int, float]:
    """Less is nearer: by kind of kinship first, then by what it lacks, then by likeness."""
    if plain(item.name) == plain(lost):
        kin = 0
    elif traits.repo and item.repo == traits.repo:
        kin = 1
    elif family(item.name) == family(lost):
        kin = 2
    else:
        kin = 3
    from rapidfuzz import fuzz  # slow to load; only a model that is gone needs it

    like = fuzz.token_sort_ratio(family(lost).replace("-", " "), family(item.name).replace("-", " "))
    if traits.architecture and item.architecture == traits.architecture:
        like += SAME_ARCHITECTURE
    return kin, _lacks(purpose, traits, item), -like


def _lacks(purpose: str, traits: Traits, item: ServedModel) -> int:
    """How much it cannot do that is wanted; where its provider does not say, it counts as able."""
    can = words(item)
    wanted = set(traits.abilities) | {_NEEDS.get(purpose, "chat")}
    return len(wanted - can) if can else 0


def _can(item: ServedModel, purpose: str) -> bool:
    can, name = words(item), plain(item.name)
    # A provider that says little calls everything chat: then the name tells more.
    if purpose == "embedding":
        return "embed" in can or "embed" in name
    return not _NO_CHAT.search(name) and ("chat" in can or not can & _OTHER)
