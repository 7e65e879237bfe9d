"""search, show: what there is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from modelshelf.cli.output import Output, file_size
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.catalog.types import RepoCard
    from modelshelf.compat.types import Compatibility
    from modelshelf.shelf import Shelf

ORDERS = ("downloads", "likes", "trending", "created", "modified", "size", "params", "context", "compatibility")


class Asking(TyperCommand):
    """A command whose words may begin with one dash: `-is:gated` leaves out, as everywhere in the query language."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; what begins with one dash and is no option is one of the words."""
        known = {name: not getattr(param, "is_flag", False) for param in self.params for name in param.opts}
        known |= dict.fromkeys(ctx.help_option_names, False)
        options: list[str] = []
        words: list[str] = []
        end = args.index("--") if "--" in args else len(args)
        for place, word in enumerate(args[:end]):
            is_value = place > 0 and known.get(args[place - 1], False)
            left_out = len(word) > 1 and word[0] == "-" != word[1] and word not in known
            (words if left_out and not is_value else options).append(word)
        return super().parse_args(ctx, [*options, "--", *words, *args[end + 1 :]])


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(cls=Asking)(search)
    app.command()(show)


def search(
    text: Annotated[
        list[str] | None, typer.Argument(help="Words, and filters such as format:gguf or size:<8GB.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows at most.")] = 20,
    sort: Annotated[str, typer.Option(help=f"{', '.join(ORDERS)}; ascending with - before it.")] = "downloads",
    offset: Annotated[int, typer.Option(min=0, help="Rows to leave out at the beginning.")] = 0,
    source: Annotated[list[str] | None, typer.Option(help="Ask only this source; may be repeated.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Ask the sources, not the catalogue.")] = False,
    as_json: Json = False,
) -> None:
    """Search the catalogue, or all sources at once where there is none yet; exit with 6 when none of them answers."""
    output, asked = Output(as_json), " ".join(text or [])

    async def work(shelf: "Shelf") -> None:
        if source or live or not await shelf.catalog.index.available():
            await _ask(shelf, output, asked, limit, source)
        else:
            await _look_up(shelf, output, asked, (sort, offset, limit))

    with_shelf(work)


async def _look_up(shelf: "Shelf", output: Output, text: str, wanted: tuple[str, int, int]) -> None:
    """Answer from the catalogue."""
    sort, offset, limit = wanted
    page = await shelf.catalog.index.page(text, sort=sort, offset=offset, limit=limit)
    status = await shelf.catalog.index.status()
    await shelf.compatibility.machine()
    fits = [shelf.compatibility.quick(row.card) for row in page.rows]
    rows = [_row(row.card) | {"score": fit.score} for row, fit in zip(page.rows, fits, strict=True)]
    output.document(
        {
            "text": text,
            "total": page.total,
            "offset": page.offset,
            "sort": sort,
            "rows": [row | {"origins": list(found.origins)} for row, found in zip(rows, page.rows, strict=True)],
            "facets": {name: dict(values) for name, values in page.facets.items()},
            "suggestion": page.suggestion or None,
            "as_of": status.made,
            "sources": [],
        }
    )
    _print(output, [row.card for row in page.rows], fits)
    if page.suggestion:
        output.line(f"Did you mean: {page.suggestion}")
    if page.total > len(page.rows):
        output.line(f"{page.total:,} models in all.")


async def _ask(shelf: "Shelf", output: Output, text: str, limit: int, sources: list[str] | None) -> None:
    """Answer from the sources themselves."""
    from modelshelf.errors import Unreachable

    answer = await shelf.catalog.find(text, limit=limit, sources=sources)
    await shelf.compatibility.machine()
    fits = [shelf.compatibility.quick(row) for row in answer.rows]
    names = ("source", "label", "status", "found", "as_of", "error", "remedy")
    output.document(
        {
            "text": answer.text,
            "rows": [_row(row) | {"score": fit.score} for row, fit in zip(answer.rows, fits, strict=True)],
            "sources": [{name: getattr(report, name) for name in names} for report in answer.sources],
        }
    )
    silent = bool(answer.sources) and all(report.status == "failed" for report in answer.sources)
    _print(output, answer.rows, fits, silent=silent)
    for report in answer.sources:
        if report.status in {"failed", "stale"}:
            output.line(f"{report.label}: {report.error} {report.remedy}")
    if silent:
        raise typer.Exit(Unreachable.exit_code)


def _print(
    output: Output, cards: "Sequence[RepoCard]", fits: "Sequence[Compatibility]", *, silent: bool = False
) -> None:
    output.table(
        ("Model", "Format", "Size", "Licence", "Fit", "Source"),
        [
            (
                card.repo + (" (gated)" if card.gated else ""),
                ", ".join(card.formats) or None,
                file_size(card.size),
                card.licence,
                fit.score,
                card.source,
            )
            for card, fit in zip(cards, fits, strict=True)
        ],
        right=("Size", "Fit"),
    )
    if not cards and not silent:
        output.line("Nothing matches these words.")


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
