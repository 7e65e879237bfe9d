"""fit, matrix, recommend, machines: whether models run, where best, and what to change."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli.output import Output, memory_size
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.compat import Machine
    from modelshelf.compat.types import Compatibility
    from modelshelf.shelf import Shelf

Words = Annotated[
    str | None, typer.Option("--machine", help='Another machine: a JSON file, or words such as "24 GB card".')
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(fit)
    app.command()(matrix)
    app.command()(recommend)
    app.command()(machines)


def fit(
    model: Annotated[str, typer.Argument(metavar="MODEL_OR_FILE", help="A model's name, or a file on this machine.")],
    context: Annotated[int | None, typer.Option("--ctx", min=1, help="Context in tokens.")] = None,
    kv: Annotated[str | None, typer.Option("--kv", help="Type of the KV cache: f16, q8_0 or q4_0.")] = None,
    slots: Annotated[int | None, typer.Option("--slots", min=1, max=256, help="Parallel conversations.")] = None,
    ubatch: Annotated[int | None, typer.Option("--ubatch", min=1, help="Tokens per physical batch.")] = None,
    no_flash_attention: Annotated[
        bool, typer.Option("--no-flash-attention", help="Compute without flash attention.")
    ] = False,
    split_kv: Annotated[bool, typer.Option("--split-kv", help="A KV cache of its own for each slot.")] = False,
    gpu_layers: Annotated[int | None, typer.Option("--gpu-layers", min=0, help="Layers on the GPU.")] = None,
    provider: Annotated[str, typer.Option("--provider", help="Where it would run.")] = "builtin",
    machine: Words = None,
    idle: Annotated[bool, typer.Option("--idle", help="As if nothing else ran on the machine.")] = False,
    needs: Annotated[
        list[str] | None,
        typer.Option("--needs", help="An ability it must have: chat, tools, vision, embed, reasoning."),
    ] = None,
    apply: Annotated[str | None, typer.Option("--apply", metavar="CODE", help="Do what this fix says.")] = None,
    min_score: Annotated[int, typer.Option("--min-score", min=0, max=100, help="Exit with 4 below this score.")] = 0,
    as_json: Json = False,
) -> None:
    """Say whether a model runs, how well, why, and what to change.

    What is not said is as it is settled for the model, or 4,096 tokens, f16 and one conversation for a file.
    """
    from modelshelf.errors import UsageError

    if kv not in {None, "f16", "q8_0", "q4_0"}:
        raise UsageError(f"--kv {kv} is not known.", remedy="Choose f16, q8_0 or q4_0.")
    output = Output(as_json)
    told = {"context": context, "kv": kv, "slots": slots, "ubatch": ubatch, "gpu_layers": gpu_layers}
    changes: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    changes |= {"flash_attention": False} if no_flash_attention else {}
    changes |= {"unified_kv": False} if split_kv else {}
    answer = _judge(model, provider, changes, _machine(machine, idle=idle), needs or [], apply or "", output)
    output.document(answer.as_dict())
    _explain(output, answer)
    if (answer.score or 0) < min_score:
        raise typer.Exit(4)


def matrix(
    models: Annotated[list[str] | None, typer.Argument(help="Models; without any, what is installed.")] = None,
    provider: Annotated[list[str] | None, typer.Option("--provider", help="Only this one; may be repeated.")] = None,
    machine: Words = None,
    as_json: Json = False,
) -> None:
    """Score models with providers: one line for each model, one column for each provider."""
    output = Output(as_json)
    there = _machine(machine)

    async def work(shelf: "Shelf") -> None:
        frame = await shelf.compatibility.matrix(models or None, provider or None, machine=there)
        answers: dict[tuple[str, str], Compatibility] = frame.attrs["answers"]
        rows, columns = [str(name) for name in frame.index], [str(name) for name in frame.columns]
        output.document([answers[row, column].as_dict() for row in rows for column in columns])
        scores = [[answers[row, column].score for column in columns] for row in rows]
        output.table(
            ("Model", *columns), [(row, *found) for row, found in zip(rows, scores, strict=True)], right=columns
        )

    with_shelf(work)


def recommend(
    name: Annotated[str, typer.Argument(metavar="PROVIDER_OR_MODEL", help="A provider's id, or a model's name.")],
    limit: Annotated[int, typer.Option(min=1, max=200, help="Lines at most.")] = 10,
    as_json: Json = False,
) -> None:
    """The models that do well with a provider, or the providers that do well with a model; the best first."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        ids = [config.id for config in await shelf.providers.list()]
        if name in ids:
            found = await shelf.compatibility.get_recommended_models_for_provider(name, limit)
        else:
            found = await shelf.compatibility.get_recommended_providers_for_model(name, limit)
        output.document([answer.as_dict() for answer in found])
        rows = [(answer.model if name in ids else answer.provider, answer.score, answer.summary) for answer in found]
        output.table(("Model" if name in ids else "Provider", "Fit", "Why"), rows, right=("Fit",))
        if not found:
            output.line("None does well.")

    with_shelf(work)


