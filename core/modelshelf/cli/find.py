"""search, show, fit: what there is, and whether it runs here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli.output import Output, file_size, memory_size
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.compat.types import Compatibility, Settings
    from modelshelf.shelf import Shelf


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(search)
    app.command()(show)
    app.command()(fit)


def search(
    text: Annotated[
        list[str] | None, typer.Argument(help="Words, and filters such as format:gguf or size:<8GB.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows at most.")] = 20,
    source: Annotated[list[str] | None, typer.Option(help="Only this source; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Search all sources at once; exit with 6 when none of them answers."""
    from modelshelf.errors import Unreachable

    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        answer = await shelf.catalog.find(" ".join(text or []), limit=limit, sources=source)
        fits = {row.id: shelf.compatibility.quick(row) for row in answer.rows}
        output.document(
            {
                "text": answer.text,
                "rows": [_row(row) | {"score": fits[row.id].score} for row in answer.rows],
                "sources": [
                    {
                        name: getattr(report, name)
                        for name in ("source", "label", "status", "found", "as_of", "error", "remedy")
                    }
                    for report in answer.sources
                ],
            }
        )
        output.table(
            ("Model", "Format", "Size", "Licence", "Fit", "Source"),
            [
                (
                    row.repo + (" (gated)" if row.gated else ""),
                    ", ".join(row.formats) or None,
                    file_size(row.size),
                    row.licence,
                    fits[row.id].score,
                    row.source,
                )
                for row in answer.rows
            ],
            right=("Size", "Fit"),
        )
        silent = bool(answer.sources) and all(report.status == "failed" for report in answer.sources)
        if not answer.rows and not silent:
            output.line("Nothing matches these words.")
        for report in answer.sources:
            if report.status in {"failed", "stale"}:
                output.line(f"{report.label}: {report.error} {report.remedy}")
        if silent:
            raise typer.Exit(Unreachable.exit_code)

    with_shelf(work)


def show(
    model: Annotated[str, typer.Argument(help="org/name, with source:, @commit or /file if you like.")],
    as_json: Json = False,
) -> None:
    """Show one model: its facts, its files, and how well it fits."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        detail = await shelf.catalog.detail(model)
        ranked = await shelf.compatibility.rank(detail)
        installed = await shelf.library.find(model)
        output.document(
            _row(detail.card)
            | {
                "commit": detail.commit,
                "installed": installed is not None,
                "files": [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in detail.files],
                "ranked": [
                    {"files": list(item.files), "compatibility": item.compatibility.as_dict()} for item in ranked
                ],
            }
        )
        output.line(f"{detail.card.repo}  {detail.card.licence or 'no licence named'}  commit {detail.commit[:12]}")
        output.line("Installed here." if installed else "Not installed.")
        output.table(
            ("File", "Size", "Fit"),
            [
                (
                    file.path,
                    file_size(file.size),
                    next((i.compatibility.score for i in ranked if file.path in i.files), None),
                )
                for file in detail.files
            ],
            right=("Size", "Fit"),
        )

    with_shelf(work)


def fit(
    model: Annotated[str, typer.Argument(metavar="MODEL_OR_FILE", help="A model's name, or a file on this machine.")],
    context: Annotated[int, typer.Option("--ctx", min=1, help="Context in tokens.")] = 4096,
    kv: Annotated[str, typer.Option("--kv", help="Type of the KV cache: f16, q8_0 or q4_0.")] = "f16",
    slots: Annotated[int, typer.Option("--slots", min=1, max=256, help="Parallel conversations.")] = 1,
    ubatch: Annotated[int, typer.Option("--ubatch", min=1, help="Tokens per physical batch.")] = 512,
    no_flash_attention: Annotated[
        bool, typer.Option("--no-flash-attention", help="Compute without flash attention.")
    ] = False,
    split_kv: Annotated[bool, typer.Option("--split-kv", help="A KV cache of its own for each slot.")] = False,
    gpu_layers: Annotated[int | None, typer.Option("--gpu-layers", min=0, help="Layers on the GPU.")] = None,
    provider: Annotated[str, typer.Option("--provider", help="Where it would run.")] = "builtin",
    machine: Annotated[
        Path | None, typer.Option("--machine", help="A JSON file that describes another machine.")
    ] = None,
    min_score: Annotated[int, typer.Option("--min-score", min=0, max=100, help="Exit with 4 below this score.")] = 0,
    as_json: Json = False,
) -> None:
    """Say whether a model runs, how well, why, and what to change."""
    from modelshelf.compat.types import Settings
    from modelshelf.errors import UsageError

    if kv not in {"f16", "q8_0", "q4_0"}:
        raise UsageError(f"--kv {kv} is not known.", remedy="Choose f16, q8_0 or q4_0.")
    output = Output(as_json)
    settings = Settings(context, kv, slots, ubatch, not no_flash_attention, not split_kv, gpu_layers)
    answer = _judge(model, provider, settings, machine)
    output.document(answer.as_dict())
    _explain(output, answer)
    if (answer.score or 0) < min_score:
        raise typer.Exit(4)


def _judge(model: str, provider: str, settings: "Settings", machine: Path | None) -> "Compatibility":
    """A file on this machine needs no shelf: no network, no database."""
    from modelshelf.compat import Machine, fit_file
    from modelshelf.errors import NotFound

    described = Machine.from_json(machine) if machine else None
    path = Path(model)
    if path.exists():
        return fit_file(path, settings, described)
    if path.is_absolute() or (path.suffix.lower() in {".gguf", ".safetensors"} and model.count("/") != 1):
        raise NotFound(f"There is no file {model}.", remedy="Check the path, or name a model as org/name.")

    async def work(shelf: "Shelf") -> "Compatibility":
        return await shelf.compatibility.check_model_compatibility(
            model, provider, settings=settings, machine=described
        )

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
    for proposal in answer.fixes:
        output.line(f"→ {proposal.detail} (score {proposal.score})")


def _row(card: Any) -> dict[str, Any]:
    names = [
        *("repo", "source", "task", "licence", "formats", "quantisations", "size", "parameters", "context"),
        *("architecture", "downloads", "likes", "gated", "modified"),
    ]
    return {"id": str(card.id)} | {name: getattr(card, name) for name in names}
