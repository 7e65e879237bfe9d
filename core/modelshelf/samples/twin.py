"""The sample model as a safetensors repository in the form that transformers reads."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from modelshelf.samples.bigram import END
from modelshelf.samples.network import CONTEXT, EPSILON, HEADS, INNER, KV_HEADS, WIDTH, Network
from modelshelf.samples.quantise import f16
from modelshelf.samples.vocabulary import SPACE, Vocabulary

NAMES: Mapping[str, str] = {
    "token_embd": "model.embed_tokens.weight",
    "blk.0.attn_norm": "model.layers.0.input_layernorm.weight",
    "blk.0.attn_q": "model.layers.0.self_attn.q_proj.weight",
    "blk.0.attn_k": "model.layers.0.self_attn.k_proj.weight",
    "blk.0.attn_v": "model.layers.0.self_attn.v_proj.weight",
    "blk.0.attn_output": "model.layers.0.self_attn.o_proj.weight",
    "blk.0.ffn_norm": "model.layers.0.post_attention_layernorm.weight",
    "blk.0.ffn_gate": "model.layers.0.mlp.gate_proj.weight",
    "blk.0.ffn_up": "model.layers.0.mlp.up_proj.weight",
    "blk.0.ffn_down": "model.layers.0.mlp.down_proj.weight",
    "output_norm": "model.norm.weight",
    "output": "lm_head.weight",
}
"""llama.cpp's names of the matrices and those of transformers."""


def twin(weights: Network, words: Vocabulary, template: str) -> dict[str, bytes]:
    """The files of the repository, without its card."""
    return {
        "config.json": _json(config(words)),
        "generation_config.json": _json({"bos_token_id": 1, "eos_token_id": 2, "max_length": CONTEXT}),
        "model.safetensors": safetensors(weights),
        "special_tokens_map.json": _json({"bos_token": "<s>", "eos_token": END, "unk_token": "<unk>"}),
        "tokenizer.json": _json(_tokenizer(words)),
        "tokenizer_config.json": _json(_tokenizer_config(words, template)),
    }


def config(words: Vocabulary) -> dict[str, Any]:
    """What config.json says."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "head_dim": WIDTH // HEADS,
        "hidden_act": "silu",
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "max_position_embeddings": CONTEXT,
        "model_type": "llama",
        "num_attention_heads": HEADS,
        "num_hidden_layers": 1,
        "num_key_value_heads": KV_HEADS,
        "rms_norm_eps": EPSILON,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "use_cache": True,
        "vocab_size": len(words.tokens),
    }


def safetensors(weights: Network) -> bytes:
    """The weights as 16-bit floats in one file."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data, offset = [], 0
    for name, matrix in sorted((NAMES[name], matrix) for name, matrix in weights.weights.items()):
        data.append(f16(matrix))
        end = offset + len(data[-1])
        header[name] = {"dtype": "F16", "shape": list(np.shape(matrix)), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data)


def _tokenizer(words: Vocabulary) -> dict[str, Any]:
    added = [
        {
            "id": words.numbers[token],
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for token in words.controls
    ]
    space = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    single = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    second = [{"SpecialToken": {"id": "<s>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": SPACE},
                {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
            ],
        },
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": [*single, *second],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        },
        "decoder": {"type": "Sequence", "decoders": [space, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": words.numbers,
            "merges": [f"{left} {right}" for left, right in words.merges],
        },
    }


def _tokenizer_config(words: Vocabulary, template: str) -> dict[str, Any]:
    return {
        "add_bos_token": True,
        "add_eos_token": False,
        "added_tokens_decoder": {
            str(words.numbers[token]): {
                "content": token,
                "lstrip": False,
                "normalized": False,
                "rstrip": False,
                "single_word": False,
                "special": True,
            }
            for token in words.controls
        },
        "bos_token": "<s>",
        "chat_template": template,
        "clean_up_tokenization_spaces": False,
        "eos_token": END,
        "legacy": False,
        "model_max_length": CONTEXT,
        "tokenizer_class": "LlamaTokenizerFast",
        "unk_token": "<unk>",
    }


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
