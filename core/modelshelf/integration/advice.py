"""What could be better here, reckoned from the person's own shelf: quantisations, idle models, faster providers."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelshelf.errors import ModelshelfError
from modelshelf.integration.steps import Advice
from modelshelf.providers.spec import Ability, ServedModel

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService
    from modelshelf.compat import CompatibilityService
    from modelshelf.compat.types import RankedFile
    from modelshelf.library import ModelLibrary
    from modelshelf.library.types import InstalledModel
    from modelshelf.providers import ProviderRegistry
    from modelshelf.providers.profile_spec import Profile
    from modelshelf.providers.profiles import ProfileManager

BETTER_QUANTISATION = "BETTER_QUANTISATION"
IDLE_MODEL = "IDLE_MODEL"
FASTER_PROVIDER = "FASTER_PROVIDER"

LOOKED_AT = 8  # installed models; each may ask its source for its files
POINTS = 5  # of the score that another quantisation must bring
FASTER = 1.25
IDLE = timedelta(minutes=30)
SECONDS = 5.0


class Adviser:
    """Looks for what could be better. What cannot be looked up in a few seconds is left out."""

    def __init__(
        self,
        catalog: "CatalogService",
        library: "ModelLibrary",
        providers: "ProviderRegistry",
        profiles: "ProfileManager",
        compatibility: "CompatibilityService",
    ) -> None:
        self._catalog, self._library, self._providers = catalog, library, providers
        self._profiles, self._compatibility = profiles, compatibility

    async def advise(self, *, seconds: float = SECONDS) -> tuple[Advice, ...]:
        """Everything that is worth doing, in the order quantisations, idle models, faster providers."""
        served = [model for offer in await self._providers.offers() for model in offer.models]
        found = await asyncio.gather(
            self._in_time(self._quantisations(seconds), seconds),
            self._in_time(self._idle(served), seconds),
            self._in_time(self._faster(served), seconds),
        )
        return tuple(advice for part in found for advice in part)

    async def _in_time(self, work: Any, seconds: float) -> list[Advice]:
        try:
            async with asyncio.timeout(2 * seconds):
                found: list[Advice] = await work
                return found
        except (TimeoutError, ModelshelfError):
            return []

    async def _quantisations(self, seconds: float) -> list[Advice]:
        models = [model for model in await self._library.models() if model.complete and model.source]
        found = await asyncio.gather(*(self._quantisation(model, seconds) for model in models[:LOOKED_AT]))
        return [advice for advice in found if advice is not None]

    async def _quantisation(self, model: "InstalledModel", seconds: float) -> Advice | None:
        try:
            async with asyncio.timeout(seconds):
                detail = await self._catalog.detail(f"{model.source}:{model.repo}@{model.commit}")
                ranked = await self._compatibility.rank(detail)
        except (TimeoutError, ModelshelfError):
            return None  # its source does not answer now
        return better_quantisation(model.repo, {file.path for file in model.files}, ranked)

    async def _idle(self, served: Sequence[ServedModel]) -> list[Advice]:
        found = []
        for model in served:
            if not model.loaded:
                continue
            provider = await self._providers.get(model.provider)
            used = await self._compatibility.last_used(model.id)
            if Ability.UNLOAD in provider.abilities and (advice := idle_model(model, used, datetime.now(UTC))):
                found.append(advice)
        return found

    async def _faster(self, served: Sequence[ServedModel]) -> list[Advice]:
        found = []
        for profile in await self._profiles.list():
            mine = next((model for model in served if model.id == profile.model), None)
            rate = await self._rate(mine) if mine else None
            if mine is None or rate is None:
                continue
            others = [model for model in served if model.provider != mine.provider and alike(mine, model)]
            rates = [(await self._rate(other), other) for other in others]
            if advice := faster_provider(profile, rate, [(r, other) for r, other in rates if r is not None]):
                found.append(advice)
        return found

    async def _rate(self, model: ServedModel) -> float | None:
        """Tokens per second in the middle of what was measured here; None where nothing was."""
        try:
            answer = await self._compatibility.check_model_compatibility(model.id, model.provider)
        except ModelshelfError:
            return None
        return sum(answer.speed) / 2 if answer.measured and answer.speed else None


def better_quantisation(repo: str, installed: set[str], ranked: "Sequence[RankedFile]") -> Advice | None:
    """Another file of the same repository that does clearly better here than the best one that is installed."""
    scored = [(one.compatibility.score or 0, one) for one in ranked]
    mine = [(score, one) for score, one in scored if installed.issuperset(one.files)]
    if not mine:
        return None
    have, own = max(mine, key=lambda pair: pair[0])
    best, other = max(scored, key=lambda pair: pair[0])
    if best < have + POINTS:
        return None
    detail = f"{repo}: {other.quantisation or other.files[0]} scores {best} on this machine, the installed "
    return Advice(
        BETTER_QUANTISATION,
        f"{detail}{own.quantisation or own.files[0]} only {have}.",
        f"Download {other.files[0]} of {repo}.",
        {"repo": repo, "file": other.files[0], "size": other.size, "score": best, "now": have},
    )


def idle_model(model: ServedModel, used: datetime | None, moment: datetime) -> Advice | None:
    """A model that is in memory and that nobody asked for a while."""
    if used is not None and moment - used < IDLE:
        return None
    since = "as long as was looked" if used is None else f"{(moment - used).total_seconds() / 60:,.0f} minutes"
    held = model.memory or model.size
    size = f"{held / 2**30:.1f} GiB" if held else "its memory"
    return Advice(
        IDLE_MODEL,
        f"{model.id} is in memory and was not asked here for {since}.",
        f"Unload it: that frees {size}.",
        {"model": model.id, "bytes": held or 0},
    )


def alike(mine: ServedModel, other: ServedModel) -> bool:
    """Whether two providers offer the same model: from one repository, or by one name and of one size."""
    if mine.repo and other.repo:
        return mine.repo.lower() == other.repo.lower()
    same = mine.name.lower() == other.name.lower()
    sized = mine.size is not None and other.size is not None and abs(mine.size - other.size) <= mine.size / 50
    return same and ("/" in mine.name or sized)


def faster_provider(profile: "Profile", rate: float, others: Sequence[tuple[float, ServedModel]]) -> Advice | None:
    """The provider at which a profile's model was measured to answer clearly faster."""
    best, model = max(others, key=lambda pair: pair[0], default=(0.0, None))
    if model is None or best < rate * FASTER:
        return None
    return Advice(
        FASTER_PROVIDER,
        f"The profile {profile.name} asks {profile.model}, which wrote {rate:.0f} tokens/s here; "
        f"{model.id} wrote {best:.0f}.",
        f"Let the profile ask {model.id}.",
        {"profile": profile.name, "model": model.id, "rate": round(best, 1), "now": round(rate, 1)},
    )
