"""Compatibility of models with providers, on this machine or on one that is only thought of."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modelshelf.catalog.types import RepoCard, RepoDetail, RepoFile
from modelshelf.compat import answers
from modelshelf.compat.candidates import Candidate, candidates, of_candidate, of_card, of_served
from modelshelf.compat.engines import Engine, engine
from modelshelf.compat.fit import required
from modelshelf.compat.hardware import find_machine
from modelshelf.compat.judge import judge
from modelshelf.compat.machine import Machine
from modelshelf.compat.score import Question
from modelshelf.compat.types import RECOMMENDED_FROM, Compatibility, Confidence, RankedFile, Settings
from modelshelf.errors import AccessError, FormatError, ModelshelfError, NotFound, Unreachable, UsageError
from modelshelf.ids import ModelId, split_served
from modelshelf.metadata.facts import ModelFacts

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService
    from modelshelf.config import ConfigManager
    from modelshelf.library import ModelLibrary
    from modelshelf.library.types import InstalledModel
    from modelshelf.metadata import MetadataService
    from modelshelf.providers import ProviderRegistry
    from modelshelf.providers.spec import ProviderConfig, ServedModel

log = logging.getLogger(__name__)
BUILTIN = "builtin"
MACHINE_SECONDS = 5.0  # for how long a look at the machine holds
CARDS = 200


class CompatibilityService:
    """Says whether models run here, how well, why, and what to change.

    Providers are named by their id in the registry. Built-in engine and Ollama on this machine are judged by its
    memory; for cloud services and other machines a score makes no sense and is None.
    """

    name = "compatibility"

    def __init__(
        self,
        config: "ConfigManager",
        catalog: "CatalogService",
        metadata: "MetadataService",
        library: "ModelLibrary",
        providers: "ProviderRegistry",
    ) -> None:
        self._config, self._catalog, self._metadata = config, catalog, metadata
        self._library, self._providers = library, providers
        self._machine: Machine | None = None
        self._seen = 0.0
        self._kinds: dict[str, str] = {BUILTIN: BUILTIN}
        self._looking: asyncio.Task[Machine] | None = None

    async def start(self) -> None:
        """See how much memory there is; the slower part, graphics cards and bandwidth, goes on beside."""
        await asyncio.to_thread(engine, BUILTIN)
        self._machine = await asyncio.to_thread(find_machine, bandwidth=False, gpus=False)
        self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """End the look at the machine."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
            self._looking = None

    async def machine(self) -> Machine:
        """This machine as it is now, at most five seconds old."""
        if self._machine is None or not self._seen or monotonic() - self._seen > MACHINE_SECONDS:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            await asyncio.shield(self._looking)
        return self._machine or await self._look()

    async def check_model_compatibility(
        self,
        model: ModelId | str,
        provider: str = BUILTIN,
        *,
        settings: Settings | None = None,
        machine: Machine | None = None,
    ) -> Compatibility:
        """How well a model does with a provider. A context other than the default is taken as required.

        Installed models and files of a source are judged by their headers; what cannot be read, by its size.

        Raises:
            NotFound: there is no such provider or model.
            FormatError: an installed file is broken.
        """
        config = await self._provider(provider)
        runs = engine(config.kind)
        if runs is None or (machine is None and not _is_here(config)):
            return answers.elsewhere(str(model), provider, await self._serves(provider, str(model)), config.name)
        asking = _Asking(provider, runs, machine or await self.machine(), settings or self._settings(), settings)
        if (file := await self._offered(str(model))) is not None:
            return asking.judge(await self._metadata.local(file), str(model))
        if (installed := await self._library.find(str(model))) is not None:
            return await self._installed(asking, installed, str(model))
        if (served := await self._served(str(model))) is not None:
            facts = of_served(served)
            return asking.judge(facts, str(model)) if facts else answers.unknown(str(model), provider)
        return await self._remote(asking, model)

    async def get_recommended_models_for_provider(self, provider: str, limit: int = 10) -> tuple[Compatibility, ...]:
        """The installed and findable models that do well with a provider, the best first: of equals, the larger.

        Raises:
            NotFound: there is no such provider.
        """
        config = await self._provider(provider)
        if engine(config.kind) is None or not _is_here(config):
            return ()
        await self.machine()
        answer = await self._catalog.find("", limit=CARDS)
        judged = [(self.quick(card, provider), card) for card in answer.rows]
        good = [(found, card) for found, card in judged if (found.score or 0) >= RECOMMENDED_FROM]
        good.sort(key=lambda pair: _merit(*pair), reverse=True)
        return tuple(found for found, _ in good[:limit])

    async def rank(
        self, detail: RepoDetail, provider: str = BUILTIN, *, machine: Machine | None = None
    ) -> tuple[RankedFile, ...]:
        """The ways to have a repository, the best for this machine first; one for each quantisation.

        Raises:
            NotFound: there is no such provider.
        """
        config = await self._provider(provider)
        runs = engine(config.kind)
        found = candidates(detail)
        model = str(detail.card.id.at(detail.commit))
        if runs is None or (machine is None and not _is_here(config)):
            answer = answers.elsewhere(model, provider, False, config.name)
            return tuple(RankedFile(one.files, one.size, one.quantisation, answer) for one in found)
        asking = _Asking(provider, runs, machine or await self.machine(), self._settings(), None)
        known, _ = await self._known(detail, found)
        return _ranked(asking, detail, found, known)

    def quick(self, card: RepoCard, provider: str = BUILTIN) -> Compatibility:
        """A first answer from what the card of a repository says, without asking anyone: for lists."""
        runs = engine(self._kinds.get(provider, provider))
        if runs is None:
            return answers.elsewhere(str(card.id), provider, False, provider)
        facts = of_card(card)
        if facts is None or self._machine is None:
            return answers.unknown(str(card.id), provider)
        asking = _Asking(provider, runs, self._machine, self._settings(), None)
        return answers.gated(asking.judge(facts, str(card.id), fixes=False), card)

    async def _look(self) -> Machine:
        self._kinds |= {config.id: config.kind for config in await self._providers.list()}
        self._machine = await asyncio.to_thread(find_machine)
        self._seen = monotonic()
        return self._machine

    def _settings(self) -> Settings:
        chosen = self._config.config.engine
        return Settings(context=chosen.context, slots=chosen.slots)

    async def _provider(self, provider: str) -> "ProviderConfig":
        configured = {config.id: config for config in await self._providers.list()}
        if provider not in configured:
            raise NotFound(f"There is no provider {provider}.", remedy=f"Configured are: {', '.join(configured)}.")
        self._kinds = {config.id: config.kind for config in configured.values()}
        return configured[provider]

    async def _offered(self, model: str) -> Path | None:
        """The installed file that the built-in engine offers under a name."""
        name = model.removeprefix(f"{BUILTIN}/")
        return next((one.files[0].file for one in await self._library.served() if one.name == name), None)

    async def _served(self, model: str) -> "ServedModel | None":
        """A model by the name a provider of this machine gives it."""
        try:
            provider, name = split_served(model)
        except UsageError:
            return None
        if provider not in self._kinds:
            return None
        return next((one for one in await self._providers.models(provider) if one.name == name), None)

    async def _serves(self, provider: str, model: str) -> bool:
        try:
            served = await self._providers.models(provider)
        except ModelshelfError as error:
            log.info("%s did not list its models: %s", provider, error)
            return False
        return any(model in {one.name, one.id, one.repo} for one in served)

    async def _installed(self, asking: "_Asking", installed: "InstalledModel", model: str) -> Compatibility:
        named = _file_of(model)
        paths = {file.path: file.file for file in installed.files}
        found = candidates(_as_detail(installed))
        chosen = next((one for one in found if named in one.files), found[0] if found else None)
        if chosen is None or (named and named not in paths):
            raise NotFound(f"{installed.repo} holds no such model file.", remedy="Name one of its files.")
        if chosen.format not in {"gguf", "safetensors"}:
            return asking.judge(ModelFacts(chosen.format, chosen.size, tier=1), model)
        facts = await self._metadata.local(paths[chosen.files[0]])
        return asking.judge(facts, model)

    async def _remote(self, asking: "_Asking", model: ModelId | str) -> Compatibility:
        named = model if isinstance(model, ModelId) else ModelId.parse(model)
        detail = await self._catalog.detail(named)
        found = candidates(detail)
        chosen = next((one for one in found if named.file in one.files), None)
        if named.file and chosen is None:
            raise NotFound(f"{named.repo} has no model file {named.file}.", remedy="`modelshelf show` lists its files.")
        if not found:
            return answers.no_weights(str(named), asking.provider)
        known, error = await self._known(detail, (chosen,) if chosen else found)
        ranked = _ranked(asking, detail, found, known)
        best = chosen or next(one for one in found if one.files == ranked[0].files)
        if known is not None and known.size != best.size:
            known, error = await self._known(detail, (best,))
        facts = known if error is None and known is not None else of_candidate(best, None, detail.card)
        answer = asking.judge(facts, str(named))
        if error is not None:
            answer = answers.unread(answer, error)
        if chosen is None and len(found) > 1:
            answer = answers.chosen_file(answer, best.files[0], len(found))
        answer = answers.with_other_file(answer, ranked, best.files)
        return await asyncio.to_thread(answers.with_disk, answer, best.size, self._library.cache)

    async def _known(
        self, detail: RepoDetail, found: Sequence[Candidate]
    ) -> tuple[ModelFacts | None, ModelshelfError | None]:
        """Facts from the header of the file that most people want, or why there are none."""
        if not found or found[0].format not in {"gguf", "safetensors"}:
            return None, None
        named = detail.card.id.at(detail.commit)
        try:
            return await self._metadata.facts(named, found[0].files[0] if len(found) == 1 else None), None
        except (AccessError, FormatError, NotFound, Unreachable) as error:
            log.info("the header of %s was not read: %s", named, error)
            return None, error


