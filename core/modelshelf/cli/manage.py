"""status, test, doctor, config: whether all is well, and how to mend it."""

import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli.output import Output, duration, file_size
from modelshelf.cli.shared import Json, with_shelf, writing_to

if TYPE_CHECKING:
    from modelshelf.integration import Report, Step
    from modelshelf.shelf import Shelf

config = typer.Typer(help="The settings.", no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command("test")(self_test)
    app.command()(doctor)
    app.add_typer(config, name="config")


def status(as_json: Json = False) -> None:
    """Say how everything is: services, sources, downloads, providers."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        jobs = [job for job in await shelf.downloads.jobs() if job.ended is None]
        installed = await shelf.library.models()
        sources = shelf.catalog.reports()
        output.document(
            {
                "home": shelf.config.home,
                "library": shelf.library.cache,
                "services": {
                    s.name: {"status": s.status, "error": s.error, "remedy": s.remedy} for s in shelf.services.values()
                },
                "sources": [{"source": s.source, "status": s.status, "error": s.error} for s in sources],
                "downloads": [
                    {"id": j.id, "repo": j.repo, "status": j.status, "done": j.done, "total": j.total} for j in jobs
                ],
                "installed": len(installed),
                "providers": [{"id": p.id, "name": p.name, "enabled": p.enabled} for p in await shelf.providers.list()],
            }
        )
        output.line(f"Home {shelf.config.home}, library {shelf.library.cache}: {len(installed)} models installed.")
        for service in shelf.services.values():
            if service.status == "failed":
                output.line(f"{service.name} failed: {service.error} {service.remedy}")
        output.table(
            ("Download", "Status", "Done", "Left"),
            [(j.repo, j.status.value, f"{file_size(j.done)} of {file_size(j.total)}", duration(j.eta)) for j in jobs],
        )

    with_shelf(work)


def self_test(
    report: Annotated[
        Path | None, typer.Option(help="Also write the report to this file: as HTML if it ends in .html, else as JSON.")
    ] = None,
    paid: Annotated[bool, typer.Option("--paid", help="Ask providers that cost money for an answer, too.")] = False,
    load: Annotated[bool, typer.Option("--load", help="Load a local provider's smallest model for an answer.")] = False,
    sample_only: Annotated[bool, typer.Option("--sample-only", help="Leave your own providers out.")] = False,
    as_json: Json = False,
) -> None:
    """Prove that it works here: a sample from search to answer, then your own providers; with what could be better.

    Exits with 0 when nothing is red (what did not run is not), else as the first red step's error says.
    """
    import asyncio
    import os

    from modelshelf.integration import Report
    from modelshelf.integration.own import Wish
    from modelshelf.integration.testing import hermetic

    output = Output(as_json)

    async def follow(run: "AsyncGenerator[Step | Report, None]") -> "Report":
        async with aclosing(run) as results:
            async for found in results:
                if isinstance(found, Report):
                    return found
                output.document(found.as_dict())
                output.line(_step_line(found))
                if found.remedy:
                    output.line(f"         {found.remedy}")
        raise AssertionError("a self-test ends with its report")

    # The sample's journey is walked even where the person's own home cannot be opened.
    found = (
        asyncio.run(follow(hermetic(os.environ)))
        if sample_only
        else with_shelf(lambda shelf: follow(shelf.selftest.run(Wish(paid, load))))
    )
    output.document({"event": "done", **{k: v for k, v in found.as_dict().items() if k != "steps"}})
    for one in found.advice:
        output.line(f"better   {one.detail} {one.remedy}")
    if report:
        _write(report, found)
    if not found.passed:
        raise typer.Exit(found.exit_code)


def _step_line(step: "Step") -> str:
    name = step.name if step.group == "journey" else f"{step.group}: {step.name}"
    return f"{step.status:8} {name:28} {step.seconds:5.2f} s  {step.evidence or step.error}"


def _write(file: Path, report: "Report") -> None:
    import json

    from modelshelf.integration.html import to_html

    html = file.suffix.lower() in {".html", ".htm"}
    with writing_to(file):
        file.write_text(to_html(report) if html else json.dumps(report.as_dict(), indent=2), "utf-8")


def doctor(
    bundle: Annotated[bool, typer.Option("--bundle", help="Write a redacted support file.")] = False,
    as_json: Json = False,
) -> None:
    """Say what is wrong and how to mend it; exit with 1 when something is."""
    import asyncio

    from modelshelf.integration import diagnose, support_bundle

    output = Output(as_json)
    findings = asyncio.run(diagnose())
    document: dict[str, Any] = {"checks": [finding.as_dict() for finding in findings]}
    if bundle:
        with writing_to(Path.cwd()):
            document["bundle"] = support_bundle(findings, Path.cwd(), _errors())
    output.document(document)
    for finding in findings:
        output.line(f"{finding.status:5} {finding.name:18} {finding.detail}")
        if finding.remedy:
            output.line(f"{'':24} {finding.remedy}")
    if bundle:
        output.line(f"Support file without secrets: {document['bundle']}")
    if any(finding.status == "wrong" for finding in findings):
        raise typer.Exit(1)


def _errors() -> "Sequence[Mapping[str, Any]]":
    """The last errors of this home; none where it cannot be opened: the checks say why."""
    from modelshelf.errors import ModelshelfError
    from modelshelf.integration.support import last_errors

    try:
        return with_shelf(last_errors)
    except ModelshelfError:
        return ()


@config.command("show")
def show(
    key: Annotated[str | None, typer.Argument(help="One setting, section.name; all of them if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Show the settings in force."""
    from modelshelf.config import ConfigManager

    manager = ConfigManager()
    value = manager.get(key) if key else manager.config.model_dump(mode="json")
    output = Output(as_json)
    output.document(value)
    output.line(str(value) if key else _toml(value))


@config.command("set")
def set_(
    key: Annotated[str, typer.Argument(help="section.name")],
    value: Annotated[str, typer.Argument(help="The new value.")],
) -> None:
    """Change one setting; a value that is not allowed changes nothing."""
    from modelshelf.config import ConfigManager

    ConfigManager().set(key, value)
    typer.echo(f"{key} = {ConfigManager().get(key)}")


@config.command()
def export() -> None:
    """Print the settings that differ from the defaults, as TOML, without secrets."""
    from modelshelf.config import ConfigManager

    typer.echo(ConfigManager().export(), nl=False)


@config.command("import")
def import_(
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="A TOML file; - reads standard input.")],
) -> None:
    """Replace the settings by those of a file."""
    from modelshelf.config import ConfigManager
    from modelshelf.errors import ConfigError

    try:
        text = file.read().decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{file.name} is not text in UTF-8.", remedy="Choose a TOML file.") from None
    ConfigManager().import_(text)
    sys.stderr.write("The settings are replaced.\n")


def _toml(value: Any) -> str:
    import tomlkit

    return tomlkit.dumps(value)
