"""The sample models are what they claim, and the same everywhere."""

import json
import pickletools
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from modelshelf.metadata.gguf import read_header
from modelshelf.metadata.source import FileSource
from modelshelf.samples import CHAT_MODEL, CHAT_REPO, SUSPICIOUS_REPO, SampleHub
from modelshelf.samples.bigram import END, bigrams, likeliest
from modelshelf.samples.cards import PARAMETERS, SHELF
from modelshelf.samples.corpus import TOPICS
from modelshelf.samples.models import parts
from modelshelf.samples.network import Network
from modelshelf.samples.quantise import q4_0, q8_0
from modelshelf.samples.shipped import repositories
from modelshelf.samples.twin import NAMES
from modelshelf.samples.vocabulary import Vocabulary
from modelshelf.vetting import Verdict, scan_path
from tests.core.samples.conftest import Child

Parts = tuple[Network, Vocabulary, str]

MAKE = """
import json, sys
from pathlib import Path
from modelshelf.samples.shipped import repositories
print(json.dumps({r.id: [r.head.id, {f.path: f.sha256 for f in r.head.files.values()}]
                  for r in repositories(Path(sys.argv[1]))}))
"""


@pytest.fixture(scope="module")
def made() -> Parts:
    return parts()


async def test_every_process_makes_the_same_bytes(child: Child, tmp_path: Path) -> None:
    first = await child(MAKE, str(tmp_path / "one"), environ={"PYTHONHASHSEED": "1"})
    second = await child(MAKE, str(tmp_path / "two"), environ={"PYTHONHASHSEED": "2", "LC_ALL": "C"})
    assert json.loads(first) == json.loads(second)
    assert set(json.loads(first)) == {described.repo for described in SHELF}


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    before = {repo.id: repo.head.id for repo in repositories(tmp_path)}
    file = next(tmp_path.glob("*/samples/tiny-llama-GGUF/*.gguf"))
    good = file.read_bytes()
    stamp = next(tmp_path.glob("*/manifest.json")).stat().st_mtime_ns
    assert {repo.id: repo.head.id for repo in repositories(tmp_path)} == before
    assert next(tmp_path.glob("*/manifest.json")).stat().st_mtime_ns == stamp
    file.write_bytes(good[:-1] + b"\xff")
    assert {repo.id: repo.head.id for repo in repositories(tmp_path)} == before
    assert file.read_bytes() == good


async def test_the_header_and_the_twin_agree(hub: SampleHub, made: Parts) -> None:
    weights, words, template = made
    gguf = _path(hub, "samples/tiny-llama-quants-GGUF", "tiny-llama.F16.gguf")
    with FileSource(gguf) as source:
        header = read_header(source)
    shapes = {tensor.name: tuple(tensor.shape) for tensor in header.tensors}
    twin = _safetensors(_path(hub, "samples/tiny-llama", "model.safetensors"))
    assert {NAMES[name]: shapes[f"{name}.weight"][::-1] for name in weights.weights} == {
        name: tuple(entry["shape"]) for name, entry in twin.items()
    }
    config = json.loads(_path(hub, "samples/tiny-llama", "config.json").read_text())
    assert config["hidden_size"] == header.metadata["llama.embedding_length"]
    assert config["intermediate_size"] == header.metadata["llama.feed_forward_length"]
    assert config["num_key_value_heads"] == header.metadata["llama.attention.head_count_kv"]
    assert config["vocab_size"] == header.metadata["llama.vocab_size"] == len(words.tokens)
    assert header.metadata["tokenizer.chat_template"] == template


async def test_the_cards_say_what_is_so(hub: SampleHub, made: Parts) -> None:
    assert made[0].parameters == PARAMETERS
    for described in SHELF:
        head = hub.repos[described.repo].head
        card = _path(hub, described.repo, "README.md").read_text("utf-8")
        assert yaml.safe_load(card.split("---\n")[1]) == described.front_matter
        assert f"license:{described.front_matter['license']}" in hub.repos[described.repo].tags
        assert sum(file.size for file in head.files.values()) < 16 << 20
    assert CHAT_REPO.endswith(f"/{CHAT_MODEL}-GGUF")


