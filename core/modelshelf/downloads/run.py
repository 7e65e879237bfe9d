"""One job, from its plan to the library: transfer, verify, vet, land."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modelshelf.downloads import refs
from modelshelf.downloads.cache import RepoCache, blob_name
from modelshelf.downloads.failures import Failures, check_pins
from modelshelf.downloads.hashing import Digest, hash_file
from modelshelf.downloads.journal import Identity
from modelshelf.downloads.landing import Arrival, land
from modelshelf.downloads.numbers import TransferLog
from modelshelf.downloads.pace import Meter
from modelshelf.downloads.part import Part, discard_part, in_thread
from modelshelf.downloads.plan import Places, check_disk, measure
from modelshelf.downloads.transfer import SMALL, FileTransfer, Means
from modelshelf.downloads.types import DownloadPlan, JobStatus, PlannedFile
from modelshelf.downloads.verdicts import Verdicts
from modelshelf.errors import ModelshelfError
from modelshelf.store.tables import FileRow
from modelshelf.vetting.origin import Origin

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService
    from modelshelf.library import ModelLibrary
    from modelshelf.vetting import VettingService

log = logging.getLogger(__name__)

# Small files that are on their way at once lose their bytes when the process is killed: together less than 64 MiB.
_SMALL_BYTES = 40 * 2**20
_SMALL_FILES = 24


@dataclass(slots=True)
class Progress:
    """Where a job stands, for whoever reports it."""

    status: JobStatus
    meter: Meter
    detail: str = ""
    file: str = ""
    retries: int = 0
    began: float | None = None
    took: float | None = None
    files: dict[str, int] = field(default_factory=dict)  # bytes of each file that has some, by its path

    @property
    def seconds(self) -> float:
        """How long bytes have been on their way, or were."""
        if self.began is None:
            return 0.0
        return time.monotonic() - self.began if self.took is None else self.took


class Registered(Protocol):
    """What became of a model with a provider."""

    @property
    def provider(self) -> str:
        """Its id."""
        ...

    @property
    def name(self) -> str:
        """What it calls the model."""
        ...

    @property
    def status(self) -> str:
        """Where that stands."""
        ...


class Landed(Protocol):
    """Told of a commit that is in the library; it fails for nobody's sake."""

    async def __call__(self, repo: str, commit: str, /) -> Sequence[Registered]:
        """Who has it now."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What every job works with."""

    catalog: "CatalogService"
    library: "ModelLibrary"
    vetting: "VettingService"
    means: Means
    pool: Executor
    places: Places
    numbers: TransferLog
    connections: int = 4
    landed: Landed | None = None


