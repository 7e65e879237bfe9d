"""sources: where models are had from; each command takes --json."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli.deeds import deed
from modelshelf.cli.output import Output
from modelshelf.cli.secrets import from_stdin
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

commands = typer.Typer(help="The sources: where models come from.", invoke_without_command=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The source's name, for example hf.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(commands, name="sources")


@commands.callback()
def root(context: typer.Context, as_json: Json = False) -> None:
    """List the sources with how they fared."""
    if context.invoked_subcommand is None:
        list_all(as_json)


@commands.command("list")
def list_all(as_json: Json = False) -> None:
    """List the sources with how they fared."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = await shelf.sources.list()
        output.document([asdict(entry) for entry in found])
        output.table(
            ("Source", "Kind", "Address", "Token", "State"),
            [
                (entry.name, entry.kind, entry.url or entry.path or None, entry.token or None, _state(entry.status))
                for entry in found
            ],
        )
        for entry in found:
            if entry.error:
                output.line(f"{entry.label}: {entry.error} {entry.remedy}")

    with_shelf(work)


@commands.command()
def add(
    name: Name,
    kind: Annotated[str, typer.Option(help="huggingface, modelscope, ollama, web, folder, parquet …")] = "huggingface",
    url: Annotated[str, typer.Option(help="Its address, for example https://hub.example.org.")] = "",
    path: Annotated[Path | None, typer.Option(help="The folder of a source of that kind.")] = None,
    label: Annotated[str, typer.Option(help="What people call it.")] = "",
    owner: Annotated[str, typer.Option(help="Of a hub only what this organisation or person publishes.")] = "",
    token_env: Annotated[
        str, typer.Option(metavar="VARIABLE", help="The environment variable that holds its token.")
    ] = "",
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read its token from standard input.")] = False,
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="A private origin that its redirects may lead to; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a source: a private hub, a mirror, ModelScope, a registry, a web host, a folder."""
    token = from_stdin() if token_stdin else None

    async def work(shelf: "Shelf") -> None:
        folder = str(path.expanduser().absolute()) if path else ""
        await shelf.sources.add(
            name, kind, url=url, path=folder, label=label, token_env=token_env, owner=owner, hosts=tuple(host or ())
        )
        if token is not None:
            await shelf.sources.save_token(name, token)

    deed(as_json, name, "added", work)


@commands.command()
def remove(name: Name, as_json: Json = False) -> None:
    """Remove a source and its saved token; what was downloaded from it stays."""

    async def work(shelf: "Shelf") -> None:
        await shelf.sources.remove(name)

    deed(as_json, name, "removed", work)


@commands.command()
def enable(name: Name, as_json: Json = False) -> None:
    """Ask a source again."""

    async def work(shelf: "Shelf") -> None:
        await shelf.sources.enable(name)

    deed(as_json, name, "enabled", work)


@commands.command()
def disable(name: Name, as_json: Json = False) -> None:
    """Leave a source alone without forgetting it."""

    async def work(shelf: "Shelf") -> None:
        await shelf.sources.enable(name, enabled=False)

    deed(as_json, name, "disabled", work)


@commands.command()
def token(
    name: Name,
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read the token from standard input.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Forget the saved token.")] = False,
    as_json: Json = False,
) -> None:
    """Save a token for a source, encrypted and for its present address only; or forget it."""
    from modelshelf.errors import UsageError

    if token_stdin == forget:
        raise UsageError("Say what to do with the token.", remedy="Give --token-stdin, or --forget.")
    secret = from_stdin() if token_stdin else None

    async def work(shelf: "Shelf") -> None:
        await (shelf.sources.save_token(name, secret) if secret is not None else shelf.sources.forget_token(name))

    deed(as_json, name, "token saved" if secret is not None else "token forgotten", work)


def _state(status: str) -> str:
    return {"fresh": "in use", "named": "by name only"}.get(status, status)
