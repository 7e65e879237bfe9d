"""queue: what is being downloaded, in which order, and what became of it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli.output import Output, duration, emit, file_size
from modelshelf.cli.shared import FETCHING, Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.downloads.types import Job
    from modelshelf.shelf import Shelf

queue = typer.Typer(help="The queue of downloads.", no_args_is_help=True, rich_markup_mode=None)

Id = Annotated[str, typer.Argument(metavar="JOB", help="A job's id, as `queue list` shows it.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="JOB…", help="Jobs by their ids.")]
All = Annotated[bool, typer.Option("--all", help="All that have not ended.")]

_FIELDS = (
    "id", "source", "repo", "commit", "status", "detail", "priority", "done", "total", "rate", "eta", "until", "error",
    "remedy", "rate_limit", "attempts", "retries", "fetched", "seconds", "created", "started", "ended",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(queue, name="queue")


def document(job: "Job") -> dict[str, Any]:
    """A job as `--json` tells it; bytes, seconds and bytes per second."""
    return {name: getattr(job, name) for name in _FIELDS}


@queue.command("list")
def list_(as_json: Json = False) -> None:
    """List what has not ended, the next one first."""
    from modelshelf.cli.progress import note

    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = [job for job in await shelf.downloads.jobs(limit=10_000) if job.ended is None]
        found.sort(key=lambda job: (-job.priority, job.position, job.created))
        output.document([document(job) for job in found])
        output.table(
            ("Job", "Model", "Status", "Priority", "Progress"),
            [(job.id, job.repo, job.status.value, job.priority, note(job)) for job in found],
            right=("Priority",),
        )
        if not found:
            output.line("Nothing is queued.")

    with_shelf(work)


@queue.command()
def files(job: Id, as_json: Json = False) -> None:
    """List the files of a job and how far each is."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = await shelf.downloads.files(job)
        names = ("path", "size", "done", "status", "error", "remedy")
        output.document([{name: getattr(file, name) for name in names} for file in found])
        output.table(
            ("File", "Status", "Done", "Size", "Error"),
            [(f.path, f.status, file_size(f.done), file_size(f.size), f.error) for f in found],
            right=("Done", "Size"),
        )

    with_shelf(work)


@queue.command()
def pause(jobs: Ids = None, everything: All = False, as_json: Json = False) -> None:
    """Stop jobs for now; what arrived stays."""
    _deeds(jobs, everything, as_json, "paused", lambda shelf: shelf.downloads.pause, lambda s: s.downloads.pause_all)


@queue.command()
def resume(jobs: Ids = None, everything: All = False, as_json: Json = False) -> None:
    """Let paused jobs go on."""
    _deeds(jobs, everything, as_json, "resumed", lambda shelf: shelf.downloads.resume, lambda s: s.downloads.resume_all)


@queue.command()
def cancel(job: Id, as_json: Json = False) -> None:
    """End a job and delete what arrived of it."""
    _deed(job, as_json, "cancelled", lambda shelf: shelf.downloads.cancel(job))


@queue.command()
def retry(
    job: Id,
    only: Annotated[list[str] | None, typer.Argument(metavar="FILE…", help="Only these of the failed files.")] = None,
    as_json: Json = False,
) -> None:
    """Let a job that failed go on where it stopped, or only some of its failed files."""
    _deed(job, as_json, "queued", lambda shelf: shelf.downloads.retry(job, only or ()))


@queue.command("raise")
def raise_(job: Id, steps: Annotated[int, typer.Option("--by", min=1, max=200)] = 1, as_json: Json = False) -> None:
    """Raise a job's priority."""
    _deed(job, as_json, "raised", lambda shelf: shelf.downloads.shift(job, steps))


@queue.command()
def lower(job: Id, steps: Annotated[int, typer.Option("--by", min=1, max=200)] = 1, as_json: Json = False) -> None:
    """Lower a job's priority."""
    _deed(job, as_json, "lowered", lambda shelf: shelf.downloads.shift(job, -steps))


@queue.command()
def move(
    job: Id,
    first: Annotated[bool, typer.Option("--first", help="Before all others.")] = False,
    last: Annotated[bool, typer.Option("--last", help="After all others.")] = False,
    before: Annotated[str, typer.Option(metavar="JOB", help="Before this job.")] = "",
    after: Annotated[str, typer.Option(metavar="JOB", help="After this job.")] = "",
    as_json: Json = False,
) -> None:
    """Give a job another place; it takes the priority of whom it stands beside."""
    from modelshelf.downloads.line import To
    from modelshelf.errors import UsageError

    wanted: list[tuple[To, str]] = []
    wanted += [("first", "")] if first else []
    wanted += [("last", "")] if last else []
    wanted += [("before", before)] if before else []
    wanted += [("after", after)] if after else []
    if len(wanted) != 1:
        raise UsageError("Say where to move it.", remedy="Name one of --first, --last, --before and --after.")
    ((to, other),) = wanted
    _deed(job, as_json, "moved", lambda shelf: shelf.downloads.move(job, to, other))


