"""Good documents: configurations, tokenizers, cards and pictures as the well-known families publish them."""

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from tests.core.vetting import templates
from tests.core.vetting.others import node, onnx

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CASED = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
# What splits a text before its words are looked up, as the tokenizers of these families have it.
PATTERNS = {
    "gpt2": GPT2,
    "llama3": LLAMA_3,
    "qwen2": LLAMA_3.replace("{1,3}", ""),
    "o200k": CASED + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "tekken": CASED.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "") + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+",
    "deepseek": r"[~!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"
    r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+",
    "deepseek chinese": r"[一-龥぀-ゟ゠-ヿ]+",
    "exaone": r"[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s+(?!\S)|\s+",
    "falcon": r"[0-9][0-9][0-9]|\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))",
    "bloom": r" ?[^(\s|[.,!?…。，、।۔،])]+",
    "starcoder": r"\p{N}|" + GPT2,
    "clip": r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    "clip blanks": r"\s+",
    "gemma": r"▁+|[^▁]+",
    "kimi": r"[\p{Han}]+|" + CASED + r"|\p{N}{1,3}",
    "command": r"(?:\r?\n)+|\d{1,3}(?=(?:\d{3})*\b)",
    "minicpm": r"[\r\n]|\s?\p{L}+|\s?\p{P}+|\p{N}+",
    "jais": r"(?>\p{M}*\p{L}+)|\p{N}++|[^\r\n\p{L}\p{N}]?+",
    "viking": r" ?[^(\s|.,!?…。，、।۔،)]+|\p{N}",
    "whisper": r"(?:<\|[a-z]{2,3}\|>)?[^<]+",
    "accents": r"[\u0300-\u036f]",
    "seed": r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+",
}
# model_type -> a few fields beside those that all have
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {"rope_scaling": {"factor": 8.0, "rope_type": "llama3"}, "eos_token_id": [128001, 128008]},
    "mistral": {"sliding_window": None, "head_dim": 128},
    "mixtral": {"num_local_experts": 8, "num_experts_per_tok": 2},
    "qwen2": {"use_sliding_window": False, "max_window_layers": 28},
    "qwen3": {"attention_bias": False, "layer_types": ["full_attention"] * 4},
    "qwen3_moe": {"num_experts": 128, "mlp_only_layers": []},
    "gemma2": {"attn_logit_softcapping": 50.0, "query_pre_attn_scalar": 256},
    "gemma3": {"text_config": {"model_type": "gemma3_text"}, "vision_config": {"image_size": 896}},
    "phi3": {"rope_scaling": {"long_factor": [1.0] * 48, "short_factor": [1.0] * 48, "type": "longrope"}},
    "deepseek_v3": {
        "n_routed_experts": 256,
        "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
    },
    "gpt_oss": {"quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}},
    "granite": {"embedding_multiplier": 12.0, "logits_scaling": 8.0},
    "cohere": {"logit_scale": 0.0625, "use_qk_norm": False},
    "glm4": {"partial_rotary_factor": 0.5},
    "falcon": {"alibi": False, "new_decoder_architecture": True},
    "gpt2": {"n_ctx": 1024, "task_specific_params": {"text-generation": {"do_sample": True}}},
    "bert": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}},
    "t5": {"feed_forward_proj": "gated-gelu", "is_gated_act": True},
    "whisper": {"begin_suppress_tokens": [220, 50257], "apply_spec_augment": False},
    "clip": {"projection_dim": 512, "logit_scale_init_value": 2.6592},
    "mamba": {"ssm_cfg": {}, "use_bcdt_rms": False},
    "jamba": {"attn_layer_period": 8, "mamba_d_state": 16},
    "llava": {"image_token_index": 32000, "vision_feature_select_strategy": "default"},
    "olmo2": {"clip_qkv": None},
    "smollm3": {"no_rope_layers": [1, 1, 1, 0]},
    "nomic_bert": {"rotary_emb_base": 1000, "use_flash_attn": True},
    "gptq": {"quantization_config": {"bits": 4, "quant_method": "gptq", "desc_act": True, "sym": True}},
    "awq": {"quantization_config": {"bits": 4, "quant_method": "awq", "version": "gemm", "zero_point": True}},
    "bnb": {"quantization_config": {"load_in_4bit": True, "bnb_4bit_compute_dtype": "bfloat16"}},
    "lora": {"peft_type": "LORA", "target_modules": ["q_proj"], "auto_mapping": None, "base_model_name_or_path": "a/b"},
}


