"""GGUF: a header that keeps every rule, tensors that fill the file exactly, and a harmless chat template."""

import re
from collections.abc import Iterator

from modelshelf.metadata import gguf
from modelshelf.metadata.gguf import GgufHeader
from modelshelf.vetting.content import MemoryContent
from modelshelf.vetting.scanners.templates import check_template
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

_KEY = re.compile(r"[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-/]+)*")
_NAME = re.compile(r"[\x21-\x7e]{1,127}")
_LISTS = {
    "tokenizer.ggml.tokens": {"array:string"},
    "tokenizer.ggml.merges": {"array:string"},
    "tokenizer.ggml.scores": {"array:f32"},
    "tokenizer.ggml.token_type": {"array:i32", "array:u32"},
}
# Numbers by which engines reserve memory or loop.
_MOST = {
    "block_count": 10_000,
    "head_count": 100_000,
    "head_count_kv": 100_000,
    "expert_count": 100_000,
    "expert_used_count": 100_000,
    "embedding_length": 10_000_000,
    "vocab_size": 16_000_000,
}
_TEMPLATES = ("tokenizer.chat_template", "tokenizer.ggml.chat_template")


class GgufScanner:
    """GGUF files."""

    formats = frozenset({"gguf"})
    modules = ("jinja2.sandbox", "jinja2.ext", "modelshelf.vetting.scanners.templates")

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Find what a loader could stumble over, and templates that do more than write text."""
        header = gguf.check(content)
        for rule, where, detail in _oddities(header):
            yield Finding(rule, f"{content.name}: {where}", detail)
        for key, value in header.metadata.items():
            if key.startswith(_TEMPLATES):
                for text in value if isinstance(value, tuple) else (value,):
                    if isinstance(text, str):
                        yield from check_template(text, f"{content.name}: {key}")
                    else:
                        yield Finding("GGUF_TEMPLATE", f"{content.name}: {key}", "The chat template is no text.")
            elif key == "tokenizer.huggingface.json" and isinstance(value, str):
                yield from desk.nested(MemoryContent(value.encode(), f"{content.name}: {key}.json"))
            elif isinstance(value, str) and len(value) > 1 and value[0] == "\x80":
                yield from desk.nested(MemoryContent(value.encode("latin-1", "replace"), f"{content.name}: {key}"))


def _oddities(header: GgufHeader) -> Iterator[tuple[str, str, str]]:
    for key in header.metadata:
        if not _KEY.fullmatch(key):
            yield "GGUF_KEY", key[:80], "A key may only have letters, digits, dots, dashes and underscores."
    for tensor in header.tensors:
        if not _NAME.fullmatch(tensor.name):
            yield "GGUF_TENSOR_NAME", tensor.name[:80], "A tensor's name has characters that no converter writes."
    for key, types in _LISTS.items():
        if key in header.types and header.types[key] not in types:
            yield "GGUF_TOKENIZER", key, f"It is {header.types[key]} instead of {' or '.join(sorted(types))}."
    words = header.count("tokenizer.ggml.tokens")
    for key in ("tokenizer.ggml.scores", "tokenizer.ggml.token_type"):
        count = header.count(key)
        if count is not None and count != words:
            yield "GGUF_TOKENIZER", key, f"It has {count:,} entries for {words or 0:,} tokens."
    yield from _numbers(header, words)


def _numbers(header: GgufHeader, words: int | None) -> Iterator[tuple[str, str, str]]:
    for key, value in header.metadata.items():
        special = key.startswith("tokenizer.ggml.") and key.endswith("_token_id") and words is not None
        # All bits set stands for "none" in some converters.
        if special and not (isinstance(value, int) and (0 <= value < (words or 0) or value in {-1, 0xFFFFFFFF})):
            yield "GGUF_TOKENIZER", key, f"{str(value)[:20]} is no token of {words:,}."
    split, count = header.metadata.get("split.no"), header.metadata.get("split.count")
    if split is not None or count is not None:
        good = isinstance(split, int) and isinstance(count, int) and (0 <= split < count or count == 0)
        if not good:
            yield "GGUF_SPLIT", "split.no", f"Part {str(split)[:20]} of {str(count)[:20]} cannot be."
    for key in ("general.architecture", "general.name", "tokenizer.ggml.model", "tokenizer.ggml.pre"):
        if not isinstance(header.metadata.get(key, ""), str):
            yield "GGUF_KEY", key, "It is no text."
    for key, value in header.metadata.items():
        most = _MOST.get(key.rpartition(".")[2])
        if most is not None and not key.startswith("tokenizer.") and isinstance(value, int) and not 0 <= value <= most:
            yield "GGUF_NUMBER", key, f"{value:,} is more than any model has."
