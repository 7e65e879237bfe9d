"""login, logout, whoami: the account at the Hugging Face Hub."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli.output import Output
from modelshelf.cli.secrets import from_stdin
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.catalog.types import HfAccount
    from modelshelf.shelf import Shelf
    from modelshelf.vault import Secret


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(login)
    app.command()(logout)
    app.command()(whoami)


def login(
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the token from standard input instead of asking for it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sign in to the Hugging Face Hub; the token is saved encrypted."""
    token = from_stdin() if token_stdin else _asked()
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        account = await shelf.huggingface.sign_in(token)
        present = await shelf.huggingface.account()
        output.document(_document(account) | {"in_force": present.origin if present else ""})
        output.line(_sentence(account))
        if present is not None and present.origin != "vault":
            output.line(f"{present.origin} is set and goes before it: unset it to use this account.")

    with_shelf(work)


def logout(as_json: Json = False) -> None:
    """Forget the saved token of the Hub."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        forgotten = await shelf.huggingface.sign_out()
        output.document({"forgotten": forgotten})
        output.line("The token is forgotten." if forgotten else "No token was saved.")

    with_shelf(work)


def whoami(as_json: Json = False) -> None:
    """Say whose account at the Hub is used; exit with 1 when there is none."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> bool:
        account = await shelf.huggingface.account()
        output.document(_document(account))
        output.line(_sentence(account) if account else "Not signed in. `modelshelf login` signs in.")
        return account is not None

    if not with_shelf(work):
        raise typer.Exit(1)


def _asked() -> "Secret":
    from modelshelf.errors import UsageError
    from modelshelf.vault import Secret

    if not sys.stdin.isatty():
        raise UsageError(
            "There is no terminal to ask for the token.", remedy="Pipe it into `modelshelf login --token-stdin`."
        )
    return Secret(typer.prompt("Token (nothing is shown)", hide_input=True, err=True))


def _document(account: "HfAccount | None") -> dict[str, object]:
    return {"signed_in": account is not None} | (asdict(account) if account else {})


def _sentence(account: "HfAccount") -> str:
    orgs = f", member of {', '.join(account.orgs)}" if account.orgs else ""
    until = f", until {account.expires.astimezone():%Y-%m-%d}" if account.expires else ""
    gated = " It does not open gated repositories." if account.gated is False else ""
    where = {"vault": "saved here", "file": "of `hf auth login`"}.get(account.origin, f"of {account.origin}")
    may = f" ({account.permission})" if account.permission else ""
    return f"Signed in as {account.name}{orgs}, by the token{may} {where}{until}.{gated}"
