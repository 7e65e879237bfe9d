"""How a profile is, given what the providers offer at the moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from modelshelf.errors import ModelshelfError, Unsupported
from modelshelf.ids import split_served
from modelshelf.providers.nearest import NOTHING, Traits, nearest
from modelshelf.providers.offers import Listed
from modelshelf.providers.profile_rows import Kept
from modelshelf.providers.profile_spec import Cause, ProfileState, ProfileStatus
from modelshelf.providers.spec import Ability, Health, HealthStatus, ProviderConfig, ServedModel

SOON = timedelta(days=90)  # before a retirement, from when on it is said


@dataclass(frozen=True, slots=True)
class Standing:
    """A provider as profiles see it. `problem` says why it cannot be used; `lists` False: its models are not known."""

    name: str
    enabled: bool = True
    models: Mapping[str, ServedModel] = field(default_factory=dict)
    problem: str = ""
    lists: bool = True

    @classmethod
    def of(cls, config: ProviderConfig, models: Sequence[ServedModel], error: ModelshelfError | None) -> "Standing":
        """As it answers now."""
        lists = not isinstance(error, Unsupported)
        problem = error.message if error and lists else ""
        return cls(config.name, config.enabled, _named(models), problem, lists)

    @classmethod
    def remembered(cls, config: ProviderConfig, listed: Listed, look: Health) -> "Standing":
        """As the last look at it saw it."""
        lists = not listed.abilities or Ability.LIST in listed.abilities
        problem = listed.error if lists else ""
        if look.status in {HealthStatus.DOWN, HealthStatus.REFUSED}:
            problem = look.detail or f"{config.name} does not answer."
        return cls(config.name, config.enabled, _named(listed.models), problem, lists)

    def find(self, name: str) -> ServedModel | None:
        """The model of this name; what Ollama lists as `name:latest` answers to `name` too."""
        return self.models.get(name) or self.models.get(f"{name}:latest")


@dataclass(frozen=True, slots=True)
class _Trouble:
    cause: Cause = Cause.NONE
    text: str = ""

    @property
    def stops(self) -> bool:
        return self.cause not in {Cause.NONE, Cause.DEPRECATED}


def judge(kept: Kept, providers: Mapping[str, Standing], today: date) -> ProfileState:
    """Whether a profile can answer, by what, what is the matter with its model and what could stand in."""
    profile = kept.profile
    trouble = _look(profile.model, providers, today)
    able = [item for item in profile.candidates if not _look(item, providers, today).stops]
    status = ProfileStatus.BROKEN if not able else ProfileStatus.OK
    if able and able[0] != profile.model:
        status = ProfileStatus.FALLBACK
    near: tuple[str, ...] = ()
    if trouble.cause:
        served = [model for item in providers.values() for model in _usable(item, today)]
        near = nearest(profile.model, profile.purpose, _traits(kept, providers), served)
    return ProfileState(profile.name, status, able[0] if able else "", trouble.text, near, trouble.cause)


def traits_of(model: str, providers: Mapping[str, Standing]) -> Traits:
    """What is to be remembered of a model; nothing if nobody lists it."""
    provider, name = split_served(model)
    listed = providers.get(provider)
    found = listed.find(name) if listed else None
    return Traits.of(found) if found else NOTHING


def _named(models: Sequence[ServedModel]) -> Mapping[str, ServedModel]:
    return {model.name: model for model in models}


def _look(model: str, providers: Mapping[str, Standing], today: date) -> _Trouble:
    provider, name = split_served(model)
    listed = providers.get(provider)
    if listed is None:
        return _Trouble(Cause.REMOVED, f"Its model {model} is gone: there is no provider “{provider}” any more.")
    if not listed.enabled:
        return _Trouble(Cause.OFF, f"Its model {model} is out of reach: {listed.name} is switched off.")
    if listed.problem:
        return _Trouble(Cause.DOWN, f"Its model {model} is out of reach: {listed.problem}")
    if not listed.lists:
        return _Trouble()
    found = listed.find(name)
    if found is None:
        return _Trouble(Cause.MISSING, f"Its model {model} is gone: {listed.name} no longer offers it.")
    return _age(found, listed.name, today)


def _age(model: ServedModel, provider: str, today: date) -> _Trouble:
    if model.retires and model.retires < today:
        return _Trouble(Cause.RETIRED, f"Its model {model.id} is gone: {provider} retired it on {_day(model.retires)}.")
    until = f"serves it until {_day(model.retires)}" if model.retires else ""
    if model.deprecated:
        told = f"advises against it{' and ' if until else ''}{until}"
        return _Trouble(Cause.DEPRECATED, f"Its model {model.id} still answers, but {provider} {told}.")
    if model.retires and model.retires - today < SOON:
        return _Trouble(Cause.DEPRECATED, f"Its model {model.id} still answers, but {provider} {until}.")
    return _Trouble()


def _usable(item: Standing, today: date) -> Sequence[ServedModel]:
    if not item.enabled or item.problem or not item.models:
        return ()
    return [model for model in item.models.values() if not (model.retires and model.retires < today)]


def _traits(kept: Kept, providers: Mapping[str, Standing]) -> Traits:
    """As its provider lists it, be that out of reach; else what was remembered."""
    listed = traits_of(kept.profile.model, providers)
    return listed if listed != NOTHING else kept.traits


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
