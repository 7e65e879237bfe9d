"""From the header of a GGUF file, or of every file of a split one, to what the model is."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from math import prod
from typing import Any

from modelshelf.errors import FormatError
from modelshelf.metadata import abilities, experts, gguf_general
from modelshelf.metadata.facts import ModelFacts, TensorInfo
from modelshelf.metadata.ggml import FILE_TYPES, quantisation
from modelshelf.metadata.gguf import GgufHeader, Skipped, check_layout
from modelshelf.metadata.origins import with_origins
from modelshelf.metadata.sense import check_keys

_LABEL = re.compile(r"^(?:(\d+)x)?(\d+(?:\.\d+)?)([KMBT])(?:-A(\d+(?:\.\d+)?)([KMBT])\b)?")
_KEYS = {
    "layers": "block_count",
    "embedding": "embedding_length",
    "feed_forward": "feed_forward_length",
    "heads": "attention.head_count",
    "heads_kv": "attention.head_count_kv",
    "key_length": "attention.key_length",
    "value_length": "attention.value_length",
    "context": "context_length",
    "window": "attention.sliding_window",
}
_GENERAL = {
    "architecture": "general.architecture",
    "name": "general.name",
    "licence": "general.license",
    "base": "general.base_model.0",
    "generation": "general.sampling",
    "chat_template": gguf_general.TEMPLATE,
}
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def facts(
    headers: Sequence[GgufHeader], *, size: int | None = None, whole: bool = True, name: str = "the file"
) -> ModelFacts:
    """What the headers say; the first is that of shard 1, `size` the bytes of all files, `name` is for messages.

    When a header is incomplete, or one is missing (not `whole`), the facts are of tier 1: the weights are then what the
    files hold beside the headers.

    Raises:
        FormatError: the file is no part of any model, a count in it cannot be, or its tensors do not fill it.
    """
    first = headers[0]
    role = gguf_general.role(first, name)
    size = sum(header.size for header in headers) if size is None else size
    complete = whole and all(header.complete for header in headers)
    tensors = tuple(chain.from_iterable(header.tensors for header in headers)) if complete else ()
    read = _Reader(first)
    if role == "model":
        _check(headers, read, name, complete=complete)
    heads = read.most("attention.head_count")
    embedding = read.number("embedding_length")
    origins = {"weights": "tensors" if complete else "file size"}
    parameters = _parameters(first, tensors, origins)
    templates = gguf_general.templates(first.metadata)
    found = ModelFacts(
        format="gguf",
        size=size,
        architecture=read.architecture,
        name=gguf_general.text(first.metadata, "general.name"),
        parameters=parameters,
        active=_active(first, read, tensors, parameters, origins) if role == "model" else None,
        layers=read.number("block_count"),
        embedding=embedding,
        feed_forward=read.most("feed_forward_length"),
        heads=heads,
        heads_kv=_heads_kv(read, heads),
        key_length=read.number("attention.key_length") or _divide(embedding, heads),
        value_length=read.number("attention.value_length") or _divide(embedding, heads),
        vocabulary=_vocabulary(first, read, tensors),
        context=read.number("context_length"),
        window=read.number("attention.sliding_window") or None,
        quantisation=quantisation(_whole(first.metadata.get("general.file_type")), _values_by_type(tensors)),
        licence=gguf_general.text(first.metadata, "general.license"),
        role=role,
        base=gguf_general.base(first.metadata),
        abilities=gguf_general.can(first, role, read.keys.get("pooling_type"), tensors),
        generation=gguf_general.generation(first.metadata),
        chat_template=templates[0] if templates else None,
        weights=sum(tensor.size for tensor in tensors) if complete else max(0, size - _headers_size(headers)),
        tensors=tensors,
        keys={**read.keys, **_adapter(first, tensors)} if role == "adapter" else read.keys,
        tier=2 if complete else 1,
    )
    return with_origins(found, {**read.origins(found), **origins})


def _check(headers: Sequence[GgufHeader], read: "_Reader", name: str, *, complete: bool) -> None:
    if read.architecture is None:
        raise FormatError(f"{name}: “general.architecture” is missing.", field="general.architecture")
    check_keys(read.keys, read.prefix, name)
    if complete:
        for header in headers:
            # What follows the tensors is for the vetting: an engine does not mind it.
            check_layout(header, name, trailing=True)


class _Reader:
    """Reads architecture keys and notes where each fact came from."""

    def __init__(self, header: GgufHeader) -> None:
        self.architecture = gguf_general.text(header.metadata, "general.architecture")
        self.metadata = header.metadata
        self.prefix = prefix = f"{self.architecture}."
        self.keys: Mapping[str, Any] = {
            key.removeprefix(prefix): value
            for key, value in header.metadata.items()
            if key.startswith(prefix) and not isinstance(value, Skipped)
        }

    def origins(self, found: ModelFacts) -> Mapping[str, str]:
        """Where the facts were read, or what they were reckoned from."""
        prefix, heads = self.prefix, f"{self.prefix}attention.head_count"
        reckoned = f"{prefix}embedding_length, {heads}"
        counted = "tokenizer.ggml.tokens" in self.metadata
        said = "vocab_size" in self.keys
        typed = FILE_TYPES.get(_whole(self.metadata.get("general.file_type")) or 0) == found.quantisation
        return {
            **_GENERAL,
            "role": "general.type" if "general.type" in self.metadata else "general.architecture",
            "vocabulary": "tokenizer.ggml.tokens" if counted else f"{prefix}vocab_size" if said else "tensors",
            "quantisation": "general.file_type" if typed else "tensors",
            "heads_kv": heads,
            "key_length": reckoned,
            "value_length": reckoned,
            "abilities": self._ability(found.abilities),
            **{fact: prefix + key for fact, key in _KEYS.items() if key in self.keys},
        }

    def _ability(self, found: frozenset[str]) -> str:
        if abilities.CHAT in found:
            return gguf_general.TEMPLATE
        pools = f"{self.prefix}pooling_type"
        return pools if pools in self.metadata else "general.architecture"

    def number(self, key: str) -> int | None:
        return _whole(self.keys.get(key))

    def most(self, key: str) -> int | None:
        """A number, or the greatest of those that a model with unlike layers has."""
        value = self.keys.get(key)
        if isinstance(value, tuple):
            return max((number for number in map(_whole, value) if number is not None), default=None)
        return _whole(value)


def _whole(value: object) -> int | None:
    """A count; None for what cannot be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48 else None


