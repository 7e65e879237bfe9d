"""What an Ollama manifest says: its layers, and the names that they get as files of a repository."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from modelshelf.catalog.sources.said import amount, listing, mapping, matching, text
from modelshelf.catalog.types import RepoFile
from modelshelf.errors import FileNotInRepository, Unreachable

MOST_LAYERS = 1000
MOST_BYTES = 2**44
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
_WORD = re.compile(r"^[A-Za-z0-9_.]{1,16}$")
_LAYER = "application/vnd.ollama.image."
_TEXTS = {
    "license": ("LICENSE", ".txt"),
    "messages": ("messages", ".json"),
    "params": ("params", ".json"),
    "system": ("system", ".txt"),
    "template": ("template", ".txt"),
}


@dataclass(frozen=True, slots=True)
class Layer:
    """A blob of a model: `kind` is model, projector, template …; `digest` its SHA-256, `size` its bytes."""

    kind: str
    digest: str
    size: int


def read_manifest(label: str, repo: str, raw: bytes) -> tuple[list[Layer], Layer]:
    """The layers of a model and its description, as `label` (a registry, or a folder) gives them.

    Raises:
        Unreachable: it is no manifest, or names what cannot be.
        FileNotInRepository: there are no weights in it.
    """
    try:
        said = mapping(json.loads(raw))
    except (ValueError, RecursionError):
        said = {}
    rows = listing(said.get("layers"))
    if not rows or len(rows) > MOST_LAYERS:
        raise Unreachable(f"{label} answers for {repo} with something that is no manifest of a model.")
    layers = [_layer(label, repo, row) for row in rows]
    if not any(layer.kind == "model" for layer in layers):
        raise FileNotInRepository(
            f"{repo} holds no GGUF file: it is a model that only Ollama itself can fetch.",
            remedy="Use `ollama pull` for it, or take the model from another source.",
        )
    return layers, _layer(label, repo, said.get("config"))


def _layer(label: str, repo: str, data: object) -> Layer:
    fields = mapping(data)
    digest, size = matching(_DIGEST, fields.get("digest")), amount(fields.get("size"))
    if digest is None or size is None or size > MOST_BYTES:
        raise Unreachable(f"{label} names a file of {repo} without a SHA-256 or a possible size; nothing was fetched.")
    kind = text(fields.get("mediaType")) or ""
    return Layer(kind.removeprefix(_LAYER).partition(";")[0].strip(), digest.removeprefix("sha256:"), size)


def files_of(repo: str, layers: Iterable[Layer], config: Layer, described: object) -> Iterable[RepoFile]:
    """A name for each layer, by what the description says: a commit has the same names whatever tag led to it."""
    fields = mapping(described)
    words = [matching(_WORD, fields.get(key)) for key in ("model_type", "file_type")]
    stem = "-".join([repo.rpartition("/")[2], *(word for word in words if word and word != "unknown")])
    layers = list(layers)
    parts = sum(layer.kind == "model" for layer in layers)
    seen: dict[str, int] = {}
    for layer in layers:
        number = seen[layer.kind] = seen.get(layer.kind, 0) + 1
        suffix = "" if number == 1 else f"-{number}"
        if layer.kind == "model":
            path = f"{stem}.gguf" if parts == 1 else f"{stem}-{number:05d}-of-{parts:05d}.gguf"
        elif layer.kind == "projector":
            path = f"mmproj-{stem}{suffix}.gguf"
        elif layer.kind == "adapter":
            path = f"{stem}{suffix}.adapter"
        elif layer.kind in _TEXTS:
            name, ending = _TEXTS[layer.kind]
            path = f"{name}{suffix}{ending}"
        else:
            continue  # what only Ollama's own engine reads
        yield RepoFile(path, layer.size, layer.digest)
    yield RepoFile("ollama.json", config.size, config.digest)
