"""Ollama: `manifests/HOST/NAMESPACE/NAME/TAG` name blobs by their digests, `blobs/sha256-…`."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from modelshelf.adoption.around import Around
from modelshelf.adoption.grouping import model_of
from modelshelf.adoption.looking import Look
from modelshelf.adoption.types import StoredModel
from modelshelf.catalog.sources.cards import is_repo
from modelshelf.catalog.sources.ollama_manifest import Layer, files_of, read_manifest
from modelshelf.catalog.sources.said import mapping
from modelshelf.errors import FileNotInRepository, Unreachable

LATEST = "latest"
OURS = "registry.ollama.ai"
SERVICE = Path("/usr/share/ollama/.ollama/models")


class OllamaStore:
    """OLLAMA_MODELS, else the home's `.ollama/models` and that of the system's service."""

    name = "ollama"
    label = "Ollama"

    def places(self, around: Around) -> Sequence[Path]:
        """One, if the environment names it."""
        named = around.path("OLLAMA_MODELS")
        if named:
            return [named]
        return [around.home / ".ollama" / "models", *([SERVICE] if around.system == "linux" else [])]

    def read(self, look: Look) -> Iterable[StoredModel]:
        """Every tag whose blobs are there."""
        manifests = look.root / "manifests"
        if not manifests.is_dir():
            return
        for path, place, _ in look.files(manifests):
            parts = path.split("/")[1:]
            repo = "/".join(parts[-3:-1])
            if len(parts) != 4 or not is_repo(repo):
                look.notes.add(path, "is no manifest of a model")
            elif raw := look.read(place):
                yield from self._model(look, place, parts, raw)

    def _model(self, look: Look, place: Path, parts: Sequence[str], raw: bytes) -> Iterable[StoredModel]:
        host, space, title, tag = parts
        repo = f"{space}/{title}"
        try:
            layers, config = read_manifest(self.label, repo, raw)
        except FileNotInRepository:
            return  # a model of the cloud, or one that only Ollama's own engine reads
        except Unreachable:
            look.notes.add(place, "is no manifest of a model")
            return
        wanted = [layer for layer in layers if layer.kind in ("model", "projector")]
        places = {layer.digest: blob for layer in wanted if (blob := self._blob(look, layer))}
        if len(places) < len({layer.digest for layer in wanted}):
            return
        names = [file for file in files_of(repo, layers, config, self._described(look, config)) if file.sha256]
        files = {file.path: places[file.sha256] for file in names if file.sha256 in places}
        said = {file.path: file.sha256 for file in names if file.sha256}
        name = f"{title}:{tag}" if (host, space) == (OURS, "library") else f"{space}/{title}:{tag}"
        name = name if host == OURS else f"{host}/{name}"
        for model in model_of(look, self.name, name, repo, files, said):
            commit = hashlib.sha256(raw).hexdigest()[:40]
            refs = ("main",) if tag == LATEST else (tag,)
            yield replace(model, commit=commit, refs=refs)

    def _blob(self, look: Look, layer: Layer) -> Path | None:
        """The file of a layer; older versions write a colon into its name."""
        blobs = look.root / "blobs"
        place = next((p for mark in "-:" if (p := blobs / f"sha256{mark}{layer.digest}").exists()), None)
        if place is None:
            look.notes.add(f"blobs/sha256-{layer.digest[:12]}…", "is named by a manifest and is not there")
            return None
        status = look.status(place)
        if status is not None and status.st_size != layer.size:
            look.notes.add(place, "has another size than its manifest says")
            return None
        return place if status else None

    def _described(self, look: Look, config: Layer) -> object:
        """What the model says of itself, by which its files are named; it may be missing."""
        place = look.root / "blobs" / f"sha256-{config.digest}"
        raw = look.read(place) if place.exists() else None
        try:
            return mapping(json.loads(raw)) if raw else {}
        except (ValueError, RecursionError):
            return {}
