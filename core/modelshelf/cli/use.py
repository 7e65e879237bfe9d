"""serve, chat, providers: models at work."""

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli.output import Output, file_size, out
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.providers import ChatReply
    from modelshelf.shelf import Shelf

providers = typer.Typer(
    help="The providers: what serves your models.", invoke_without_command=True, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(chat)
    app.add_typer(providers, name="providers")


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
    model: Annotated[str, typer.Argument(metavar="PROVIDER/MODEL", help="For example builtin/tiny-llama.")],
    prompt: Annotated[str, typer.Argument(help="What to say.")],
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens at most.")] = 512,
    temperature: Annotated[float | None, typer.Option(min=0, max=5, help="0 always gives the same answer.")] = None,
    as_json: Json = False,
) -> None:
    """Ask a model and print its answer as it comes."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> "ChatReply":
        if as_json:
            return await shelf.chat(model, prompt, max_tokens=max_tokens, temperature=temperature)
        from modelshelf.providers import ChatReply

        reply = ChatReply("", "", "", {}, {})
        async with aclosing(shelf.chat_stream(model, prompt, max_tokens=max_tokens, temperature=temperature)) as chunks:
            async for chunk in chunks:
                out.print(chunk.text, end="", markup=False, soft_wrap=True)
                reply = replace(reply, timings=chunk.timings or reply.timings)
        out.print()
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


@providers.callback()
def list_providers(context: typer.Context, as_json: Json = False) -> None:
    """List the providers with their health."""
    if context.invoked_subcommand:
        return
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        configs = await shelf.providers.list()
        looks = {item.id: await shelf.health.check(item.id) for item in configs if item.enabled}
        output.document(
            [
                {
                    "id": item.id, "kind": item.kind, "name": item.name, "url": item.url, "enabled": item.enabled,
                    "status": looks[item.id].status.value if item.id in looks else "off",
                    "latency_ms": looks[item.id].latency_ms if item.id in looks else None,
                    "detail": looks[item.id].detail if item.id in looks else "",
                }
                for item in configs
            ]
        )  # fmt: skip
        output.table(
            ("Provider", "Name", "Address", "Health", ""),
            [
                (item.id, item.name, item.url or "here", looks[item.id].status.value, looks[item.id].detail)
                if item.id in looks
                else (item.id, item.name, item.url or "here", "off", "")
                for item in configs
            ],
        )

    with_shelf(work)


@providers.command()
def models(
    provider: Annotated[str | None, typer.Argument(help="One provider; all of them if left out.")] = None,
    as_json: Json = False,
) -> None:
    """List the models that providers offer."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        served = await shelf.providers.models(provider)
        output.document(
            [
                {"id": m.id, "size": m.size, "context": m.context, "quantisation": m.quantisation, "loaded": m.loaded}
                for m in served
            ]
        )
        output.table(
            ("Model", "Size", "Quantisation", "In memory"),
            [(m.id, file_size(m.size), m.quantisation, "yes" if m.loaded else "no") for m in served],
            right=("Size",),
        )

    with_shelf(work)


@providers.command("test")
def look(provider: Annotated[str, typer.Argument(help="The provider's id.")], as_json: Json = False) -> None:
    """Look at one provider now; exit with 6 when it is not well."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> bool:
        look = await shelf.health.check(provider)
        output.document(
            {
                "id": provider,
                "status": look.status.value,
                "latency_ms": look.latency_ms,
                "detail": look.detail,
                "remedy": look.remedy,
            }
        )
        output.line(f"{provider} is {look.status.value}. {look.detail} {look.remedy}".rstrip())
        return look.status.value in {"well", "slow"}

    if not with_shelf(work):
        raise typer.Exit(6)
