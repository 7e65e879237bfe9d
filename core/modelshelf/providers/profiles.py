"""Named ways to ask: provider, model, parameters and system prompt, with others to fall back on."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Unpack

from modelshelf.access import AccessService, Role, require
from modelshelf.errors import ModelshelfError, NotFound, ProviderError, Unreachable, UsageError
from modelshelf.events import EventBus, ProfileChanged
from modelshelf.providers import asking, profile_rows, profile_text
from modelshelf.providers.health import HealthMonitor
from modelshelf.providers.profile_checks import clean_model, clean_name, cleaned, same
from modelshelf.providers.profile_judge import Standing, judge, traits_of
from modelshelf.providers.profile_rows import Imported, Kept
from modelshelf.providers.profile_spec import Cause, Limits, Profile, ProfileState, ProfileStatus
from modelshelf.providers.registry import ProviderRegistry
from modelshelf.providers.rows import BUILTIN
from modelshelf.providers.spec import ChatChunk, ChatMessage, ChatReply, ChatRequest, ProviderConfig
from modelshelf.store import Store

MARK = "@"  # `@coding` is a profile where `provider/model` is a model


class ProfileManager:
    """The profiles of a home. Everybody may read and use them; to change them needs an operator."""

    def __init__(
        self, store: Store, events: EventBus, access: AccessService, providers: ProviderRegistry, health: HealthMonitor
    ) -> None:
        self.access = access
        self._store = store
        self._events = events
        self._providers = providers
        self._health = health

    async def list(self) -> tuple[Profile, ...]:
        """All profiles in the order in which they were made."""
        return tuple(kept.profile for kept in await self._store.read(profile_rows.every))

    async def get(self, name: str) -> Profile:
        """The profile of this name, in small or capital letters.

        Raises:
            NotFound.
        """
        return (await self._kept(name)).profile

    async def find(self, name: str) -> Profile:
        """What `@name` means: the profile of this name, else the default one of the purpose of this name.

        Raises:
            NotFound.
        """
        known, wanted = await self.list(), name.removeprefix(MARK)
        for profile in known:
            if same(profile.name, wanted):
                return profile
        for profile in known:
            if profile.default and same(profile.purpose, wanted):
                return profile
        raise profile_rows.unknown(wanted, known)

    async def default(self, purpose: str) -> Profile:
        """The default profile of a purpose.

        Raises:
            NotFound: no profile has that purpose.
        """
        for profile in await self.list():
            if profile.default and same(profile.purpose, purpose):
                return profile
        raise NotFound(f"No profile is for “{purpose}”.", remedy="Make one with that purpose.")

    @require(Role.OPERATOR, "profile.save")
    async def save(self, profile: Profile, *, new: bool = False) -> Profile:
        """Create a profile, or change the one of its name; `new` refuses to change one.

        The first of a purpose is its default, and there is always one: to make another the default, save that one as
        the default. The model need not be served at the moment: `check` tells.

        Raises:
            UsageError: something in it is not allowed, or its name is taken; `facts["field"]` names it.
        """
        good = cleaned(profile)
        traits = traits_of(good.model, await self._standings())
        return await self._told(await self._store.write(profile_rows.put, Kept(good, traits), new))

    @require(Role.OPERATOR, "profile.remove")
    async def remove(self, name: str) -> None:
        """Remove a profile; if it was the default of its purpose, the next one becomes that.

        Raises:
            NotFound.
        """
        self._tell(await self._store.write(profile_rows.drop, name))

    @require(Role.OPERATOR, "profile.rename")
    async def rename(self, name: str, to: str) -> Profile:
        """Give a profile another name.

        Raises:
            NotFound: there is no such profile.
            UsageError: the new name is taken or not allowed.
        """
        return await self._told(await self._store.write(profile_rows.rename, name, clean_name(to)))

    @require(Role.OPERATOR, "profile.default")
    async def set_default(self, name: str) -> Profile:
        """Make a profile the default of its purpose.

        Raises:
            NotFound.
        """
        return await self._told(await self._store.write(profile_rows.make_default, name))

    async def export(self) -> str:
        """All profiles as TOML. A profile holds no secrets: those belong to providers."""
        return profile_text.dump(await self.list())

    @require(Role.OPERATOR, "profile.import")
    async def import_(self, text: str, replace: bool = False) -> Imported:
        """Add the profiles of an export, all of them or none. Those that are here and differ are changed only if
        `replace` says so; those that the text does not name stay.

        Raises:
            UsageError: the text or something in it makes no sense; nothing was changed.
        """
        found, here = profile_text.parse(text), await self._standings()
        kept = [Kept(profile, traits_of(profile.model, here)) for profile in found]
        report = await self._store.write(profile_rows.merge, kept, replace)
        for name in (*report.added, *report.changed):
            self._tell(name)
        return report

    async def check(self, name: str) -> ProfileState:
        """Whether a profile can answer now, by what, and what could stand in for a model that is gone.

        Raises:
            NotFound.
        """
        kept = await self._kept(name)
        return (await self._judged([kept], await self._standings()))[0]

    async def states(self) -> tuple[ProfileState, ...]:
        """As `check`, for all of them, in the order of `list`."""
        kept = await self._store.read(profile_rows.every)
        return await self._judged(kept, await self._standings()) if kept else ()

    @require(Role.OPERATOR, "profile.mend")
    async def use_nearest(self, name: str, model: str = "") -> Profile:
        """Put the nearest model, or another one that is named, in the place of the profile's own.

        Raises:
            NotFound: there is no such profile, or nothing that could stand in.
            UsageError: nothing is wrong with its model.
        """
        kept, here = await self._kept(name), await self._standings()
        (state,) = await self._judged([kept], here)
        if not state.cause and not model:
            raise UsageError(f"The model of “{state.name}” is well.", remedy="Name the model to use instead.")
        if not model and not state.nearest:
            raise NotFound(
                f"No provider offers anything that could stand in for the model of “{state.name}”.",
                remedy="Download a model, or add a provider; then choose one.",
            )
        chosen = clean_model(model, "model") if model else state.nearest[0]
        mended = cleaned(replace(kept.profile, model=chosen))
        return await self._told(await self._store.write(profile_rows.put, Kept(mended, traits_of(chosen, here)), False))

    async def resolve(self, name: str, messages: Sequence[ChatMessage] = ()) -> tuple[str, ChatRequest]:
        """The model that `@name` means now, fallbacks considered, and the question as the profile asks it.

        Raises:
            NotFound: there is no such profile, or its models are gone.
            Unreachable, ProviderError: their providers do not answer, or are switched off.
        """
        profile = await self.find(name)
        state = await self.check(profile.name)
        if state.status is ProfileStatus.BROKEN:
            raise _broken(state)
        return state.uses, profile.request(messages)

    async def chat(self, name: str, prompt: str | Sequence[ChatMessage], **limits: Unpack[Limits]) -> ChatReply:
        """Ask the profile that `@name` means and wait for the whole answer, which names the model that gave it.

        Raises:
            UsageError, NotFound, Unreachable, ProviderError.
        """
        return await asking.whole(self.chat_stream(name, prompt, **limits))

    async def chat_stream(
        self, name: str, prompt: str | Sequence[ChatMessage], **limits: Unpack[Limits]
    ) -> AsyncGenerator[ChatChunk, None]:
        """As `chat`, piece by piece. Fallbacks are asked only as long as nothing was said."""
        profile = await self.find(name)
        messages = (ChatMessage("user", prompt),) if isinstance(prompt, str) else tuple(prompt)
        request = replace(profile.request(messages), **limits)
        async with aclosing(asking.stream(self._providers, profile.candidates, request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _kept(self, name: str) -> Kept:
        known = await self._store.read(profile_rows.every)
        found = next((kept for kept in known if same(kept.profile.name, name)), None)
        if found is None:
            raise profile_rows.unknown(name, [kept.profile for kept in known])
        return found

    async def _standings(self) -> Mapping[str, Standing]:
        """Every provider by its id. Who was looked at lately is not asked again: one that hangs holds nobody up."""
        configs = await self._providers.list()
        if self._health.latest:
            await self._health.refresh()
        found = await asyncio.gather(*(self._standing(config) for config in configs))
        return {config.id: standing for config, standing in zip(configs, found, strict=True)}

    async def _standing(self, config: ProviderConfig) -> Standing:
        look, listed = self._health.latest.get(config.id), self._health.listed.get(config.id)
        if not config.enabled:
            return Standing.of(config, listed.models if listed else (), None)
        if look is not None and listed is not None and config.id != BUILTIN.id:
            return Standing.remembered(config, listed, look)
        try:
            return Standing.of(config, await self._providers.models(config.id), None)
        except ModelshelfError as error:
            return Standing.of(config, (), error)

    async def _judged(self, kept: Sequence[Kept], here: Mapping[str, Standing]) -> tuple[ProfileState, ...]:
        today = datetime.now(UTC).date()
        # Off the loop: to find what is nearest among thousands of models takes a while.
        return await asyncio.to_thread(lambda: tuple(judge(item, here, today) for item in kept))

    async def _told(self, profile: Profile) -> Profile:
        self._tell(profile.name)
        return profile

    def _tell(self, name: str) -> None:
        self._events.publish(ProfileChanged(profile=name))


def _broken(state: ProfileState) -> ModelshelfError:
    remedy = f"Use {state.nearest[0]} instead." if state.nearest else "Choose another model for the profile."
    kind: type[ModelshelfError] = {Cause.DOWN: Unreachable, Cause.OFF: ProviderError}.get(state.cause, NotFound)
    return kind(f"The profile “{state.name}” cannot answer. {state.problem}", remedy=remedy)
