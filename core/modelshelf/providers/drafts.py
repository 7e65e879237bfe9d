"""A provider as a person is about to add or change it: tried before anything is saved."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from modelshelf.errors import ModelshelfError, NotFound, ProviderError
from modelshelf.providers.boundary import contained
from modelshelf.providers.kinds import Kinds
from modelshelf.providers.making import Maker
from modelshelf.providers.spec import ProviderConfig, ProviderContext
from modelshelf.providers.validation import APIValidation, Outcome, Validation
from modelshelf.vault import Secret

if TYPE_CHECKING:
    from modelshelf.providers.registry import ProviderRegistry


@dataclass(frozen=True, slots=True)
class Draft:
    """What was filled in. `provider` is the id it shall have, or, with `existing`, the id of the one to change.

    The key is given, or named as an environment variable, or neither: then the one it has, or its kind's usual one.
    `settings` None leaves those of an existing provider as they are.
    """

    kind: str
    url: str = ""
    name: str = ""
    provider: str = ""
    settings: Mapping[str, Any] | None = None
    key: Secret | None = None
    key_env: str = ""
    existing: bool = False


@dataclass(frozen=True, slots=True)
class Saved:
    """The provider, and what its test said; None where a person insisted on saving it without one."""

    provider: ProviderConfig
    validation: Validation | None = field(default=None)


class NotValidated(ProviderError):
    """The provider did not pass its test and was not saved; `validation` says why."""

    status = 422

    def __init__(self, validation: Validation) -> None:
        super().__init__(
            f"Not saved: {validation.message}",
            remedy=f"{validation.remedy} To save it all the same, insist on it.".strip(),
            outcome=validation.outcome.value,
        )
        self.validation = validation


class Drafts:
    """Tries and saves drafts."""

    def __init__(self, registry: "ProviderRegistry", kinds: Kinds, maker: Maker, context: ProviderContext) -> None:
        self._registry = registry
        self._kinds = kinds
        self._maker = maker
        self._context = context
        self._validation = APIValidation()

    async def try_out(self, draft: Draft, *, ping: bool = False, model: str = "") -> Validation:
        """Test a provider as it is filled in, without saving anything. `ping` asks a model for one token.

        Raises:
            UsageError, UnsafeAddress, NotFound: what is filled in makes no sense.
        """
        config = await self._config(draft)
        context = replace(self._context, key=lambda config, model: self._key(draft, config, model), changed=_nobody)
        with contained(config):
            made = self._kinds.get(config.kind)(config, context)
            async with aclosing(made):
                return await self._validation.check(made, ping=ping, model=model)

    async def test(self, provider: str, *, ping: bool = False, model: str = "") -> Validation:
        """Test a saved provider and its key.

        Raises:
            NotFound, ProviderError: there is none, or it is switched off.
        """
        adapter = await self._registry.get(provider)
        with contained(adapter.config):
            return await self._validation.check(adapter, ping=ping, model=model)

    async def save(self, draft: Draft, *, insist: bool = False, ping: bool = False) -> Saved:
        """Add or change a provider after its test; `insist` saves it without one.

        Raises:
            NotValidated: it did not pass; nothing was changed.
            UsageError, UnsafeAddress, NotFound, RoleRequired.
        """
        seen = None if insist else await self.try_out(draft, ping=ping)
        if seen is not None and not (seen.good or seen.outcome is Outcome.UNPROVEN):
            raise NotValidated(seen)
        config = await self._config(draft)
        with contained(config):
            # What can never be spoken to is not saved, however much a person insists.
            await self._kinds.get(config.kind)(config, self._context).aclose()
        return Saved(await (self._change(draft, config) if draft.existing else self._add(draft, config)), seen)

    async def _add(self, draft: Draft, config: ProviderConfig) -> ProviderConfig:
        """Save it together with its key: without, it would be looked at and found to refuse us."""
        keys, row = self._registry.keys, None
        if draft.key is not None or draft.key_env:
            row = await keys.prepare(config, secret=draft.key, env=draft.key_env)
        try:
            return await self._registry.add(
                config.kind, url=config.url, provider=config.id, name=config.name, settings=config.settings, key=row
            )
        except ModelshelfError:
            if row is not None:
                await keys.abandon(row)
            raise

    async def _change(self, draft: Draft, config: ProviderConfig) -> ProviderConfig:
        if draft.key is not None or draft.key_env:
            await self._registry.keys.add(config, secret=draft.key, env=draft.key_env)
        return await self._registry.change(config.id, name=config.name, url=config.url, settings=draft.settings)

    async def _config(self, draft: Draft) -> ProviderConfig:
        known = {item.id: item for item in await self._registry.list()}
        found = known.get(draft.provider)
        if not draft.existing:
            return self._maker.make(
                draft.kind,
                url=draft.url,
                provider=draft.provider,
                name=draft.name,
                settings=draft.settings,
                taken=known,
            )
        if found is None:
            raise NotFound(f"There is no provider “{draft.provider}”.", remedy=f"Known: {', '.join(known)}.")
        settings = found.settings if draft.settings is None else draft.settings
        return self._maker.make(
            found.kind,
            url=draft.url or found.url,
            provider=found.id,
            name=draft.name or found.name,
            settings=settings,
        )

    async def _key(self, draft: Draft, config: ProviderConfig, model: str) -> Secret | None:
        if draft.key is not None:
            return draft.key
        if draft.key_env:
            return self._registry.keys.named(draft.key_env)
        return await self._registry.key(config, model)


def _nobody(_provider: str) -> None:
    """What happens to a provider that is only tried concerns nobody."""
