"""Ollama's own folder on this machine: models can be linked straight into it. Everything here blocks."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from modelshelf.providers.answers import mapping, objects, text
from modelshelf.providers.links import home_path, same_device, share

_MODEL = "application/vnd.ollama.image.model"
_MOST = 1 << 20  # a manifest is a few hundred bytes
_HUB, _LIBRARY = "registry.ollama.ai", "library"


class OllamaStore:
    """The folder that OLLAMA_MODELS names, else the one below the home folder."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.folder = home_path(environ.get("OLLAMA_MODELS") or "~/.ollama/models", environ)

    def blob(self, sha256: str) -> Path:
        """Where Ollama keeps these bytes."""
        return self.folder / "blobs" / f"sha256-{sha256}"

    def takes_links_to(self, file: Path) -> bool:
        """Whether it is there, may be written to, and is on the file system of a file."""
        blobs = self.folder / "blobs"
        return os.access(blobs, os.W_OK | os.X_OK) and same_device(file.resolve(), blobs)

    def sample(self) -> str:
        """The SHA-256 of any blob in it, for asking a server whether this is its store; empty if it has none."""
        with suppress(OSError), os.scandir(self.folder / "blobs") as entries:
            for entry in entries:
                digest = entry.name.removeprefix("sha256-")
                if len(digest) == 64 and digest != entry.name:
                    return digest
        return ""

    def link(self, file: Path, sha256: str) -> tuple[str, bool]:
        """Have these bytes among its blobs without a copy.

        Returns:
            How they are there: linked, reflinked, or as Ollama's own; and whether that was done now.

        Raises:
            OSError: they cannot be linked.
        """
        blob, data = self.blob(sha256), file.resolve(strict=True)
        made = not blob.exists()
        if made and not share(data, blob):
            raise OSError(f"{blob.parent} takes no links")
        if blob.samefile(data):
            return "linked", made
        return "reflinked" if made else "there", made

    def name_of(self, sha256: str) -> str:
        """The name of a model that is made of these bytes; empty without one."""
        root = self.folder / "manifests"
        for place in sorted(root.rglob("*")) if root.is_dir() else ():
            with suppress(OSError, ValueError, RecursionError):
                if place.is_file() and place.stat().st_size <= _MOST and _made_of(place, sha256):
                    return _named(place.relative_to(root).parts)
        return ""


def _made_of(manifest: Path, sha256: str) -> bool:
    found: Mapping[str, Any] = mapping(json.loads(manifest.read_bytes()))
    return any(
        text(layer.get("mediaType")) == _MODEL and text(layer.get("digest")) == f"sha256:{sha256}"
        for layer in objects(found.get("layers"))
    )


def _named(parts: tuple[str, ...]) -> str:
    """`host/namespace/model/tag` as people write it."""
    if len(parts) != 4:
        return ""
    host, space, model, tag = parts
    front = [part for part, usual in ((host, _HUB), (space, _LIBRARY)) if part != usual]
    if host != _HUB and space == _LIBRARY:
        front = [host, space]
    return "/".join([*front, f"{model}:{tag}"])
