"""lock, sync, bundle: one machine like another, with a network or without."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli.output import Output, emit, file_size
from modelshelf.cli.shared import FETCHING, Json, with_shelf, writing_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelshelf.downloads.types import Job
    from modelshelf.shelf import Shelf
    from modelshelf.sync import Difference, Lock, SyncReport

NAME = Path("modelshelf.lock")
EXIT_DIFFERENT = 4
bundle = typer.Typer(help="Models as a folder or a tar file.", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(lock)
    app.command()(sync)
    app.add_typer(bundle, name="bundle")


def lock(
    models: Annotated[list[str] | None, typer.Argument(help="Installed models; all if left out.")] = None,
    to: Annotated[Path, typer.Option(help="The file to write.")] = NAME,
    as_json: Json = False,
) -> None:
    """Write a lock file: which commits, files and bytes are installed."""
    from modelshelf.sync.lockfile import dumps

    output = Output(as_json)
    found = with_shelf(lambda shelf: shelf.sync.lock(models or ()))
    with writing_to(to):
        to.write_text(dumps(found), "utf-8")
    output.document({"lock": to, "models": [str(model.id) for model in found.models], "size": found.size})
    output.line(f"{to}: {len(found.models)} models, {file_size(found.size)}.")


def sync(
    file: Annotated[Path, typer.Argument(help="The lock file.")] = NAME,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Take it from this bundle first, not from the network.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only compare; exit with 4 if something is missing.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove what the lock file does not name.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing.")] = False,
    as_json: Json = False,
) -> None:
    """Make this machine match a lock file: fetch what is missing, verify what is there."""
    from modelshelf.cli.progress import Board
    from modelshelf.cli.queue import document

    wanted = None if origin and not file.exists() else _read(file)

    async def work(shelf: "Shelf") -> "tuple[SyncReport, Sequence[Job]]":
        locked = wanted or await shelf.bundles.read(origin or file)
        if origin and not check:
            await shelf.bundles.bring(origin, locked)
        report = await shelf.sync.compare(locked)
        _tell(report, as_json)
        ended: Sequence[Job] = ()
        if not check and not report.same:
            jobs = await shelf.sync.apply(report)
            tell = (lambda job: emit({"event": "progress", **document(job)})) if as_json else lambda _: None
            ended = await Board(shelf.downloads, hidden=as_json).watch(jobs, tell)
            report = await shelf.sync.compare(locked, verify=False)
        if prune and not check and report.same:
            await _prune(shelf, report, yes or as_json, Output(as_json))
        return report, ended

    report, ended = with_shelf(work, without=FETCHING)
    _end(report, ended, check, as_json)


def _read(file: Path) -> "Lock":
    from modelshelf.errors import FormatError, NotFound
    from modelshelf.sync.lockfile import loads

    try:
        return loads(file.read_text("utf-8"))
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}.", remedy="Write it with `modelshelf lock`.") from None
    except UnicodeDecodeError:
        raise FormatError(f"{file} is not text in UTF-8.", remedy="Write it anew with `modelshelf lock`.") from None


def _tell(report: "SyncReport", as_json: bool) -> None:
    output = Output(as_json)
    output.document(
        {
            "event": "compared",
            "same": report.same,
            "models": [_difference(item) for item in report.models],
            "extra": [str(model.id) for model in report.extra],
        }
    )
    for item in report.models:
        output.line(f"{'ok' if item.same else 'differs':8} {item.model.id}")
        for word, paths in (("missing", item.missing), ("damaged", item.damaged), ("too much", item.extra)):
            for path in paths:
                output.line(f"         {word}: {path}")
        for name in item.refs:
            output.line(f"         {name} leads elsewhere")
    for model in report.extra:
        output.line(f"too much {model.id} ({file_size(model.size)})")


def _difference(item: "Difference") -> dict[str, Any]:
    names = ("missing", "damaged", "refs", "extra")
    return {"model": str(item.model.id), "same": item.same} | {name: list(getattr(item, name)) for name in names}


async def _prune(shelf: "Shelf", report: "SyncReport", sure: bool, output: Output) -> None:
    count = len(report.extra) + sum(len(item.extra) for item in report.models)
    if not count:
        return
    if not sure:
        typer.confirm(f"Remove {count} models and files that the lock file does not name?", abort=True)
    freed = await shelf.sync.prune(report)
    output.document({"event": "pruned", "count": count, "freed": freed})
    output.line(f"Removed what was too much; {file_size(freed)} freed.")


def _end(report: "SyncReport", ended: "Sequence[Job]", check: bool, as_json: bool) -> None:
    from modelshelf.cli.output import err_line
    from modelshelf.cli.queue import code_of

    output = Output(as_json)
    failed = [job for job in ended if code_of(job)]
    for job in failed:
        if not as_json:
            err_line(f"{job.repo}: {job.error} {job.remedy}")
    errors = [{"repo": job.repo, "error": job.error, "remedy": job.remedy} for job in failed]
    output.document({"event": "done" if report.same else "failed", "same": report.same, "errors": errors})
    if report.same:
        output.line("This machine matches the lock file.")
        return
    if check:
        output.line("This machine does not match the lock file.")
    raise typer.Exit(next((code_of(job) for job in failed), EXIT_DIFFERENT))


@bundle.command()
def export(
    models: Annotated[list[str], typer.Argument(help="Installed models.")],
    to: Annotated[Path, typer.Option("--to", help="A new folder, or a file that ends in .tar.")],
    as_json: Json = False,
) -> None:
    """Write models to a folder or a tar file, every byte verified."""
    output = Output(as_json)
    found = with_shelf(lambda shelf: shelf.bundles.export(models, to.absolute()))
    output.document({"bundle": to, "models": [str(model.id) for model in found.models], "size": found.size})
    output.line(f"{to}: {len(found.models)} models, {file_size(found.size)}.")


@bundle.command("import")
def import_(
    place: Annotated[Path, typer.Argument(help="A bundle: a folder or a tar file.")], as_json: Json = False
) -> None:
    """Bring a bundle into the library: every file is verified and scanned, and all of it lands or nothing."""
    output = Output(as_json)
    done = with_shelf(lambda shelf: shelf.bundles.bring(place.absolute()))
    output.document({"models": list(done.models), "copied": done.fetched})
    for model in done.models:
        output.line(f"{model} is in the library.")
