"""search, show: what there is."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli.output import Output, file_size
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(search)
    app.command()(show)


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
        await shelf.compatibility.machine()
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


def _row(card: Any) -> dict[str, Any]:
    names = [
        *("repo", "source", "task", "licence", "formats", "quantisations", "size", "parameters", "context"),
        *("architecture", "downloads", "likes", "gated", "modified"),
    ]
    return {"id": str(card.id)} | {name: getattr(card, name) for name in names}
