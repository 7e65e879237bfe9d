from dataclasses import replace
from datetime import UTC, datetime

import param

from modelshelf.downloads.types import Job, JobStatus
from modelshelf.events import JobProgress
from modelshelf.state import DownloadsState

JOB = Job(
    id="one", source="samples", repo="samples/tiny", commit="c" * 40, files=("a.gguf",), status=JobStatus.TRANSFERRING,
    detail="", done=25, total=100, rate=5.0, eta=15.0, error="", remedy="", result={}, principal="owner",
    created=datetime(2026, 1, 1, tzinfo=UTC), started=None, ended=None,
)  # fmt: skip


def test_a_known_job_keeps_its_object_so_that_views_keep_theirs() -> None:
    state = DownloadsState()
    state.take([JOB])
    first = state.jobs[0]
    assert first.percent() == 25
    state.take([replace(JOB, done=50)])
    assert state.jobs[0] is first
    assert first.percent() == 50


def test_a_step_is_one_update() -> None:
    state = DownloadsState()
    state.take([JOB])
    seen: list[list[str]] = []
    state.jobs[0].param.watch(
        lambda *events: seen.append(sorted(event.name for event in events)), ["done", "total", "rate", "eta", "status"]
    )
    state.jobs[0].advance(JobProgress(job="one", status="verifying", done=100, total=100, rate=0.0, eta=None))
    assert seen == [["done", "eta", "rate", "status"]]
    assert state.jobs[0].status is JobStatus.VERIFYING


def test_the_list_is_replaced_only_when_jobs_come_or_go() -> None:
    state = DownloadsState()
    changes: list[param.parameterized.Event] = []
    state.param.watch(changes.append, ["jobs"])
    state.take([JOB])
    state.take([replace(JOB, done=60)])
    assert len(changes) == 1
    state.take([replace(JOB, id="two"), JOB])
    assert len(changes) == 2
    assert [job.id for job in state.jobs] == ["two", "one"]
    assert state.find("two") is state.jobs[0]


def test_active_leaves_out_what_has_ended() -> None:
    state = DownloadsState()
    state.take([replace(JOB, id=status, status=status) for status in JobStatus])
    ended = {"done", "review", "quarantined", "failed", "cancelled"}
    assert {job.id for job in state.active} == {status.value for status in JobStatus} - ended


def test_a_job_without_a_size_is_at_zero() -> None:
    state = DownloadsState()
    state.take([replace(JOB, total=0, done=0)])
    assert state.jobs[0].percent() == 0
