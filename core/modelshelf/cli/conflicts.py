"""conflicts: what is at odds, resolved and taken back."""

from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli.output import Output, file_size
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.integration.conflicts import Conflict, Mending
    from modelshelf.shelf import Shelf

Fix = Annotated[str, typer.Option("--fix", metavar="ID", help="Resolve the conflict of this id.")]
Undo = Annotated[bool, typer.Option("--undo", help="Take back what was resolved last, or the one named by --of.")]
Of = Annotated[str, typer.Option("--of", metavar="ID", help="With --undo: which one, by its id under “Resolved”.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask where it cannot be undone.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(conflicts)


def conflicts(fix: Fix = "", undo: Undo = False, of: Of = "", yes: Yes = False, as_json: Json = False) -> None:
    """List what is at odds (copies, two names, orphans, lost models …), resolve it, take that back."""
    from modelshelf.errors import UsageError

    if bool(fix) and undo:
        raise UsageError("One at a time: --fix or --undo.", remedy="Leave one of them out.")
    output = Output(as_json)
    if fix:
        _tell(output, "Resolved", with_shelf(lambda shelf: _resolve(shelf, fix, sure=yes)))
    elif undo:
        _tell(output, "Taken back", with_shelf(lambda shelf: shelf.conflicts.undo(of)))
    else:
        found, mended = with_shelf(_look)
        output.document(
            {"conflicts": [item.as_dict() for item in found], "resolved": [one.as_dict() for one in mended]}
        )
        _list(output, found, mended)


async def _look(shelf: "Shelf") -> "tuple[tuple[Conflict, ...], tuple[Mending, ...]]":
    return await shelf.conflicts.list(), await shelf.conflicts.mended()


async def _resolve(shelf: "Shelf", conflict: str, *, sure: bool) -> "Mending":
    from modelshelf.errors import UsageError

    found = next((item for item in await shelf.conflicts.list() if item.id == conflict), None)
    if found is not None and not found.undoable and not sure:
        raise UsageError(f"This cannot be undone: {found.remedy}", remedy="Say --yes if you are sure.")
    return await shelf.conflicts.resolve(conflict)


def _tell(output: Output, word: str, mending: "Mending") -> None:
    output.document(mending.as_dict())
    output.line(f"{word}: {mending.text}")
    if mending.undo is not None and not mending.undone:
        output.line(f"`modelshelf conflicts --undo --of {mending.id}` takes it back.")


def _list(output: Output, found: "tuple[Conflict, ...]", mended: "tuple[Mending, ...]") -> None:
    for item in found:
        output.line(f"{item.id}  {item.text}{f' ({file_size(item.freed)})' if item.freed else ''}")
        output.line(f"            {item.why} {item.remedy}")
    output.line("`modelshelf conflicts --fix ID` resolves one." if found else "Nothing is at odds.")
    open_ = [one for one in mended if one.undo is not None and not one.undone]
    if open_:
        output.table(("Resolved", "What"), [(one.id, one.text) for one in open_])