def machines(as_json: Json = False) -> None:
    """This machine as models see it, and the names by which others can be asked about."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = await shelf.compatibility.machines()
        output.document([machine.as_dict() for machine in found])
        rows = [
            (
                machine.name,
                memory_size(machine.ram_total),
                memory_size(machine.ram_available),
                ", ".join(f"{gpu.name} ({memory_size(gpu.memory_total)})" for gpu in machine.gpus) or None,
            )
            for machine in found
        ]
        output.table(("Machine", "Memory", "Free", "Graphics cards"), rows, right=("Memory", "Free"))

    with_shelf(work)


def _machine(words: str | None, *, idle: bool = False) -> "Machine | None":
    """The machine that is meant; None for this one as it is."""
    if words is None:
        if not idle:
            return None
        from modelshelf.compat.hardware import find_machine

        return find_machine().idle()
    from modelshelf.compat.machines import FOLDER, find_named_machine
    from modelshelf.config import ConfigManager

    return find_named_machine(words, ConfigManager().home / FOLDER)


def _judge(
    model: str,
    provider: str,
    changes: dict[str, Any],
    machine: "Machine | None",
    needs: list[str],
    code: str,
    output: Output,
) -> "Compatibility":
    """A file on this machine needs no shelf: no network, no database."""
    from modelshelf.compat import fit_file
    from modelshelf.compat.types import Settings
    from modelshelf.errors import NotFound, UsageError
    from modelshelf.metadata.abilities import known_abilities

    if not model.strip():
        raise UsageError("No model is named.", remedy="Name a model as org/name, or a file.")
    path = Path(model)
    if path.exists() and not code:
        return fit_file(
            path,
            Settings(**changes),
            machine,
            provider=provider,
            keep_context="context" in changes,
            needs=known_abilities(needs),
        )
    if path.exists():
        raise UsageError("A file is not loaded by anyone yet.", remedy="Leave --apply out, or name an installed model.")
    if path.is_absolute() or (path.suffix.lower() in {".gguf", ".safetensors"} and model.count("/") != 1):
        raise NotFound(f"There is no file {model}.", remedy="Check the path, or name a model as org/name.")

    async def work(shelf: "Shelf") -> "Compatibility":
        answer = await shelf.compatibility.check_model_compatibility(
            model, provider, changes=changes, machine=machine, needs=needs
        )
        if not code:
            return answer
        fix = next((one for one in answer.fixes if one.code == code), None)
        if fix is None:
            known = ", ".join(one.code for one in answer.fixes) or "none"
            raise UsageError(f"No fix {code} is proposed.", remedy=f"Proposed are: {known}.")
        output.line(await shelf.compatibility.apply(answer, fix))
        return await shelf.compatibility.check_model_compatibility(model, provider)

    return with_shelf(work)


def _explain(output: Output, answer: "Compatibility") -> None:
    score = "—" if answer.score is None else f"{answer.score} of 100"
    output.line(f"{answer.model} on {answer.provider}: {score} ({answer.confidence.value})")
    if answer.summary:
        output.line(answer.summary)
    if answer.memory:
        parts = answer.memory.as_dict()
        output.table(("Memory", "Size"), [(name, memory_size(size)) for name, size in parts.items()], right=("Size",))
    for reason in answer.reasons:
        output.line(f"· {reason.detail}")
    if answer.quality and answer.quality.detail:
        output.line(f"· {answer.quality.detail}")
    for proposal in answer.fixes:
        output.line(f"→ {proposal.detail} (score {proposal.score}, --apply {proposal.code})")