def test_no_way_leads_in_a_circle(made: Parts) -> None:
    table = bigrams()
    assert all(likeliest(table, unit)[-1] == END for unit in table.after)


@pytest.mark.parametrize(("encode", "decode", "step"), [(q8_0, "q8", 127), (q4_0, "q4", 8)])
def test_quantised_numbers_are_near(encode: Any, decode: str, step: int) -> None:
    numbers = np.random.default_rng(7).normal(size=(64, 64)).astype(np.float32)
    numbers[0, :32] = 0
    back = _dequantised(encode(numbers), decode).reshape(numbers.shape)
    largest = np.abs(numbers.reshape(-1, 32)).max(axis=1).repeat(32).reshape(numbers.shape)
    assert np.all(np.abs(back - numbers) <= largest / step * 1.01)
    assert not back[0, :32].any()


def test_every_topic_is_called_by_its_words(made: Parts) -> None:
    template = ImmutableSandboxedEnvironment().from_string(made[2])
    seen = set()
    for topic in TOPICS:
        for word in topic.asked_by:
            text = template.render(
                messages=[{"role": "user", "content": word.replace("_", "")}], add_generation_prompt=True
            )
            seen.add(text.rpartition("<|")[2].removesuffix("|>"))
    assert seen >= {topic.name for topic in TOPICS} - {"talk"}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "x"},
    ]
    assert template.render(messages=turns, add_generation_prompt=True) == (
        "<s><|user|>Hi<|assistant|>Hello!</s><|user|>x<|assistant|><|talk|>"
    )


def test_every_input_can_be_written(made: Parts) -> None:
    words = made[1]
    assert len(set(words.tokens)) == len(words.tokens)
    assert {f"<0x{octet:02X}>" for octet in range(256)} <= set(words.tokens)
    assert all(left + right in words.numbers for left, right in words.merges)


async def test_the_suspicious_files_would_call_a_command(hub: SampleHub) -> None:
    with zipfile.ZipFile(_path(hub, SUSPICIOUS_REPO, "pytorch_model.bin")) as archive:
        checkpoint = archive.read("pytorch_model/data.pkl")
    bare = _path(hub, SUSPICIOUS_REPO, "vocab.pkl").read_bytes()
    for pickle, call in ((checkpoint, "posix system"), (bare, "builtins eval")):
        opcodes = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(pickle)]
        assert ("GLOBAL", call) in opcodes
        assert [name for name, _ in opcodes][-2:] == ["REDUCE", "STOP"]


def test_vetting_blocks_those_and_passes_all_others(tmp_path: Path) -> None:
    repos = repositories(tmp_path)
    root = next(tmp_path.glob("*/samples")).parent
    verdicts = {str(Path(report.path).relative_to(root)): report.verdict for report in scan_path(root, each=True)}
    blocked = {name for name, verdict in verdicts.items() if verdict is Verdict.BLOCK}
    assert blocked == {f"{SUSPICIOUS_REPO}/pytorch_model.bin", f"{SUSPICIOUS_REPO}/vocab.pkl"}
    assert {verdict for name, verdict in verdicts.items() if name not in blocked} == {Verdict.PASS}
    assert len(verdicts) > sum(len(repo.head.files) for repo in repos)


def _path(hub: SampleHub, repo: str, name: str) -> Path:
    content = hub.repos[repo].head.files[name].content
    assert isinstance(content, Path)
    return content


def _safetensors(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    del header["__metadata__"]
    assert max(entry["data_offsets"][1] for entry in header.values()) == len(data) - 8 - length
    return header


def _dequantised(data: bytes, kind: str) -> Any:
    if kind == "q8":
        blocks = np.frombuffer(data, dtype=[("d", "<f2"), ("q", "i1", 32)])
        return blocks["d"].astype(np.float32)[:, None] * blocks["q"]
    blocks = np.frombuffer(data, dtype=[("d", "<f2"), ("q", "u1", 16)])
    numbers = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1).astype(np.float32) - 8
    return blocks["d"].astype(np.float32)[:, None] * numbers
