"""Does what a fix says."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from modelshelf.compat.fit import BUILTIN
from modelshelf.compat.places import Places
from modelshelf.compat.types import Compatibility
from modelshelf.errors import UsageError
from modelshelf.providers.spec import LoadSettings

if TYPE_CHECKING:
    from modelshelf.providers import ProviderRegistry

_LOADING = frozenset({"context", "kv", "slots", "gpu_layers", "flash_attention"})
_DEFAULTS = frozenset({"context", "kv", "slots"})  # what the built-in engine has one setting of for all models


async def apply(
    configure: Callable[[str, Any], Awaitable[None]],
    providers: "ProviderRegistry",
    places: Places,
    answer: Compatibility,
    changes: Mapping[str, Any],
) -> str:
    """Change how a model is loaded, or unload another one; what was done, in a sentence.

    A model that its provider does not have yet cannot have settings of its own: then the built-in engine loads every
    model so.

    Raises:
        UsageError: the change is none of these.
        ProviderError, Unsupported, AccessError: it cannot be done.
    """
    if (loaded := changes.get("unload")) is not None:
        await providers.unload(str(loaded))
        return f"{loaded} is unloaded."
    if odd := changes.keys() - _LOADING:
        raise UsageError(f"A change of {', '.join(sorted(odd))} is not a setting.", remedy="Choose that yourself.")
    await places.refresh()
    place = places.config(answer.provider)
    if offered := places.name_of(answer.provider, answer.model):
        kept = await providers.load_settings(answer.provider, offered)
        await providers.set_load_settings(f"{answer.provider}/{offered}", LoadSettings(**changes).over(kept))
        return f"{place.name} loads {offered} so from now on."
    if answer.provider != BUILTIN or not _DEFAULTS.issuperset(changes):
        raise UsageError(
            f"{place.name} does not have {answer.model} yet.", remedy="Download it first; then it can be set up."
        )
    for name, value in sorted(changes.items()):
        await configure(f"engine.{name}", value)
    return "The built-in engine loads every model so from now on."
