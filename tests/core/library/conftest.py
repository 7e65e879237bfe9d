"""Caches for the library's tests, laid out as huggingface_hub does."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from modelshelf.access import AccessService
from modelshelf.config import ConfigManager
from modelshelf.events import EventBus
from modelshelf.library import ModelLibrary
from modelshelf.store import Store
from modelshelf.vetting import VettingService
from tests.conftest import LoopRunner, running

OLD, NEW = "1" * 40, "2" * 40


@pytest.fixture
def cache(config: ConfigManager) -> Path:
    """The folder of the cache, which exists."""
    config.paths.cache.mkdir(parents=True)
    return config.paths.cache


@pytest.fixture
def library(
    loop: LoopRunner, config: ConfigManager, store: Store, events: EventBus, access: AccessService
) -> ModelLibrary:
    """A library that looks at its cache every few milliseconds."""
    vetting = VettingService(config, store, events, access)
    return loop.enter(running(ModelLibrary(config, store, events, access, vetting, look_seconds=0.02)))


def install(cache: Path, repo: str, files: Mapping[str, bytes], commit: str = NEW, ref: str = "main") -> Path:
    """Put a commit into the cache: large files under their SHA-256, others under git's SHA-1. Returns the snapshot."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / commit
    for path, data in files.items():
        large = path.endswith((".gguf", ".safetensors", ".bin"))
        git = hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()
        blob = folder / "blobs" / (hashlib.sha256(data).hexdigest() if large else git)
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        link(snapshot / path, blob)
    if ref:
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / ref).write_text(commit)
    return snapshot


def link(entry: Path, target: Path) -> None:
    """A relative link, as huggingface_hub makes them."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.symlink_to(os.path.relpath(target, entry.parent))
