"""How architectures differ in the memory they need: a table, so that a new one is a line and not a branch.

Measured on llama.cpp (xllamacpp 2026.10) with the shapes in `tests/shapes`; what is not listed is taken to be like
llama and marked as bounded. `E` is the embedding length, a row what a batch holds of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Which layers see a sliding window only.

    Of every `period` layers all but one do: the last sees everything, or the `first`. The window has as many tokens as
    the header says; `unnamed` where it says nothing, and `fixed` whatever it says. `layers`: only models of so many
    layers slide at all. `every`: all attention slides, whatever its place and the header's pattern.
    """

    period: int = 0
    first: bool = False
    unnamed: int = 0
    fixed: int = 0
    layers: int = 0
    every: bool = False


@dataclass(frozen=True, slots=True)
class Traits:
    """What the engine does differently for an architecture; `measured`: compared with the engine's own figures."""

    window: Window | None = None  # None where the engine ignores the window key
    cached: bool = True  # keeps keys and values
    encodes: bool = False  # tokens see those of their own batch and nothing kept
    attention_every: int = 0  # of so many layers only the last attends, the others recur
    halved: bool = False  # the feed-forward length in the header is twice the block's
    twice_embedded: bool = False  # tied embeddings are held twice
    gated: bool = True  # the feed-forward block has a gate; the tensors tell it better
    residuals: float = 5.0  # rows of E, and holes as long, beside a feed-forward block
    flash: bool = True  # the engine has flash attention for it
    plain_attention: tuple[float, float] = (2.0, 4.0)  # rows of E and of all heads without flash attention
    unrotated: bool = False  # positions are not turned into queries and keys
    biased: bool = False  # every score gets a bias
    indexed: bool = False  # an indexer with a cache of its own chooses what a token sees
    recurrent_rows: int = 0  # rows of E in a recurrent block that has no widths of its own
    states_kept: bool = False  # states live on beside the feed-forward block
    measured: bool = True


UNMEASURED = Traits(window=Window(), indexed=True, measured=False)
_LLAMA = Traits()
_PLAIN = Traits(gated=False)
_ENCODER = Traits(cached=False, encodes=True)
_PLAIN_ENCODER = Traits(cached=False, encodes=True, gated=False)
_GEMMA = (3.0, 4.0)
_OLMO = (1.0, 4.0)

TRAITS: Mapping[str, Traits] = {
    **dict.fromkeys(
        (
            "llama", "qwen2", "qwen3", "phi3", "mamba", "mamba2", "deepseek2", "olmoe", "qwen3moe",
            "gemma", "phimoe", "qwen2moe", "qwen2vl", "qwen3vl", "qwen3vlmoe", "mistral3", "granite", "granitemoe",
            "jamba", "chatglm", "glm4", "glm4moe", "internlm2", "minicpm", "minicpm3",
            "olmo", "dbrx", "exaone", "deepseek", "smollm3", "hunyuan-dense", "hunyuan-moe", "ernie4_5",
            "ernie4_5-moe", "dots1", "bailingmoe", "bailingmoe2", "plamo2", "seed_oss", "kimi-linear", "minimax-m2",
            "baichuan", "xverse", "refact", "orion", "deci", "openelm", "arctic", "bitnet",
            "chameleon", "plamo", "grovemoe", "hunyuan_vl", "pangu-embedded", "paddleocr", "maincoder",
            "mistral4", "hy_v3", "qwen3tts", "k2-horizon", "bailingmoe3",
            "nanbeige", "talkie", "deepseek2-ocr", "command-r", "stablelm",
        ),
        _LLAMA,
    ),
    **dict.fromkeys(
        ("starcoder2", "falcon", "gptneox", "nemotron", "nemotron_h", "nemotron_h_moe",
         "arcee", "apertus", "codeshell", "jais2"),
        _PLAIN,
    ),
    **dict.fromkeys(("starcoder", "mpt", "gpt2", "bloom"), Traits(gated=False, unrotated=True)),
    "jais": Traits(unrotated=True),
    **dict.fromkeys(("glm-dsa", "deepseek32"), Traits(indexed=True)),
    "phi2": Traits(gated=False, residuals=6.0),
    "qwen": Traits(halved=True),
    "olmo2": Traits(Window(4), plain_attention=_OLMO),
    "qwen3next": Traits(attention_every=4),
    "qwen35": Traits(attention_every=4),
    "qwen35moe": Traits(attention_every=4),
    "gpt-oss": Traits(Window(2)),
    "cohere2": Traits(Window(4), residuals=6.0),
    "cohere2moe": Traits(Window(4, first=True), residuals=6.0),
    "gemma2": Traits(Window(2, unnamed=4096), plain_attention=_GEMMA),
    "gemma3": Traits(Window(6), plain_attention=_GEMMA),
    "gemma3n": Traits(Window(5), twice_embedded=True, residuals=7.5, plain_attention=_GEMMA),
    "gemma4": Traits(Window(6), twice_embedded=True, plain_attention=(3.0, 2.75)),
    "llama4": Traits(Window(4, unnamed=8192, fixed=8192), residuals=6.0),
    "exaone4": Traits(Window(4, layers=64)),
    "exaone-moe": Traits(Window(4)),
    "plamo3": Traits(Window(8)),
    "smallthinker": Traits(Window(4, first=True, fixed=4096)),
    "afmoe": Traits(Window(4)),
    "mellum": Traits(Window(4)),
    **dict.fromkeys(("mimo2", "step35", "granite_swa", "spark2_5"), Traits(Window())),
    "muse-glimmer": Traits(Window(4)),
    "lfm2": Traits(Window(every=True)),
    "lfm2moe": _LLAMA,
    "granitehybrid": Traits(residuals=6.0),
    "falcon-h1": _LLAMA,
    "grok": Traits(flash=False),
    "cogvlm": Traits(residuals=3.0, plain_attention=(0.0, 3.0)),
    "llama-embed": Traits(encodes=True),
    "t5encoder": Traits(encodes=True, flash=False, biased=True),
    "rwkv6": Traits(recurrent_rows=15, gated=False),
    "rwkv6qwen2": Traits(recurrent_rows=15, states_kept=True),
    "rwkv7": Traits(recurrent_rows=20, gated=False),
    "arwkv7": Traits(recurrent_rows=20, states_kept=True, measured=False),
    **dict.fromkeys(("dream", "llada", "llada-moe", "rnd1"), _ENCODER),
    **dict.fromkeys(("eurobert", "neo-bert", "nomic-bert", "jina-bert-v2"), _ENCODER),
    **dict.fromkeys(("bert", "nomic-bert-moe", "jina-bert-v3"), _PLAIN_ENCODER),
    "modern-bert": Traits(Window(3, first=True), cached=False, encodes=True),
    "gemma-embedding2": Traits(Window(4), cached=False, encodes=True),
    "gemma-embedding": Traits(Window(6), cached=False, encodes=True),
}  # fmt: skip


def traits(architecture: str | None) -> Traits:
    """The line for an architecture, or the one for those that were never measured."""
    return TRAITS.get(architecture or "", UNMEASURED)
