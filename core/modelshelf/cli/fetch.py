"""download, list, verify, remove: what is on disk, and how it gets there and goes."""

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli.output import Output, emit, err, exit_code, file_size
from modelshelf.cli.shared import FETCHING, Json, with_shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelshelf.downloads.types import DownloadPlan, Job
    from modelshelf.library.types import InstalledModel
    from modelshelf.shelf import Shelf
    from modelshelf.vetting.prescan import Prescan

EXIT_OF_STATUS = {"done": 0, "review": 3, "quarantined": 4}
EXIT_STOPPED = 130  # 128 + SIGINT, as shells have it


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(download)
    app.command("list")(list_)
    app.command()(verify)
    app.command()(remove)


def download(
    repo: Annotated[
        str,
        typer.Argument(help="org/name, with source: or @revision if you like; or https://…/model.gguf, ollama://…"),
    ],
    files: Annotated[list[str] | None, typer.Argument(help="Only these files, or patterns such as *Q4_K_M*.")] = None,
    source: Annotated[str | None, typer.Option(help="The source to take it from.")] = None,
    revision: Annotated[str | None, typer.Option(help="A branch, tag or commit.")] = None,
    sha256: Annotated[str, typer.Option(metavar="SUM", help="The checksum of the file at an https address.")] = "",
    sha256_beside: Annotated[
        bool, typer.Option("--sha256-beside", help="Take the checksum from the file beside it that ends in .sha256.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would fetch.")] = False,
    as_json: Json = False,
) -> None:
    """Download a model: checked, scanned, and in the library when it passed."""
    from modelshelf.cli.progress import Board
    from modelshelf.errors import ModelshelfError

    wanted = tuple(files or ())

    async def work(shelf: "Shelf") -> "Job":
        model = await shelf.catalog.named(repo, sha256=sha256, beside=sha256_beside)
        if not as_json:  # what it costs and under which licence is said before the first byte comes
            show_plan(
                await shelf.downloads.plan(model, wanted, source=source, revision=revision), Output(as_json=False).line
            )
        job = await shelf.downloads.start(model, wanted, source=source, revision=revision)
        tell = (lambda step: emit(_step(step))) if as_json else lambda _: None
        return (await Board(shelf.downloads, hidden=as_json, patient=True).watch([job], tell))[0]

    if dry_run:
        _plan_only(repo, wanted, source, revision, (sha256, sha256_beside), as_json)
        return
    try:
        job = with_shelf(work, without=FETCHING)
    except ModelshelfError as error:
        if not as_json:
            raise
        emit({"event": "failed", "error": error.message, "remedy": error.remedy, "code": error.code})
        raise typer.Exit(exit_code(error)) from None
    except KeyboardInterrupt:
        _stopped(as_json)
        raise typer.Exit(EXIT_STOPPED) from None
    code = _report(job, as_json)
    if code:
        raise typer.Exit(code)


def _plan_only(
    repo: str,
    files: tuple[str, ...],
    source: str | None,
    revision: str | None,
    checksum: tuple[str, bool],
    as_json: bool,
) -> None:
    async def work(shelf: "Shelf") -> "tuple[DownloadPlan, Prescan | None]":
        model = await shelf.catalog.named(repo, sha256=checksum[0], beside=checksum[1])
        plan = await shelf.downloads.plan(model, files, source=source, revision=revision)
        try:
            return plan, await shelf.vetting.prescan_plan(plan)
        except (AccessError, Unreachable):
            return plan, None  # a gated model shows its files, not their bytes

    from modelshelf.cli.vet import show_prescan
    from modelshelf.errors import AccessError, Unreachable

    output = Output(as_json)
    plan, looked = with_shelf(work)
    output.document(plan_document(plan) | {"scan": looked.as_dict() if looked else None})
    show_plan(plan, output.line)
    if looked:
        show_prescan(looked, output)


def plan_document(plan: "DownloadPlan") -> dict[str, Any]:
    """A plan as `--json` tells it, sizes in bytes."""
    names = ("source", "repo", "commit", "licence", "gated", "resumable", "total", "missing", "fits_disk", "skipped")
    keys = ("path", "size", "sha256", "git_sha1", "present")
    parts = ("label", "folder", "needed", "free", "fits")
    return {name: getattr(plan, name) for name in names} | {
        "files": [{key: getattr(file, key) for key in keys} for file in plan.files],
        "disks": [{key: getattr(disk, key) for key in parts} for disk in plan.disks],
    }


def show_plan(plan: "DownloadPlan", line: "Callable[[str], None]") -> None:
    """Say what a download will do: licence and gate first."""
    gate = "its publisher wants to be asked first" if plan.gated else "open"
    line(f"{plan.source}:{plan.repo}@{plan.commit[:8]}: licence {plan.licence or 'not stated'}, {gate}.")
    count = f"{len(plan.files)} files, " if len(plan.files) != 1 else ""
    line(f"{count}{file_size(plan.total)}, of which {file_size(plan.missing)} are missing.")
    for disk in plan.disks if plan.missing else ():
        word = "" if disk.fits else "  Not enough!"
        line(f"{disk.label}: {file_size(disk.needed)} needed, {file_size(disk.free)} free at {disk.folder}.{word}")
    if not plan.resumable:
        line("This server cannot send a part of a file: what a break interrupts begins anew.")


