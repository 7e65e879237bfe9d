"""Names in other folders: no byte is there twice, nothing of anybody's is overwritten, and only ours is removed."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.errors import UsageError
from modelshelf.providers.adapters.ollama_store import OllamaStore
from modelshelf.providers.links import found_below, link_model, same_device
from modelshelf.providers.presets import sections, with_section, without_section
from modelshelf.registration.types import Made

SHA = "a" * 64


def store(tmp_path: Path) -> OllamaStore:
    (tmp_path / "models" / "blobs").mkdir(parents=True)
    return OllamaStore({"HOME": str(tmp_path), "OLLAMA_MODELS": str(tmp_path / "models")})


def manifest(place: Path, *digests: str) -> None:
    kind = "application/vnd.ollama.image.model"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"layers": [{"mediaType": kind, "digest": f"sha256:{one}"} for one in digests]}))


def test_a_link_into_the_store_is_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF")
    ollama = store(tmp_path)
    assert ollama.takes_links_to(file)
    assert ollama.link(file, SHA) == ("linked", True)
    assert ollama.link(file, SHA) == ("linked", False)
    assert file.stat().st_nlink == 2
    ollama.blob(SHA).unlink()
    ollama.blob(SHA).write_bytes(b"GGUF")
    assert ollama.link(file, SHA) == ("there", False)
    assert ollama.sample() == SHA


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("registry.ollama.ai", "library", "llama3", "8b"), "llama3:8b"),
        (("registry.ollama.ai", "me", "llama3", "8b"), "me/llama3:8b"),
        (("hub.example", "me", "llama3", "8b"), "hub.example/me/llama3:8b"),
    ],
)
def test_a_model_of_these_bytes_is_found_by_its_manifest(tmp_path: Path, parts: tuple[str, ...], name: str) -> None:
    ollama = store(tmp_path)
    manifest(ollama.folder / "manifests" / "registry.ollama.ai" / "library" / "other" / "latest", "b" * 64)
    assert ollama.name_of(SHA) == ""
    manifest(ollama.folder.joinpath("manifests", *parts), SHA)
    assert ollama.name_of(SHA) == name


@settings(max_examples=50, deadline=None)
@given(content=st.one_of(st.binary(max_size=60), st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists)
                         .map(lambda found: json.dumps(found).encode())))  # fmt: skip
def test_a_broken_manifest_names_nothing(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("broken")
    place = folder / "manifests" / "h" / "n" / "m" / "t"
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    assert OllamaStore({"OLLAMA_MODELS": str(folder)}).name_of(SHA) == ""


LINES = st.lists(st.sampled_from(["[a]", "[b]", "model = x", "", "; note", "c = 4096"]))


@given(lines=LINES, name=st.sampled_from(["mine", "a b", "c:Q8_0"]))
def test_a_section_of_ours_comes_and_goes_and_the_rest_stays(lines: list[str], name: str) -> None:
    text = "".join(f"{line}\n" for line in lines)
    added = with_section(text, name, Path("/m.gguf"))
    assert name in sections(added)
    assert with_section(added, name, Path("/m.gguf")) == added
    assert without_section(added, name) == text
    assert without_section(text, name) == text


def test_a_section_of_somebody_else_is_not_replaced() -> None:
    with pytest.raises(UsageError, match="already"):
        with_section("[mine]\nmodel = y\n", "mine", Path("/m.gguf"))


def test_on_another_disk_it_is_a_symbolic_link(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or same_device(tmp_path, other):
        pytest.skip("this machine has one file system only")
    folder = other / f"modelshelf-{os.getpid()}"
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF")
    try:
        assert link_model(file, folder).symbolic
        assert (folder / "m.gguf").readlink() == file
        assert found_below(folder, file) == folder / "m.gguf"
    finally:
        (folder / "m.gguf").unlink(missing_ok=True)
        folder.rmdir()


def test_equal_bytes_under_the_name_are_taken_for_ours_and_others_are_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF")
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / "m.gguf").write_bytes(b"GGUF")
    link_model(file, folder)
    (folder / "m.gguf").write_bytes(b"else")
    with pytest.raises(UsageError, match="was not overwritten"):
        link_model(file, folder)


def test_a_name_is_ours_until_somebody_else_takes_it(tmp_path: Path) -> None:
    file, link = tmp_path / "m.gguf", tmp_path / "link.gguf"
    file.write_bytes(b"GGUF")
    link.hardlink_to(file)
    made = Made.of(link)
    assert made.still_ours()
    link.unlink()
    assert not made.still_ours()
    link.write_bytes(b"GGUF")
    assert not made.still_ours()
    folder = Made.of(tmp_path)
    assert folder.folder
    (tmp_path / "more").touch()
    assert folder.still_ours(), "a folder stays ours when somebody puts something in"
