"""Every fact that is known says where it came from, and no other does."""

from pathlib import Path
from typing import Any

import pytest

from modelshelf.metadata import gguf_facts, local
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.gguf import read_header
from modelshelf.metadata.origins import known
from modelshelf.metadata.source import WindowSource
from tests.core.metadata import files
from tests.core.vetting import ggufs
from tests.shapes import SHAPES, write

WEIGHTS = files.tensors({"l.weight": ("BF16", [64, 64])})
LORA = files.tensors({"base_model.model.q.lora_A.weight": ("F32", [8, 64])})
GRAPH = files.onnx([files.initialiser("w", [4, 8], raw=bytes(128))])
FOLDERS: dict[str, dict[str, Any]] = {
    "gguf": {"m.gguf": ggufs.build(), "README.md": "---\nlicense: mit\nbase_model: org/base\n---\n"},
    "embedder": {"m.gguf": ggufs.with_key(("llama.pooling_type", ggufs.U32, 1))},
    "projector": {"m.gguf": files.projector()},
    "with projector": {"m.gguf": ggufs.build(), "p.gguf": files.projector()},
    "adapter": {"adapter.safetensors": LORA, "adapter_config.json": {"base_model_name_or_path": "org/base"}},
    "bare": {"x.safetensors": WEIGHTS},
    "folder": {
        "model.safetensors": WEIGHTS,
        "config.json": {**files.LLAMA, "vision_config": {"a": 1}, "sliding_window": 5, "_name_or_path": "x"},
        "generation_config.json": {"top_k": 3},
        "chat_template.jinja": files.TOOLS,
        "README.md": "---\nlicense: mit\nbase_model: org/base\n---\n",
    },
    "pooled": {"model.safetensors": WEIGHTS, "config.json": dict(files.LLAMA), "1_Pooling/config.json": {}},
    "onnx": {"model.onnx": GRAPH, "config.json": dict(files.LLAMA)},
    "bare onnx": {"model.onnx": GRAPH},
}


def complete(facts: ModelFacts) -> None:
    assert set(facts.origins) == set(known(facts))


@pytest.mark.parametrize("content", FOLDERS.values(), ids=FOLDERS.keys())
def test_folders(tmp_path: Path, content: dict[str, Any]) -> None:
    complete(local.read(files.write(tmp_path, content)))


@pytest.mark.parametrize("name", ["gemma3_4b", "qwen3moe_30b", "mamba_2_8b", "deepseek2_lite"])
def test_headers_whole_and_in_part(tmp_path: Path, name: str) -> None:
    file = write(SHAPES[name], tmp_path / "x.gguf")
    complete(local.read(file))
    with file.open("rb") as handle:
        start = handle.read(65_536)
    complete(gguf_facts.facts([read_header(WindowSource(start, file.stat().st_size), partial=True)]))
