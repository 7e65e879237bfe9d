"""The commands that start servers which serve the one model they are started with."""

import shlex
from collections.abc import Mapping, Sequence

from modelshelf.providers.taking import Goods

# What vLLM and SGLang call the methods that weights may be packed by; anything else they find out by themselves.
_METHODS = frozenset({
    "awq", "gptq", "fp8", "bitsandbytes", "compressed-tensors", "gguf", "modelopt", "quark", "torchao", "auto-round",
})  # fmt: skip


def commands(goods: Goods) -> Mapping[str, str]:
    """For every such server that reads a model's format, by its name, the exact command for this model."""
    if goods.format == "gguf":
        return {"llama.cpp": llama_server(goods)}
    if goods.format != "safetensors":
        return {}
    return {"vLLM": vllm(goods), "SGLang": sglang(goods), "Transformers": transformers(goods)}


def vllm(goods: Goods) -> str:
    """`vllm serve`, with the name and the context that profiles count on."""
    told = ["--max-model-len", str(goods.context)] if goods.context else []
    named = ["--served-model-name", goods.name]
    return _line(["vllm", "serve", str(goods.folder), *named, *told, *_method(goods)])


def sglang(goods: Goods) -> str:
    """SGLang's server."""
    told = ["--context-length", str(goods.context)] if goods.context else []
    start = ["python", "-m", "sglang.launch_server", "--model-path", str(goods.folder)]
    return _line([*start, "--served-model-name", goods.name, *told, *_method(goods)])


def transformers(goods: Goods) -> str:
    """The server of Transformers 5, which calls a model by its path."""
    return _line(["transformers", "serve", str(goods.folder)])


def llama_server(goods: Goods) -> str:
    """llama-server with one model."""
    told = ["-c", str(goods.context)] if goods.context else []
    return _line(["llama-server", "-m", str(goods.first), "--alias", goods.name, *told])


def _method(goods: Goods) -> Sequence[str]:
    method = (goods.quantisation or "").lower().replace("_", "-")
    return ["--quantization", method] if method in _METHODS else []


def _line(words: Sequence[str]) -> str:
    return shlex.join(words)
