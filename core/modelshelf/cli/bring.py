"""import: models that are on this machine already."""

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelshelf.cli.output import Output, complain, err, exit_code, file_size
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from modelshelf.imports import Imported
    from modelshelf.shelf import Shelf


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_)


def import_(
    paths: Annotated[
        list[Path],
        typer.Argument(help="GGUF files, folders of models, caches of the Hub, LM Studio, llama.cpp."),
    ],
    repo: Annotated[str, typer.Option("--as", metavar="ORG/NAME", help="The name of the one model there.")] = "",
    as_json: Json = False,
) -> None:
    """Link models into the library: verified and scanned as downloads are; nothing is moved."""
    from modelshelf.errors import ModelshelfError, UsageError

    if repo and len(paths) > 1:
        raise UsageError("One name is not enough for several paths.", remedy="Import them one by one.")
    output = Output(as_json)

    async def work(shelf: "Shelf") -> int:
        worst = 0
        for path in paths:
            try:
                async with aclosing(shelf.imports.run(path, repo)) as models:
                    async for model in models:
                        output.document(model.as_dict())
                        tell(output, model)
                        worst = max(worst, model.exit_code)
            except ModelshelfError as error:
                output.document({"path": str(path), "status": "failed", **error.as_dict()})
                if not as_json:
                    complain(error)
                worst = max(worst, exit_code(error))
        return worst

    if code := with_shelf(work):
        raise typer.Exit(code)


def tell(output: Output, model: "Imported") -> None:
    """Say what became of a model."""
    if model.status != "done":
        if not output.as_json:
            err.print(f"{model.repo}: {model.error}", style="red", markup=False, soft_wrap=True)
            err.print(model.remedy, markup=False, soft_wrap=True)
        return
    size = sum(file.size for file in model.files)
    ways = ", ".join(sorted({file.how for file in model.files}))
    output.line(f"{model.repo} is in the library: {len(model.files)} files, {file_size(size)} ({ways}).")
    for name in model.missing:
        output.line(f"  {name or 'a file'} was missing there.")
