"""GGUF files byte by byte: good ones, and one for every rule that can be broken."""

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from modelshelf.metadata.ggml import TYPES

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
_FORMATS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}
F32_TENSOR, F16_TENSOR, Q4_0_TENSOR = 0, 1, 2

Pair = tuple[str, int, Any]
Tensor = tuple[str, int, tuple[int, ...]]


def string(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def value(kind: int, content: Any) -> bytes:
    if kind == STRING:
        return string(content)
    if kind == ARRAY:
        inner, items = content
        return struct.pack("<IQ", inner, len(items)) + b"".join(value(inner, item) for item in items)
    return struct.pack("<" + _FORMATS[kind], content)


def pair(key: str | bytes, kind: int, content: Any) -> bytes:
    return string(key) + struct.pack("<I", kind) + value(kind, content)


WORDS = ["<unk>", "<s>", "</s>", *(f"word{index}" for index in range(97))]
KEYS: tuple[Pair, ...] = (
    ("general.architecture", STRING, "llama"),
    ("general.name", STRING, "tiny"),
    ("general.file_type", U32, 0),
    ("llama.context_length", U32, 256),
    ("llama.embedding_length", U32, 32),
    ("llama.block_count", U32, 2),
    ("llama.feed_forward_length", U32, 64),
    ("llama.attention.head_count", U32, 4),
    ("llama.attention.head_count_kv", U32, 2),
    ("tokenizer.ggml.model", STRING, "llama"),
    ("tokenizer.ggml.tokens", ARRAY, (STRING, WORDS)),
    ("tokenizer.ggml.scores", ARRAY, (F32, [0.0] * 100)),
    ("tokenizer.ggml.token_type", ARRAY, (I32, [1] * 100)),
    ("tokenizer.ggml.bos_token_id", U32, 1),
    ("tokenizer.ggml.eos_token_id", U32, 2),
)
TENSORS: tuple[Tensor, ...] = (
    ("token_embd.weight", Q4_0_TENSOR, (32, 100)),
    ("output_norm.weight", F32_TENSOR, (32,)),
    ("output.weight", F16_TENSOR, (32, 100)),
)


def size(tensor: Tensor) -> int:
    count = 1
    for extent in tensor[2]:
        count *= extent
    block = TYPES.get(tensor[1], TYPES[F32_TENSOR])
    return block.row_bytes(count)


def build(
    keys: Sequence[Pair | bytes] = KEYS,
    tensors: Sequence[Tensor] = TENSORS,
    *,
    version: int = 3,
    alignment: int = 32,
    counts: tuple[int, int] | None = None,
    offsets: Sequence[int] | None = None,
    data: int | None = None,
    magic: bytes = b"GGUF",
) -> bytes:
    """A whole file; `counts`, `offsets` and `data` (bytes of tensors) may lie."""
    infos, place = [], 0
    for index, tensor in enumerate(tensors):
        name, kind, shape = tensor
        at = offsets[index] if offsets else place
        infos.append(string(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape))
        infos.append(struct.pack("<IQ", kind, at))
        place += -(-size(tensor) // alignment) * alignment
    body = b"".join(item if isinstance(item, bytes) else pair(*item) for item in keys) + b"".join(infos)
    head = magic + struct.pack("<IQQ", version, *(counts or (len(tensors), len(keys)))) + body
    head += bytes(-len(head) % alignment)
    return head + bytes(place if data is None else data)


def with_key(*pairs: Pair | bytes) -> bytes:
    return build([*KEYS, *pairs])


def changed(key: str, kind: int, content: Any) -> bytes:
    return build([(key, kind, content) if item[0] == key else item for item in KEYS])


def bad() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) that must block, and must raise a FormatError or be found by the scanner."""
    whole = build()
    huge = (1 << 63) - 1
    yield "magic.gguf", build(magic=b"GGUE")
    for version in (0, 1, 4, 99, 3 << 24):
        yield f"version {version}.gguf", build(version=version)
    yield "many tensors.gguf", build(counts=(huge, len(KEYS)))
    yield "many keys.gguf", build(counts=(len(TENSORS), huge))
    yield "some more keys.gguf", build(counts=(len(TENSORS), len(KEYS) + 1))
    yield "fewer keys.gguf", build(counts=(len(TENSORS), len(KEYS) - 1))
    yield "a key twice.gguf", with_key(KEYS[3])
    yield "a tensor twice.gguf", build(tensors=[*TENSORS, TENSORS[0]])
    for cut in (3, 10, 23, 30, 100, 700, len(whole) - 40):
        yield f"cut at {cut}.gguf", whole[:cut]
    yield "tail.gguf", whole + bytes(64)
    yield "pickle behind.gguf", whole + b"\x80\x02cos\nsystem\n(X\x02\0\0\0idtR."
    yield "zip behind.gguf", whole + b"PK\x03\x04" + bytes(40)
    yield "long key.gguf", with_key(("k" * 70_000, U32, 1))
    yield "key beyond.gguf", with_key(struct.pack("<Q", huge) + b"abc")
    yield "text beyond.gguf", with_key(string("a.b") + struct.pack("<IQ", STRING, huge))
    yield "value type.gguf", with_key(string("a.b") + struct.pack("<II", 77, 0))
    yield "array of arrays.gguf", with_key(("a.b", ARRAY, (ARRAY, [(U32, [1])])))
    yield "array type.gguf", with_key(string("a.b") + struct.pack("<IIQ", ARRAY, 50, 1) + b"\0\0\0\0")
    yield "array of numbers beyond.gguf", with_key(string("a.b") + struct.pack("<IIQ", ARRAY, U32, huge))
    yield "array of texts beyond.gguf", with_key(string("a.b") + struct.pack("<IIQ", ARRAY, STRING, 15_000_000))
    yield (
        "text in an array beyond.gguf",
        with_key(string("a.b") + struct.pack("<IIQQ", ARRAY, STRING, 100, huge) + bytes(900)),
    )
    yield "truth.gguf", with_key(string("a.b") + struct.pack("<IB", BOOL, 7))
    yield "not UTF-8.gguf", with_key(("a.b", STRING, b"\xff\xfe\xff"))
    for alignment in (0, 3, 4, 100, 1 << 20):
        yield f"alignment {alignment}.gguf", with_key(("general.alignment", U32, alignment))
    yield "alignment text.gguf", with_key(("general.alignment", STRING, "32"))
    for shape in ((), (32, 0), (1, 1, 1, 1, 1), (1 << 62, 4), (1 << 40, 1 << 40), (33, 100)):
        yield f"shape {shape}.gguf", build(tensors=[("t.weight", Q4_0_TENSOR, shape)], data=64)
    yield "tensor type.gguf", build(tensors=[("t.weight", 200, (32,))])
    yield "old tensor type.gguf", build(tensors=[("t.weight", 4, (32,))])
    yield "offset.gguf", build(offsets=[0, 4096, 8192])
    yield "overlap.gguf", build(offsets=[0, 0, 0])
    yield "odd offset.gguf", build(offsets=[1, 1825, 2000])
    yield "far offset.gguf", build(offsets=[0, 1824, huge])
    yield "short data.gguf", build(data=100)
    yield "key syntax.gguf", with_key(("a b\nc", U32, 1))
    yield "key empty.gguf", with_key(("", U32, 1))
    yield "tensor name.gguf", build(tensors=[("../../etc passwd\n", F32_TENSOR, (8,))])
    yield "tokens as numbers.gguf", changed("tokenizer.ggml.tokens", ARRAY, (U32, [1] * 100))
    yield "scores as texts.gguf", changed("tokenizer.ggml.scores", ARRAY, (STRING, ["a"] * 100))
    yield "too few scores.gguf", changed("tokenizer.ggml.scores", ARRAY, (F32, [0.0] * 99))
    yield "too many types.gguf", changed("tokenizer.ggml.token_type", ARRAY, (I32, [1] * 101))
    yield "bos beyond.gguf", changed("tokenizer.ggml.bos_token_id", U32, 100)
    yield "split.gguf", with_key(("split.no", U16, 5), ("split.count", U16, 3))
    yield "architecture a number.gguf", changed("general.architecture", U32, 5)
    for index, template in enumerate(TEMPLATES):
        yield f"template {index}.gguf", with_key(("tokenizer.chat_template", STRING, template))
        yield f"named template {index}.gguf", with_key(("tokenizer.chat_template.tool_use", STRING, template))


TEMPLATES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    (
        "{% for x in ().__class__.__base__.__subclasses__() %}"
        "{{ x()._module.__builtins__['__import__']('os').popen('id') }}{% endfor %}"
    ),
    "{{ self.__init__.__globals__.__builtins__ }}",
)


def good() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) as converters write them."""
    yield "tiny.gguf", build()
    yield "version 2.gguf", build(version=2)
    yield "vocabulary only.gguf", build(tensors=[])
    yield "aligned.gguf", build([*KEYS, ("general.alignment", U32, 64)], alignment=64)
    yield "no padding.gguf", build()[: len(build()) - (-size(TENSORS[2]) % 32) or None]
    yield "no bos.gguf", changed("tokenizer.ggml.bos_token_id", U32, 0xFFFFFFFF)
    yield "split.gguf", with_key(("split.no", U16, 0), ("split.count", U16, 3))
    yield "layers.gguf", with_key(("llama.attention.sliding_window_pattern", ARRAY, (BOOL, [True, False])))
    yield "numbers.gguf", with_key(*((f"llama.x{kind}", kind, 1) for kind in _FORMATS))
    for number, block in TYPES.items():
        yield f"{block.name}.gguf", build(tensors=[("t.weight", number, (block.values * 2, 3))])
    template = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    yield "template.gguf", with_key(("tokenizer.chat_template", STRING, template))
