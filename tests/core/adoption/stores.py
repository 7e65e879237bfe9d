"""Stores on the disk, laid out as the programs lay them out."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.core.sources.simulators import gguf, sha256

TINY = gguf("tiny")
OTHER = gguf("other")
_TYPE = "application/vnd.ollama.image."


def write(place: Path, data: bytes | str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data.encode() if isinstance(data, str) else data)
    return place


def blob(store: Path, data: bytes) -> str:
    """Bytes under their digest, as Ollama keeps them; the digest as a manifest writes it."""
    write(store / "blobs" / f"sha256-{sha256(data)}", data)
    return f"sha256:{sha256(data)}"


def ollama(
    store: Path, weights: bytes = TINY, name: str = "registry.ollama.ai/library/tiny/1b", **changes: Any
) -> bytes:
    """A model of Ollama, with what belongs to it; returns its manifest."""
    config = json.dumps({"model_format": "gguf", "model_type": "1.2B", "file_type": "Q8_0"}).encode()
    parts = (("model", weights), ("template", b"{{ .Prompt }}"), ("license", b"Apache License 2.0"))
    layers = [{"mediaType": _TYPE + kind, "digest": blob(store, data), "size": len(data)} for kind, data in parts]
    said = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": blob(store, config),
            "size": len(config),
        },
        "layers": layers,
        **changes,
    }
    raw = json.dumps(said).encode()
    write(store / "manifests" / name, raw)
    return raw


def llama_cpp(cache: Path, weights: bytes = TINY) -> None:
    """A file that llama.cpp fetched, with its manifest."""
    said = {"ggufFile": {"rfilename": "tiny-Q4_K_M.gguf", "lfs": {"sha256": sha256(weights)}}}
    write(cache / "manifest=org=tiny-GGUF=latest.json", json.dumps(said))
    write(cache / "org_tiny-GGUF_tiny-Q4_K_M.gguf", weights)


def jan(data: Path, weights: bytes = TINY, **changes: str) -> Path:
    """A model of Jan as it writes it now."""
    path = "llamacpp/models/org/tiny/model.gguf"
    write(data / path, weights)
    note = {"embedding": "false", "model_path": path, "name": "org/tiny", "size_bytes": str(len(weights)), **changes}
    return write(data / "llamacpp/models/org/tiny/model.yml", "".join(f"{k}: {v}\n" for k, v in note.items()))


def hub(cache: Path, repo: str, files: Mapping[str, bytes], commit: str = "c" * 40) -> Path:
    """A commit in a cache of the Hub."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    for path, data in files.items():
        git = hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()
        name = git if path.endswith(".json") else sha256(data)
        write(folder / "blobs" / name, data)
        entry = folder / "snapshots" / commit / path
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.symlink_to(f"../../blobs/{name}")
    write(folder / "refs" / "main", commit)
    return folder
