"""Models that never were, as many as one likes, with names and figures that fall off as real ones do."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelshelf.catalog.stock import SCHEMA

BATCH = 50_000
STEMS = [
    "llama",
    "qwen",
    "mistral",
    "gemma",
    "phi",
    "deepseek",
    "mixtral",
    "falcon",
    "bert",
    "roberta",
    "whisper",
    "stable-diffusion",
    "flux",
    "sdxl",
    "yi",
    "gpt2",
    "gptj",
    "t5",
    "bloom",
    "opt",
    "pythia",
    "starcoder",
    "codellama",
    "vicuna",
    "alpaca",
    "wizard",
    "hermes",
    "dolphin",
    "zephyr",
    "openchat",
    "orca",
    "solar",
    "command",
    "granite",
    "olmo",
    "smollm",
    "tinyllama",
    "internlm",
    "baichuan",
    "chatglm",
    "glm",
    "minicpm",
    "nemotron",
    "jamba",
    "mamba",
    "rwkv",
    "clip",
    "vit",
    "dinov2",
    "wav2vec2",
    "xlm",
    "electra",
    "deberta",
    "distilbert",
    "albert",
    "bge",
    "e5",
    "gte",
    "minilm",
    "nomic",
    "jina",
    "colbert",
    "marian",
    "nllb",
    "mbart",
    "pegasus",
    "bart",
    "led",
    "longformer",
]
WORDS = [
    "instruct",
    "chat",
    "base",
    "coder",
    "math",
    "vision",
    "reasoning",
    "merged",
    "lora",
    "adapter",
    "finetuned",
    "sft",
    "dpo",
    "orpo",
    "rlhf",
    "v1",
    "v2",
    "v3",
    "preview",
    "distill",
    "long",
    "tool",
    "roleplay",
    "uncensored",
    "abliterated",
    "heretic",
    "en",
    "de",
    "zh",
    "multilingual",
    "medical",
    "legal",
    "finance",
    "code",
    "sql",
]
SIZES = [
    "0.5b",
    "1b",
    "1.5b",
    "2b",
    "3b",
    "4b",
    "7b",
    "8b",
    "9b",
    "12b",
    "13b",
    "14b",
    "27b",
    "32b",
    "34b",
    "70b",
    "72b",
    "123b",
    "405b",
]
QUANTS = ["Q2_K", "Q3_K_M", "Q4_0", "Q4_K_S", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "BF16", "F16", "IQ4_XS", "MXFP4"]
TASKS = [
    "text-generation",
    "text-classification",
    "feature-extraction",
    "sentence-similarity",
    "image-text-to-text",
    "text-to-image",
    "automatic-speech-recognition",
    "token-classification",
    "fill-mask",
    "image-classification",
    "reinforcement-learning",
    "text-to-speech",
    "translation",
    "summarization",
    "question-answering",
    "object-detection",
    "any-to-any",
]
LIBRARIES = [
    "transformers",
    "diffusers",
    "peft",
    "sentence-transformers",
    "gguf",
    "mlx",
    "timm",
    "keras",
    "stable-baselines3",
    "ml-agents",
]
LICENCES = [
    "apache-2.0",
    "mit",
    "other",
    "llama3.1",
    "gemma",
    "cc-by-nc-4.0",
    "openrail",
    "cc-by-4.0",
    "bsd-3-clause",
    "gpl-3.0",
    "llama2",
]
TAGS = [
    "region:us",
    "endpoints_compatible",
    "autotrain_compatible",
    "conversational",
    "text-generation-inference",
    "merge",
    "en",
    "zh",
]
FORMATS: tuple[list[str], ...] = (
    ["safetensors"],
    ["gguf"],
    ["pytorch"],
    ["safetensors", "pytorch"],
    ["onnx"],
    [],
    ["gguf", "safetensors"],
)
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz0123456789"))
NOW = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())


def write(file: Path, rows: int, seed: int = 1) -> None:
    """Write so many models."""
    maker = np.random.default_rng(seed)
    authors = _authors(maker, max(rows // 8, 10))
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for start in range(0, rows, BATCH):
            writer.write_table(_batch(maker, start, min(BATCH, rows - start), authors))


def _authors(maker: np.random.Generator, count: int) -> list[str]:
    letters = LETTERS[maker.integers(0, 36, (count, 9))]
    lengths = maker.integers(4, 10, count)
    return ["".join(row[:size]) for row, size in zip(letters, lengths, strict=True)]


def zipf(maker: np.random.Generator, choices: int, count: int, slope: float = 1.0) -> Any:
    """Numbers below `choices`, small ones far more often."""
    weights = 1 / np.arange(1, choices + 1) ** slope
    return np.searchsorted(np.cumsum(weights) / weights.sum(), maker.random(count)).clip(max=choices - 1)


def _names(maker: np.random.Generator, start: int, count: int, authors: list[str]) -> list[str]:
    stems, sizes = zipf(maker, len(STEMS), count), zipf(maker, len(SIZES), count, 0.6)
    words, more = zipf(maker, len(WORDS), count, 0.8), maker.random((count, 4))
    owners = zipf(maker, len(authors), count, 0.7)
    unique = LETTERS[maker.integers(0, 36, (count, 5))]
    found = []
    for row in range(count):
        parts = [STEMS[stems[row]].title() if more[row, 0] < 0.5 else STEMS[stems[row]]]
        parts += [SIZES[sizes[row]]] if more[row, 1] < 0.6 else []
        parts += [WORDS[words[row]]] if more[row, 2] < 0.7 else []
        # Most names hold a word that nobody else uses: a run's number, somebody's project.
        parts += ["".join(unique[row]) if more[row, 3] < 0.4 else f"{(start + row) % 99991}"]
        found.append(f"{authors[owners[row]]}/{'-'.join(parts)}")
    return found


def _batch(maker: np.random.Generator, start: int, count: int, authors: list[str]) -> pa.Table:
    def drawn(values: list[str], missing: float, slope: float = 1.0) -> pa.Array:
        codes = zipf(maker, len(values), count, slope)
        return pa.array(values).take(pa.array(codes, mask=maker.random(count) < missing))

    formats = zipf(maker, len(FORMATS), count)
    quantised = [
        QUANTS[a : a + b] if "gguf" in FORMATS[f] else []
        for f, a, b in zip(formats, maker.integers(0, 10, count), maker.integers(1, 9, count), strict=True)
    ]
    rank = maker.permutation(count) + 1
    size = np.exp(maker.normal(22, 1.6, count)).astype(np.int64)
    created = NOW - maker.integers(0, 4 * 365 * 86400, count)
    columns: dict[str, Any] = {
        "id": _names(maker, start, count, authors),
        "commit": pa.nulls(count, pa.string()),
        "pipeline_tag": drawn(TASKS, 0.4),
        "library": drawn(LIBRARIES, 0.3),
        "license": drawn(LICENCES, 0.55),
        "architecture": pa.nulls(count, pa.string()),
        "tags": [
            [TAGS[a], TAGS[b], TAGS[c]]
            for a, b, c in zip(*zipf(maker, len(TAGS), 3 * count).reshape(3, -1), strict=True)
        ],
        "formats": [FORMATS[code] for code in formats],
        "quants": quantised,
        "downloads": (5e7 / rank**1.1 * maker.random(count)).astype(np.int64),
        "likes": (1e4 / rank**0.9 * maker.random(count)).astype(np.int64),
        "trending": maker.poisson(0.05, count),
        "params": pa.array((size / maker.uniform(0.6, 4, count)).astype(np.int64), mask=maker.random(count) < 0.45),
        "size": pa.array(size, mask=maker.random(count) < 0.35),
        "context": pa.array(1 << maker.integers(9, 18, count), mask=maker.random(count) < 0.8),
        "created": pa.array(created, pa.timestamp("s", "UTC")),
        "modified": pa.array(created + maker.integers(0, 200 * 86400, count), pa.timestamp("s", "UTC")),
        "gated": maker.random(count) < 0.02,
        "private": np.zeros(count, bool),
    }
    return pa.table([pa.array(columns[name]).cast(SCHEMA.field(name).type) for name in SCHEMA.names], schema=SCHEMA)
