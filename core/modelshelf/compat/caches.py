"""What a model keeps of its context, by its `config.json` as well as by a GGUF header, in values and not in bytes.

The families of engines lay the cache out differently, but they agree on what each layer has to keep: of full attention
every token, of a sliding window the last ones, of a recurrent layer one state.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modelshelf.compat import memory as llama_cpp
from modelshelf.compat.measures import Measures
from modelshelf.compat.types import Settings
from modelshelf.metadata.facts import ModelFacts

MAX_LAYERS = 4096
FULL, SLIDING, RECURRENT, BOTH, NOTHING = "full", "sliding", "recurrent", "both", "nothing"

# What the configurations call the kinds of layers; a letter each is Nemotron-H's pattern.
KINDS: Mapping[str, str] = {
    "*": FULL,
    "M": RECURRENT,
    "attention": FULL,
    "chunked_attention": SLIDING,
    "conv": RECURRENT,
    "full_attention": FULL,
    "hybrid": BOTH,
    "linear_attention": RECURRENT,
    "local_attention": SLIDING,
    "mamba": RECURRENT,
    "mamba2": RECURRENT,
    "recurrent": RECURRENT,
    "sliding_attention": SLIDING,
}
# Of so many layers the last sees everything, in configurations that do not list their layers.
PERIODS: Mapping[str, int] = {"cohere2": 4, "gemma2": 2, "gemma3": 6, "gemma3_text": 6, "gpt_oss": 2}


@dataclass(frozen=True, slots=True)
class Cache:
    """Values that are kept. full and sliding: of one token in all layers of that kind; state: of one sequence.

    window: tokens that sliding layers see. sure: every layer's kind was told.
    """

    full: int
    sliding: int
    window: int
    state: int
    sure: bool


def cache_of(facts: ModelFacts, measures: Measures, *, packed: bool = True) -> Cache:
    """What a model keeps; `packed`: a compressed cache (MLA) stays compressed, as in vLLM, SGLang and MLX."""
    if facts.format == "gguf":
        return _of_header(facts, measures)
    reader = _Config(facts)
    kinds = reader.kinds()
    rows = reader.rows(len(kinds), packed=packed)
    states = sum(kind in {RECURRENT, BOTH} for kind in kinds)
    return Cache(
        full=sum(row for row, kind in zip(rows, kinds, strict=True) if kind in {FULL, BOTH}),
        sliding=sum(row for row, kind in zip(rows, kinds, strict=True) if kind == SLIDING),
        window=reader.window,
        state=states * reader.state(),
        sure=bool(kinds) and (not states or reader.state() > 0),
    )


def _of_header(facts: ModelFacts, measures: Measures) -> Cache:
    layers = measures.shape.attention
    states = llama_cpp.estimate(facts, Settings(slots=1), measures).memory.recurrent  # 4 bytes a value
    return Cache(
        full=sum(layer.key + layer.value for layer in layers if not layer.slides),
        sliding=sum(layer.key + layer.value for layer in layers if layer.slides),
        window=measures.shape.window,
        state=states // 4,
        sure=measures.shape.known,
    )


class _Config:
    """The keys of a `config.json`; odd values count as absent."""

    def __init__(self, facts: ModelFacts) -> None:
        self.facts = facts
        layers = facts.layers or 0
        self.layers = layers if layers <= MAX_LAYERS else 0
        used = facts.keys.get("use_sliding_window") is not False
        window = facts.window or (self.number("sliding_window") if used else 0)
        self.window = window or self.number("attention_chunk_size")

    def number(self, *names: str) -> int:
        """The first of the keys that holds a count."""
        for name in names:
            value = self.facts.keys.get(name)
            if type(value) is int and 0 < value < 1 << 40:
                return value
        return 0

    def kinds(self) -> tuple[str, ...]:
        """The kind of each layer; the last ones may share the cache of others."""
        found = self._listed() or tuple(map(self._rule(), range(self.layers)))
        shared = self.number("num_kv_shared_layers")
        return (*found[: len(found) - shared], *(NOTHING,) * shared) if shared < len(found) else found

    def _listed(self) -> tuple[str, ...]:
        for name in ("layer_types", "layers_block_type", "hybrid_override_pattern", "layers_pattern"):
            listed = self.facts.keys.get(name)
            if isinstance(listed, Sequence) and 0 < len(listed) <= MAX_LAYERS:
                return tuple(KINDS.get(str(kind), NOTHING) for kind in listed)
        return ()

    def _rule(self) -> Callable[[int], str]:
        """The kind of a layer by its place, where the layers are not listed."""
        if not self.facts.heads:
            return lambda _: RECURRENT
        attending = self.facts.keys.get("attn_layer_indices")
        if isinstance(attending, Sequence):
            return lambda index: FULL if index in attending else RECURRENT
        if every := self.number("full_attention_interval"):
            return lambda index: FULL if (index + 1) % every == 0 else RECURRENT
        if every := self.number("attn_layer_period"):
            offset = self.number("attn_layer_offset")
            return lambda index: FULL if index % every == offset else RECURRENT
        if not self.window:
            return lambda _: FULL
        pattern = self.number("sliding_window_pattern", "_sliding_window_pattern")
        if period := pattern or PERIODS.get(self.facts.architecture or "", 0):
            return lambda index: FULL if (index + 1) % period == 0 else SLIDING
        first = self.number("max_window_layers")
        return lambda index: SLIDING if index >= first else FULL

    def rows(self, layers: int, *, packed: bool) -> list[int]:
        """Values of one token in each layer's keys and values."""
        if rank := self.number("kv_lora_rank"):
            turned = self.number("qk_rope_head_dim")
            heads = self.facts.heads or 0
            plain = heads * (self.number("qk_nope_head_dim") + turned + self.number("v_head_dim"))
            return [rank + turned if packed else plain] * layers
        key = self.facts.key_length or 0
        size = key + (self.facts.value_length or key)
        counts = self.facts.heads_kv or (self.facts.heads or 0,)
        return [count * size for count in (*counts[:layers], *(counts[-1],) * (layers - len(counts)))]

    def state(self) -> int:
        """Values of one recurrent layer's state for one sequence."""
        if heads := self.number("linear_num_value_heads"):
            key, value = self.number("linear_key_head_dim"), self.number("linear_value_head_dim")
            wide = 2 * self.number("linear_num_key_heads") * key + heads * value
            return heads * key * value + max(self.number("linear_conv_kernel_dim") - 1, 0) * wide
        embedding = self.facts.embedding or 0
        if short := self.number("conv_L_cache"):
            return (short - 1) * embedding
        size = self.number("mamba_d_state", "ssm_state_size", "state_size", "mamba_state_dim")
        heads = self.number("mamba_n_heads", "mamba_num_heads", "num_heads")
        inner = heads * self.number("mamba_d_head", "mamba_head_dim", "head_dim")
        inner = inner or embedding * (self.number("mamba_expand", "expand") or 2)
        kernel = self.number("mamba_d_conv", "conv_kernel", "mamba_conv_kernel") or 4
        groups = self.number("mamba_n_groups", "n_groups")
        return size * inner + (kernel - 1) * (inner + 2 * groups * size) if size else 0
