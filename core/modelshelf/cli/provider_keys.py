"""providers keys, add-key, remove-key: which keys a provider has; none is ever shown."""

from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli.deeds import Id, KeyEnv, KeyStdin, deed, read_key
from modelshelf.cli.output import Output
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(keys)
    app.command("add-key")(add_key)
    app.command("remove-key")(remove_key)


def keys(provider: Id, as_json: Json = False) -> None:
    """List a provider's keys: where each comes from and its last four characters, never the key."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = await shelf.providers.keys_of(provider)
        output.document(
            [
                {
                    "id": key.id, "pattern": key.pattern, "label": key.label, "origin": key.origin, "env": key.env,
                    "present": key.present, "last4": key.last4, "fingerprint": key.fingerprint,
                }
                for key in found
            ]
        )  # fmt: skip
        output.table(
            ("Key", "For models", "From", "Ends in"),
            [
                (key.id, key.pattern, key.env or key.origin, f"…{key.last4}" if key.present else "empty")
                for key in found
            ],
        )

    with_shelf(work)


def add_key(
    provider: Id,
    pattern: Annotated[str, typer.Option("--models", help="For the models of this pattern, for example gpt-4*.")] = "*",
    label: Annotated[str, typer.Option(help="A note for people.")] = "",
    key_env: KeyEnv = "",
    key_stdin: KeyStdin = False,
    as_json: Json = False,
) -> None:
    """Give a provider another key, for all its models or for some."""

    async def work(shelf: "Shelf") -> None:
        await shelf.providers.add_key(provider, secret=read_key(key_stdin), env=key_env, pattern=pattern, label=label)

    deed(as_json, provider, "key added", work)


def remove_key(
    provider: Id, key: Annotated[str, typer.Argument(help="The key's id, of `providers keys`.")], as_json: Json = False
) -> None:
    """Forget a key of a provider."""
    deed(as_json, provider, "key removed", lambda shelf: shelf.providers.keys.remove(provider, key))


def _end(last4: str, present: bool) -> str:
    return f"…{last4}" if present else "empty"
