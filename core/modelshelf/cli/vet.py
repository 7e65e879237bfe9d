"""scan, quarantine: what is unsafe, and what is held back because of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli.output import Output, err_line, file_size
from modelshelf.cli.shared import Json, with_shelf, writing_to

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf
    from modelshelf.vetting.prescan import Prescan
    from modelshelf.vetting.types import ScanReport, Verdict

quarantine = typer.Typer(help="Files that are held back.", no_args_is_help=True, rich_markup_mode=None)

EXITS = {"pass": 0, "review": 3, "block": 4}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(scan)
    app.command()(accept)
    app.add_typer(quarantine, name="quarantine")


def scan(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="PATH…", help="Files or folders.")] = None,
    each: Annotated[bool, typer.Option("--each", help="Judge every file below a folder on its own.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write all findings to FILE.json or FILE.sarif.")
    ] = None,
    remote: Annotated[
        str | None, typer.Option("--remote", metavar="MODEL", help="Look at a model before its download.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Scan files for anything unsafe. Needs no network, no database, no server."""
    from modelshelf.errors import UsageError

    if bool(paths) == bool(remote):
        raise UsageError("Name files or folders, or a model with --remote.", remedy="modelshelf scan PATH…")
    if report is not None:
        from modelshelf.vetting.reports import form_of

        form_of(report)
    output = Output(as_json)
    found = _remote(remote, output) if remote else _local(paths or [], each, output)
    if report is not None:
        from modelshelf.vetting.reports import form_of, render

        with writing_to(report):
            report.write_text(render(found, form_of(report)), "utf-8")
    worst = max((one.verdict for one in found), key=lambda verdict: verdict.severity, default=None)
    if worst is not None and EXITS[worst.value]:
        raise typer.Exit(EXITS[worst.value])


def accept(
    job: Annotated[str, typer.Argument(help="A download that waits for review.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is harmless; kept in the record.")],
    as_json: Json = False,
) -> None:
    """Let the files pass for which a download waits; then `modelshelf queue retry` goes on with it."""
    from modelshelf.errors import UsageError

    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = await shelf.downloads.job(job)
        findings = found.result.get("findings", []) if found.status.value == "review" else []
        files = {(str(item["sha256"]), str(item["file"])) for item in findings if "sha256" in item}
        if not files:
            raise UsageError(
                f"The download {job} does not wait for review.", remedy="`modelshelf queue` shows what does."
            )
        reports = [await shelf.vetting.accept(sha256, path, reason) for sha256, path in sorted(files)]
        output.document([report.as_dict() for report in reports])
        output.line(f"{len(reports)} files of {found.repo} are accepted.")

    with_shelf(work)


def _local(paths: list[Path], each: bool, output: Output) -> "list[ScanReport]":
    from modelshelf.errors import NotFound
    from modelshelf.vetting.scanner import scan_path

    reports = []
    told = False
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise NotFound(f"There is no file {path}.", remedy="Check the path.")
        for one in scan_path(path, each=each):
            if not told and one.confined == "":
                told = True
                err_line("The scanner is not confined on this system: it could reach the network.")
            reports.append(one)
            output.document(one.as_dict())
            _show(output, one)
    return reports


def _remote(model: str, output: Output) -> "list[ScanReport]":
    from modelshelf.vetting.types import ScanReport

    async def work(shelf: "Shelf") -> "Prescan":
        return await shelf.vetting.prescan(model)

    found = with_shelf(work)
    output.document(found.as_dict())
    show_prescan(found, output)
    return [ScanReport(f"{found.source}:{found.repo}@{found.commit}", found.verdict, found.findings, "model")]


def show_prescan(found: "Prescan", output: Output) -> None:
    """Say what is known of a model before its download."""
    output.line(f"{_word(found.verdict)}  {found.source}:{found.repo}@{found.commit[:8]}")
    output.line(f"        {found.hub.sentence}")
    for finding in found.findings:
        output.line(f"        {finding.detail} ({finding.rule}, {finding.where})")
    if found.unseen:
        output.line(f"        Only the download tells of {len(found.unseen)} files, {found.unseen[0]} among them.")
    output.line(f"        {len(found.reports)} files looked into for {file_size(found.fetched)}.")


def _show(output: Output, one: "ScanReport") -> None:
    output.line(f"{_word(one.verdict)}  {one.path}")
    for finding in one.findings:
        output.line(f"        {finding.detail} ({finding.rule}, {finding.where})")


def _word(verdict: "Verdict") -> str:
    return f"{verdict.value:6}"


@quarantine.command("list")
def list_(as_json: Json = False) -> None:
    """Show what is held back, and why."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        items = await shelf.vetting.quarantine.items()
        output.document([item.as_dict() for item in items])
        rows = [(i.id[:8], f"{i.source}:{i.repo}", i.path, file_size(i.size), i.why) for i in items]
        output.table(("Id", "Model", "File", "Size", "Why"), rows, right=("Size",))
        if not items:
            output.line("Nothing is held back.")

    with_shelf(work)


@quarantine.command()
def show(item: Annotated[str, typer.Argument(metavar="ID")], as_json: Json = False) -> None:
    """Show everything that was found in a held file."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        held = await shelf.vetting.quarantine.find(item)
        output.document(held.as_dict())
        output.line(
            f"{held.path} of {held.source}:{held.repo}@{held.commit[:8]}, {file_size(held.size)}, {held.sha256}"
        )
        for finding in held.findings:
            output.line(f"        {finding.detail} ({finding.rule}, {finding.where})")

    with_shelf(work)


@quarantine.command()
def release(
    item: Annotated[str, typer.Argument(metavar="ID")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is harmless; kept in the record.")],
    as_json: Json = False,
) -> None:
    """Let a held file go: it passes from now on. Download its model again."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        held = await shelf.vetting.quarantine.find(item)
        done = await shelf.vetting.quarantine.release(held.id, reason)
        output.document(done.as_dict())
        output.line(f"{done.path} of {done.repo} is released. Download {done.repo} again to have it in the library.")

    with_shelf(work)


@quarantine.command()
def delete(item: Annotated[str, typer.Argument(metavar="ID")], as_json: Json = False) -> None:
    """Delete a held file for good."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        held = await shelf.vetting.quarantine.find(item)
        done = await shelf.vetting.quarantine.delete(held.id)
        output.document(done.as_dict())
        output.line(f"{done.path} of {done.repo} is deleted.")

    with_shelf(work)
