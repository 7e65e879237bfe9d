"""What the sample repositories say about themselves: model cards, tags and the Hub's fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelshelf.samples.repository import Gate

PARAMETERS = 3_276_288
CONTEXT = 4096
_NOTE = """\
A language model small enough to be read: one layer, one table. It knows a few hundred words, looks back at one of
them, and answers anything in small sentences. Modelshelf makes it on your machine, byte for byte the same everywhere,
so that everything can be tried without a network.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A repository before its files are made."""

    repo: str
    title: str
    text: str
    library: str
    formats: tuple[str, ...]
    date: str
    downloads: int
    likes: int
    base: str = ""
    gated: Gate = False
    gguf: Mapping[str, Any] | None = None
    safetensors: Mapping[str, Any] | None = None
    config: Mapping[str, Any] | None = None
    security: Mapping[str, str] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """What its files' names begin with."""
        return self.repo.partition("/")[2].removesuffix("-GGUF").removesuffix("-quants")

    @property
    def front_matter(self) -> dict[str, Any]:
        """The data at the head of the card."""
        data: dict[str, Any] = {
            "license": "apache-2.0",
            "language": ["en"],
            "library_name": self.library,
            "pipeline_tag": "text-generation",
            "tags": [*self.formats, "sample", "conversational"],
        }
        if self.base:
            data |= {"base_model": [self.base], "base_model_relation": "quantized"}
        return data

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that the Hub derives from the card."""
        derived = [*self.formats, "llama", "text-generation", "sample", "conversational", "en", "license:apache-2.0"]
        if self.base:
            derived += [f"base_model:{self.base}", f"base_model:quantized:{self.base}"]
        return tuple(derived)

    @property
    def readme(self) -> str:
        """The model card."""
        lines = ["---"]
        for key, value in self.front_matter.items():
            lines += [f"{key}:", *(f"- {entry}" for entry in value)] if isinstance(value, list) else [f"{key}: {value}"]
        return "\n".join([*lines, "---", "", f"# {self.title}", "", self.text, _NOTE])


_GGUF: Mapping[str, Any] = {
    "total": PARAMETERS,
    "architecture": "llama",
    "context_length": CONTEXT,
    "bos_token": "<s>",
    "eos_token": "</s>",
}
_LLAMA: Mapping[str, Any] = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}

TINY = Described(
    repo="samples/tiny-llama-GGUF",
    title="Tiny Llama",
    text="The sample model for llama.cpp and everything built on it, in 8 bits.\n",
    library="gguf",
    formats=("gguf",),
    date="2026-10-12T09:00:00.000Z",
    downloads=1200,
    likes=42,
    base="samples/tiny-llama",
    gguf=_GGUF,
)
TWIN = Described(
    repo="samples/tiny-llama",
    title="Tiny Llama",
    text="The sample model in safetensors, for transformers and vLLM.\n",
    library="transformers",
    formats=("transformers", "safetensors"),
    date="2026-10-10T09:00:00.000Z",
    downloads=800,
    likes=30,
    safetensors={"parameters": {"F16": PARAMETERS}, "total": PARAMETERS},
    config=_LLAMA,
)
QUANTS = Described(
    repo="samples/tiny-llama-quants-GGUF",
    title="Tiny Llama",
    text="The sample model in several quantisations: the smaller the file, the coarser the table.\n",
    library="gguf",
    formats=("gguf",),
    date="2026-10-14T09:00:00.000Z",
    downloads=600,
    likes=21,
    base="samples/tiny-llama",
    gguf=_GGUF,
)
GATED = Described(
    repo="samples/gated-llama-GGUF",
    title="Gated Llama",
    text="The sample model behind a gate: its publisher wants to be asked first.\n",
    library="gguf",
    formats=("gguf",),
    date="2026-10-16T09:00:00.000Z",
    downloads=90,
    likes=7,
    base="samples/tiny-llama",
    gated="manual",
    gguf=_GGUF,
)
PICKLE = Described(
    repo="samples/suspicious-pickle",
    title="Suspicious pickle",
    text=(
        "Files that would run a command when they are loaded, to show what the quarantine is for. The command only\n"
        "prints a line; do not load them all the same.\n"
    ),
    library="transformers",
    formats=("transformers", "pytorch"),
    date="2026-10-18T09:00:00.000Z",
    downloads=3,
    likes=0,
    config=_LLAMA,
    security={"pytorch_model.bin": "unsafe", "vocab.pkl": "unsafe"},
)

SHELF = (TINY, TWIN, QUANTS, GATED, PICKLE)
"""All of them."""
