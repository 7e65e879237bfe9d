"""download, list, verify, scan, remove: what is on disk, and how it gets there and goes."""

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli.output import Output, emit, err, exit_code, file_size
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelshelf.downloads.types import DownloadPlan, Job
    from modelshelf.library.types import InstalledModel
    from modelshelf.shelf import Shelf

EXIT_OF_STATUS = {"done": 0, "review": 3, "quarantined": 4}
EXIT_STOPPED = 130  # 128 + SIGINT, as shells have it


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(download)
    app.command("list")(list_)
    app.command()(verify)
    app.command()(scan)
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
        job = with_shelf(work, without=frozenset({"health", "catalog sync", "state"}))
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
    async def work(shelf: "Shelf") -> "DownloadPlan":
        model = await shelf.catalog.named(repo, sha256=checksum[0], beside=checksum[1])
        return await shelf.downloads.plan(model, files, source=source, revision=revision)

    output = Output(as_json)
    plan = with_shelf(work)
    output.document(plan_document(plan))
    show_plan(plan, output.line)


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
    as_json: Json = False,
) -> None:
    """Read every file again and compare it with its checksum; exit with 4 on a mismatch."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> int:
        bad = 0
        async with aclosing(shelf.library.verify(model)) as results:
            async for result in results:
                bad += result.status == "mismatch"
                output.document(result.as_dict())
                output.line(
                    f"{result.status:10} {result.repo}/{result.path}" + (f"  {result.detail}" if result.detail else "")
                )
        return bad

    bad = with_shelf(work)
    if bad:
        output.line(f"{bad} files are not what they should be. Download them again.")
        raise typer.Exit(4)


def scan(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.")],
    each: Annotated[bool, typer.Option("--each", help="Judge every file below a folder on its own.")] = False,
    as_json: Json = False,
) -> None:
    """Scan files for anything unsafe. Needs no network, no database, no server."""
    from modelshelf.errors import NotFound
    from modelshelf.vetting import scan_path
    from modelshelf.vetting.types import Verdict

    output = Output(as_json)
    worst = Verdict.PASS
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise NotFound(f"There is no file {path}.", remedy="Check the path.")
        for report in scan_path(path, each=each):
            worst = max(worst, report.verdict, key=lambda verdict: verdict.severity)
            output.document(report.as_dict())
            output.line(f"{report.verdict.value:6}  {report.path}")
            for finding in report.findings:
                output.line(f"        {finding.detail} ({finding.rule}, {finding.where})")
    if worst is not Verdict.PASS:
        raise typer.Exit(3 if worst is Verdict.REVIEW else 4)


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
            for user in plan.used_by:
                output.line(f"Also used by: {user}")
            typer.confirm(f"Remove {plan.repo} and free {file_size(plan.freed)}?", abort=True)
        done = await shelf.library.remove(model)
        output.document(
            {"repo": done.repo, "commits": list(done.commits), "freed": done.freed, "used_by": list(done.used_by)}
        )
        output.line(f"{done.repo} is removed; {file_size(done.freed)} freed.")

    with_shelf(work)
