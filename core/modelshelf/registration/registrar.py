"""Gives models to providers and takes them back, and writes down how that went."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from modelshelf.access import AccessService, Role, current, require
from modelshelf.downloads.jobs import identity
from modelshelf.errors import ModelshelfError, NotFound, StoreError, Unreachable, UsageError
from modelshelf.events import EventBus, RegistrationChanged
from modelshelf.hooks import Hooks
from modelshelf.hooks.spec import AFTER_REGISTRATION, BEFORE_REGISTRATION
from modelshelf.ids import ModelId
from modelshelf.library.types import InstalledModel
from modelshelf.providers.rows import BUILTIN
from modelshelf.providers.taking import Goods
from modelshelf.registration import rows
from modelshelf.registration.goods import unfit
from modelshelf.registration.planning import Planner
from modelshelf.registration.types import Made, Offer, Plan, Registration, Status
from modelshelf.registration.work import Hands
from modelshelf.store import Store

if TYPE_CHECKING:
    from modelshelf.compat import CompatibilityService
    from modelshelf.library import ModelLibrary
    from modelshelf.metadata import MetadataService
    from modelshelf.providers import ProviderRegistry

log = logging.getLogger(__name__)

LEASE_SECONDS = 45.0
UNDO, REGISTER = "undo", "register"


class Registrar:
    """Gives models of the library to providers, by the cheapest way that each offers, and takes them back.

    Everybody may look; to register and to undo needs an operator. What is done by itself is done by the process that
    downloaded the model, or by the one that leads.
    """

    def __init__(
        self,
        store: Store,
        events: EventBus,
        access: AccessService,
        library: "ModelLibrary",
        metadata: "MetadataService",
        providers: "ProviderRegistry",
        compatibility: "CompatibilityService",
        hooks: Hooks | None = None,
    ) -> None:
        self.access = access
        self._hooks = hooks or Hooks()
        self.planner = Planner(library, metadata, providers, compatibility)
        self.hands = Hands(providers)
        self._store, self._events, self._library = store, events, library
        self._me = identity()
        self._settling = asyncio.Lock()

    async def list(self, model: str = "", provider: str = "") -> tuple[Registration, ...]:
        """The registrations, the oldest first; of one model or provider if named.

        Raises:
            NotFound: the model is neither installed nor registered.
        """
        repo = await self._repo(model) if model else ""
        return tuple(await self._store.read(rows.every, repo, provider))

    async def get(self, registration: str) -> Registration:
        """One by its id.

        Raises:
            NotFound: there is none.
        """
        return await self._store.read(rows.get, registration)

    async def plan(self, model: str | InstalledModel, provider: str = "") -> Plan:
        """What giving a model to every provider that takes files, or to one, would mean; nothing is changed.

        Raises:
            NotFound: the model is not installed, or there is no such provider.
            ProviderError: the provider is switched off.
        """
        installed = await self._library.get(model)
        return await self._plan(installed, provider, await self._file_of(model))

    @require(Role.OPERATOR, "registration.make")
    async def register(self, model: str | InstalledModel, provider: str = "") -> tuple[Registration, ...]:
        """Give a model to a provider, whatever that copies; without one, to all that are given it by themselves.

        One that is down is given it when it is well again. What could not be done says why in its registration.

        Raises:
            NotFound: the model is not installed, or there is no such provider.
            UsageError: it did not pass the scan, or the provider does not take it.
            ProviderError: the provider is switched off.
        """
        plan = await self.plan(model, provider)
        if not provider:
            return await self._all([offer for offer in plan.offers if offer.automatic])
        if not plan.offers:
            raise UsageError(f"{provider} takes no files of this machine.", remedy="Choose an engine on this machine.")
        for offer in plan.offers:
            if not offer.possible:
                raise UsageError(offer.taking.refused, remedy=offer.taking.remedy or "Choose another provider.")
        await self._check_fit(await self._library.get(model))
        return await self._all(plan.offers, automatic=False)

    @require(Role.OPERATOR, "registration.undo")
    async def undo(self, registration: str) -> Registration:
        """Have a provider forget a model; what it had before us, and the library's files, stay.

        Raises:
            NotFound: there is no such registration.
            UsageError: the built-in engine serves whatever the library holds.
        """
        item = await self.get(registration)
        if item.provider == BUILTIN.id:
            raise UsageError(
                "The built-in engine serves every model of the library in GGUF.",
                remedy="Remove the model from the library, or switch the engine off.",
            )
        return await self.take_back(item)

    async def landed(self, repo: str, commit: str) -> tuple[Registration, ...]:
        """A model came into the library: give it to whoever is given models by itself; who has it now.

        Fails for no provider's sake.
        """
        try:
            model = await self._library.find(f"{repo}@{commit}")
            if model is None:
                return ()
            await self.settle(model)
            found = await self._store.read(rows.every, model.repo)
            return tuple(item for item in found if item.commit == model.commit and item.status is not Status.UNDONE)
        except ModelshelfError as error:
            log.warning("%s was not registered: %s", repo, error)
            return ()

    async def settle(self, model: InstalledModel) -> None:
        """Give a model to whoever is given models by itself and was never given this one.

        Raises:
            StoreError, NotFound.
        """
        async with self._settling:
            for offer in (await self._plan(model)).offers:
                if offer.automatic and offer.registration is None:
                    await self._give(offer, automatic=True, new=True)

    async def retry(self, item: Registration) -> Registration | None:
        """Do what was waiting or left behind; None if it need not be done any more."""
        if item.wish == UNDO:
            return await self.take_back(item)
        model = await self._library.find(item.model)
        offers = (await self._plan(model, item.provider, item.path)).offers if model is not None else ()
        for offer in offers:
            if offer.possible and (offer.automatic or not item.automatic):
                return await self._give(offer, automatic=item.automatic)
        await self._store.write(rows.drop, [item.id])
        self._tell(item, Status.UNDONE)
        return None

    async def take_back(self, item: Registration) -> Registration:
        """As `undo`, for whoever may; a provider that is down forgets it when it is well again."""
        if item.status is Status.UNDONE:
            return item
        links, mark = await self._store.read(rows.links_of, item.id), await self._store.read(rows.mark_of, item.id)
        changes: dict[str, Any] = {"status": Status.UNDONE, "wish": UNDO, "error": "", "remedy": ""}
        try:
            await self.hands.take_back(item, links, mark)
            changes["links"] = []
        except Unreachable as error:
            changes |= {"status": Status.WAITING, "error": error.message, "remedy": "It is taken back when it answers."}
        except NotFound:
            pass  # the provider was removed meanwhile
        except ModelshelfError as error:
            changes |= {"status": Status.FAILED, "error": error.message, "remedy": error.remedy}
        return await self._write(item, changes)

    async def mark(self, item: Registration, changes: Mapping[str, Any]) -> Registration:
        """Write down what was seen of a registration."""
        return await self._write(item, changes)

    async def forget(self, items: Sequence[Registration]) -> None:
        """Drop registrations of which nothing is left."""
        await self._store.write(rows.drop, [item.id for item in items])
        for item in items:
            self._tell(item, Status.UNDONE)

    async def every(self) -> Sequence[Registration]:
        """All of them, the oldest first."""
        return await self._store.read(rows.every)

    async def of_repo(self, repo: str) -> Sequence[Registration]:
        """Those of a repository, whether or not it is installed."""
        return await self._store.read(rows.every, repo)

    async def release(self) -> None:
        """Let go of what this process was at: another one, or the next start, finishes it."""
        await self._store.write(rows.release, self._me)

    async def left_behind(self) -> Sequence[Registration]:
        """What a process was at that is gone."""
        return await self._store.read(rows.left_behind)

    async def made(self, item: Registration) -> Sequence[Made]:
        """The names that were made for a registration."""
        return await self._store.read(rows.links_of, item.id)

    async def made_everywhere(self) -> Sequence[tuple[str, Made]]:
        """Every name that was made, with its repository."""
        return await self._store.read(rows.links_everywhere)

    async def _plan(self, model: InstalledModel, provider: str = "", path: str = "") -> Plan:
        known = {(item.provider, item.path): item for item in await self._store.read(rows.every, model.repo, provider)
                 if item.commit == model.commit}  # fmt: skip
        return await self.planner.plan(model, known, path=path, provider=provider)

    async def _check_fit(self, model: InstalledModel) -> None:
        if told := unfit(model):
            raise UsageError(
                f"{model.repo} cannot be registered. {told}", remedy="`modelshelf verify --scan` checks it."
            )

    async def _all(self, offers: Sequence[Offer], *, automatic: bool = True) -> tuple[Registration, ...]:
        """One after the other: what two providers of one folder do at once is hard to tell apart."""
        done = [await self._give(offer, automatic=automatic) for offer in offers]
        return tuple(item for item in done if item is not None)

    async def _give(self, offer: Offer, *, automatic: bool, new: bool = False) -> Registration | None:
        """Carry an offer out; None while another process does."""
        goods, taking = offer.goods, offer.taking
        if goods is None:
            return None
        key = (offer.provider, goods.repo, goods.commit, offer.path)
        begun = {
            "name": taking.name, "way": taking.way.value, "wish": REGISTER, "size": goods.size, "automatic": automatic,
            "place": taking.place, "given": not taking.there, "command": taking.command, "principal": current().name,
        }  # fmt: skip
        item = await self._store.write(rows.claim, key, self._me, LEASE_SECONDS, begun, new=new)
        if item is None:
            return None
        self._tell(item, Status.REGISTERING)
        return await self._write(item, await self._outcome(item, offer))

    async def _outcome(self, item: Registration, offer: Offer) -> Mapping[str, Any]:
        """What became of it, in the words of the table."""
        if offer.waiting or offer.goods is None:
            told = f"{offer.label} does not answer."
            return {"status": Status.WAITING, "error": told, "remedy": "It is given the model when it answers."}
        holding = asyncio.create_task(self._hold(item.id), name=f"registration.{item.id}")
        try:
            about = _about(item, offer.goods)
            await self._hooks.ask(BEFORE_REGISTRATION, about)
            changes = await self.hands.give(offer.provider, offer.goods, offer.taking)
            await self._hooks.tell(AFTER_REGISTRATION, about)
        except Unreachable as error:
            return {
                "status": Status.WAITING,
                "error": error.message,
                "remedy": "It is given the model when it answers.",
            }
        except ModelshelfError as error:
            return {"status": Status.FAILED, "error": error.message, "remedy": error.remedy}
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
        return changes

    async def _hold(self, registration: str) -> None:
        """Keep other processes from it for as long as it takes."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with suppress(StoreError):
                await self._store.write(rows.renew, registration, self._me, LEASE_SECONDS)

    async def _write(self, item: Registration, changes: Mapping[str, Any]) -> Registration:
        kept = await self._store.write(rows.change, item.id, changes)
        done = kept or item
        self._tell(done, done.status)
        return done

    def _tell(self, item: Registration, status: Status) -> None:
        self._events.publish(RegistrationChanged(model=item.model, provider=item.provider, status=status.value))

    async def _file_of(self, model: str | InstalledModel) -> str:
        """The file that a name means, empty for all."""
        if isinstance(model, InstalledModel):
            return ""
        for item in await self._library.served():
            if item.name.lower() == model.lower():
                return item.files[0].path
        return (ModelId.parse(model).file or "") if ModelId.valid(model) else ""

    async def _repo(self, model: str) -> str:
        installed = await self._library.find(model)
        return installed.repo if installed is not None else ModelId.parse(model).repo


def _about(item: Registration, goods: Goods) -> dict[str, Any]:
    """What hooks are told of a registration."""
    told = {name: getattr(item, name) for name in ("repo", "commit", "provider", "way", "name")}
    return {"model": f"{goods.source}:{item.model}".lstrip(":"), "source": goods.source, **told}