class JobRun:
    """The work on one job. `progress` can be read at any time; `run` returns the job's result."""

    def __init__(
        self,
        plan: DownloadPlan,
        names: Sequence[str],
        tools: Tools,
        held: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.plan = plan
        self.progress = Progress(JobStatus.PLANNING, Meter(plan.total))
        self.failed = Failures(plan.repo, held or {})
        self._refs = names
        self._tools = tools
        self._small = _Gate(_SMALL_BYTES, _SMALL_FILES)
        self._large = asyncio.Semaphore(1)
        self._waiting = 0
        self._verdicts = Verdicts(plan, tools.vetting, tools.places.repo(plan.repo))

    async def run(self, others: Sequence[DownloadPlan] = (), untouched: int = 0) -> dict[str, Any]:
        """Do everything that is left to do; being cancelled keeps what arrived.

        `others` and `untouched` bytes are what other jobs will still write.

        Raises:
            Blocked, NeedsReview: a file did not pass; nothing was published.
            ModelshelfError: it cannot go on.
        """
        tools = self._tools
        self.plan = await asyncio.to_thread(measure, self.plan, tools.places, others, untouched)
        check_disk(self.plan)
        await tools.vetting.admit(Origin.of(self.plan))
        self.progress.status, self.progress.began = JobStatus.TRANSFERRING, time.monotonic()
        try:
            arrivals = await self._arrivals()
        finally:
            self.progress.took = self.progress.seconds
            await asyncio.shield(tools.numbers.flush())
        check_pins(self.plan, arrivals)
        self.progress.status, self.progress.detail = JobStatus.VETTING, ""
        await self._verdicts.judge()
        self.progress.status, self.progress.file = JobStatus.LANDING, ""
        cache = tools.places.repo(self.plan.repo)
        await self._note_moves(cache)
        snapshot = await in_thread(tools.pool, land, cache, self.plan.commit, arrivals, self._refs, tools.places.parts)
        await in_thread(tools.pool, _forget, arrivals)
        await tools.library.record([self._row(arrival) for arrival in arrivals])
        return {
            "registrations": await self._register(),
            "commit": self.plan.commit,
            "path": str(snapshot),
            "files": [{"name": a.path, "sha256": a.sha256, "size": a.size} for a in arrivals],
        }

    async def _register(self) -> list[dict[str, Any]]:
        """Give the model to whoever is given models by itself: what became of each."""
        if self._tools.landed is None:
            return []
        self.progress.status = JobStatus.REGISTERING
        found = await self._tools.landed(self.plan.repo, self.plan.commit)
        return [{"provider": one.provider, "name": one.name, "status": str(one.status)} for one in found]

    async def _arrivals(self) -> list[Arrival]:
        """Every planned file with its bytes verified, one transfer for files that are the same bytes.

        A file that the source does not give as it should does not keep the others from coming.
        """
        groups: dict[Path, list[PlannedFile]] = {}
        for file in self.plan.files:
            groups.setdefault(self._tools.places.part(self.plan, file), []).append(file)
        self._waiting = len(groups)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(self._attempt(files)) for files in groups.values()]
        except ExceptionGroup as group:
            raise _first(group) from None
        self.failed.check()
        return sorted((arrival for task in running for arrival in task.result()), key=lambda arrival: arrival.path)

    async def _attempt(self, files: Sequence[PlannedFile]) -> Sequence[Arrival]:
        """Files that are the same bytes, with what the scanner says of them; none if they failed, now or before."""
        if any(self.failed.holds(file.path) for file in files):
            return ()
        try:
            arrival = await self._obtain(files[0])
        except ModelshelfError as error:
            if not self.failed.take([file.path for file in files], error):
                raise
            return ()
        self._waiting -= 1
        if not self._waiting:
            self.progress.status, self.progress.detail = JobStatus.VETTING, ""
        arrivals = [replace(arrival, path=file.path) for file in files]
        await self._verdicts.scan(arrivals)
        return arrivals

    async def _obtain(self, file: PlannedFile) -> Arrival:
        if file.present:
            async with self._small.hold(file.size):
                if arrival := await self._check_present(file):
                    return arrival
        lane = self._small.hold(file.size) if file.size <= SMALL else self._large
        async with lane:
            return await self._fetch(file)

    async def _check_present(self, file: PlannedFile) -> Arrival | None:
        """The file as the cache holds it; None if its bytes are damaged, so that it is fetched anew."""
        name = blob_name(file)
        if name is None:
            return None
        blob = self._tools.places.repo(self.plan.repo).blob(name)
        try:
            digest = await in_thread(self._tools.pool, _digest, blob, not file.sha256)
        except OSError:
            return None
        if not digest.matches(file.sha256, file.git_sha1):
            log.warning("%s in the cache is damaged and is fetched again", blob)
            return None
        self.progress.meter.add(file.size, new=False)
        self.progress.files[file.path] = file.size
        return Arrival(file.path, file.size, name, digest.sha256, None)

    async def _fetch(self, file: PlannedFile) -> Arrival:
        tools, meter, plan = self._tools, self.progress.meter, self.plan
        path = tools.places.part(plan, file)
        part = Part(path, Identity(file.size, file.sha256, file.git_sha1), tools.pool)
        async with part.opened():
            landed = not part.pieces.done and tools.places.repo(plan.repo).holds(file)
            if landed and (arrival := await self._check_present(file)):
                # Another job was at it and has landed it meanwhile.
                await in_thread(tools.pool, part.discard)
                return arrival
            meter.add(part.pieces.done, new=False)
            self.progress.files[file.path] = part.pieces.done
            source = tools.catalog.source(plan.source)
            transfer = FileTransfer(
                tools.means,
                file.path,
                part,
                lambda: source.locate(plan.repo, plan.commit, file.path),
                connections=tools.connections,
                arrived=lambda count: self._arrived(file, count),
                trouble=self._trouble,
            )
            digest = await self._tools.numbers.measure(plan, file, transfer)
        if meter.done >= meter.total:
            self.progress.status = JobStatus.VERIFYING
        return Arrival(file.path, file.size, blob_name(file) or digest.sha256, digest.sha256, path)

    def _arrived(self, file: PlannedFile, count: int) -> None:
        progress = self.progress
        progress.meter.add(count)
        progress.files[file.path] = progress.files.get(file.path, 0) + count
        progress.file, progress.detail = file.path, ""
        done = progress.meter.done >= progress.meter.total
        progress.status = JobStatus.VERIFYING if done else JobStatus.TRANSFERRING

    async def _note_moves(self, cache: RepoCache) -> None:
        """Write down where the names led before they lead elsewhere: a rollback goes by that."""
        before = await asyncio.to_thread(refs.read_all, cache, self._refs)
        await self._tools.library.note_moves(self.plan.repo, before, self.plan.commit)

    def _trouble(self, sentence: str, seconds: float) -> None:
        self.progress.retries += 1
        self.progress.detail = f"{sentence} Trying again" + (f" in {seconds:.0f} s." if seconds >= 1 else ".")
        if seconds >= 1:
            self.progress.status = JobStatus.WAITING
            self.progress.detail = "network: " + self.progress.detail

    def _row(self, arrival: Arrival) -> FileRow:
        plan = self.plan
        return FileRow(
            repo=plan.repo,
            commit=plan.commit,
            path=arrival.path,
            source=plan.source,
            sha256=arrival.sha256,
            size=arrival.size,
        )


class _Gate:
    """Lets so many files with so many bytes in all through at once, in the order they came; one file always may."""

    def __init__(self, size: int, count: int) -> None:
        self._size, self._count = size, count
        self._held, self._inside = 0, 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        self._admit()
        try:
            await turn
            yield
        finally:
            turn.cancel()  # does nothing to a turn that came
            if not turn.cancelled():
                self._held, self._inside = self._held - size, self._inside - 1
            self._admit()

    def _admit(self) -> None:
        """Only who may go in is woken: with ten thousand waiting, waking them all each time takes minutes."""
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.cancelled():
                if self._inside and (self._inside >= self._count or self._held + size > self._size):
                    return
                self._held, self._inside = self._held + size, self._inside + 1
                turn.set_result(None)
            self._waiting.popleft()


def _forget(arrivals: Sequence[Arrival]) -> None:
    for arrival in arrivals:
        if arrival.part is not None:
            discard_part(arrival.part)


def _digest(path: Path, git: bool) -> Digest:
    return hash_file(path, git=git)


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """The error to show: one of ours if there is one."""
    leaves = [_first(error) if isinstance(error, ExceptionGroup) else error for error in group.exceptions]
    return next((error for error in leaves if not isinstance(error, ModelshelfError)), leaves[0])
