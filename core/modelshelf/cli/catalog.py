"""catalog: what is kept here of all models that sources have, for searching without them."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli.output import Output, file_size
from modelshelf.cli.shared import Json, with_shelf, writing_to

if TYPE_CHECKING:
    from modelshelf.catalog.sync.more import More
    from modelshelf.catalog.sync.service import SourceProgress
    from modelshelf.shelf import Shelf

commands = typer.Typer(
    help="The catalogue: every model there is, kept here for searching.", no_args_is_help=True, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(commands, name="catalog")


@commands.command("sync")
def sync_now(
    full: Annotated[bool, typer.Option("--full", help="Go through every source from its first model on.")] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Keep all models of hubs from now on, not the 50,000 most downloaded alone.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the catalogue up to date; stopped, it goes on from there the next time."""
    from modelshelf.cli.catalog_progress import followed

    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        if every:
            await shelf.catalog_sync.list_all()
        built = await followed(shelf, output, full=full)
        output.document({"event": "done", "generation": built.generation, "models": built.rows})
        output.line(f"{built.rows:,} models can be searched.")
        for one in await shelf.catalog_sync.progress():
            if one.error:
                output.line(f"{one.source}: {one.error}")
        if rest := await shelf.catalog_sync.more():
            output.line(_offered(rest))

    with_shelf(work)


@commands.command()
def stop(as_json: Json = False) -> None:
    """Stop listing, in whichever process it goes on; the next sync goes on from there."""
    from modelshelf.cli.catalog_progress import stopped

    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = await stopped(shelf)
        output.document({"event": "stopped" if found else "idle"})
        output.line("Listing has stopped; the next sync goes on from there." if found else "Nothing is being listed.")

    with_shelf(work)


@commands.command()
def status(as_json: Json = False) -> None:
    """Show how many models there are to search, and how well each source is known."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        index, sources = await shelf.catalog.index.status(), await shelf.catalog_sync.progress()
        size = sum(f.stat().st_size for f in shelf.config.paths.catalog.rglob("*") if f.is_file())
        output.document(
            {
                "generation": index.generation or None,
                "models": index.rows,
                "made": index.made,
                "error": index.error,
                "bytes": size,
                "sources": [asdict(one) for one in sources],
            }
        )
        if index.error:
            output.line(f"{index.error} `modelshelf catalog sync` makes it anew.")
        elif index.made is None:
            output.line("There is no catalogue yet: `modelshelf catalog sync` makes it.")
        else:
            made = index.made.astimezone().strftime("%Y-%m-%d %H:%M")
            output.line(f"{index.rows:,} models, as of {made}, {file_size(size)}")
        output.table(("Source", "State", "Models", "Asked", "Listed whole"), map(_shown, sources), right=("Models",))
        for one in sources:
            if one.error:
                output.line(f"{one.source}: {one.error}")

    with_shelf(work)


@commands.command("import")
def take(
    file: Annotated[Path, typer.Argument(help="A Parquet file with a column `id`; see docs/catalogue.md.")],
    source: Annotated[str, typer.Option(help="Whose models they are; without: the first hub that is configured.")] = "",
    as_json: Json = False,
) -> None:
    """Make the catalogue of a Parquet file: nothing need be listed."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        taken, built = await shelf.catalog_sync.take(file, source)
        output.document(
            {"taken": taken.rows, "left_out": taken.left_out, "generation": built.generation, "models": built.rows}
        )
        output.line(f"{taken.rows:,} models taken; {built.rows:,} can be searched.")
        if taken.left_out:
            output.line(f"{taken.left_out:,} left out, whose id is no org/name: the first is “{taken.first[:80]}”.")

    with_shelf(work)


@commands.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to write the Parquet file.")], as_json: Json = False
) -> None:
    """Write the whole catalogue as a Parquet file, which `import` reads again."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        with writing_to(file):
            rows = await shelf.catalog.index.export(file)
        output.document({"file": file, "models": rows, "bytes": file.stat().st_size})
        output.line(f"{rows:,} models written to {file}.")

    with_shelf(work)


def _offered(rest: "More") -> str:
    """What else there is to list, and what it would take."""
    if not rest.models:
        return f"The {rest.listed:,} most downloaded of {rest.label} are listed; --all brings the others, too."
    received = f" and {rest.received / 1e6:,.0f} MB" if rest.received else ""
    return (
        f"{rest.listed:,} of some {rest.models:,} models of {rest.label} are listed; --all brings the others: "
        f"{rest.requests:,} requests, {rest.seconds / 60:,.0f} minutes{received}."
    )


def _shown(one: "SourceProgress") -> tuple[Any, ...]:
    asked, full = (moment and moment.astimezone().strftime("%Y-%m-%d %H:%M") for moment in (one.asked, one.full))
    found = f"{one.models:,}" if not one.found else f"{one.found:,} so far"
    return one.source, one.status, found, asked, full
