"""providers models, load, unload: what providers offer, and what they hold in memory."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli.deeds import deed
from modelshelf.cli.output import Output, file_size
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

Served = Annotated[str, typer.Argument(metavar="PROVIDER/MODEL", help="For example builtin/tiny-llama.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(models)
    app.command()(load)
    app.command()(unload)


def models(
    provider: Annotated[str | None, typer.Argument(help="One provider; all of them if left out.")] = None,
    as_json: Json = False,
) -> None:
    """List the models that providers offer."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        served = await shelf.providers.models(provider)
        output.document([_model(item) for item in served])
        output.table(
            ("Model", "Size", "Context", "Quantisation", "In memory", ""),
            [(m.id, file_size(m.size), m.context, m.quantisation, _held(m.loaded), _ending(m)) for m in served],
            right=("Size", "Context"),
        )

    with_shelf(work)


def load(
    model: Served,
    context: Annotated[int | None, typer.Option("--ctx", help="Context length in tokens.")] = None,
    kv: Annotated[str | None, typer.Option(help="f16, q8_0 or q4_0.")] = None,
    gpu_layers: Annotated[int | None, typer.Option(help="Layers on the GPU, -1 for all.")] = None,
    slots: Annotated[int | None, typer.Option(help="Answers at the same time.")] = None,
    idle: Annotated[int | None, typer.Option(help="Seconds unused until it is unloaded, 0 for never.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Load it so from now on.")] = False,
    as_json: Json = False,
) -> None:
    """Bring a model into memory. (The built-in engine lives as long as its process: there, use the page.)"""

    async def work(shelf: "Shelf") -> None:
        from modelshelf.providers.spec import LoadSettings

        how = LoadSettings(context, kv, gpu_layers, slots, None, idle)
        await shelf.providers.load(model, how)
        if keep:
            await shelf.providers.set_load_settings(model, how)

    deed(as_json, model, "loaded", work)


def unload(model: Served, as_json: Json = False) -> None:
    """Give a model's memory back."""
    deed(as_json, model, "unloaded", lambda shelf: shelf.providers.unload(model))


def _model(model: Any) -> dict[str, Any]:
    return {
        "id": model.id, "title": model.title, "size": model.size, "context": model.context,
        "max_output": model.max_output, "quantisation": model.quantisation, "loaded": model.loaded,
        "abilities": list(model.abilities), "deprecated": model.deprecated, "retires": model.retires,
        "price": {"input": model.price.input, "output": model.price.output} if model.price else None,
    }  # fmt: skip


def _held(loaded: bool | None) -> str | None:
    return None if loaded is None else "yes" if loaded else "no"


def _ending(model: Any) -> str:
    return f"until {model.retires}" if model.retires else "deprecated" if model.deprecated else ""
