"""stores: what other programs keep on this machine, adopted by links, and not kept twice."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli.bring import tell
from modelshelf.cli.output import Output, file_size
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.adoption import Duplicate, Standing
    from modelshelf.shelf import Shelf

stores = typer.Typer(
    help="What Ollama, LM Studio, llama.cpp, Jan, GPT4All, ModelScope and your folders keep here.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Models = Annotated[list[str], typer.Argument(metavar="MODEL…", help="As `stores models` lists them.")]
Compare = Annotated[bool, typer.Option("--compare", help="Read now whatever must be read to know what is the same.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(stores, name="stores")


@stores.command("list")
def list_(as_json: Json = False) -> None:
    """List the stores that were found."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = await shelf.adoption.stores()
        output.document([store.as_dict() for store in found])
        rows = [(one.label, one.as_dict()["place"], one.models, file_size(one.size)) for one in found]
        output.table(("Store", "Folder", "Models", "Size"), rows, right=("Models", "Size"))
        for store in found:
            if store.problem:
                output.line(f"{store.label}: {store.problem}")
        if not found:
            output.line("No other program keeps models here. Add a folder of yours: modelshelf stores add FOLDER")

    with_shelf(work)


@stores.command()
def add(folder: Annotated[Path, typer.Argument(metavar="FOLDER")], as_json: Json = False) -> None:
    """Look at a folder of yours too, however it is laid out."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        output.document(await shelf.adoption.add_folder(str(folder.expanduser().absolute())))
        output.line(f"{folder} is looked at from now on.")

    with_shelf(work)


@stores.command()
def drop(folder: Annotated[Path, typer.Argument(metavar="FOLDER")], as_json: Json = False) -> None:
    """Look at a folder that was added no more; nothing happens to it."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        output.document(await shelf.adoption.drop_folder(str(folder.expanduser().absolute())))
        output.line(f"{folder} is not looked at any more.")

    with_shelf(work)


@stores.command()
def models(compare: Compare = False, as_json: Json = False) -> None:
    """List the models in them, and which of them the library has too."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        if compare:
            await shelf.adoption.compare()
        found = await shelf.adoption.models()
        output.document([one.as_dict() for one in found])
        output.table(
            ("Model", "Size", "Files", "Library", "Also in"),
            [
                (m.model.id, file_size(m.model.size), len(m.model.files), _library(m), ", ".join(m.same_as))
                for m in found
            ],
            right=("Size", "Files"),
        )
        if not found:
            output.line("No store has a model.")

    with_shelf(work)


@stores.command()
def plan(model: Annotated[str, typer.Argument(metavar="MODEL")], as_json: Json = False) -> None:
    """Say by which way a model would enter the library, and what a copy would take."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = await shelf.adoption.plan(model)
        output.document(found.as_dict())
        output.line(
            f"{found.model}: {found.way}, takes {file_size(found.cost)}; a copy would take {file_size(found.copy)}."
        )

    with_shelf(work)


@stores.command()
def adopt(
    names: Models,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy what cannot be shared, where else the library links to it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Link models into the library: verified and scanned as downloads are; nothing is moved."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> int:
        worst = 0
        for name in names:
            if copy and not as_json:
                cost = (await shelf.adoption.plan(name)).copy
                output.line(f"{name}: a copy takes up to {file_size(cost)}.")
            done = await shelf.adoption.adopt(name, copy=copy)
            output.document(done.as_dict())
            tell(output, done)
            worst = max(worst, done.exit_code)
        return worst

    if code := with_shelf(work):
        raise typer.Exit(code)


@stores.command()
def duplicates(compare: Compare = False, as_json: Json = False) -> None:
    """List what lies twice on this machine, and what giving it back frees."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        if compare:
            await shelf.adoption.compare()
        found = await shelf.adoption.elsewhere()
        output.document([one.as_dict() for one in found.duplicates])
        output.table(("Id", "Frees", "Keeps", "Gives up"), [_row(one) for one in found.duplicates], right=("Frees",))
        for one in found.duplicates:
            if one.why:
                output.line(f"{one.id}: {one.why}")
        if not found.duplicates:
            output.line("Nothing is known to lie twice.")
        if left := found.comparing.files:
            size = file_size(found.comparing.size)
            output.line(
                f"{left} files, {size}, were not compared yet: `modelshelf stores duplicates --compare` reads them."
            )

    with_shelf(work)


@stores.command("give-back")
def give_back(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="As `stores duplicates` lists them.")],
    as_json: Json = False,
) -> None:
    """Make one file of two that hold the same bytes: both are read anew, then one becomes a hard link."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        for one in ids:
            done = await shelf.adoption.give_back(one)
            output.document(done.as_dict())
            output.line(f"{file_size(done.freed)} are free again; {done.kept} holds the bytes of:")
            for place in done.places:
                output.line(f"  {place}")

    with_shelf(work)


@stores.command()
def shared(as_json: Json = False) -> None:
    """List the files that were given back."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = await shelf.adoption.shared()
        output.document([one.as_dict() for one in found])
        output.table(("File", "Size"), [(one.place, file_size(one.size)) for one in found], right=("Size",))
        if not found:
            output.line("Nothing was given back.")

    with_shelf(work)


@stores.command()
def separate(place: Annotated[str, typer.Argument(metavar="FILE")], as_json: Json = False) -> None:
    """Take a giving back back: the file gets bytes of its own again."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        size = await shelf.adoption.separate(place)
        output.document({"place": place, "size": size})
        output.line(f"{place} has bytes of its own again; that took {file_size(size)}.")

    with_shelf(work)


def _library(one: "Standing") -> str:
    words = {"linked": "the same file", "same": "a second copy"}
    return words.get(one.library, "not compared yet" if one.comparing else "")


def _row(one: "Duplicate") -> tuple[str, str, str, str]:
    keep, give = (f"{', '.join(copy.holders)}: {copy.places[0]}" for copy in (one.keep, one.give))
    return one.id, file_size(one.freed), keep, give