def _divide(whole: int | None, parts: int | None) -> int | None:
    return whole // parts if whole and parts else None


def _heads_kv(read: _Reader, heads: int | None) -> tuple[int, ...]:
    layers = read.number("block_count")
    value = read.keys.get("attention.head_count_kv", read.keys.get("attention.head_count"))
    if isinstance(value, tuple):
        return tuple(_whole(number) or 0 for number in value)
    count = _whole(value)
    count = heads if count is None else count
    # A layer count near 2^48 would fill the memory; no header with that many layers has their tensors.
    return (count,) * layers if layers is not None and count is not None and layers <= 65_536 else ()


def _vocabulary(header: GgufHeader, read: _Reader, tensors: Sequence[TensorInfo]) -> int | None:
    counted = header.count("tokenizer.ggml.tokens") or read.number("vocab_size")
    if counted:
        return counted
    return next((tensor.shape[-1] for tensor in tensors if tensor.name == "token_embd.weight"), None)


def _parameters(header: GgufHeader, tensors: Sequence[TensorInfo], origins: dict[str, str]) -> int | None:
    if tensors:
        origins["parameters"] = "tensors"
        return sum(prod(tensor.shape) for tensor in tensors)
    if count := _whole(header.metadata.get("general.parameter_count")):
        origins["parameters"] = "general.parameter_count"
        return count
    label = header.metadata.get("general.size_label")
    if isinstance(label, str) and (match := _LABEL.match(label)):
        origins["parameters"] = "general.size_label"
        return int(int(match[1] or 1) * float(match[2]) * _UNITS[match[3]])
    return None


def _active(
    header: GgufHeader,
    read: _Reader,
    tensors: Sequence[TensorInfo],
    parameters: int | None,
    origins: dict[str, str],
) -> int | None:
    if tensors:
        origins["active"] = "tensors"
        return experts.by_tensors(((tensor.name, prod(tensor.shape)) for tensor in tensors), read.keys)
    label = header.metadata.get("general.size_label")
    if isinstance(label, str) and (match := _LABEL.match(label)) and match[4]:
        origins["active"] = "general.size_label"
        return int(float(match[4]) * _UNITS[match[5]])
    origins["active"] = "keys"
    return experts.by_keys(parameters, read.number("block_count"), read.number("embedding_length"), read.keys)


def _adapter(header: GgufHeader, tensors: Sequence[TensorInfo]) -> Mapping[str, Any]:
    """The keys of an adapter, and the rank of its matrices: the shorter side of each."""
    found = {key: value for key, value in header.metadata.items() if key.startswith("adapter.")}
    ranks = [min(tensor.shape) for tensor in tensors if tensor.name.endswith(".lora_a")]
    kept = {key: value for key, value in found.items() if not isinstance(value, Skipped)}
    return {**kept, "adapter.rank": max(ranks)} if ranks else kept


def _values_by_type(tensors: Sequence[TensorInfo]) -> Mapping[str, int]:
    values: Counter[str] = Counter()
    for tensor in tensors:
        if len(tensor.shape) > 1:
            values[tensor.type] += prod(tensor.shape)
    return values


def _headers_size(headers: Sequence[GgufHeader]) -> int:
    return sum(header.data_start if header.complete else header.wanted for header in headers)