class _Asking:
    """A provider, a machine and settings, ready to judge facts."""

    def __init__(
        self, provider: str, runs: Engine, machine: Machine, settings: Settings, chosen: Settings | None
    ) -> None:
        self.provider = provider
        self._question = Question(ModelFacts("", 0), settings, machine, runs, required(chosen))

    def judge(self, facts: ModelFacts, model: str, *, fixes: bool = True) -> Compatibility:
        question = replace(self._question, facts=facts)
        # Facts of sizes alone stay an estimate, whatever the formulas would allow.
        sure = None if facts.layers else Confidence.ESTIMATE
        return judge(question, model=model, provider=self.provider, confidence=sure, fixes=fixes)


def _ranked(
    asking: _Asking, detail: RepoDetail, found: Sequence[Candidate], known: ModelFacts | None
) -> tuple[RankedFile, ...]:
    rows = []
    for one in found:
        model = str(replace(detail.card.id, revision=detail.commit, file=one.files[0]))
        facts = of_candidate(one, known, detail.card)
        rows.append(RankedFile(one.files, one.size, one.quantisation, asking.judge(facts, model, fixes=False)))
    return tuple(sorted(rows, key=_standing, reverse=True))


def _standing(row: RankedFile) -> tuple[int, int]:
    """The better score first; of equals the larger, or where nothing runs the one that is nearest to it."""
    score = row.compatibility.score or 0
    return score, row.size if score else -row.size


def _merit(found: Compatibility, card: RepoCard) -> tuple[int, int, int]:
    return (found.score or 0) // 10, card.parameters or card.size or 0, card.downloads or 0


def _is_here(config: "ProviderConfig") -> bool:
    """Whether the provider runs on this machine, by its address."""
    host = urlsplit(config.url).hostname if config.url else "localhost"
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _file_of(model: str) -> str | None:
    try:
        return ModelId.parse(model).file
    except UsageError:
        return None


def _as_detail(installed: "InstalledModel") -> RepoDetail:
    """An installed commit in the form of a listed one."""
    files = tuple(RepoFile(file.path, file.size) for file in installed.files)
    return RepoDetail(RepoCard(installed.source or "", installed.repo), installed.commit, files)
