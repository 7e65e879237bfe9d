"""Compatibility of models with providers, on this machine or on one that is only thought of."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from modelshelf.catalog.types import RepoCard, RepoDetail
from modelshelf.compat import answers
from modelshelf.compat.applying import apply
from modelshelf.compat.asking import Asking, Paces, WhatIf, with_other_provider
from modelshelf.compat.calibration import Calibration
from modelshelf.compat.candidates import candidates
from modelshelf.compat.engines import engine
from modelshelf.compat.fit import BUILTIN
from modelshelf.compat.learning import Learning
from modelshelf.compat.machine import Machine
from modelshelf.compat.machine_watch import MachineWatch
from modelshelf.compat.machines import FOLDER
from modelshelf.compat.places import Places
from modelshelf.compat.subjects import Subject, Subjects
from modelshelf.compat.types import RECOMMENDED_FROM, Compatibility, Fix, RankedFile, Settings
from modelshelf.errors import ModelshelfError
from modelshelf.ids import ModelId, split_served
from modelshelf.metadata.abilities import known_abilities
from modelshelf.metadata.listed import of_card

if TYPE_CHECKING:
    import pandas as pd

    from modelshelf.catalog import CatalogService
    from modelshelf.catalog.columns.mapped import Mapped
    from modelshelf.compat.ranks import CatalogRanks, RankKeeper
    from modelshelf.config import ConfigManager
    from modelshelf.events import EventBus
    from modelshelf.library import ModelLibrary
    from modelshelf.metadata import MetadataService
    from modelshelf.providers import HealthMonitor, ProviderRegistry
    from modelshelf.store import Store

CARDS = 200
AT_ONCE = 8


class CompatibilityService:
    """Says whether models run here, how well, why, and what to change.

    Providers are named by their id in the registry. Engines on this machine are judged by its memory; what others
    serve by context, abilities and measured speed; a file with a provider that does not serve it has no score: None.
    """

    name = "compatibility"

    def __init__(
        self,
        config: "ConfigManager",
        store: "Store",
        events: "EventBus",
        catalog: "CatalogService",
        metadata: "MetadataService",
        library: "ModelLibrary",
        providers: "ProviderRegistry",
        health: "HealthMonitor",
        configure: Callable[[str, Any], Awaitable[None]],
    ) -> None:
        self._configure = configure
        self._catalog, self._library, self._providers = catalog, library, providers
        self.calibration = Calibration(store)
        self._places = Places(config, providers, health)
        self._subjects = Subjects(catalog, metadata, library, self._places.served_by)
        self._learning = Learning(events, self.calibration, self._subjects, self._places)
        self._watch = MachineWatch(config.home / FOLDER, self._looked)
        self._ranks: RankKeeper | None = None
        self._ranking: asyncio.Task[CatalogRanks] | None = None

    async def start(self) -> None:
        """See how much memory there is; the slower part, graphics cards and bandwidth, goes on beside."""
        await asyncio.to_thread(engine, BUILTIN)
        await self._watch.start()
        self._learning.start()

    async def stop(self) -> None:
        """End the look at the machine, and the watch over answers."""
        await self._learning.stop()
        await self._watch.stop()

    async def machine(self) -> Machine:
        """This machine as it is now, at most five seconds old."""
        return await self._watch.now()

    async def machines(self) -> tuple[Machine, ...]:
        """This machine, those that the person keeps in `machines` of the home, and some that people often mean."""
        return await self.machine(), *await asyncio.to_thread(self._watch.thought_of)

    async def named_machine(self, text: str) -> Machine:
        """A machine in words ("24 GB card"), or by the name of a kept one.

        Raises:
            UsageError: the words say no machine; the remedy lists what can be said.
        """
        return await asyncio.to_thread(self._watch.named, text)

    async def check_model_compatibility(
        self,
        model: ModelId | str,
        provider: str = BUILTIN,
        *,
        settings: Settings | None = None,
        machine: Machine | None = None,
        changes: Mapping[str, Any] | None = None,
        needs: Collection[str] = (),
        wants: Collection[str] = (),
    ) -> Compatibility:
        """How well a model does with a provider.

        Installed models and files of a source are judged by their headers; what cannot be read, by its size. Without
        `settings` it is judged as it would be loaded, with these `changes` by the names of the settings. A context that
        is named, or is other than the default, is required. `needs` are abilities (chat, tools, vision, …) without
        which the score is 0, `wants` those that raise it.

        Raises:
            NotFound: there is no such provider or model.
            UsageError: there is no such ability.
            FormatError: an installed file is broken.
        """
        await self._places.refresh()
        self._places.config(provider)
        await self._places.know([provider])
        subject = await self._subjects.find(model)
        asked = _Asked(settings, machine, known_abilities(needs), known_abilities(wants), changes or {})
        answer = await self._answer(subject, provider, asked)
        if answer.score is None or machine is not None:
            return answer
        others = [await self._answer(subject, other, asked, fixes=False) for other in self._places.others(provider)]
        return with_other_provider(answer, others, self._places.names)

    async def answers(
        self,
        models: Iterable[ModelId | str],
        providers: Iterable[str],
        *,
        settings: Settings | None = None,
        machine: Machine | None = None,
    ) -> dict[tuple[str, str], Compatibility]:
        """Every model with every provider. A model that cannot be found has an answer that says so, without a score.

        Raises:
            NotFound: there is no such provider.
        """
        await self._places.refresh()
        columns = list(providers)
        for provider in columns:
            self._places.config(provider)
        await self._places.know(columns)
        names = list(dict.fromkeys(str(model) for model in models))
        turns = asyncio.Semaphore(AT_ONCE)
        asked = _Asked(settings, machine)

        async def row(name: str) -> list[Compatibility]:
            async with turns:
                try:
                    subject = await self._subjects.find(name)
                except ModelshelfError as error:
                    return [answers.not_found(name, provider, error) for provider in columns]
                return [await self._answer(subject, provider, asked) for provider in columns]

        rows = await asyncio.gather(*(row(name) for name in names))
        return {
            (name, provider): answer
            for name, found in zip(names, rows, strict=True)
            for provider, answer in zip(columns, found, strict=True)
        }

    async def matrix(
        self,
        models: Iterable[ModelId | str] | None = None,
        providers: Iterable[str] | None = None,
        *,
        settings: Settings | None = None,
        machine: Machine | None = None,
    ) -> "pd.DataFrame":
        """Scores of models (rows) with providers (columns), NaN where there is none; `attrs["answers"]` explain them.

        Without models it is what is installed, without providers those that are switched on.

        Raises:
            NotFound: there is no such provider.
        """
        if models is None:
            models = dict.fromkeys(installed.repo for installed in await self._library.models())
        if providers is None:
            providers = [config.id for config in await self._providers.list() if config.enabled]
        rows, columns = [str(model) for model in models], list(providers)
        found = await self.answers(rows, columns, settings=settings, machine=machine)
        return await asyncio.to_thread(_frame_of, found, rows, columns)

    async def what_if(self, model: ModelId | str, provider: str = BUILTIN) -> WhatIf:
        """A model with a provider of this machine, to be asked with other settings or another machine, at once.

        Raises:
            NotFound: there is no such provider or model.
            UsageError: the provider runs nothing on this machine.
        """
        await self._places.refresh()
        config = self._places.config(provider)
        subject = await self._subjects.find(model)
        here = self._watch.seen_by(config.kind, await self.machine())
        asking = await self._places.asking(config, here, None, subject)
        return WhatIf.of(subject, asking, self._paces(config.kind))

    async def get_recommended_models_for_provider(self, provider: str, limit: int = 10) -> tuple[Compatibility, ...]:
        """The models that do well with a provider, the best first: of equals, the larger.

        For an engine here those that can be found; for another those that it serves.

        Raises:
            NotFound: there is no such provider.
        """
        await self._places.refresh()
        config = self._places.config(provider)
        await self.machine()
        if not self._places.runs_here(config):
            await self._places.know([provider])
            served = self._places.served_by(provider) or ()
            found = [await self._answer(self._subjects.served(one), provider, _Asked()) for one in served]
            good = [one for one in found if one.available and (one.score or 0) >= RECOMMENDED_FROM]
            return tuple(sorted(good, key=lambda one: one.score or 0, reverse=True)[:limit])
        answer = await self._catalog.find("", limit=CARDS)
        judged = [(self.quick(card, provider), card) for card in answer.rows]
        suitable = [(found, card) for found, card in judged if (found.score or 0) >= RECOMMENDED_FROM]
        suitable.sort(key=lambda pair: _merit(*pair), reverse=True)
        return tuple(found for found, _ in suitable[:limit])

    async def get_recommended_providers_for_model(
        self, model: ModelId | str, limit: int = 10
    ) -> tuple[Compatibility, ...]:
        """The providers, of those switched on, that run or serve a model well, the best first.

        Raises:
            NotFound: there is no such model.
        """
        await self._places.refresh()
        await self._places.know(self._places.enabled)
        subject = await self._subjects.find(model)
        found = [await self._answer(subject, provider, _Asked()) for provider in self._places.enabled]
        good = [one for one in found if one.available and (one.score or 0) >= RECOMMENDED_FROM]
        return tuple(sorted(good, key=lambda one: one.score or 0, reverse=True)[:limit])

    async def last_used(self, model: str) -> datetime | None:
        """When `provider/model` was last loaded or asked here, as far as it was timed; None if it never was.

        Raises:
            NotFound: there is no such provider or model.
        """
        await self._places.refresh()
        config = self._places.config(split_served(model)[0])
        subject = await self._subjects.find(model)
        return await self.calibration.newest(config.kind, {subject.key, model})

    async def rank(
        self, detail: RepoDetail, provider: str = BUILTIN, *, machine: Machine | None = None
    ) -> tuple[RankedFile, ...]:
        """The ways to have a repository, the best for this machine first; one for each quantisation.

        Raises:
            NotFound: there is no such provider.
        """
        await self._places.refresh()
        config = self._places.config(provider)
        model = str(detail.card.id.at(detail.commit))
        if not self._places.runs_here(config) and machine is None:
            answer = answers.elsewhere(model, provider, config.name)
            return tuple(RankedFile(one.files, one.size, one.quantisation, answer) for one in candidates(detail))
        subject = await self._subjects.of_detail(detail)
        here = machine or self._watch.seen_by(config.kind, await self.machine())
        asking = await self._places.asking(config, here, None, subject, machine is None)
        return asking.rank(detail, subject)

    async def apply(self, answer: Compatibility, fix: Fix) -> str:
        """Do what a fix says, as far as it is about settings or memory; what was done, in a sentence.

        Raises:
            UsageError: it names another file or provider: that is for whoever asked to choose.
            ProviderError, Unsupported, AccessError: it cannot be done.
        """
        return await apply(self._configure, self._providers, self._places, answer, fix.apply)

    async def apply_settings(self, answer: Compatibility) -> str:
        """Have a model loaded from now on with the settings of an answer.

        Raises:
            As `apply`.
        """
        used = answer.settings or Settings()
        told = {"context": used.context, "kv": used.kv, "slots": used.slots}
        return await apply(self._configure, self._providers, self._places, answer, told)

    def quick(self, card: RepoCard, provider: str = BUILTIN) -> Compatibility:
        """A first answer from what the card of a repository says, without asking anyone: for lists."""
        facts = of_card(card)
        if facts is None or self._watch.last is None:
            return answers.unknown(str(card.id), provider)
        asking = self._places.quick(provider, self._watch.last, self._watch.seen_by)
        if asking is None:
            return answers.elsewhere(str(card.id), provider, provider)
        return answers.gated(asking.judge(facts, str(card.id), fixes=False), card)

    async def ranks(self, mapped: "Mapped") -> "CatalogRanks":
        """How well every model of a generation of the catalogue does with the person's own providers here."""
        from modelshelf.compat.ranks import RankKeeper  # which needs NumPy: not every command does

        await self._places.refresh()
        machine = await self.machine()
        quick = {name: self._places.quick(name, machine, self._watch.seen_by) for name in self.here}
        if self._ranks is None:
            self._ranks = RankKeeper()
        # Who types on gives up what was asked for, but no thread: one at a time, or all of them would be at this.
        while self._ranking is not None and not self._ranking.done():
            await asyncio.wait({self._ranking})
        judging = {name: one for name, one in quick.items() if one}
        self._ranking = asyncio.create_task(asyncio.to_thread(self._ranks.of, mapped, judging), name="ranks")
        return await asyncio.shield(self._ranking)

    @property
    def here(self) -> Sequence[str]:
        """The person's own providers that run models on this machine, by their ids."""
        return self._places.here or (BUILTIN,)

    def best(self, card: RepoCard) -> tuple[str, Compatibility] | None:
        """Of the person's own providers on this machine the one that does best with a card; None if none does well."""
        found = [(provider, self.quick(card, provider)) for provider in self._places.here]
        good = [(provider, answer) for provider, answer in found if (answer.score or 0) >= RECOMMENDED_FROM]
        return max(good, key=lambda pair: pair[1].score or 0, default=None)

    async def _answer(self, subject: Subject, provider: str, asked: "_Asked", *, fixes: bool = True) -> Compatibility:
        config = self._places.config(provider)
        if not self._places.runs_here(config) and (asked.machine is None or engine(config.kind) is None):
            offered = self._places.offered(provider, subject)
            rate = self.calibration.rate(config.kind, offered.id) if offered else None
            settings = asked.settings or (replace(Settings(), **asked.changes) if asked.changes else None)
            return self._places.elsewhere(config, subject, settings, asked.needs, asked.wants, rate)
        machine = asked.machine or self._watch.seen_by(config.kind, await self.machine())
        asking = await self._places.asking(config, machine, asked.settings, subject, asked.machine is None)
        asking = replace(asking, needs=asked.needs, wants=asked.wants).changed(asked.changes)
        paces = self._paces(config.kind) if asked.machine is None else _never_timed
        answer = asking.answer(subject, paces, fixes=fixes)
        if not fixes or subject.detail is None or not subject.choices:
            return answer
        return await self._complete(asking, subject, answer, paces)

    async def _complete(self, asking: Asking, subject: Subject, answer: Compatibility, paces: Paces) -> Compatibility:
        """What takes a little longer: the exact file's header, other files of the repository, the disk."""
        detail = subject.detail
        if detail is None:
            return answer
        best, _ = asking.best(subject, detail)
        if subject.facts is not None and subject.facts.size != best.size:
            exact = await self._subjects.of_detail(detail, best.files[0])
            if exact.facts is not None:
                answer = replace(asking.answer(exact, paces), model=subject.model)
                answer = answers.chosen_file(answer, best.files[0], len(subject.choices))
        every = await self._subjects.of_detail(detail) if len(subject.choices) == 1 else subject
        answer = answers.with_other_file(answer, asking.rank(detail, every), best.files)
        return await asyncio.to_thread(answers.with_disk, answer, best.size, self._library.cache)

    async def _looked(self, machine: Machine, first: bool) -> None:
        await self._places.refresh()
        if first:
            await self.calibration.open(machine)

    def _paces(self, kind: str) -> Paces:
        return lambda key: self.calibration.pace(kind, key)


class _Asked:
    """What a caller wants beside the names."""

    def __init__(
        self,
        settings: Settings | None = None,
        machine: Machine | None = None,
        needs: frozenset[str] = frozenset(),
        wants: frozenset[str] = frozenset(),
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings, self.machine, self.needs, self.wants = settings, machine, needs, wants
        self.changes = changes or {}


def _frame_of(
    found: Mapping[tuple[str, str], Compatibility], rows: Sequence[str], columns: Sequence[str]
) -> "pd.DataFrame":
    from modelshelf.compat.matrix import frame_of  # pandas is slow to load, and short commands have no use for it

    return frame_of(found, rows, columns)


def _never_timed(_key: str) -> None:
    """Nothing was measured on a machine that is only thought of."""


def _merit(found: Compatibility, card: RepoCard) -> tuple[int, int, int]:
    return (found.score or 0) // 10, card.parameters or card.size or 0, card.downloads or 0
