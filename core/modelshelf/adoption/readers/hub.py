"""The Hub's cache of this account, where the library has another one: transformers, vLLM and llama.cpp use it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from modelshelf.adoption.around import Around
from modelshelf.adoption.grouping import stored
from modelshelf.adoption.looking import Look
from modelshelf.adoption.readers.llamacpp import recognised
from modelshelf.adoption.types import StoredModel
from modelshelf.config import hub_cache
from modelshelf.library.cache import repositories


class HubStore:
    """HF_HUB_CACHE, HF_HOME, or the default."""

    name = "hub"
    label = "Hub cache"

    def places(self, around: Around) -> Sequence[Path]:
        """One, unless it is the library itself."""
        environ = {name: value for name, value in around.environ.items() if not value.startswith("~")}
        named = any(environ.get(name) for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME"))
        place = hub_cache(environ) if named else around.caches / "huggingface" / "hub"
        return [] if place == around.cache else [place]

    def read(self, look: Look) -> Iterable[StoredModel]:
        """The newest commit of each repository that a name leads to, else any."""
        return in_cache(look, self.name, look.root)


def in_cache(look: Look, store: str, cache: Path) -> Iterable[StoredModel]:
    """The models of a cache that is laid out as the Hub's."""
    if not repositories(cache):
        return
    seen: set[str] = set()
    for found in sorted(recognised(look, cache), key=lambda model: (model.repo.lower(), "main" not in model.refs)):
        name = found.repo if found.repo not in seen else f"{found.repo}@{found.commit[:8]}"
        seen.add(found.repo)
        yield from stored(look, store, found, name)
