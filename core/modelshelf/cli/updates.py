"""outdated, update, rollback: newer commits, and the way back."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli.output import Output, emit, file_size
from modelshelf.cli.shared import FETCHING, Json, with_shelf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelshelf.downloads.types import Job
    from modelshelf.shelf import Shelf

Ref = Annotated[str | None, typer.Option("--ref", help="The branch or tag; main before others if left out.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(outdated)
    app.command()(update)
    app.command()(rollback)


def outdated(
    model: Annotated[str | None, typer.Argument(help="One model; all of them if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Say for which installed models there is a newer commit."""
    output = Output(as_json)
    found = with_shelf(lambda shelf: shelf.updates.outdated(model))
    output.document([asdict(item) for item in found])
    rows = [item for item in found if item.status != "current"]
    output.table(
        ("Model", "Name", "Installed", "Newest", "To fetch"),
        [
            (i.repo, i.ref, i.commit[:8], i.newest[:8] or i.error, file_size(i.missing) if i.newest else "—")
            for i in rows
        ],
        right=("To fetch",),
    )
    if not rows:
        output.line("Everything is current.")


def update(
    model: Annotated[str | None, typer.Argument(help="An installed model.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are outdated.")] = False,
    ref: Ref = None,
    as_json: Json = False,
) -> None:
    """Fetch the newest commit beside the installed one; names move when it is verified, the old one stays."""
    from modelshelf.cli.progress import Board
    from modelshelf.cli.queue import document, report
    from modelshelf.errors import UsageError

    if bool(model) == everything:
        raise UsageError("Say what to update.", remedy="Name a model, or --all.")

    async def work(shelf: "Shelf") -> "Sequence[Job]":
        if model:
            wanted = [(model, ref)]
        else:
            wanted = [(item.repo, item.ref) for item in await shelf.updates.outdated() if item.status == "outdated"]
        jobs = [job for name, branch in wanted if (job := await shelf.updates.update(name, branch))]
        if not jobs:
            return ()
        tell = (lambda job: emit({"event": "progress", **document(job)})) if as_json else lambda _: None
        return await Board(shelf.downloads, hidden=as_json).watch(jobs, tell)

    ended = with_shelf(work, without=FETCHING)
    if not ended:
        Output(as_json).document({"event": "done", "current": True})
        Output(as_json).line("Everything is current.")
    report(ended, as_json)


def rollback(
    model: Annotated[str, typer.Argument(help="An installed model that was updated.")],
    ref: Ref = None,
    as_json: Json = False,
) -> None:
    """Let a name lead to the commit again that it led to before the update, after verifying it."""
    output = Output(as_json)
    done = with_shelf(lambda shelf: shelf.updates.rollback(model, ref))
    output.document(asdict(done))
    output.line(f"{done.repo}: {done.ref} leads to {done.after[:8]} again (it was {done.before[:8]}).")
