"""providers: what serves your models, its keys, its models; each command takes --json."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli import provider_keys, provider_models
from modelshelf.cli.deeds import Id, KeyEnv, KeyStdin, deed, read_key
from modelshelf.cli.output import Output
from modelshelf.cli.shared import Json, with_shelf, writing_to
from modelshelf.errors import UsageError

if TYPE_CHECKING:
    from modelshelf.providers import Health, ProviderConfig
    from modelshelf.providers.spec import ProviderFactory
    from modelshelf.providers.validation import Validation
    from modelshelf.shelf import Shelf

_EXITS = {"unreachable": 6, "timeout": 6, "tls": 6, "wrong_url": 6}

app = typer.Typer(help="The providers: what serves your models.", invoke_without_command=True, rich_markup_mode=None)

Setting = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the kind; may be repeated.")
]
Http = Annotated[bool, typer.Option("--allow-http", help="Allow http to another machine: nothing is encrypted.")]
Insist = Annotated[bool, typer.Option("--insist", help="Save it whatever the test says.")]
Ping = Annotated[bool, typer.Option("--ping", help="Ask a model for one token; a cloud service may charge for it.")]


@app.callback()
def root(context: typer.Context, as_json: Json = False) -> None:
    """List the providers with their health."""
    if context.invoked_subcommand is None:
        list_all(as_json)


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """List the providers with their health."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        configs = await shelf.providers.list()
        enabled = [item.id for item in configs if item.enabled]
        looks = dict(zip(enabled, await asyncio.gather(*(_look(shelf, id_) for id_ in enabled)), strict=True))
        output.document([_document(item, looks.get(item.id)) for item in configs])
        output.table(
            ("Provider", "Name", "Address", "Health", ""),
            [_row(item, looks.get(item.id)) for item in configs],
        )

    with_shelf(work)


@app.command()
def kinds(
    words: Annotated[str, typer.Argument(help="Only those whose name holds this.")] = "", as_json: Json = False
) -> None:
    """List what can be added: kinds of servers, and cloud services by name."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = {**shelf.providers.kinds(), **await shelf.providers.cloud_kinds()}
        chosen = {kind: item for kind, item in found.items() if words.lower() in f"{kind} {item.label}".lower()}
        output.document([_kind(kind, item, kind in shelf.providers.kinds()) for kind, item in chosen.items()])
        output.table(
            ("Kind", "Name", "Address", "Key", "Key in"),
            [
                (kind, item.label, item.default_url or "here", item.key_use.value, ", ".join(item.env_names))
                for kind, item in chosen.items()
            ],
        )

    with_shelf(work)


@app.command()
def discover(as_json: Json = False) -> None:
    """Look for engines that run on this machine and are not among the providers."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = await shelf.providers.discover()
        output.document(
            [{"kind": item.kind, "url": item.url, "version": item.version, "label": item.label} for item in found]
        )
        if not found:
            output.line("No other engine answers on this machine.")
        for item in found:
            output.line(f"{item.label} at {item.url}. Add it: modelshelf providers add {item.kind} --url {item.url}")

    with_shelf(work)


@app.command()
def add(
    kind: Annotated[str, typer.Argument(help="One of `providers kinds`, for example ollama, openai or groq.")],
    url: Annotated[str, typer.Option(help="Its address; the usual one of its kind if left out.")] = "",
    id_: Annotated[str, typer.Option("--id", help="The id to give it.")] = "",
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    key_env: KeyEnv = "",
    key_stdin: KeyStdin = False,
    settings: Setting = None,
    allow_http: Http = False,
    ping: Ping = False,
    insist: Insist = False,
    as_json: Json = False,
) -> None:
    """Test a provider and add it."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        from modelshelf.providers.drafts import Draft

        factory = shelf.providers.kind(kind)
        told = _settings(settings or [], factory) | ({"plain_http": True} if allow_http else {})
        draft = Draft(kind, url, name, id_, told, read_key(key_stdin), key_env)
        saved = await shelf.providers.drafts.save(draft, insist=insist, ping=ping)
        output.document(
            {"id": saved.provider.id, **_document(saved.provider, None), "validation": _seen(saved.validation)}
        )
        seen = saved.validation.message if saved.validation else "It was not tested."
        output.line(f"Added {saved.provider.name} as {saved.provider.id}. {seen}")

    with_shelf(work)


@app.command()
def change(
    provider: Id,
    url: Annotated[str, typer.Option(help="A new address.")] = "",
    name: Annotated[str, typer.Option(help="A new name.")] = "",
    key_env: KeyEnv = "",
    key_stdin: KeyStdin = False,
    settings: Setting = None,
    allow_http: Http = False,
    insist: Insist = False,
    as_json: Json = False,
) -> None:
    """Test a provider with what is new about it, and keep that."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        from modelshelf.providers.drafts import Draft

        before = await shelf.providers.config(provider)
        told: dict[str, Any] | None = None
        if settings or allow_http:
            new = _settings(settings or [], shelf.providers.kind(before.kind))
            told = {**before.settings, **new} | ({"plain_http": True} if allow_http else {})
        draft = Draft(before.kind, url, name, provider, told, read_key(key_stdin), key_env, existing=True)
        saved = await shelf.providers.drafts.save(draft, insist=insist)
        output.document({**_document(saved.provider, None), "validation": _seen(saved.validation)})
        output.line(f"Changed {saved.provider.name}.")

    with_shelf(work)