@queue.command()
def limit(
    job: Id,
    rate: Annotated[float, typer.Argument(min=0, metavar="MB/S", help="0 takes the limit away.")],
    as_json: Json = False,
) -> None:
    """Let a job fetch at most so many MB a second."""
    _deed(job, as_json, "limited", lambda shelf: shelf.downloads.limit(job, rate * 1e6))


@queue.command()
def run(as_json: Json = False) -> None:
    """Work the queue off here, with progress, until nothing but paused jobs is left."""
    from modelshelf.cli.progress import Board

    async def work(shelf: "Shelf") -> "tuple[Job, ...]":
        found = [job for job in await shelf.downloads.jobs(limit=10_000) if job.ended is None]
        ids = [job.id for job in sorted(found, key=lambda job: (-job.priority, job.position, job.created))]
        if not ids:
            return ()
        tell = (lambda job: emit({"event": "progress", **document(job)})) if as_json else lambda _: None
        return await Board(shelf.downloads, hidden=as_json).watch(ids, tell)

    ended = with_shelf(work, without=FETCHING)
    report(ended, as_json)


def report(ended: "Sequence[Job]", as_json: bool) -> None:
    """Say what became of jobs, and leave with the first code that is not 0."""
    output = Output(as_json)
    codes = []
    for job in ended:
        code = code_of(job)
        codes.append(code)
        output.document({"event": "done" if code == 0 else "failed", **document(job)})
        output.line(f"{job.repo}: {job.error or job.status.value}" + (f" {job.remedy}" if job.remedy else ""))
    if code := next((code for code in codes if code), 0):
        raise typer.Exit(code)


def code_of(job: "Job") -> int:
    """The exit code of a job: 0 for one that is done, or was only paused."""
    known = {"done": 0, "paused": 0, "review": 3, "quarantined": 4}
    return known.get(job.status.value, int(job.result.get("exit_code", 1)))


@queue.command()
def history(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many of the newest.")] = 50, as_json: Json = False
) -> None:
    """List what was downloaded: when, how fast, and what it took."""
    from modelshelf.downloads.frame import mean_rate

    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = await shelf.downloads.past(limit)
        output.document([document(job) | {"mean_rate": mean_rate(job)} for job in found])
        output.table(
            ("Job", "Model", "Status", "When", "Size", "Took", "MB/s", "Retries"),
            [
                (
                    job.id,
                    job.repo,
                    job.status.value,
                    f"{job.created.astimezone():%Y-%m-%d %H:%M}",
                    file_size(job.total),
                    duration(job.seconds) or "—",
                    f"{rate / 1e6:.1f}" if (rate := mean_rate(job)) else "—",
                    job.retries,
                )
                for job in found
            ],
            right=("Size", "Took", "MB/s", "Retries"),
        )

    with_shelf(work)


@queue.command()
def clear(
    days: Annotated[float, typer.Option(min=0, help="Only what ended before so many days.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Forget jobs that have ended; nothing that was downloaded goes."""
    output = Output(as_json)
    count = with_shelf(lambda shelf: shelf.downloads.clear(days))
    output.document({"cleared": count})
    output.line(f"{count} entries are forgotten.")


def _deed(job: str, as_json: bool, word: str, work: "Callable[[Shelf], Awaitable[object]]") -> None:
    async def do(shelf: "Shelf") -> "Job":
        await work(shelf)
        return await shelf.downloads.job(job)

    output = Output(as_json)
    found = with_shelf(do)
    output.document(document(found))
    output.line(f"{found.repo}: {word} (now {found.status.value}, priority {found.priority}).")


def _deeds(
    jobs: Sequence[str] | None,
    everything: bool,
    as_json: bool,
    word: str,
    one: "Callable[[Shelf], Callable[[str], Awaitable[None]]]",
    all_: "Callable[[Shelf], Callable[[], Awaitable[Sequence[str]]]]",
) -> None:
    from modelshelf.errors import UsageError

    if bool(jobs) == everything:
        raise UsageError("Say which jobs.", remedy="Name their ids, or --all.")

    async def do(shelf: "Shelf") -> Sequence[str]:
        if everything:
            return await all_(shelf)()
        for job in jobs or ():
            await one(shelf)(job)
        return jobs or ()

    output = Output(as_json)
    done = with_shelf(do)
    output.document({"done": word, "jobs": list(done)})
    output.line(f"{word}: {', '.join(done) or 'nothing'}.")
