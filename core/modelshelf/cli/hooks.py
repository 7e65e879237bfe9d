"""hooks: what others may say to downloads, verdicts, registrations and deletions, and who is told of their end."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli.output import Output
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

hooks = typer.Typer(
    help="Hooks, which may refuse, and webhooks, which are told.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its name in the settings.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(hooks, name="hooks")


@hooks.command("list")
def list_(as_json: Json = False) -> None:
    """List hooks, webhooks, and the newest messages; exit with 1 when one cannot be used."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> bool:
        found, told = await shelf.hooks.listed(), shelf.hooks.webhooks()
        messages = await shelf.hooks.deliveries(10)
        output.document(
            {
                "hooks": [
                    {"name": h.name, "origin": h.origin, "points": sorted(h.points), "error": h.error} for h in found
                ],
                "webhooks": [asdict(webhook) for webhook in told],
                "messages": [asdict(message) for message in messages],
            }
        )
        output.table(
            ("Hook", "Has its say at", "Trouble"), [(h.name, ", ".join(sorted(h.points)), h.error) for h in found]
        )
        output.table(
            ("Webhook", "Address", "Told of", "Signed", "Trouble"),
            [(w.name, w.origin, ", ".join(w.events) or "every end", _yes(w.signed), w.problem) for w in told],
        )
        output.table(
            ("Message", "To", "About", "Status", "Tries", "Answer"),
            [(m.event, m.webhook, m.about, m.status, m.attempts, m.answer) for m in messages],
        )
        if not found and not told:
            output.line("There are none. How to have some: docs/hooks.md.")
        return not any(h.error for h in found) and not any(w.problem for w in told)

    if not with_shelf(work):
        raise typer.Exit(1)


@hooks.command("test")
def prove(webhook: Name, as_json: Json = False) -> None:
    """Send a webhook a message that says it is a test."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        answer = await shelf.hooks.test(webhook)
        output.document({"webhook": webhook, "answer": answer})
        output.line(f"{webhook} took it and answered {answer}.")

    with_shelf(work)


@hooks.command()
def sign(webhook: Name) -> None:
    """Read the secret that signs the messages to a webhook from standard input, and keep it encrypted."""
    from modelshelf.cli.secrets import from_stdin

    secret = from_stdin()

    async def work(shelf: "Shelf") -> None:
        await shelf.hooks.sign(webhook, secret)
        Output(False).line(f"Messages to {webhook} are signed from now on.")

    with_shelf(work)


@hooks.command()
def retry(as_json: Json = False) -> None:
    """Send now what waits, or was given up within a day."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        count = await shelf.hooks.retry()
        output.document({"messages": count})
        output.line(f"{count} messages are sent again.")

    with_shelf(work)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