@app.command()
def remove(provider: Id, as_json: Json = False) -> None:
    """Remove a provider with its keys. The models at the provider stay there."""
    deed(as_json, provider, "removed", lambda shelf: shelf.providers.remove(provider))


@app.command()
def enable(provider: Id, as_json: Json = False) -> None:
    """Switch a provider on."""
    deed(as_json, provider, "on", lambda shelf: shelf.providers.enable(provider))


@app.command()
def disable(provider: Id, as_json: Json = False) -> None:
    """Switch a provider off; it stays configured."""
    deed(as_json, provider, "off", lambda shelf: shelf.providers.enable(provider, False))


@app.command()
def order(
    providers: Annotated[list[str], typer.Argument(help="The ids to put first, in this order.")], as_json: Json = False
) -> None:
    """Put providers first: where a model is offered by several, the first is asked."""
    deed(as_json, " ".join(providers), "ordered", lambda shelf: shelf.providers.reorder(providers))


@app.command("test")
def look(provider: Id, ping: Ping = False, as_json: Json = False) -> None:
    """Test a provider and its key now."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> "Validation":
        await shelf.health.check(provider)
        return await shelf.providers.drafts.test(provider, ping=ping)

    seen = with_shelf(work)
    output.document({"id": provider, **(_seen(seen) or {})})
    output.line(f"{provider}: {seen.message} {seen.remedy}".rstrip())
    if not seen.good:
        raise typer.Exit(_EXITS.get(seen.outcome.value, 1))


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to write; standard output if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Write the providers as TOML, without any secret."""
    output = Output(as_json)
    text = with_shelf(lambda shelf: shelf.providers.exchange.export())
    if file is not None:
        with writing_to(file):
            file.write_text(text, "utf-8")
        output.line(f"Written to {file}.")
    elif not as_json:
        typer.echo(text, nl=False)
    output.document({"file": str(file)} if file else {"text": text})


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What `providers export` wrote; - reads standard input.")],
    as_json: Json = False,
) -> None:
    """Add the providers of an export, and change those that are known: all or nothing."""
    output = Output(as_json)
    text = _text(file)
    done = with_shelf(lambda shelf: shelf.providers.exchange.import_(text))
    output.document({"added": list(done.added), "changed": list(done.changed), "without_key": list(done.without_key)})
    output.line(f"{len(done.added)} added, {len(done.changed)} changed.")
    if done.without_key:
        output.line(f"Without a key: {', '.join(done.without_key)}. Add one: modelshelf providers add-key PROVIDER")


async def _look(shelf: "Shelf", provider: str) -> "Health":
    """One look; what is wrong with one provider is said in its row."""
    from modelshelf.errors import ModelshelfError
    from modelshelf.providers import Health, HealthStatus

    try:
        return await shelf.health.check(provider)
    except ModelshelfError as error:
        return Health(HealthStatus.DOWN, datetime.now(UTC), None, error.message, error.remedy)


def _settings(told: Sequence[str], factory: "ProviderFactory | None") -> dict[str, Any]:
    """`name=value` by the form that the kind declares for it."""
    from modelshelf.providers.spec import FieldKind

    kinds = {field.key: field.kind for field in factory.fields} if factory else {}
    found: dict[str, Any] = {}
    for item in told:
        name, separator, value = item.partition("=")
        if not separator:
            raise UsageError(f"“{item}” has no “=”.", remedy="Write --set NAME=VALUE.")
        match kinds.get(name):
            case FieldKind.NAMES:
                found[name] = [part.strip() for part in value.split(",")]
            case FieldKind.SWITCH:
                found[name] = value.lower() in {"true", "yes", "on", "1"}
            case FieldKind.NUMBER:
                found[name] = _number(name, value)
            case _:
                found[name] = value
    return found


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"“{name}” is a number.", remedy=f"Write --set {name}=10.") from None


def _text(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}.", remedy="Check its name and its permissions.") from error


def _document(config: "ProviderConfig", look: "Health | None") -> dict[str, Any]:
    return {
        "id": config.id, "kind": config.kind, "name": config.name, "url": config.url, "enabled": config.enabled,
        "status": look.status.value if look else "off" if not config.enabled else "unknown",
        "latency_ms": look.latency_ms if look else None,
        "detail": look.detail if look else "",
    }  # fmt: skip


def _row(config: "ProviderConfig", look: "Health | None") -> tuple[object, ...]:
    health = (look.status.value, look.detail) if look else ("off", "")
    return (config.id, config.name, config.url or "here", *health)


def _kind(kind: str, factory: "ProviderFactory", plugged: bool) -> dict[str, Any]:
    return {
        "kind": kind, "label": factory.label, "about": factory.about, "url": factory.default_url,
        "key": factory.key_use.value, "env": list(factory.env_names), "cloud": not plugged,
        "abilities": sorted(ability.value for ability in factory.abilities),
        "settings": [field.key for field in factory.fields], "load_options": sorted(factory.load_options),
    }  # fmt: skip


def _seen(seen: "Validation | None") -> dict[str, Any] | None:
    if seen is None:
        return None
    return {
        "good": seen.good, "outcome": seen.outcome.value, "message": seen.message, "remedy": seen.remedy,
        "latency_ms": seen.latency_ms, "models": seen.models,
    }  # fmt: skip


provider_models.register(app)
provider_keys.register(app)
