"""serve and chat: models at work."""

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli import providers
from modelshelf.cli.output import Output, err, out, shown
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.providers import ChatReply
    from modelshelf.providers.profile_spec import Limits
    from modelshelf.shelf import Shelf


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(chat)
    app.add_typer(providers.app, name="providers")


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = None,
    root_path: Annotated[str | None, typer.Option(help="The path a proxy puts before ours.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    link: Annotated[bool, typer.Option("--link", help="Only print a new link to the server that runs.")] = False,
) -> None:
    """Serve the dashboard, the REST API and the events on one port."""
    from importlib import import_module

    from modelshelf.config import ConfigManager

    config = ConfigManager()
    if link:
        typer.echo(import_module("modelshelf_dashboard.links").new_link(config))
        return
    chosen = {k: v for k, v in {"host": host, "port": port, "root_path": root_path}.items() if v is not None}
    server = import_module("modelshelf_dashboard.server")
    config.config = config.config.model_copy(update={"server": config.config.server.model_copy(update=chosen)})
    server.serve(config, open_browser=not no_browser)


def chat(
    model: Annotated[
        str, typer.Argument(metavar="PROVIDER/MODEL", help="For example builtin/tiny-llama; or a profile as @NAME.")
    ],
    prompt: Annotated[str, typer.Argument(help="What to say.")],
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens at most; 512 unless a profile says.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=5, help="0 always gives the same answer.")] = None,
    as_json: Json = False,
) -> None:
    """Ask a model or a profile and print the answer as it comes."""
    output = Output(as_json)
    limits: Limits = {} if max_tokens is None else {"max_tokens": max_tokens}
    if temperature is not None:
        limits["temperature"] = temperature

    async def work(shelf: "Shelf") -> "ChatReply":
        if as_json:
            return await shelf.chat(model, prompt, **limits)
        from modelshelf.providers import ChatReply

        reply = ChatReply("", "", "", {}, {})
        async with aclosing(shelf.chat_stream(model, prompt, **limits)) as chunks:
            async for chunk in chunks:
                out.print(shown(chunk.text), end="", markup=False, soft_wrap=True)
                reply = replace(reply, model=chunk.model, timings=chunk.timings or reply.timings)
        out.print()
        if model.startswith("@"):
            err.print(shown(reply.model), style="dim", markup=False, soft_wrap=True)
        return reply

    reply = with_shelf(work)
    output.document(
        {
            "text": reply.text,
            "model": reply.model,
            "provider": reply.provider,
            "usage": dict(reply.usage),
            "timings": dict(reply.timings),
        }
    )
