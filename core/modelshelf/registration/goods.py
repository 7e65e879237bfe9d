"""What of an installed model can be given to providers: each GGUF model of it, or its folder as a whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf.catalog.files import is_projector, is_weights
from modelshelf.errors import ModelshelfError
from modelshelf.library.served import ServedFile
from modelshelf.library.types import InstalledModel
from modelshelf.providers.taking import Goods

if TYPE_CHECKING:
    from modelshelf.library import ModelLibrary
    from modelshelf.metadata import MetadataService
    from modelshelf.metadata.facts import ModelFacts

_PASSED = "pass"


def unfit(model: InstalledModel) -> str:
    """Why a model may be given to nobody, in a sentence; empty if it may."""
    if not model.complete:
        return "Some of its files are missing."
    if model.damaged:
        return f"{model.damaged[0]} is damaged."
    if model.verdict == _PASSED:
        return ""
    if model.verdict is None:
        return "It was not scanned yet."
    return "It did not pass the scan."


async def goods_of(
    library: "ModelLibrary", metadata: "MetadataService", model: InstalledModel, path: str = ""
) -> Sequence[Goods]:
    """What can be given of a model, or of the file `path` of it."""
    if model.format == "gguf":
        found = [item for item in await library.served() if item.model.id == model.id]
        wanted = [item for item in found if not path or path in {file.path for file in item.files}]
        return [await _of_file(metadata, item) for item in wanted]
    weights = sorted(file.path for file in model.files if model.format and is_weights(file.path, model.format))
    if not weights or not model.format:
        return ()
    files = {file.path: file for file in model.files}
    facts = await _facts(metadata, files[weights[0]].file)
    return [
        Goods(
            model.repo,
            model.commit,
            model.snapshot,
            tuple(files[name].file for name in weights),
            model.format,
            model.size,
            model.served_name,
            context=facts.context if facts else None,
            quantisation=model.quantisation,
            source=model.source or "",
        )
    ]


async def _of_file(metadata: "MetadataService", item: ServedFile) -> Goods:
    facts = await _facts(metadata, item.files[0].file)
    return Goods(
        item.model.repo,
        item.model.commit,
        item.model.snapshot,
        tuple(file.file for file in item.files),
        "gguf",
        item.size,
        item.name,
        sha256=item.files[0].sha256 if len(item.files) == 1 else None,
        context=facts.context if facts else None,
        quantisation=item.quantisation,
        source=item.model.source or "",
        beside=_projector(item.model),
    )


def _projector(model: InstalledModel) -> tuple[Path, ...]:
    """The file that turns pictures into tokens, where the model has one; of several, that in 16 bits."""
    found = sorted(file.path for file in model.files if file.path.lower().endswith(".gguf") and is_projector(file.path))
    best = next(
        (path for path in found if "f16" in path.lower() and "bf16" not in path.lower()), found[0] if found else ""
    )
    return tuple(file.file for file in model.files if file.path == best)


async def _facts(metadata: "MetadataService", file: object) -> "ModelFacts | None":
    try:
        return await metadata.local(str(file))
    except ModelshelfError:
        return None


def path_of(goods: Goods) -> str:
    """The first file in the repository, empty for what is a whole folder."""
    return goods.first.relative_to(goods.folder).as_posix() if goods.format == "gguf" else ""
