"""A served shelf on which fits differ: models of many sizes in a folder, a simulated Ollama and a simulated cloud."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.browser.serving import SAMPLES, Served, served
from tests.browser.simulated import simulated
from tests.engines.ollama import OllamaSimulator
from tests.engines.openai_cloud import KEY, OpenAISimulator
from tests.hermetic import child_environment
from tests.shapes.gguf import write
from tests.shapes.models import SHAPES

LONG = 1 << 20  # tokens: no machine holds the cache of them
MODELS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Llama-3.2-1B-GGUF": ("llama32_1b", ("Q8_0",)),
    "Mistral-7B-GGUF": ("mistral_7b", ("Q4_K_M", "Q8_0")),
    "Qwen3-8B-GGUF": ("qwen3_8b", ("Q4_K_M",)),
    "Gemma-3-12B-GGUF": ("gemma3_12b", ("Q4_K_M",)),
    "Mixtral-8x7B-GGUF": ("mixtral_8x7b", ("Q4_K_M",)),
    "Qwen3-Next-80B-GGUF": ("qwen3next_80b", ("Q4_K_M",)),
}
HUNGRY = "disk:org/Hungry-4B-GGUF"


def models(folder: Path) -> Path:
    """Write them as a source would keep them: sparse files, gigabytes long and megabytes on the disk."""
    for name, (kind, mixes) in MODELS.items():
        (folder / "org" / name).mkdir(parents=True)
        for mix in mixes:
            write(SHAPES[kind], folder / "org" / name / f"{name.removesuffix('-GGUF')}.{mix}.gguf", mix)
    hungry = folder / "org" / HUNGRY.rpartition("/")[2]
    hungry.mkdir()
    shape = SHAPES["phi3_mini"]
    write(replace(shape, keys={**shape.keys, "context_length": LONG}), hungry / "Hungry-4B.Q4_K_M.gguf", "Q4_K_M")
    return folder


@contextmanager
def fitted(base: Path, context: int = 4096) -> Iterator[Served]:
    """Serve it with both providers added; the built-in engine is to load models with so much context."""
    disk = {"name": "disk", "kind": "folder", "label": "Models", "path": str(models(base / "models"))}
    sources, engine = (disk, SAMPLES), {"engine": {"context": context}}
    ollama, cloud = OllamaSimulator(), OpenAISimulator()
    ollama.add("llama3.2", size=1_300_000_000)
    with simulated(ollama, cloud), served(base / "home", sources=sources, config=engine) as running:
        add(base, "ollama", "--url", ollama.url)
        add(base, "openai", "--url", cloud.url, "--key-stdin", key=KEY)
        yield running


def add(base: Path, kind: str, *more: str, key: str = "") -> None:
    """Add a provider by the command line, beside the server."""
    command = [str(Path(sys.executable).with_name("modelshelf")), "providers", "add", kind, *more]
    done = subprocess.run(command, env=child_environment(base), input=key, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
