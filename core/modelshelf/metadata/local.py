"""Facts of models on this machine: one file, the parts of a split one, or a folder with a configuration."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

from modelshelf.errors import FormatError, NotFound
from modelshelf.metadata import beside, choosing, gguf, gguf_facts, onnx, onnx_facts, safetensors, splits
from modelshelf.metadata import transformers_facts as transformers
from modelshelf.metadata.beside import Beside
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.kinds import START, kind_of, known_kind
from modelshelf.metadata.projectors import fits, is_projector, with_projector
from modelshelf.metadata.source import FileSource, ShortError, WindowSource

MAX_PARTS = 1000
MAX_ENTRIES = 4096  # of a folder that are looked at
MAX_BESIDE = 256  # and beside a file that may have a projector
INDEX = "model.safetensors.index.json"


def read(path: Path | str) -> ModelFacts:
    """What the file or folder is, read from its headers alone.

    A folder is that of a model, of an adapter, or one of the Hub's cache.

    Raises:
        NotFound: there is nothing, or nothing that holds weights.
        FormatError: a header is broken; the message names the field.
    """
    path = Path(path)
    if path.is_dir():
        return _folder(_snapshot(path))
    with FileSource(path) as source:
        kind = kind_of(source.read(0, START), source.name)
    if kind == "gguf":
        return _gguf(_parts_by_header(path))
    return _onnx(path) if kind == "onnx" else _safetensors(parts(path))


def parts(path: Path) -> tuple[Path, ...]:
    """Every part of a split model, in order; the path alone if it is no part.

    Raises:
        NotFound: a part is missing.
    """
    match = choosing.SHARD.search(path.name)
    if match is None or match[3] not in {".gguf", ".safetensors"}:
        return (path,)
    count, stem = int(match[2]), path.name[: match.start()]
    if not 1 <= count <= MAX_PARTS:
        return (path,)
    found = tuple(path.with_name(f"{stem}-{number:05}-of-{match[2]}{match[3]}") for number in range(1, count + 1))
    for part in found:
        if not part.is_file():
            raise NotFound(f"{part.name} is missing beside {path.name}.", remedy="Download the missing part.")
    return found


def _snapshot(folder: Path) -> Path:
    """The commit that `main` names in a repository of the Hub's cache; any other folder is itself."""
    snapshots = folder / "snapshots"
    if not snapshots.is_dir():
        return folder
    with suppress(OSError, ValueError):
        named = snapshots / (folder / "refs" / "main").read_text("utf-8").strip()[:64]
        if named.is_dir() and named.parent == snapshots:
            return named
    found = sorted(snapshots.iterdir(), key=lambda item: item.stat().st_mtime)
    return found[-1] if found else folder


def _folder(folder: Path) -> ModelFacts:
    kinds = _kinds(folder)
    if names := [name for name, kind in kinds.items() if kind == "safetensors"]:
        chosen = _indexed(folder) or tuple(folder / name for name in choosing.weights(names))
        return _safetensors(chosen if len(chosen) > 1 else parts(chosen[0]))
    if names := sorted(name for name, kind in kinds.items() if kind == "gguf"):
        models = [name for name in names if not _projects(folder / name)]
        return _gguf(_parts_by_header(folder / (models or names)[0]))
    if names := [name for name, kind in kinds.items() if kind == "onnx"]:
        return _onnx(folder / choosing.graph(names))
    if (folder / "onnx").is_dir():
        return _folder(folder / "onnx")
    raise NotFound(f"{folder} holds no GGUF, safetensors or ONNX file.", remedy="Name the model's own folder or file.")


def _kinds(folder: Path, most: int = MAX_ENTRIES) -> Mapping[str, str]:
    """The files of a folder that hold weights, by their first bytes."""
    found = {}
    try:
        with os.scandir(folder) as entries:
            files = [entry.name for _, entry in zip(range(most), entries, strict=False) if entry.is_file()]
    except OSError as error:
        raise NotFound(f"{folder} cannot be read: {error.strerror}.", remedy="Check the path.") from error
    for name in sorted(name for name in files if not name.startswith(".")):
        with suppress(NotFound, FormatError), FileSource(folder / name) as source:
            if kind := known_kind(source.read(0, START)):
                found[name] = kind
    return found


