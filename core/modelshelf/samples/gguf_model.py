"""The sample model as a GGUF file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelshelf.samples.gguf_writer import Tensor, Uint32, write
from modelshelf.samples.network import CONTEXT, EPSILON, HEADS, INNER, KV_HEADS, WIDTH, Network
from modelshelf.samples.quantise import F32, Quantisation
from modelshelf.samples.vocabulary import Vocabulary

VECTORS = 1


def write_gguf(
    path: Path, weights: Network, words: Vocabulary, template: str, quantisation: Quantisation, *, name: str
) -> None:
    """Write the model in a quantisation; norms stay 32-bit floats, as llama.cpp wants them.

    Raises:
        OSError: the path cannot be written.
    """
    tensors = [
        Tensor(f"{title}.weight", matrix.shape[::-1], kind.kind, kind.encode(matrix))
        for title, matrix in weights.weights.items()
        for kind in [F32 if matrix.ndim == VECTORS else quantisation]
    ]
    write(path, _metadata(words, template, quantisation, name), tensors)


def _metadata(words: Vocabulary, template: str, quantisation: Quantisation, name: str) -> Mapping[str, Any]:
    return {
        "general.architecture": "llama",
        "general.type": "model",
        "general.name": name,
        "general.author": "Modelshelf",
        "general.license": "apache-2.0",
        "general.description": "A bigram table in the shape of a Llama: small enough to be read.",
        "general.size_label": "3.3M",
        "general.languages": ["en"],
        "general.tags": ["text-generation", "sample"],
        "general.file_type": Uint32(quantisation.file_type),
        "general.quantization_version": Uint32(2),
        "llama.vocab_size": Uint32(len(words.tokens)),
        "llama.context_length": Uint32(CONTEXT),
        "llama.embedding_length": Uint32(WIDTH),
        "llama.block_count": Uint32(1),
        "llama.feed_forward_length": Uint32(INNER),
        "llama.rope.dimension_count": Uint32(WIDTH // HEADS),
        "llama.rope.freq_base": 10000.0,
        "llama.attention.head_count": Uint32(HEADS),
        "llama.attention.head_count_kv": Uint32(KV_HEADS),
        "llama.attention.layer_norm_rms_epsilon": EPSILON,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": list(words.tokens),
        "tokenizer.ggml.scores": list(words.scores),
        "tokenizer.ggml.token_type": list(words.kinds),
        "tokenizer.ggml.bos_token_id": Uint32(1),
        "tokenizer.ggml.eos_token_id": Uint32(2),
        "tokenizer.ggml.unknown_token_id": Uint32(0),
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_eos_token": False,
        "tokenizer.ggml.add_space_prefix": True,
        "tokenizer.chat_template": template,
    }
