"""Downloads as views see them."""

from collections.abc import Mapping, Sequence

import param

from modelshelf.downloads.types import ENDED, RUNNING, Job, JobStatus, News
from modelshelf.events import JobProgress


class DownloadState(param.Parameterized):
    """One job. `done` and `total` in bytes, `rate` in bytes per second, `eta` in seconds."""

    id = param.String(constant=True, doc="the job's id")
    source = param.String(constant=True, doc="where it comes from")
    repo = param.String(constant=True, doc="org/name")
    commit = param.String(doc="the commit being fetched")
    files = param.ClassSelector(default=(), class_=tuple, doc="paths in the repository")
    status = param.ClassSelector(default=JobStatus.QUEUED, class_=JobStatus, doc="where it stands")
    detail = param.String(doc="what it waits for, or what happens now")
    done = param.Integer(default=0, bounds=(0, None), doc="bytes that arrived")
    total = param.Integer(default=0, bounds=(0, None), doc="bytes in all")
    rate = param.Number(default=0.0, bounds=(0, None), doc="bytes per second over the last seconds")
    eta = param.Number(default=None, allow_None=True, doc="seconds to go, None when unknown")
    error = param.String(doc="what went wrong")
    remedy = param.String(doc="what to do about it")
    principal = param.String(doc="who started it")
    priority = param.Integer(default=0, doc="higher goes first")
    position = param.Number(default=0.0, doc="among jobs of one priority the lowest goes first")
    rate_limit = param.Number(default=0.0, doc="bytes per second, 0 for no limit of its own")
    retries = param.Integer(default=0, doc="requests that were tried again")
    until = param.Date(default=None, allow_None=True, doc="when a job goes on that waits for its budget, in UTC")
    created = param.Date(default=None, allow_None=True, doc="when, in UTC")
    ended = param.Date(default=None, allow_None=True, doc="when, in UTC")
    batch = param.String(doc="what those share that were asked for together")

    @param.depends("done", "total")
    def percent(self) -> int:
        """How much has arrived, in whole per cent, rounded down."""
        return int(100 * self.done // self.total) if self.total else 0

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.status not in ENDED

    @classmethod
    def of(cls, job: Job) -> "DownloadState":
        """The state of a job not seen before."""
        return cls(id=job.id, source=job.source, repo=job.repo, name=job.repo, **_changing(job))

    def take(self, job: Job) -> None:
        """Follow a newer snapshot, in one update."""
        self.param.update(**_changing(job))

    def advance(self, event: JobProgress) -> None:
        """Follow a step of progress, in one update."""
        self.param.update(
            status=JobStatus(event.status), done=event.done, total=event.total, rate=event.rate, eta=event.eta
        )


class DownloadsState(param.Parameterized):
    """The jobs, newest first: what has not ended before all others, as many as a page can hold."""

    jobs = param.List(default=[], item_type=DownloadState, doc="one state per job; the list is replaced, not changed")
    error = param.String(doc="why the jobs cannot be read, empty when they can")
    open = param.Integer(default=0, bounds=(0, None), doc="how many have not ended; `jobs` may hold fewer of them")
    news = param.ClassSelector(default=News(), class_=News, doc="what ended or waits and nobody has seen yet")
    _seen: Mapping[str, Job] = {}
    turn = param.Integer(default=0, doc="raised whenever something became of some job, also of one not in `jobs`")

    @property
    def active(self) -> list[DownloadState]:
        """Those that have not ended."""
        return [job for job in self.jobs if job.active]

    def find(self, job: str) -> DownloadState | None:
        """The job of this id."""
        return next((state for state in self.jobs if state.id == job), None)

    def line(self, most: int) -> list[DownloadState]:
        """Those that have not ended, in the order they are worked off."""
        order = sorted(self.active, key=lambda job: (job.status not in RUNNING, -job.priority, job.position))
        return order[:most]

    def take(self, jobs: Sequence[Job], total: int | None = None, news: News | None = None) -> None:
        """Follow the jobs as they are now; the states of known ones stay the same objects. `total`: of open ones."""
        known = {state.id: state for state in self.jobs}
        before, self._seen = self._seen, {job.id: job for job in jobs}
        for job in jobs:
            # Most of a long queue is as it was: to write every field of each anew would hold up the loop.
            if job.id in known and before.get(job.id) != job:
                known[job.id].take(job)
        states = [known.get(job.id) or DownloadState.of(job) for job in jobs]
        if [state.id for state in states] != [state.id for state in self.jobs] or self.error:
            self.param.update(jobs=states, error="")
        opened = total if total is not None else len(self.active)
        self.param.update(open=opened, news=news or News(), turn=self.turn + 1)


def _changing(job: Job) -> dict[str, object]:
    names = (
        "commit", "files", "status", "detail", "done", "total", "rate", "eta", "error", "remedy", "principal",
        "priority", "position", "rate_limit", "retries", "until", "batch",
    )  # fmt: skip
    return {name: getattr(job, name) for name in names} | {"created": job.created, "ended": job.ended}
