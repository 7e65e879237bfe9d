"""Other programs read what landed: transformers by the repository's name, llama.cpp through the snapshot's link."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modelshelf.downloads import JobStatus
from modelshelf.samples import CHAT_REPO
from tests.core.downloads.conftest import World, noise

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

TOKENS = {"[UNK]": 0, "hello": 1, "world": 2}
TOKENIZER = {
    "version": "1.0",
    "added_tokens": [],
    "pre_tokenizer": {"type": "Whitespace"},
    "model": {"type": "WordLevel", "vocab": TOKENS, "unk_token": "[UNK]"},
}
FILES = {
    "config.json": json.dumps(
        {"model_type": "llama", "hidden_size": 64, "architectures": ["LlamaForCausalLM"]}
    ).encode(),
    "tokenizer.json": json.dumps(TOKENIZER).encode(),
    "tokenizer_config.json": json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}).encode(),
    "model.safetensors": noise(200_000, 31),
}
TRANSFORMERS = """
import json, sys
from transformers import AutoConfig, AutoTokenizer
from transformers.utils import cached_file

repo = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(repo)
print(json.dumps({
    "hidden": AutoConfig.from_pretrained(repo).hidden_size,
    "ids": tokenizer("hello world there")["input_ids"],
    "weights": cached_file(repo, "model.safetensors"),
}))
"""
LLAMA_CPP = """
import json, sys
import xllamacpp

made = xllamacpp.CommonParams()
made.model.path, made.n_ctx, made.warmup = sys.argv[1], 256, False
server = xllamacpp.Server(made)
answer = server.handle_completions({"prompt": "Hello", "n_predict": 4})
print(json.dumps({"answer": answer if isinstance(answer, dict) else json.loads(answer)}, default=str))
"""


def told_by(script: str, argument: str, environ: dict[str, str]) -> dict[str, Any]:
    """The last line that a Python process of its own prints, from JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, argument],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **environ},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed (`make deep` installs it)")
async def test_transformers_finds_all_of_it_offline(world: World, tmp_path: Path) -> None:
    await world.hub.add("org/model", FILES)
    job = await world.fetch("org/model")
    assert job.status is JobStatus.DONE, job.error
    environ = {"HOME": str(tmp_path), "HF_HUB_CACHE": str(world.cache), "HF_HUB_OFFLINE": "1"}
    told = await asyncio.to_thread(told_by, TRANSFORMERS, "org/model", environ)
    assert (told["hidden"], told["ids"]) == (64, [1, 2, 0])
    assert Path(told["weights"]).is_relative_to(world.cache)
    assert Path(told["weights"]).read_bytes() == FILES["model.safetensors"]


async def test_llama_cpp_loads_it(shelf: "Shelf", tmp_path: Path) -> None:
    async with aclosing(shelf.downloads.follow(await shelf.downloads.start(CHAT_REPO))) as steps:
        async for step in steps:
            job = step
    assert job.status is JobStatus.DONE, job.error
    (model,) = Path(job.result["path"]).glob("*.gguf")
    assert model.is_symlink()
    told = await asyncio.to_thread(told_by, LLAMA_CPP, str(model), {"HOME": str(tmp_path)})
    assert "error" not in told["answer"]
