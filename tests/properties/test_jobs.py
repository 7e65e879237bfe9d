"""Jobs under any order of pause, resume, cancel, fail and restart, by several workers, under a budget that changes."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from modelshelf.downloads import jobs, line, rows
from modelshelf.downloads.types import ENDED, DownloadPlan, JobStatus, PlannedFile
from modelshelf.errors import UsageError
from modelshelf.store.tables import Base, JobRow, now

WORKERS = [f"elsewhere:{n}:{n}.0:w" for n in range(3)]
LIMIT = 2
RETRY = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.REVIEW, JobStatus.PAUSED})
CLOSED = jobs.Gate(5, "budget: closed.", free=frozenset({"local"}))
FILES = ("a", "b", "c")

workers = st.sampled_from(WORKERS)
STOPS = st.sampled_from([JobStatus.PAUSED, JobStatus.WAITING, JobStatus.DONE])
MOSTLY = st.sampled_from([True, True, True, False])


def a_plan(number: int, size: int, source: str) -> DownloadPlan:
    files = tuple(PlannedFile(name, size, None, None) for name in FILES)
    return DownloadPlan(source, f"org/m{number}", "c", files, (), 3 * size, 3 * size, 0, 0, None, gated=False)


class Jobs(RuleBasedStateMachine):
    """What must hold whatever happens: one owner at most, no request forgotten, and what has ended stays ended."""

    all_jobs = Bundle("all_jobs")

    @initialize(target=all_jobs)
    def begin(self) -> object:
        self.engine = create_engine("sqlite://")
        Base.metadata.create_all(self.engine, tables=[Base.metadata.tables["job"]])
        self.session = Session(self.engine, expire_on_commit=False)
        self.count = 0
        self.gate = jobs.OPEN_GATE
        self.holders: dict[str, str] = {}
        self.wishes: dict[str, str] = {}
        first = [self.added(size, "hub") for size in (1, 2, 3)]
        self.claim(WORKERS[0])
        self.claim(WORKERS[1])
        return multiple(*first)

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        try:
            self.everything_can_still_end()
        finally:
            self.session.close()
            self.engine.dispose()

    def status(self, job: str) -> JobStatus:
        self.session.flush()
        self.session.expire_all()
        return JobStatus(jobs.get(self.session, job).status)

    @rule(target=all_jobs, size=st.integers(0, 4), source=st.sampled_from(["hub", "local"]))
    def add(self, size: int, source: str) -> object:
        return self.added(size, source) if self.count < 6 else multiple()

    def added(self, size: int, source: str) -> str:
        self.count += 1
        plan = a_plan(self.count, size, source)
        job, new = jobs.add(self.session, plan, {}, "", "owner", 0)
        assert new
        self.session.flush()
        assert jobs.add(self.session, plan, {}, "", "owner", 0) == (job, False)
        return job

    def whose(self, job: str, me: str, mine: bool) -> str:
        """Mostly the owner of a job, now and then somebody who has no say."""
        return self.holders.get(job, me) if mine else me

    @rule(me=workers)
    def claim(self, me: str) -> None:
        best = [job for job in self.line() if self.may_go_on(job)]
        row = jobs.claim(self.session, me, LIMIT, 60, None, self.gate)
        self.session.flush()
        if row is None:
            assert len(self.holders) >= LIMIT or not best
            return
        assert row.id == best[0]
        assert len(self.holders) < LIMIT
        self.holders[row.id] = me

    def may_go_on(self, job: str) -> bool:
        row = jobs.get(self.session, job)
        little = self.gate.allowed is None or row.bytes_total - row.bytes_done <= self.gate.allowed
        return JobStatus(row.status) in jobs.CLAIMABLE and not row.owner and (little or row.source == "local")

    @rule(job=all_jobs, me=workers, mine=MOSTLY, done=st.integers(0, 3))
    def beat(self, job: str, me: str, mine: bool, done: int) -> None:
        me = self.whose(job, me, mine)
        if self.holders.get(job) != me:
            assert jobs.beat(self.session, job, me, 60, {"bytes_done": 99}) is None
            assert jobs.get(self.session, job).bytes_done != 99
            return
        changes = {"bytes_done": done, "status": JobStatus.TRANSFERRING.value}
        wish = jobs.beat(self.session, job, me, 60, changes)
        assert wish is not None
        assert wish.request == self.wishes.get(job, "")

    @rule(job=all_jobs, me=workers, mine=MOSTLY, status=st.sampled_from([*ENDED, JobStatus.PAUSED, JobStatus.WAITING]))
    def finish(self, job: str, me: str, mine: bool, status: JobStatus) -> None:
        me = self.whose(job, me, mine)
        before = self.status(job)
        wish = self.wishes.get(job, "")
        result = {"failed": [{"path": "a", "error": "no"}, {"path": "b", "error": "no"}]}
        changes = {"result": result} if status is JobStatus.FAILED else {"detail": "budget: closed."}
        ended = jobs.finish(self.session, job, me, status, changes)
        if self.holders.get(job) != me:
            assert ended is None
            assert self.status(job) is before
            return
        del self.holders[job]
        self.wishes.pop(job, None)
        if status in ENDED:
            assert ended is status
        else:
            assert ended is {jobs.CANCEL: JobStatus.CANCELLED, jobs.PAUSE: JobStatus.PAUSED}.get(wish, status)
        assert self.status(job) is ended

    @rule(job=all_jobs, request=st.sampled_from([jobs.PAUSE, jobs.CANCEL]))
    def ask(self, job: str, request: str) -> None:
        before = self.status(job)
        try:
            after = jobs.ask(self.session, job, request)
        except UsageError:
            assert before in ENDED
            return
        assert before not in ENDED
        if job in self.holders:
            assert after is before
            self.wishes[job] = jobs.CANCEL if jobs.CANCEL in (request, self.wishes.get(job)) else request
        else:
            assert after is (JobStatus.CANCELLED if request == jobs.CANCEL else JobStatus.PAUSED)

    @rule(job=all_jobs, request=st.sampled_from([jobs.PAUSE, jobs.CANCEL]), status=STOPS)
    def ask_in_the_last_moment(self, job: str, request: str, status: JobStatus) -> None:
        """Between the last beat of a job and its end."""
        if job not in self.holders:
            self.claim(WORKERS[2])
        if job in self.holders:
            self.ask(job, request)
            self.finish(job, self.holders[job], True, status)

    @rule(job=all_jobs, files=st.sets(st.sampled_from(FILES)))
    def retry(self, job: str, files: set[str]) -> None:
        before, row = self.status(job), jobs.get(self.session, job)
        failed = rows.failed_files(row.result)
        try:
            after = jobs.requeue(self.session, job, RETRY, sorted(files))
        except UsageError:
            assert before in {JobStatus.DONE, JobStatus.QUARANTINED} or files - failed.keys()
            assert self.status(job) is before
            return
        if before in jobs.CLAIMABLE:
            assert after is before
            if self.wishes.get(job) == jobs.PAUSE:
                del self.wishes[job]
            return
        assert after is JobStatus.QUEUED
        if files:
            assert set(jobs.get(self.session, job).held) == failed.keys() - files

    @rule(me=workers)
    def a_process_ends(self, me: str) -> None:
        mine = {job for job, holder in self.holders.items() if holder == me}
        released = dict(jobs.release(self.session, me))
        assert released.keys() == mine
        for job, status in released.items():
            wish = self.wishes.pop(job, "")
            wanted = {jobs.CANCEL: JobStatus.CANCELLED, jobs.PAUSE: JobStatus.PAUSED}.get(wish, JobStatus.QUEUED)
            assert status is wanted
            del self.holders[job]

    @rule(me=workers, other=workers)
    def a_process_is_killed(self, me: str, other: str) -> None:
        """Its leases run out; whoever looks next takes one of its jobs, and what was asked of that still holds."""
        if me == other:
            return
        lost = [job for job, holder in self.holders.items() if holder == me]
        for job in lost:
            jobs.get(self.session, job).lease_until = now() - timedelta(seconds=1)
        self.session.flush()
        row = jobs.claim(self.session, other, LIMIT, 60, None, self.gate)
        self.session.flush()
        for job in lost:
            del self.holders[job]
        if row:
            self.holders[row.id] = other
            if row.id in lost:
                assert row.request == self.wishes.get(row.id, "")

    @rule(shut=st.booleans())
    def the_budget_changes(self, shut: bool) -> None:
        self.gate = CLOSED if shut else jobs.OPEN_GATE
        jobs.park(self.session, self.gate)
        self.session.flush()
        self.session.expire_all()
        for row in self.every():
            if not row.owner and row.status in ("queued", "waiting"):
                assert (row.status == "queued") == self.may_go_on(row.id)
        assert not jobs.park(self.session, self.gate), "to look again changes nothing"

    @rule(job=all_jobs, other=all_jobs, to=st.sampled_from(["first", "last", "before", "after"]))
    def move(self, job: str, other: str, to: line.To) -> None:
        before = [name for name in self.line() if name != job]
        try:
            line.move(self.session, job, to, other)
        except UsageError:
            assert job not in self.line() or job == other or other not in before
            return
        self.session.flush()
        after = [*self.line()]
        assert [name for name in after if name != job] == before, "the others keep their order"
        place = after.index(job)
        if to in ("first", "last"):
            assert place == (0 if to == "first" else len(before))
        else:
            assert after[place + (1 if to == "before" else -1)] == other

    @rule(job=all_jobs, steps=st.integers(-3, 3))
    def shift(self, job: str, steps: int) -> None:
        ended = self.status(job) in ENDED
        was = jobs.get(self.session, job).priority
        try:
            assert line.shift(self.session, job, steps) == was + steps
        except UsageError:
            assert ended

    def every(self) -> list[JobRow]:
        self.session.flush()
        return list(self.session.scalars(select(JobRow)))

    def line(self) -> list[str]:
        """Who has not ended, in the order of the queue."""
        order = (JobRow.priority.desc(), JobRow.position, JobRow.created, JobRow.id)
        query = select(JobRow.id).where(JobRow.status.in_(rows.OPEN_VALUES)).order_by(*order)
        return list(self.session.scalars(query))

    @invariant()
    def what_is_written_makes_sense(self) -> None:
        if not hasattr(self, "session"):
            return
        for row in self.every():
            status = JobStatus(row.status)
            assert (row.ended is not None) == (status in ENDED)
            if row.owner and row.id in self.holders:
                assert row.owner == self.holders[row.id]
                assert status in jobs.WORKING
            if not row.owner:
                assert row.id not in self.holders
                # What was asked of a process that was killed waits for the next one that takes the job.
                assert row.request in ("", self.wishes.get(row.id, ""))
            assert not row.until or status is JobStatus.WAITING

    def everything_can_still_end(self) -> None:
        """Whatever has happened: with the budget open and every pause lifted, each job is done in the end."""
        for job in list(self.holders):
            jobs.get(self.session, job).lease_until = now() - timedelta(seconds=1)
        self.session.flush()
        jobs.park(self.session, jobs.OPEN_GATE)
        for row in self.every():
            if JobStatus(row.status) not in ENDED:
                jobs.requeue(self.session, row.id, RETRY)
        self.session.flush()
        for _ in range(2 * self.count):
            row_or_none = jobs.claim(self.session, "last:1:1.0:w", LIMIT, 60, None)
            if row_or_none is None:
                break
            wish = jobs.beat(self.session, row_or_none.id, "last:1:1.0:w", 60, {})
            assert wish is not None
            end = JobStatus.CANCELLED if wish.request == jobs.CANCEL else JobStatus.DONE
            assert jobs.finish(self.session, row_or_none.id, "last:1:1.0:w", end, {}) is end
        assert {JobStatus(row.status) for row in self.every()} <= ENDED


TestJobs = Jobs.TestCase
TestJobs.settings = settings(deadline=None, max_examples=50, stateful_step_count=30)
