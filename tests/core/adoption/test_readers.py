"""Every program's store is read as that program writes it, and what is odd in it is told in a sentence."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from modelshelf.adoption.looking import FILE_LIMIT
from tests.core.adoption.conftest import Machine
from tests.core.adoption.stores import OTHER, TINY, blob, hub, jan, llama_cpp, ollama, write
from tests.core.metadata.files import tensors
from tests.core.sources.simulators import gguf, sha256


def test_ollama_by_its_manifests(machine: Machine) -> None:
    store = machine.home / "ollama"
    raw = ollama(store)
    ollama(store, OTHER, "registry.ollama.ai/jane/other/latest")
    ollama(store, OTHER, "hf.co/org/other-GGUF/Q8_0")
    found = machine.models()
    assert sorted(found) == ["ollama:hf.co/org/other-GGUF:Q8_0", "ollama:jane/other:latest", "ollama:tiny:1b"]
    tiny = found["ollama:tiny:1b"]
    (file,) = tiny.files
    assert (tiny.repo, tiny.commit, file.path) == ("library/tiny", sha256(raw)[:40], "tiny-1.2B-Q8_0.gguf")
    assert (file.place, file.size, file.said) == (store / "blobs" / f"sha256-{sha256(TINY)}", len(TINY), sha256(TINY))
    assert machine.problem() == ""


def test_lm_studio_where_its_settings_say(machine: Machine) -> None:
    write(machine.home / ".lmstudio/models/org/tiny-GGUF/tiny-Q8_0.gguf", TINY)
    write(machine.home / ".cache/lm-studio/models/org/old-GGUF/old.gguf", OTHER)
    assert sorted(machine.models()) == ["lmstudio:org/old-GGUF", "lmstudio:org/tiny-GGUF"]
    elsewhere = machine.home / "disk" / "llms"
    write(machine.home / ".lmstudio/settings.json", json.dumps({"downloadsFolder": str(elsewhere)}))
    write(elsewhere / "me/mine/mine-Q4_K_M.gguf", OTHER)
    assert sorted(machine.models()) == ["lmstudio:me/mine", "lmstudio:org/old-GGUF"]
    write(machine.home / ".lmstudio-home-pointer", str(machine.home / "studio"))
    write(machine.home / "studio/models/a/b/b.gguf", gguf("b"))
    assert "lmstudio:a/b" in machine.models()


def test_llama_cpp_by_its_manifests_and_the_hub_cache_that_it_uses_now(machine: Machine) -> None:
    llama_cpp(machine.home / ".cache/llama.cpp")
    hub(machine.home / ".cache/huggingface/hub", "org/new-GGUF", {"new-Q8_0.gguf": OTHER, "config.json": b"{}"})
    found = machine.models()
    assert sorted(found) == ["hub:org/new-GGUF", "llamacpp:org/tiny-GGUF"]
    (file,) = found["llamacpp:org/tiny-GGUF"].files
    assert (file.path, file.said) == ("tiny-Q4_K_M.gguf", sha256(TINY))
    assert found["hub:org/new-GGUF"].commit == "c" * 40
    machine.environ["LLAMA_CACHE"] = str(machine.home / "elsewhere")
    write(machine.home / "elsewhere/loose-Q8_0.gguf", TINY)
    assert "llamacpp:local/loose-Q8_0" in machine.models()


def test_the_library_is_no_store_of_another(machine: Machine) -> None:
    hub(machine.home / "library", "org/mine", {"m.gguf": TINY})
    machine.environ["HF_HUB_CACHE"] = str(machine.home / "library")
    machine.folders = (str(machine.home / "library"),)
    assert machine.models() == {}


def test_jan_by_its_notes_new_and_old(machine: Machine) -> None:
    jan(machine.home / ".local/share/Jan/data")
    old = machine.home / "jan/models/mistral"
    write(old / "model.json", json.dumps({"id": "mistral", "sources": [{"url": "https://hub.example/x/mistral.gguf"}]}))
    write(old / "mistral.gguf", OTHER)
    found = machine.models()
    assert {name: model.repo for name, model in found.items()} == {
        "jan:org/tiny": "org/tiny",
        "jan:mistral": "local/mistral",
    }
    jan(machine.home / "moved")
    machine.environ["JAN_DATA_FOLDER"] = str(machine.home / "moved")
    (model,) = machine.models().values()
    assert model.files[0].place.is_relative_to(machine.home / "moved")


def test_gpt4all_and_what_it_has_not_finished(machine: Machine) -> None:
    folder = machine.home / ".local/share/nomic.ai/GPT4All"
    write(folder / "Llama-3.2-1B-Instruct-Q4_0.gguf", TINY)
    write(folder / "incomplete-big.gguf", b"GG")
    write(folder / "localdocs_v3.db", b"x")
    assert list(machine.models()) == ["gpt4all:local/Llama-3.2-1B-Instruct-Q4_0"]
    write(machine.home / ".config/nomic.ai/GPT4All.ini", f"[General]\nmodelPath={machine.home}/mine\n")
    write(machine.home / "mine/other.gguf", OTHER)
    assert list(machine.models()) == ["gpt4all:local/other"]


@pytest.mark.parametrize("below", ["hub/models", "hub", "models"])
def test_modelscope_of_every_version(machine: Machine, below: str) -> None:
    write(machine.home / ".cache/modelscope" / below / "Qwen/Qwen2___5-0___5B/model.safetensors", tensors({}))
    write(machine.home / ".cache/modelscope" / below / "Qwen/Qwen2___5-0___5B/config.json", b"{}")
    write(machine.home / ".cache/modelscope" / below / "._____temp/Qwen/half/model.safetensors", b"x")
    (model,) = machine.models().values()
    assert (model.repo, [file.path for file in model.files]) == (
        "Qwen/Qwen2.5-0.5B",
        ["config.json", "model.safetensors"],
    )


def test_folders_of_every_layout(machine: Machine) -> None:
    home = machine.home
    write(home / "a/org/tiny/tiny.gguf", TINY)
    write(home / "a/loose-Q8_0.gguf", gguf("loose"))
    write(home / "a/llama/model.safetensors", tensors({}))
    ollama(home / "b", OTHER)
    hub(home / "c", "org/cached", {"m.gguf": gguf("m")})
    machine.folders = (f"{home}/a", "~/b", f"{home}/c", f"{home}/gone", "relative")
    names = ["local/llama", "local/loose-Q8_0", "org/tiny", "tiny:1b", "org/cached"]
    assert [model.name for model in machine.look().models] == names
    problems = [store.problem for store in machine.look().stores]
    assert problems == ["", "", "", f"{home}/gone is not a folder that can be opened."]


def test_one_store_that_is_reached_twice_counts_once(machine: Machine) -> None:
    write(machine.home / ".lmstudio/models/org/tiny/tiny.gguf", TINY)
    (machine.home / ".cache").mkdir()
    (machine.home / ".cache/lm-studio").symlink_to(machine.home / ".lmstudio")
    machine.folders = (str(machine.home / ".lmstudio"),)
    found = machine.look()
    assert [(store.name, store.models) for store in found.stores] == [("lmstudio", 1), ("folder", 1)]
    assert [model.id for model in found.models] == ["lmstudio:org/tiny"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"layers": "none"}, "is no manifest of a model"),
        (
            {"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "../../secret", "size": 1}]},
            "is no manifest of a model",
        ),
        (
            {
                "layers": [
                    {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:" + "0" * 64, "size": 1}
                ]
            },
            "is named by a manifest and is not there",
        ),
        (
            {
                "layers": [
                    {
                        "mediaType": "application/vnd.ollama.image.model",
                        "digest": f"sha256:{sha256(TINY)}",
                        "size": 9_999,
                    }
                ]
            },
            "has another size than its manifest says",
        ),
    ],
    ids=["no layers", "leads out", "gone", "lies of its size"],
)
def test_a_manifest_that_lies_hides_no_other_model(machine: Machine, changes: dict[str, Any], told: str) -> None:
    store = machine.home / "ollama"
    ollama(store, OTHER, "registry.ollama.ai/library/good/latest")
    ollama(store, **changes)
    write(store / "manifests/registry.ollama.ai/library/deep/er/x", b"[" * 100_000)
    assert list(machine.models()) == ["ollama:good:latest"]
    assert told in machine.problem()


def test_links_that_lead_out_or_in_circles_are_not_followed(machine: Machine) -> None:
    secret = write(machine.home / "secret.gguf", TINY)
    models = machine.home / ".lmstudio/models"
    write(models / "org/good/good.gguf", OTHER)
    (models / "org/bad").mkdir()
    (models / "org/bad/bad.gguf").symlink_to(secret)
    (models / "org/loop").symlink_to(models)
    (models / "org/bad/self.gguf").symlink_to("self.gguf")
    (models / "org/bad/pipe").mkdir()
    os.mkfifo(models / "org/bad/pipe/x.gguf")
    assert list(machine.models()) == ["lmstudio:org/good"]
    problem = machine.problem()
    assert "leads out of its store" in problem
    assert "is no file" in problem
    note = jan(machine.home / "jan2", model_path=str(secret))
    machine.environ["JAN_DATA_FOLDER"] = str(note.parents[4])
    assert not [name for name in machine.models() if name.startswith("jan")]
    store = machine.home / "ollama"
    ollama(store, TINY)
    held = store / "blobs" / f"sha256-{sha256(TINY)}"
    held.unlink()
    held.symlink_to(secret)
    assert not [name for name in machine.models() if name.startswith("ollama")]


def test_names_that_are_no_text_are_told(machine: Machine) -> None:
    models = machine.home / ".lmstudio/models"
    write(models / "org/good/good.gguf", OTHER)
    Path(os.fsdecode(os.fsencode(models / "org/good") + b"/\xff\xfe.gguf")).write_bytes(TINY)
    (model,) = machine.models().values()
    assert [file.path for file in model.files] == ["good.gguf"]
    assert "has a name that no hub allows" in machine.problem()
    json.dumps(machine.look().stores[0].as_dict()).encode()


def test_a_model_of_which_a_part_is_missing_is_told(machine: Machine) -> None:
    for number in (1, 3):
        write(machine.home / f".lmstudio/models/org/big/big-0000{number}-of-00003.gguf", TINY)
        write(machine.home / f".cache/llama.cpp/big-0000{number}-of-00003.gguf", TINY)
    write(machine.home / ".cache/llama.cpp/good-Q8_0.gguf", OTHER)
    assert list(machine.models()) == ["llamacpp:local/good-Q8_0"]
    told = [store.problem for store in machine.look().stores]
    assert "parts are missing" in told[0]
    assert "parts are missing" in told[1]


def test_ten_thousand_files_and_more(machine: Machine) -> None:
    folder = machine.home / ".lmstudio/models/org/many"
    folder.mkdir(parents=True)
    source = write(machine.home / "one.gguf", TINY)
    for number in range(10_000):
        os.link(source, folder / f"m{number:05}-Q8_0.gguf")
    (model,) = machine.models().values()
    assert len(model.files) == 10_000
    assert model.size == len(TINY)
    for number in range(FILE_LIMIT - 9_990):
        (folder / f"x{number:05}.txt").touch()
    assert "holds more than 20,000 files" in machine.problem()


def test_a_folder_that_cannot_be_read_is_told(machine: Machine, unreadable: Path) -> None:
    closed = machine.home / ".lmstudio/models/org"
    closed.mkdir(parents=True)
    closed.chmod(0)
    assert "cannot be read: permission denied" in machine.problem()


def test_ollamas_older_names_of_blobs(machine: Machine) -> None:
    store = machine.home / "ollama"
    ollama(store)
    for place in list((store / "blobs").iterdir()):
        place.rename(place.with_name(place.name.replace("-", ":")))
    assert list(machine.models()) == ["ollama:tiny:1b"]
    assert blob(store, TINY) == f"sha256:{sha256(TINY)}"
