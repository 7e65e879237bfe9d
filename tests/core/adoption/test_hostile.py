"""Whatever stands in a program's notes, reading them raises nothing and leads nowhere else."""

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.adoption.around import Around
from modelshelf.adoption.readers.jan import flat
from modelshelf.adoption.survey import survey
from modelshelf.adoption.types import StoredModel
from tests.core.adoption.stores import TINY, ollama, write

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
LAYERS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "mediaType": JSON | st.sampled_from(["application/vnd.ollama.image.model"]),
            "digest": JSON | st.from_regex(r"sha256:[0-9a-f]{64}|sha256:\.\./\.\./.*", fullmatch=True),
            "size": JSON,
        },
    )
)
PATHS = st.text(max_size=60) | st.sampled_from(
    [
        "../../secret.gguf",
        "/etc/passwd",
        "a/../../secret.gguf",
        "secret.gguf\0",
        "~/secret.gguf",
        "C:\\secret.gguf",
        ".",
    ]
)


def read(home: Path, **environ: str) -> list[StoredModel]:
    """The models of a home, none of which may lie in another place than its store."""
    found = survey(Around({"HOME": str(home), **environ}, (), home / "library", "linux"))
    for store in found.stores:
        json.dumps(store.as_dict()).encode()
    for model in found.models:
        places = [store.place.resolve() for store in found.stores if store.name == model.store]
        assert all(any(file.place.is_relative_to(place) for place in places) for file in model.files)
    return list(found.models)


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({"layers": LAYERS | JSON, "config": JSON}) | JSON)
def test_ollamas_manifests(said: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder, "ollama")
        ollama(store)
        write(store / "manifests/registry.ollama.ai/library/odd/latest", json.dumps(said))
        assert "ollama:tiny:1b" in [model.id for model in read(Path(folder), OLLAMA_MODELS=str(store))]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_notes_that_are_noise(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for place in (
            "ollama/manifests/registry.ollama.ai/library/odd/latest",
            "jan/models/odd/model.yml",
            "jan/models/older/model.json",
            ".cache/llama.cpp/manifest=org=tiny=latest.json",
            ".lmstudio/settings.json",
            ".lmstudio-home-pointer",
            ".config/nomic.ai/GPT4All.ini",
            ".config/Jan/settings.json",
        ):
            write(home / place, raw)
        read(home, OLLAMA_MODELS=str(home / "ollama"))
    assert all(isinstance(text, str) for pair in flat(raw).items() for text in pair)


@settings(max_examples=80, deadline=None)
@given(PATHS, PATHS)
def test_jans_notes_lead_nowhere_else(model: str, projector: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write(home / "secret.gguf", TINY)
        note = f"model_path: {model}\nmmproj_path: '{projector}'\n"
        write(home / "data/llamacpp/models/org/odd/model.yml", note.encode("utf-8", "surrogatepass"))
        old = {"sources": [{"filename": model}, {"url": projector}]}
        write(home / "data/models/odd/model.json", json.dumps(old))
        assert read(home, JAN_DATA_FOLDER=str(home / "data")) == []
