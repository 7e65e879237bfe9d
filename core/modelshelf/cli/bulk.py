"""bulk: the same for several installed models, with a report of what failed and why."""

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli.output import Output, emit, err_line, file_size
from modelshelf.cli.shared import FETCHING, Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.integration.bulk import Outcome
    from modelshelf.shelf import Shelf

What = Annotated[str, typer.Argument(help="delete, verify, update, register, pin or unpin.")]
Models = Annotated[list[str], typer.Argument(help="Installed models, as `modelshelf list` names them.")]
Yes = Annotated[bool, typer.Option("--yes", help="Delete without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Of delete: only say what it frees and breaks.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(bulk)


def bulk(deed: What, models: Models, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Delete, verify, update, register, pin or unpin several models; goes on when one fails."""
    if deed == "delete" and (dry_run or not yes) and not _sure(models, as_json, dry_run=dry_run):
        return
    outcomes = with_shelf(lambda shelf: _run(shelf, deed, models, as_json), without=FETCHING)
    failed = [one for one in outcomes if one.status == "failed"]
    done = len(outcomes) - len(failed)
    if as_json:
        emit({"event": "done", "done": done, "failed": len(failed)})
    else:
        Output(False).line(f"{done} of {len(outcomes)} done." + (f" {len(failed)} failed:" if failed else ""))
        Output(False).table(("Model", "Why", "What to do"), [(one.model, one.error, one.remedy) for one in failed])
    if failed:
        raise typer.Exit(1)


def _sure(models: list[str], as_json: bool, *, dry_run: bool) -> bool:
    """Say what deleting means, and ask once."""
    from modelshelf.errors import UsageError

    plan = with_shelf(lambda shelf: shelf.bulk.deletion(models))
    output = Output(as_json)
    if dry_run:
        output.document(plan.as_dict())
    elif as_json:
        raise UsageError("Deleting asks first.", remedy="Say --yes, or --dry-run to see what it means.")
    output.line(f"{len(plan.models)} models go; {file_size(plan.freed)} are freed.")
    for line in (*plan.breaks, *(f"{name} is pinned and stays." for name in plan.kept)):
        output.line(line)
    return not dry_run and typer.confirm("Delete them?")


async def _run(shelf: "Shelf", deed: str, models: list[str], as_json: bool) -> "list[Outcome]":
    found: list[Outcome] = []
    async with aclosing(shelf.bulk.run(deed, models)) as outcomes:
        async for one in outcomes:
            found.append(one)
            if as_json:
                emit({"event": "model", **one.as_dict()})
            else:
                err_line(f"{one.place} of {one.total}  {one.model}: {one.detail or one.error}")
    return found
