"""Reads from a header what each layer is: the engine's own rules for keys, with odd values taken as absent."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelshelf.compat.architectures import Traits, Window, traits
from modelshelf.metadata.facts import ModelFacts

MAX_LAYERS = 4096
MAX_VALUE = 1 << 40
_KEY_TENSORS = ("attn_k.weight", "attn_kv_a_mqa.weight")
_RECURRENT_TENSORS = ("ssm_conv1d.weight", "ssm_conv1d_q.weight", "shortconv.conv.weight", "time_mix_key.weight")


@dataclass(frozen=True, slots=True)
class AttentionLayer:
    """Values that one layer keeps of one token: of its keys, its values, and of an indexer that chooses among them."""

    key: int
    value: int
    slides: bool = False
    index: int = 0


class Header:
    """The keys of a model and the names of its tensors, by layer."""

    def __init__(self, facts: ModelFacts) -> None:
        self.facts = facts
        self.traits: Traits = traits(facts.architecture)
        every = facts.layers or self.number("block_count")
        # Layers that foretell more than the next token come last; the engine does not load them.
        layers = max(every - self.number("nextn_predict_layers"), 0)
        self.layers = layers if every <= MAX_LAYERS else 0
        self.tensors = {tensor.name: tensor.shape for tensor in facts.tensors}
        self.whole = facts.tier == 2 and any(name.startswith("blk.") for name in self.tensors)
        self.heads = max(self.numbers("attention.head_count") or (facts.heads or 0,))
        pattern = facts.keys.get("attention.sliding_window_pattern")
        self._window = self.traits.window or Window()
        self._pattern = tuple(pattern) if isinstance(pattern, Sequence) and not isinstance(pattern, str) else ()
        self._period = self.number("attention.sliding_window_pattern") or self._window.period
        self.window = self._window_tokens()

    def number(self, key: str) -> int:
        """A key's value, 0 where it is absent or odd."""
        value = self.facts.keys.get(key)
        odd = isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < MAX_VALUE
        return 0 if odd else int(value or 0)

    def numbers(self, key: str) -> tuple[int, ...]:
        """A key that may hold one number or one for each layer."""
        value = self.facts.keys.get(key)
        if isinstance(value, Sequence) and not isinstance(value, str):
            return tuple(n if isinstance(n, int) and 0 <= n < MAX_VALUE else 0 for n in value)
        return (self.number(key),) if key in self.facts.keys else ()

    @property
    def embedding(self) -> int:
        """Values of one token between the layers."""
        return self.facts.embedding or self.number("embedding_length")

    def lengths(self, slides: bool = False) -> tuple[int, int]:
        """Values of one head's keys and values."""
        plain = self.embedding // self.heads if self.heads else 0
        key = self.facts.key_length or self.number("attention.key_length") or plain
        value = self.facts.value_length or self.number("attention.value_length") or key
        if slides:
            key = self.number("attention.key_length_swa") or key
            value = self.number("attention.value_length_swa") or value
        return key, value

    @property
    def latent(self) -> int:
        """The rank of a compressed cache, 0 for keys and values in full."""
        return self.number("attention.kv_lora_rank") if self.number("attention.key_length_mla") else 0

    def attention(self) -> dict[int, AttentionLayer]:
        """The layers that keep keys and values of their own, by their numbers."""
        counts = self.facts.heads_kv or self.numbers("attention.head_count_kv") or (self.heads,)
        index = self.number("attention.indexer.key_length") if self.traits.indexed else 0
        lengths = {slides: self.lengths(slides) for slides in (False, True)}
        made: dict[tuple[int, bool], AttentionLayer] = {}
        found = {}
        for layer in range(self.layers - self.number("attention.shared_kv_layers")):
            count = counts[layer] if layer < len(counts) else counts[-1]
            if not self.attends(layer, count):
                continue
            slides = self.slides(layer)
            if (count, slides) not in made:
                key, value = lengths[slides]
                row = (key, 0) if self.latent else (count * key, count * value)
                made[count, slides] = AttentionLayer(*row, slides=slides, index=index)
            found[layer] = made[count, slides]
        return found

    def attends(self, layer: int, heads_kv: int) -> bool:
        """Whether a layer has attention, by its tensors or, where those were not read, by the counts of heads."""
        if not heads_kv or self.traits.recurrent_rows:
            return False
        every = self.traits.attention_every
        if every:
            every = self.number("full_attention_interval") or every
            return layer % every == every - 1
        return (
            not self.whole or any(f"blk.{layer}.{name}" in self.tensors for name in _KEY_TENSORS) or self._fused(layer)
        )

    @property
    def fused(self) -> bool:
        """Whether attention makes query, key and value in one go."""
        return any(self._fused(layer) for layer in range(self.layers))

    def _fused(self, layer: int) -> bool:
        """Query, key and value in one tensor; next to a recurrent block that tensor belongs to the block."""
        return f"blk.{layer}.attn_qkv.weight" in self.tensors and not self.recurs(layer)

    def recurs(self, layer: int) -> bool:
        """Whether a layer carries a state from token to token."""
        return any(f"blk.{layer}.{name}" in self.tensors for name in _RECURRENT_TENSORS)

    def recurrent_layers(self) -> tuple[int, ...]:
        """The layers that carry a state, of a model that has such layers."""
        layers = range(self.layers)
        if self.whole:
            return tuple(layer for layer in layers if self.recurs(layer))
        every = self.number("full_attention_interval") or self.traits.attention_every
        if every:
            return tuple(layer for layer in layers if layer % every != every - 1)
        counts = self.facts.heads_kv or self.numbers("attention.head_count_kv")
        forward = self.numbers("feed_forward_length")
        if not (len(counts) > 1 and any(counts)):
            return tuple(layers)
        alternate = len(forward) > 1 and 0 in forward
        blocks = {layer for layer, width in enumerate(forward) if width} if alternate else set()
        return tuple(layer for layer in layers if layer < len(counts) and not counts[layer] and layer not in blocks)

    def slides(self, layer: int) -> bool:
        """Whether a layer sees the window only."""
        if not self.window:
            return False
        if self._window.every:
            return True
        if self._pattern:
            return bool(self._pattern[layer % len(self._pattern)])
        seen = 0 if self._window.first else self._period - 1
        return layer % self._period != seen

    def _window_tokens(self) -> int:
        window = self._window
        if self.traits.window is None or (window.layers and window.layers != self.layers):
            return 0
        if not (window.every or self._pattern or self._period > 1):
            return 0
        named = self.number("attention.sliding_window")
        if "attention.sliding_window" not in self.facts.keys:
            return window.unnamed
        return (window.fixed or named) if named else 0