def _indexed(folder: Path) -> tuple[Path, ...]:
    """The shards that the index names; none where there is no index."""
    data = _small(folder / INDEX, safetensors.MAX_INDEX + 1)
    if data is None:
        return ()
    found = tuple(folder / name for name in safetensors.read_index(data).files)
    for part in found:
        if not part.is_file():
            raise NotFound(f"{part.name} is missing, which {INDEX} names.", remedy="Download the missing part.")
    return found


def _parts_by_header(path: Path) -> tuple[Path, ...]:
    """The parts of a split model, if its header says that it is one: a name alone makes none."""
    if not choosing.SHARD.search(path.name):
        return (path,)
    with FileSource(path) as source:
        count = gguf.read_header(source).metadata.get("split.count", 0)
    return parts(path) if isinstance(count, int) and count > 1 else (path,)


def _gguf(paths: Sequence[Path]) -> ModelFacts:
    headers, names = [], [path.name for path in paths]
    for path in paths:
        with FileSource(path) as source:
            headers.append(gguf.read_header(source))
    splits.check(headers, names)
    facts = gguf_facts.facts(headers, name=names[0])
    if facts.role == "model":
        facts = with_projector(facts, _projector(paths, facts))
    told = beside.read(_files(paths[0].parent, [beside.README]))
    return replace(
        facts,
        licence=facts.licence or told.licence,
        base=facts.base or told.base,
        origins={**_told(told), **facts.origins},
    )


def _told(told: Beside) -> Mapping[str, str]:
    said = {"licence": told.licence, "base": told.base}
    return {fact: beside.README for fact, value in said.items() if value}


def _projector(paths: Sequence[Path], facts: ModelFacts) -> ModelFacts | None:
    """The projector beside a model: the one whose vectors have its length, or any where there is no other model."""
    folder, own = paths[0].parent, {path.name for path in paths}
    kinds = _kinds(folder, MAX_BESIDE)
    others = [folder / name for name, kind in kinds.items() if kind == "gguf" and name not in own]
    projectors = [other for other in others if _projects(other)]
    alone = len(projectors) == len(others)
    for path in projectors:
        with suppress(FormatError, NotFound, ShortError), FileSource(path) as source:
            found = gguf_facts.facts([gguf.read_header(source)], name=path.name)
            if alone or fits(found, facts):
                return found
    return None


def _projects(path: Path) -> bool:
    with suppress(FormatError, NotFound, ShortError), FileSource(path) as source:
        return is_projector(WindowSource(source.read(0, 4096), source.size, source.name))
    return False


def _safetensors(paths: Sequence[Path]) -> ModelFacts:
    headers = []
    for path in paths:
        with FileSource(path) as source:
            headers.append(safetensors.read_header(source))
    tensors = tuple(chain.from_iterable(header.tensors for header in headers))
    told = _beside(paths[0].parent)
    return transformers.facts(
        told.config,
        tensors,
        size=sum(header.size for header in headers),
        metadata=headers[0].metadata,
        beside=told,
    )


def _onnx(path: Path) -> ModelFacts:
    with FileSource(path) as source:
        model, size = onnx.read_model(source), source.size
    sizes = {name: place.stat().st_size for name in model.external if (place := path.parent / name).is_file()}
    return onnx_facts.facts(model, _beside(path.parent), size=size + onnx.check_external(model, path.name, sizes))


def _beside(folder: Path) -> Beside:
    below = folder.name == "onnx"
    root, name = (folder.parent, "onnx") if below else (folder, "")
    paths = {
        str(place.relative_to(root))
        for where in {root, folder}
        for pattern in ("*.json", "*.jinja", "1_Pooling/*.json", "additional_chat_templates/*.jinja")
        for place in where.glob(pattern)
    }
    found = beside.wanted({path.replace(os.sep, "/") for path in paths}, name)
    files = {key: root / path for key, path in found.items()} | {beside.README: root / beside.README}
    return beside.read(_contents(files))


def _files(folder: Path, names: Sequence[str]) -> Mapping[str, bytes]:
    return _contents({name: folder / name for name in names})


def _contents(files: Mapping[str, Path]) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for name, path in files.items():
        most = beside.limit(name)
        data = _small(path, most if name == beside.README else most + 1)
        if data is not None and len(data) > most:
            beside.too_long(name, path.stat().st_size)
        elif data is not None:
            found[name] = data
    return found


def _small(path: Path, limit: int) -> bytes | None:
    """The first bytes of a file; None if there is none."""
    try:
        with path.open("rb") as handle:
            return handle.read(limit)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror}.") from error
