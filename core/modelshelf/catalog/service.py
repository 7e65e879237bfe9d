"""Search over all sources at once, details, and which source a name belongs to."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from modelshelf.catalog.answers import Answer, Answers, question
from modelshelf.catalog.changes import Changes, between
from modelshelf.catalog.checks import Checks
from modelshelf.catalog.index import CatalogIndex
from modelshelf.catalog.merge import merge
from modelshelf.catalog.query import Query, parse
from modelshelf.catalog.registry import BUILT_IN, SourceRegistry
from modelshelf.catalog.source import Source, TakesAddresses, TellsHistory
from modelshelf.catalog.types import History, RepoCard, RepoDetail, SearchAnswer, SourceReport
from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError, NotFound, RepositoryNotFound, Unreachable, UsageError
from modelshelf.events import EventBus, SourceChanged
from modelshelf.ids import ModelId
from modelshelf.store import Store
from modelshelf.store.tables import now

if TYPE_CHECKING:
    import pandas as pd

    from modelshelf.catalog.columns.pages import Page
    from modelshelf.vault import Vault

log = logging.getLogger(__name__)

SAMPLES = "samples"
FILTERED_LIMIT = 200
REST_SECONDS = 10.0
DETAIL_SECONDS = 60.0
PINNED_SECONDS = 3600.0
DETAILS_KEPT = 200


class CatalogService:
    """What can be had. `checks` answer `is:installed`, `is:fits` and `is:recommended`; who knows registers there."""

    name = "catalog"

    def __init__(self, config: ConfigManager, store: Store, events: EventBus, secrets: "Vault | None" = None) -> None:
        self.checks = Checks()
        self._config = config
        self._events = events
        self._answers = Answers(store)
        self._registry = SourceRegistry(config, secrets)
        self._reports: dict[str, SourceReport] = {}
        self._resting: dict[str, tuple[float, ModelshelfError]] = {}
        self.index = CatalogIndex(config.paths.catalog)
        self._details: dict[tuple[str, str, str | None], tuple[float, RepoDetail]] = {}

    async def start(self) -> None:
        """Make the sources; none is asked yet."""
        await asyncio.to_thread(self._registry.all)

    @property
    def registry(self) -> SourceRegistry:
        """The sources in force, and their settings."""
        return self._registry

    async def stop(self) -> None:
        """Close every source, and let go of the catalogue."""
        await asyncio.to_thread(self.index.close)
        await self._registry.aclose(everything=True)

    def source(self, name: str) -> Source:
        """The source of that name.

        Raises:
            NotFound: there is none, or it is switched off.
        """
        return self._registry.get(name)

    def reports(self) -> tuple[SourceReport, ...]:
        """How each configured source fared when last asked."""
        sources = self._registry.all()
        found = []
        for settings in self._registry.settings:
            report = SourceReport(settings.name, settings.label or settings.name, "fresh")
            if error := self._registry.broken.get(settings.name):
                report = replace(report, status="failed", error=error.message, remedy=error.remedy)
            elif settings.name not in sources:
                report = replace(report, status="off")
            elif sources[settings.name].remote and self._registry.offline:
                report = _off(report)
            else:
                report = self._reports.get(settings.name, report)
            found.append(report)
        return tuple(found)

    async def find(
        self, text: str = "", *, limit: int = 50, sources: Sequence[str] | None = None, refresh: bool = False
    ) -> SearchAnswer:
        """Ask all sources, or those named, and wait for each of them up to its time-out.

        `limit` is the number of rows; `refresh` asks again where a kept answer would do.

        Raises:
            UsageError: the query makes no sense; the message names the word.
            NotFound: a named source does not exist.
        """
        async with aclosing(self.follow(text, limit=limit, sources=sources, refresh=refresh)) as answers:
            return [answer async for answer in answers][-1]

    async def follow(
        self, text: str = "", *, limit: int = 50, sources: Sequence[str] | None = None, refresh: bool = False
    ) -> AsyncGenerator[SearchAnswer, None]:
        """As `find`, but with an answer as soon as each source has come in; the last one is complete."""
        begun = time.monotonic()
        query = parse(text)
        query.require(self.checks)
        await self._registry.aclose()
        asked = [self._registry.get(name) for name in sources] if sources else self._searched()
        rows: dict[str, Sequence[RepoCard]] = {}
        tasks = {asyncio.create_task(self._ask(source, query, limit, refresh)) for source in asked}
        try:
            pending = set(tasks)
            while True:
                if pending:
                    done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    rows |= dict(task.result() for task in done)
                merged = merge(rows, query.text, limit)
                reports = tuple(r for r in self.reports() if not sources or r.source in sources)
                yield SearchAnswer(text, merged, reports, time.monotonic() - begun)
                if not pending:
                    return
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def search(
        self,
        text: str = "",
        *,
        limit: int = 50,
        sources: Sequence[str] | None = None,
        refresh: bool = False,
        sort: str = "downloads",
        offset: int = 0,
    ) -> "pd.DataFrame":
        """A table with a row per repository: from the catalogue; where there is none yet, from the sources themselves.

        With `sources` or `refresh` these are asked in any case; `attrs["sources"]` holds how they fared. From the
        catalogue `attrs` has `total`, `facets` and `suggestion`; `sort` and `offset` are for it alone.

        Raises:
            UsageError: the query or the order makes no sense; the message names the word.
            NotFound: a named source does not exist.
        """
        if sources or refresh or not await self.index.available():
            answer = await self.find(text, limit=limit, sources=sources, refresh=refresh)
            return await asyncio.to_thread(_to_frame, answer)
        page = await self.index.page(text, sort=sort, offset=offset, limit=limit)
        return await asyncio.to_thread(_page_frame, page)

    async def to_frame(self, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """The whole catalogue, or some columns of it, a row for each model, the most downloaded first.

        Raises:
            NotFound: there is no catalogue yet.
            UsageError: there is no such column.
        """
        return await self.index.to_frame(columns)

    async def detail(self, model: str | ModelId) -> RepoDetail:
        """One commit of a repository with its files; the newest commit if none is named.

        Raises:
            RepositoryNotFound, RevisionNotFound, GatedRepository, NotSignedIn, Unreachable.
        """
        source, name = await self.resolve(model)
        return await self._detail(source, name.repo, name.revision)

    async def history(self, model: str | ModelId, *, limit: int = 20) -> History | None:
        """The newest commits of a repository, the last first; None if its source does not list them.

        Raises:
            RepositoryNotFound, GatedRepository, NotSignedIn, Unreachable.
        """
        source, name = await self.resolve(model)
        if not isinstance(source, TellsHistory):
            return None
        self._check_offline(source)
        return await source.history(name.repo, name.revision or "main", limit=limit)

    async def changes(self, model: str | ModelId, since: str) -> Changes:
        """What a commit changed in a repository's files since an older one; the newest if the name has none.

        Raises:
            RepositoryNotFound, RevisionNotFound, GatedRepository, NotSignedIn, Unreachable.
        """
        source, name = await self.resolve(model)
        older = await self._detail(source, name.repo, since)
        newer = await self._detail(source, name.repo, name.revision)
        return between(older.files, newer.files)

    async def resolve(self, model: str | ModelId) -> tuple[Source, ModelId]:
        """The source that a name belongs to: the one it names, else the first that has it.

        Raises:
            UsageError: it is no name. NotFound: no source has it. Unreachable: none has it, but one did not answer.
        """
        name = ModelId.parse(model) if isinstance(model, str) else model
        if name.source:
            return self.source(name.source), name
        candidates = self._candidates(name)
        if len(candidates) == 1:
            return candidates[0], replace(name, source=candidates[0].name)
        silent: ModelshelfError | None = None
        for source in candidates:
            try:
                await self._detail(source, name.repo, name.revision)
            except NotFound:
                continue
            except Unreachable as error:
                silent = silent or error
                continue
            return source, replace(name, source=source.name)
        raise silent or RepositoryNotFound(f"No source has {name.repo}.")

    async def named(self, model: str, *, sha256: str = "", beside: bool = False) -> ModelId:
        """The model that a person names: by its id, or by an address as `https://…` and `ollama://…`.

        A file at an https address needs its checksum: `sha256`, or `beside` to take the one that lies beside it.

        Raises:
            UsageError: it is no name, no source takes such an address, or a checksum is missing.
            RoleRequired, Unreachable, NotFound, AccessError.
        """
        if "://" not in model:
            if sha256 or beside:
                raise UsageError(
                    "A checksum belongs to an https address: sources publish their own.", remedy="Leave it out."
                )
            return ModelId.parse(model)
        sources = [*self._registry.all().values(), *(self._registry.get(name) for name in self._unset())]
        for source in sources:
            if isinstance(source, TakesAddresses) and (found := await source.take(model, sha256=sha256, beside=beside)):
                return found
        raise UsageError(
            f"No source takes addresses that begin with {model.partition('://')[0][:20]}://.",
            remedy="Use https://host/path/model.gguf with --sha256, or ollama://library/llama3.2:1b.",
        )

    def _unset(self) -> list[str]:
        configured = {settings.name for settings in self._registry.settings}
        return [name for name in BUILT_IN if name not in configured]

    def _searched(self) -> list[Source]:
        return [source for source in self._registry.all().values() if not isinstance(source, TakesAddresses)]

    def _candidates(self, name: ModelId) -> list[Source]:
        kinds = {settings.name: settings.kind for settings in self._registry.settings}
        sources = self._searched()
        of_samples = [source for source in sources if kinds[source.name] == SAMPLES]
        if name.author == SAMPLES and of_samples:
            return of_samples[:1]
        return [source for source in sources if source not in of_samples]

    async def _detail(self, source: Source, repo: str, revision: str | None) -> RepoDetail:
        key = self._registry.endpoint(source.name), repo, revision
        known = self._details.get(key)
        if known and known[0] > time.monotonic():
            return known[1]
        self._check_offline(source)
        detail = await source.detail(repo, revision)
        life = PINNED_SECONDS if revision == detail.commit else DETAIL_SECONDS
        self._details.pop(key, None)
        while len(self._details) >= DETAILS_KEPT:
            self._details.pop(next(iter(self._details)))
        self._details[key] = time.monotonic() + (life if source.remote else 0), detail
        return detail

    async def _ask(self, source: Source, query: Query, limit: int, refresh: bool) -> tuple[str, Sequence[RepoCard]]:
        wanted = FILTERED_LIMIT if query.filters and limit < FILTERED_LIMIT else limit
        report = SourceReport(source.name, source.label, "fresh")
        rows, report = await self._rows(source, query.text, wanted, refresh, report)
        matching = [card for card in rows if query.matches(card, self.checks)]
        self._note(replace(report, found=len(matching)))
        return source.name, matching

    async def _rows(
        self, source: Source, text: str, limit: int, refresh: bool, report: SourceReport
    ) -> tuple[Sequence[RepoCard], SourceReport]:
        key = question(self._registry.endpoint(source.name), text, limit)
        kept = await self._answers.get(source.name, key) if source.remote else None
        if source.remote and self._registry.offline:
            kept = kept or await self._answers.recall(source.name, text, limit)
            return _told(_off(report), kept)
        hours = self._config.config.catalog.answer_hours
        if kept and not refresh and kept.age.total_seconds() < hours * 3600:
            return kept.rows, replace(report, as_of=kept.at)
        begun = time.monotonic()
        try:
            rows = await self._answer(source, text, limit, refresh)
        except ModelshelfError as error:
            kept = kept or (await self._answers.recall(source.name, text, limit) if source.remote else None)
            status = "stale" if kept else "failed"
            failed = replace(report, status=status, error=error.message, remedy=error.remedy)
            return _told(replace(failed, seconds=time.monotonic() - begun), kept)
        seconds = time.monotonic() - begun
        answer = await self._answers.put(source.name, key, rows) if source.remote else Answer(tuple(rows), now())
        return _told(replace(report, seconds=seconds), answer)

    async def _answer(self, source: Source, text: str, limit: int, refresh: bool) -> Sequence[RepoCard]:
        # Who did not answer in time is left alone for a moment: nobody waits anew with every key.
        until, error = self._resting.get(source.name, (0.0, None))
        if error and not refresh and time.monotonic() < until:
            raise error
        seconds = self._config.config.catalog.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                rows = await source.search(text, limit=limit)
        except TimeoutError:
            slow = Unreachable(f"{source.label} did not answer in {seconds:g} seconds.")
            self._resting[source.name] = time.monotonic() + REST_SECONDS, slow
            raise slow from None
        except ModelshelfError:
            raise
        except Exception as error:  # a source of somebody else's must not take the others down
            log.exception("the source %s failed", source.name)
            raise Unreachable(f"{source.label} failed: {error}.", remedy="See the log for the details.") from error
        self._resting.pop(source.name, None)
        return rows

    def _check_offline(self, source: Source) -> None:
        if source.remote and self._registry.offline:
            raise Unreachable(
                f"{source.label} is not asked while working offline.",
                remedy="Switch off network.offline in the settings and HF_HUB_OFFLINE in the environment.",
            )

    def _note(self, report: SourceReport) -> None:
        before = self._reports.get(report.source)
        self._reports[report.source] = report
        if (before.status if before else "fresh") != report.status:
            self._events.publish(SourceChanged(source=report.source))


def _off(report: SourceReport) -> SourceReport:
    return replace(report, status="off", error="Not asked while working offline.")


def _told(report: SourceReport, kept: Answer | None) -> tuple[Sequence[RepoCard], SourceReport]:
    return (kept.rows, replace(report, as_of=kept.at)) if kept else ((), report)


def _to_frame(answer: SearchAnswer) -> "pd.DataFrame":
    # pandas takes most of a second to load: only who wants a table waits for it, and not in the event loop.
    from modelshelf.catalog.frame import to_frame

    return to_frame(answer)


def _page_frame(page: "Page") -> "pd.DataFrame":
    from modelshelf.catalog.frame import of_cards

    frame = of_cards(row.card for row in page.rows)
    frame.attrs |= {"total": page.total, "facets": dict(page.facets), "suggestion": page.suggestion}
    return frame
