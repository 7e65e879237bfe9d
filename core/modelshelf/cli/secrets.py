"""secrets: what is saved encrypted, and its keys. Values are never shown."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli.output import Output
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf
    from modelshelf.vault import Secret

secrets = typer.Typer(
    help="Saved keys and tokens; their values are never shown.", no_args_is_help=True, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(secrets, name="secrets")


@secrets.command("list")
def list_(as_json: Json = False) -> None:
    """List what is saved: name, last four characters, when."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        saved = await shelf.vault.info()
        output.document([asdict(item) for item in saved])
        output.table(
            ("Name", "Ends in", "Fingerprint", "Saved"),
            [(i.name, f"…{i.last4}" if i.last4 else None, i.fingerprint or None, _when(i.updated)) for i in saved],
        )
        if not saved:
            output.line("Nothing is saved.")

    with_shelf(work)


@secrets.command()
def status(as_json: Json = False) -> None:
    """Say where the master key is and whether every secret opens; exit with 1 when one does not."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> bool:
        told = await shelf.vault.status()
        output.document(asdict(told))
        if told.state == "empty":
            output.line("Nothing is saved, and no master key was made.")
            return True
        output.line(f"{told.secrets} saved. Their key is of {_when(told.rotated) if told.rotated else 'unknown age'}.")
        if told.source:
            output.line(f"The master key ({told.master}…) is in {told.place} ({told.source}).")
        for name in told.damaged:
            output.line(f"{name} is damaged: save it anew.")
        if told.error:
            output.line(f"{told.error} {told.remedy}")
        return told.state == "well"

    if not with_shelf(work):
        raise typer.Exit(1)


@secrets.command()
def delete(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="As `modelshelf secrets list` shows them.")],
    as_json: Json = False,
) -> None:
    """Forget saved secrets. That needs no key: it is the way out when the master key is lost."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        for name in names:
            await shelf.vault.delete(name)
            output.line(f"{name} is forgotten.")
        output.document({"deleted": names})

    with_shelf(work)


@secrets.command()
def rotate(
    master: Annotated[bool, typer.Option("--master", help="Change the master key, not the key under it.")] = False,
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Read the new master key, in Base64, from standard input.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Seal everything with a new key; the old one opens nothing any more."""
    from modelshelf.errors import UsageError

    if key_stdin and not master:
        raise UsageError("--key-stdin gives a new master key.", remedy="Add --master.")
    new = from_stdin() if key_stdin else None
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        vault = shelf.vault
        done = await (vault.rotate_master(new) if master else vault.rotate_data_key())
        output.document(asdict(done))
        output.line(f"{done.renewed} secrets have a new {'master ' if master else ''}key.")
        for name in done.damaged:
            output.line(f"{name} is damaged and stays as it is: save it anew, or delete it.")

    with_shelf(work)


def from_stdin() -> "Secret":
    """The first line of standard input: secrets are no arguments, which every program of the machine can read.

    Raises:
        UsageError: it is empty.
    """
    from modelshelf.errors import UsageError
    from modelshelf.vault import Secret

    text = sys.stdin.readline(100_000).strip()
    if not text:
        raise UsageError("Standard input is empty.", remedy="Pipe the secret into the command.")
    return Secret(text)


def _when(moment: object) -> str:
    from datetime import datetime

    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if isinstance(moment, datetime) else ""
