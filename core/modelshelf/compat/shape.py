"""The measures of a model that decide how much memory it needs, drawn from the facts of its header."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelshelf.compat.architectures import traits
from modelshelf.metadata.facts import ModelFacts

MAX_LAYERS = 4096
MAX_VALUE = 1 << 40


@dataclass(frozen=True, slots=True)
class AttentionLayer:
    """Values that one layer keeps of one token: of its keys and of its values."""

    key: int
    value: int
    slides: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """Counts and lengths, 0 where a model has none of it. `known` is False when the header gives no layers.

    window: tokens that sliding layers see. latent: the rank of a compressed cache (MLA). key_row, values_row: values of
    one token in the widest layer's keys and in all heads' values; heads_row: in all heads' queries. state, convolution:
    values of a recurrent layer's state per sequence.
    """

    known: bool
    embedding: int
    vocabulary: int
    feed_forward: int
    experts_used: int
    expert_feed_forward: int
    heads: int
    heads_row: int
    key_row: int
    values_row: int
    latent: int
    window: int
    attention: tuple[AttentionLayer, ...]
    recurrent_layers: int
    state: int
    convolution: int
    inner: int
    groups: int
    state_size: int
    time_steps: int


def shape_of(facts: ModelFacts) -> Shape:
    """The measures of a model; odd values in the header count as absent."""
    reader = _Reader(facts)
    attention = reader.attention()
    heads = max(reader.numbers("attention.head_count") or (facts.heads or 0,))
    latent = reader.number("attention.kv_lora_rank") if reader.number("attention.key_length_mla") else 0
    key, value = reader.key_length(heads), reader.value_length(heads)
    inner, size, groups = (reader.number(f"ssm.{name}") for name in ("inner_size", "state_size", "group_count"))
    kernel, short = reader.number("ssm.conv_kernel"), reader.number("shortconv.l_cache")
    embedding = facts.embedding or reader.number("embedding_length")
    convolution = max(kernel - 1, 0) * (inner + 2 * groups * size) if kernel else max(short - 1, 0) * embedding
    forward = max(reader.numbers("feed_forward_length") or (facts.feed_forward or 0,))
    expert = reader.number("expert_feed_forward_length") or forward
    return Shape(
        known=reader.layers > 0 and embedding > 0,
        embedding=embedding,
        vocabulary=facts.vocabulary or reader.number("vocab_size"),
        feed_forward=forward,
        experts_used=reader.number("expert_used_count") if reader.number("expert_count") else 0,
        expert_feed_forward=expert,
        heads=heads,
        heads_row=heads * key,
        key_row=max((layer.key for layer in attention), default=0),
        values_row=heads * value,
        latent=latent,
        window=reader.window,
        attention=attention,
        recurrent_layers=reader.recurrent_layers(bool(kernel or short)),
        state=size * inner,
        convolution=convolution,
        inner=inner,
        groups=groups,
        state_size=size,
        time_steps=reader.number("ssm.time_step_rank"),
    )


class _Reader:
    def __init__(self, facts: ModelFacts) -> None:
        self.facts = facts
        layers = facts.layers or self.number("block_count")
        self.layers = layers if layers <= MAX_LAYERS else 0
        self.names = frozenset(tensor.name for tensor in facts.tensors)
        self.whole = facts.tier == 2 and bool(self.names)
        self.period = traits(facts.architecture).sliding_period
        pattern = facts.keys.get("attention.sliding_window_pattern")
        self.pattern = tuple(pattern) if isinstance(pattern, Sequence) and not isinstance(pattern, str) else ()
        if isinstance(pattern, int) and not isinstance(pattern, bool) and pattern > 0:
            self.period = pattern
        self.window = self.number("attention.sliding_window") if self.period > 1 or self.pattern else 0

    def number(self, key: str) -> int:
        value = self.facts.keys.get(key)
        return value if isinstance(value, int) and 0 <= value < MAX_VALUE else 0

    def numbers(self, key: str) -> tuple[int, ...]:
        """A key that may hold one number or one for each layer."""
        value = self.facts.keys.get(key)
        if isinstance(value, Sequence) and not isinstance(value, str):
            return tuple(n if isinstance(n, int) and 0 <= n < MAX_VALUE else 0 for n in value)
        return (self.number(key),) if key in self.facts.keys else ()

    def key_length(self, heads: int) -> int:
        return self.facts.key_length or self.number("attention.key_length") or self._head_length(heads)

    def value_length(self, heads: int) -> int:
        return self.facts.value_length or self.number("attention.value_length") or self.key_length(heads)

    def _head_length(self, heads: int) -> int:
        embedding = self.facts.embedding or self.number("embedding_length")
        return embedding // heads if heads else 0

    def attention(self) -> tuple[AttentionLayer, ...]:
        heads = max(self.numbers("attention.head_count") or (self.facts.heads or 0,))
        per_layer = self.facts.heads_kv or self.numbers("attention.head_count_kv") or (heads,)
        key, value = self.key_length(heads), self.value_length(heads)
        latent = self.number("attention.kv_lora_rank") and self.number("attention.key_length_mla")
        found = []
        for index in range(self.layers):
            count = per_layer[index] if index < len(per_layer) else per_layer[-1]
            if not self._attends(index, count):
                continue
            row = (key, 0) if latent else (count * key, count * value)
            found.append(AttentionLayer(*row, slides=self._slides(index)))
        return tuple(found)

    def _attends(self, index: int, heads_kv: int) -> bool:
        if not heads_kv:
            return False
        # A header read in part names no tensors; then only the counts of heads tell hybrid layers apart.
        part = f"blk.{index}.attn_"
        return not self.whole or any(part + name in self.names for name in _KEY_TENSORS) or self._fused(index)

    def _fused(self, index: int) -> bool:
        """Query, key and value in one tensor; next to a recurrent block that tensor belongs to the block."""
        return f"blk.{index}.attn_qkv.weight" in self.names and not self._recurs(index)

    def _recurs(self, index: int) -> bool:
        return any(f"blk.{index}.{name}" in self.names for name in _RECURRENT_TENSORS)

    def _slides(self, index: int) -> bool:
        if not self.window:
            return False
        if self.pattern:
            return bool(self.pattern[index % len(self.pattern)])
        return index % self.period < self.period - 1

    def recurrent_layers(self, recurrent: bool) -> int:
        if not recurrent:
            return 0
        if self.whole:
            return sum(self._recurs(index) for index in range(self.layers))
        return self.layers


_KEY_TENSORS = ("k.weight", "kv_a_mqa.weight")
_RECURRENT_TENSORS = ("ssm_conv1d.weight", "shortconv.conv.weight")