def good() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) that must pass."""
    common = {
        "architectures": ["XForCausalLM"],
        "torch_dtype": "bfloat16",
        "transformers_version": "4.57.0",
        "vocab_size": 32000,
    }
    for kind, fields in CONFIGS.items():
        name = "adapter_config" if kind == "lora" else "config"
        yield f"{kind}/{name}.json", json.dumps({**common, "model_type": kind, **fields}, indent=2).encode()
    yield from _tokenizers()
    yield from _cards()
    yield from _settings()
    yield from _diffusion()
    yield from _pictures()


def _tokenizers() -> Iterator[tuple[str, bytes]]:
    added = [{"id": 0, "content": "<s>", "single_word": False, "lstrip": False, "special": True}]
    base: dict[str, Any] = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added}
    vocabulary = {f"Ġword{index}": index for index in range(2000)}
    for name, pattern in PATTERNS.items():
        split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        model = {"type": "BPE", "vocab": vocabulary, "merges": [["Ġ", "w"], "Ġw o"], "byte_fallback": False}
        pre = {"type": "Sequence", "pretokenizers": [split, bytes_]}
        yield f"{name}/tokenizer.json", json.dumps({**base, "pre_tokenizer": pre, "model": model}).encode()
        yield (
            f"{name} normal/tokenizer.json",
            json.dumps(
                {
                    **base,
                    "normalizer": {"type": "Replace", "pattern": {"Regex": pattern}, "content": " "},
                    "model": model,
                }
            ).encode(),
        )
    unigram = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["▁the", -3.5]] * 500}
    normal = {"type": "Sequence", "normalizers": [{"type": "Precompiled", "precompiled_charsmap": "ALQCAACEAAAA" * 50}]}
    yield "unigram/tokenizer.json", json.dumps({**base, "normalizer": normal, "model": unigram}).encode()
    pieces = {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "vocab": {"[PAD]": 0, "the": 1},
    }
    lower = {"type": "BertNormalizer", "clean_text": True, "lowercase": True}
    yield "wordpiece/tokenizer.json", json.dumps({**base, "normalizer": lower, "model": pieces}).encode()
    for name, template in templates.GOOD.items():
        entries = {"bos_token": "<s>", "chat_template": template, "tokenizer_class": "PreTrainedTokenizerFast"}
        yield f"{name}/tokenizer_config.json", json.dumps({**entries, "model_max_length": 10**30}).encode()
        yield f"{name}/chat_template.json", json.dumps({"chat_template": template}).encode()
        yield f"{name}/chat_template.jinja", template.encode()
    named = [{"name": name, "template": template} for name, template in templates.GOOD.items()]
    yield "several/tokenizer_config.json", json.dumps({"chat_template": named}).encode()
    yield "special_tokens_map.json", b'{"bos_token": {"content": "<s>", "lstrip": false}, "pad_token": "<pad>"}'
    yield "added_tokens.json", json.dumps({f"<extra_{index}>": 32000 + index for index in range(100)}).encode()
    yield "vocab.json", json.dumps(vocabulary, ensure_ascii=False).encode()
    yield "merges.txt", "#version: 0.2\nĠ t\nĠ a\ni n\n".encode()
    yield "bert/vocab.txt", "[PAD]\n[UNK]\n!\n中\n##ing\n\u200b\n".encode()
    yield "qwen.tiktoken", b"IQ== 0\nIg== 1\nIw== 2\n"
    yield "tokenizer.bpe.model", b"\x0a\x0e\x0a\x05<unk>\x15\x00\x00\x00\x00\x18\x02\x12\x02\x0a\x00"


def _cards() -> Iterator[tuple[str, bytes]]:
    head = '---\nlicense: apache-2.0\ntags:\n- text-generation\nbase_model:\n- a/b\nwidget:\n- text: "!hello"\n---\n'
    yield (
        "README.md",
        (head + '# Model\n\n<div align="center"><img src="x.png"></div>\n\n```python\nimport os\n```\n').encode(),
    )
    yield "words/README.md", b"GGUF quants of a model, made with llama.cpp\n"
    yield "more words/README.md", b"ggml-org made these files.\n"
    yield "pickle words/README.md", b"(lp0\nI am a model.\n"
    yield "html/README.md", b'<p align="center"><b>Model</b></p>\n<script>1</script>\n'
    yield "parquet", b"PAR1 is the mark of a table\n"
    yield "FWS.txt", b"FWS and CWS are words\n"
    for name in (
        "LICENSE",
        "LICENSE.txt",
        "LICENSE.md",
        "NOTICE",
        "USE_POLICY.md",
        "Modelfile",
        "CITATION.cff",
        ".gitignore",
    ):
        yield name, b"Copyright 2024 somebody.\nPermission is granted.\n"
    yield "latin.txt", "Größe, naïve, 模型\n".encode()
    yield "LICENSE.txt", ("© 2024 somebody. Permission is granted, free of charge. " * 4).encode("latin-1")
    yield "chinese.md", ("# 模型\n\n这是一个模型。" * 20).encode("gb18030")
    yield "japanese.txt", ("これはモデルです。\n" * 20).encode("shift_jis")
    yield "bom.txt", b"\xef\xbb\xbfhello\n"
    yield "windows.txt", b"one\r\ntwo\r\n"
    yield "utf16.txt", "hello".encode("utf-16")
    yield "chapters.txt", b"one\x0ctwo\n"
    yield "lines.jsonl", b'{"a": 1}\n{"b": "{{ x }}"}\n'
    yield "scores.csv", b"name,score\na,1\n"
    yield "model.txt", b"tree\nversion=v4\nnum_class=1\n"
    yield "demo.toml", b"[a]\nb = 1\n"


def _settings() -> Iterator[tuple[str, bytes]]:
    yield "generation_config.json", b'{"do_sample": true, "temperature": 0.6, "eos_token_id": [1, 2], "top_p": null}'
    yield (
        "preprocessor_config.json",
        b'{"image_mean": [0.5, 0.5], "image_processor_type": "SiglipImageProcessor", "size": {"height": 384}}',
    )
    yield "trainer_state.json", json.dumps({"log_history": [{"loss": 1.0, "step": n} for n in range(300)]}).encode()
    index = {
        "metadata": {"total_size": 1},
        "weight_map": {f"l.{n}": f"model-0000{n % 3}-of-00003.safetensors" for n in range(99)},
    }
    yield "model.safetensors.index.json", json.dumps(index).encode()
    yield "package.json", b'{"name": "x", "scripts": {"test": "echo"}, "version": "1.0.0"}'
    yield (
        "sparse/modules.json",
        b'[{"idx":0,"name":"0","path":"","type":"sentence_transformers.sparse_encoder.models.SpladePooling"}]',
    )
    anchors = "".join(f"a{n}: &a{n} {{x: {n}}}\n" for n in range(30)) + "".join(
        f"b{n}: *a{n % 30}\n" for n in range(200)
    )
    yield "anchors.yaml", anchors.encode()
    yield "merge.yaml", b"base: &base\n  a: 1\n  b: [x, y]\nother:\n  <<: *base\n  c: !!str 1\n"
    yield (
        "axolotl.yml",
        b"base_model: a/b\ndatasets:\n  - path: x\n    type: alpaca\n# a comment: !x *y &z\nwarmup: 0.1\n",
    )
    yield (
        "mergekit.yaml",
        b"slices:\n  - sources:\n      - model: a/b\n        layer_range: [0, 32]\nmerge_method: slerp\n",
    )
    yield "quoted.yaml", b"a: \"!important\"\nb: 'x & y'\nc: '*'\n"
    yield "talk.yaml", b'prompt: "Hello!<|im_end|>"\nother: |\n  Great!<br> 100!%20\n  I love it!python\n'
    yield "commented.yaml", b"a: 1  # _target_: mine.Model\n# !new:thing x\nb: 2\n"
    yield "block.yaml", b"prompt: |\n  Be kind!\n  * one\n  * two\n"
    yield (
        "v1-inference.yaml",
        b"model:\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n  params: {timesteps: 1000}\n",
    )
    yield "rope.onnx", onnx(node("RotaryEmbedding", "com.microsoft"))


def _diffusion() -> Iterator[tuple[str, bytes]]:
    pipeline = {
        "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.6.0", "feature_extractor": [None, None],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"], "unet": ["diffusers", "UNet2DConditionModel"],
        "requires_safety_checker": True,
    }  # fmt: skip
    yield "model_index.json", json.dumps(pipeline).encode()
    unet = {"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0", "block_out_channels": [320, 640]}
    yield "unet/config.json", json.dumps({**unet, "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"]}).encode()


def _pictures() -> Iterator[tuple[str, bytes]]:
    yield "picture.png", png(b"")
    yield "texts.png", png(chunk(b"tEXt", b"Software\0x") + chunk(b"eXIf", bytes(40)))
    start = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    scan = b"\xff\xdb\0\x43" + bytes(65) + b"\xff\xda\0\x08" + bytes(200) + b"\xff\xd9"
    yield "photo.jpg", start + scan
    yield "camera.jpeg", b"\xff\xd8\xff\xe1\0\x16Exif\0\0" + bytes(14) + scan
    webp = b"VP8L" + struct.pack("<I", 10) + b"/" + bytes(9)
    yield "small.webp", b"RIFF" + struct.pack("<I", 4 + len(webp)) + b"WEBP" + webp
    yield "moving.gif", b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">2I5B", 1, 1, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + more + chunk(b"IDAT", zlib.compress(bytes(4))) + chunk(b"IEND", b"")


def review() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of repositories with code of their own: a person must decide."""
    phi = {"model_type": "phi3", "auto_map": {"AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"}}
    yield "phi/config.json", json.dumps(phi).encode()
    yield "modeling_phi3.py", b"import torch\nfrom torch import nn\n"
    yield "processing.py", b""
    yield "tokenizer_config.json", b'{"auto_map": {"AutoTokenizer": ["tokenization_qwen.QwenTokenizer", null]}}'
    yield "pipeline.json", b'{"_class_name": ["pipeline", "Mine"], "_diffusers_version": "1", "vae": ["mine", "Vae"]}'
