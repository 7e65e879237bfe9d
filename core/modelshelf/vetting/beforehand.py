"""Looks at models before their download: a few ranges of each file, what the source's scanners say, and the policy."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from modelshelf.catalog.source import TellsSecurity
from modelshelf.catalog.types import RepoDetail
from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError
from modelshelf.ids import ModelId
from modelshelf.network import Network
from modelshelf.vetting.origin import Origin
from modelshelf.vetting.policy import Policy
from modelshelf.vetting.prescan import Prescan, Prescanner
from modelshelf.vetting.signals import Signal, signal

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService
    from modelshelf.downloads.types import DownloadPlan


class Beforehand:
    """Finds a model in the catalogue and looks at it there; `policy` tells the one in force."""

    def __init__(
        self, config: ConfigManager, catalog: "CatalogService", policy: Callable[[], Awaitable[Policy]]
    ) -> None:
        self._config, self._catalog, self._policy = config, catalog, policy

    async def model(self, model: str | ModelId, files: Sequence[str]) -> Prescan:
        """As `VettingService.prescan`."""
        from modelshelf.downloads.choose import choose

        source, name = await self._catalog.resolve(model)
        detail = await self._catalog.detail(name)
        wanted = files or ((name.file,) if name.file else ())
        chosen = await asyncio.to_thread(choose, [file.path for file in detail.files], wanted)
        return await self._look(source.name, detail, set(chosen))

    async def plan(self, plan: "DownloadPlan") -> Prescan:
        """As `VettingService.prescan_plan`."""
        detail = await self._catalog.detail(ModelId(plan.repo, plan.source, plan.commit))
        return await self._look(plan.source, detail, {file.path for file in plan.files})

    async def signal(self, model: str | ModelId, files: Sequence[str]) -> Signal:
        """As `VettingService.hub_signal`."""
        source, name = await self._catalog.resolve(model)
        detail = await self._catalog.detail(name)
        return await self._signal(source.name, detail, set(files) or {file.path for file in detail.files})

    async def _look(self, source: str, detail: RepoDetail, paths: set[str]) -> Prescan:
        repo, commit = detail.card.repo, detail.commit
        policy, network = await self._policy(), Network(self._config)
        scanner = Prescanner(network, self._catalog.source(source), repo, commit)
        files = [file for file in detail.files if file.path in paths]
        try:
            (reports, unseen), hub = await asyncio.gather(scanner.look(files), self._signal(source, detail, paths))
        finally:
            await network.aclose()
        judged = tuple(policy.apply(report, Origin(source, repo, commit), report.path) for report in reports)
        about = tuple(policy.about(Origin(source, repo, commit, detail.card.licence)))
        return Prescan(source, repo, commit, judged, unseen, hub, about, scanner.fetched)

    async def _signal(self, source: str, detail: RepoDetail, paths: set[str]) -> Signal:
        place = self._catalog.source(source)
        if not isinstance(place, TellsSecurity):
            return Signal("unavailable")
        try:
            return signal(await place.security(detail.card.repo, detail.commit), paths)
        except ModelshelfError:
            return Signal("unavailable")