def _step(job: "Job") -> dict[str, Any]:
    names = ("id", "status", "detail", "done", "total", "rate", "eta")
    return {"event": "progress"} | {name: getattr(job, name) for name in names}


def _stopped(as_json: bool) -> None:
    error, remedy = "The download was stopped.", "What arrived is kept; the same command goes on with it."
    if as_json:
        emit({"event": "failed", "error": error, "remedy": remedy, "code": "Stopped"})
    else:
        err.print(f"{error} {remedy}", markup=False, soft_wrap=True)


def _report(job: "Job", as_json: bool) -> int:
    """Print the end of a job; the exit code."""
    output = Output(as_json)
    code = EXIT_OF_STATUS.get(job.status.value, int(job.result.get("exit_code", 1)))
    if job.status.value == "done":
        keys = ("path", "files")
        output.document(
            {"event": "done", "model": f"{job.source}:{job.repo}", "commit": job.commit}
            | {k: job.result.get(k) for k in keys}
        )
        output.line(f"{job.repo} is in the library: {job.result.get('path')}")
        for one in job.result.get("registrations", ()):
            output.line(f"{one['provider']} has it as {one['name']}: {one['status']}.")
        return 0
    output.document(
        {"event": "failed", "status": job.status.value, "error": job.error or job.detail, "remedy": job.remedy}
        | job.result
    )
    if not as_json:
        err.print(
            f"{job.repo}: {job.error or job.detail or job.status.value}", style="red", markup=False, soft_wrap=True
        )
        err.print(job.remedy, markup=False, soft_wrap=True)
    return code


def list_(as_json: Json = False) -> None:
    """List what is installed, whoever put it there."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        models = await shelf.library.models()
        output.document([_installed(model) for model in models])
        output.table(
            ("Model", "Commit", "Format", "Size", "State"),
            [(m.repo, m.commit[:8], m.quantisation or m.format, file_size(m.size), _state(m)) for m in models],
            right=("Size",),
        )
        if not models:
            output.line("Nothing is installed yet. Try: modelshelf download samples/tiny-llama-GGUF")

    with_shelf(work)


def _installed(model: "InstalledModel") -> dict[str, Any]:
    names = ("repo", "commit", "format", "quantisation", "size", "complete", "verdict", "managed", "served_name")
    files = [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in model.files]
    facts = {name: getattr(model, name) for name in names}
    return {"model": str(model.id), "path": model.snapshot, "files": files} | facts


def _state(model: "InstalledModel") -> str:
    if not model.complete:
        return "incomplete"
    words = {"pass": "checked", "review": "needs review", "block": "unsafe"}
    return words.get(model.verdict or "", "not checked by Modelshelf")


def verify(
    model: Annotated[str | None, typer.Argument(help="One model; all of them if left out.")] = None,
    scan: Annotated[bool, typer.Option("--scan", help="Also look for what is unsafe, by the present rules.")] = False,
    as_json: Json = False,
) -> None:
    """Read every file again and compare it with its checksum; exit with 4 on a mismatch.

    Models are checked as a whole, too: that no part is missing, and that headers fit the bytes.
    """
    output = Output(as_json)

    async def work(shelf: "Shelf") -> int:
        sweep = shelf.vetting.sweep(shelf.library)
        async with aclosing(sweep.run(model, scan=scan)) as steps:
            async for step in steps:
                output.document(step.as_dict())
                output.line(f"{step.status:10} {step.repo}/{step.path}" + (f"  {step.detail}" if step.detail else ""))
        return sweep.bad

    bad = with_shelf(work)
    if bad:
        output.line(f"{bad} files are not what they should be. Download them again.")
        raise typer.Exit(4)


def remove(
    model: Annotated[str, typer.Argument(help="An installed model.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Remove an installed model, after saying what else uses its bytes."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        plan = await shelf.library.removal(model)
        if not yes and not as_json:
            breaks = await shelf.registration.breaks(model)
            for item in breaks.registrations:
                output.line(f"{item.provider} has it as {item.name}: it is taken back.")
            for profile in breaks.profiles:
                output.line(f"The profile @{profile} loses its model.")
            for user in plan.used_by:
                output.line(f"Also used by: {user}")
            typer.confirm(f"Remove {plan.repo} and free {file_size(plan.freed)}?", abort=True)
        done = await shelf.library.remove(model)
        output.document(
            {"repo": done.repo, "commits": list(done.commits), "freed": done.freed, "used_by": list(done.used_by)}
        )
        output.line(f"{done.repo} is removed; {file_size(done.freed)} freed.")

    with_shelf(work)
