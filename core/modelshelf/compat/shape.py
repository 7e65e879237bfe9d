"""The measures of a model that decide how much memory it needs, drawn from the facts of its header."""

from collections import Counter
from dataclasses import dataclass

from modelshelf.compat.header import AttentionLayer, Header
from modelshelf.metadata.facts import ModelFacts


@dataclass(frozen=True, slots=True)
class Blocks:
    """Widths of the feed-forward blocks, 0 where there are none: plain, and of one expert of those that are `used`.

    `gated`, `gated_experts`: two of that width are multiplied before the third matrix.
    """

    dense: int = 0
    gated: bool = True
    expert: int = 0
    used: int = 0
    gated_experts: bool = True


@dataclass(frozen=True, slots=True)
class State:
    """What recurrent layers carry: values of the state and of the convolution per sequence, and how they are made."""

    layers: tuple[int, ...] = ()
    values: int = 0
    convolution: int = 0
    inner: int = 0
    groups: int = 0
    size: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """Counts and lengths, 0 where a model has none of it. `known` is False when the header gives no layers.

    layers: those that the engine loads. inputs: values of one token as it enters, which is wider than `embedding` in
    models that add what they see at several layers; per_layer: values that are added in all layers together. window:
    tokens that sliding layers see. latent: the rank of a compressed cache (MLA); heads_length: of one head's query
    before it is compressed. key_row, value_row: values of one token in the widest layer's keys and values; heads_row,
    values_row: in all heads' queries and values. fused: these are made in one go. expanded: values of a compressed row
    made whole, before it is kept. chosen: tokens that an indexer lets a layer see. cached: keys and values are kept.
    attention: the layers that keep them; attending: their numbers; kinds: each sort of them and how many there are.
    """

    known: bool
    embedding: int
    inputs: int
    vocabulary: int
    blocks: Blocks
    state: State
    heads: int
    heads_row: int
    key_row: int
    value_row: int
    values_row: int
    latent: int
    window: int
    attention: tuple[AttentionLayer, ...]
    attending: tuple[int, ...] = ()
    kinds: tuple[tuple[AttentionLayer, int], ...] = ()
    layers: int = 0
    cached: bool = True
    heads_length: int = 0
    per_layer: int = 0
    chosen: int = 0
    fused: bool = False
    expanded: int = 0

    @property
    def experts_used(self) -> int:
        """Experts that one token passes through."""
        return self.blocks.used


def shape_of(facts: ModelFacts) -> Shape:
    """The measures of a model; odd values in the header count as absent."""
    header = Header(facts)
    attention = header.attention()
    key, value = header.lengths()
    kinds = Counter(map(id, attention.values()))
    sorts = {id(layer): layer for layer in attention.values()}
    if any(layer.slides for layer in sorts.values()):
        key, value = (max(pair) for pair in zip((key, value), header.lengths(slides=True), strict=True))
    embedding = header.embedding
    return Shape(
        known=header.layers > 0 and embedding > 0,
        embedding=embedding,
        inputs=embedding * (1 + header.number("n_deepstack_layers")),
        vocabulary=facts.vocabulary or header.number("vocab_size"),
        blocks=_blocks(header),
        state=_state(header),
        heads=header.heads,
        heads_row=header.heads * key,
        key_row=max((layer.key for layer in sorts.values()), default=0),
        value_row=max((layer.value for layer in sorts.values()), default=0),
        values_row=header.heads * value,
        latent=header.latent,
        window=header.window,
        attention=tuple(attention.values()),
        attending=tuple(attention),
        kinds=tuple((sorts[one], count) for one, count in kinds.items()),
        layers=header.layers,
        cached=header.traits.cached,
        heads_length=header.number("attention.key_length_mla"),
        per_layer=header.layers * header.number("embedding_length_per_layer_input"),
        fused=header.fused,
        expanded=_expanded(header, key),
        chosen=header.number("attention.indexer.top_k"),
    )


def _expanded(header: Header, key: int) -> int:
    if header.latent or not header.number("attention.kv_lora_rank"):
        return 0
    return header.heads * (3 * key - header.number("rope.dimension_count"))


def _blocks(header: Header) -> Blocks:
    used = header.number("expert_used_count") if header.number("expert_count") else 0
    named = max(header.numbers("feed_forward_length") or (header.facts.feed_forward or 0,))
    named = named // 2 if header.traits.halved else named
    if not header.whole:
        expert = header.number("expert_feed_forward_length")
        mixed = header.number("leading_dense_block_count") or header.number("interleave_moe_layer_step") > 1
        dense = 0 if used and expert and not mixed else named
        return Blocks(dense, header.traits.gated, expert or named, used, header.traits.gated)
    dense = expert = 0
    gated = gated_experts = False
    for name, shape in header.tensors.items():
        if "ffn_down" not in name or not shape:
            continue
        if name.endswith("ffn_down.weight"):
            dense = max(dense, shape[0])
            up = header.tensors.get(name.replace("ffn_down", "ffn_up"), ())
            gated |= max(up, default=0) > max(shape) or name.replace("ffn_down", "ffn_gate") in header.tensors
        elif name.endswith("ffn_down_exps.weight"):
            expert = max(expert, shape[0])
            gates = (name.replace("ffn_down_exps", kind) for kind in ("ffn_gate_exps", "ffn_gate_up_exps"))
            gated_experts |= any(gate in header.tensors for gate in gates)
    return Blocks(dense, gated, expert, used if expert else 0, gated_experts)


def _state(header: Header) -> State:
    number = header.number
    inner, size, groups = (number(f"ssm.{name}") for name in ("inner_size", "state_size", "group_count"))
    kernel, short = max(number("ssm.conv_kernel") - 1, 0), max(number("shortconv.l_cache") - 1, 0)
    embedding, head, wide = header.embedding, number("wkv.head_size"), header.heads * number("kda.head_dim")
    if head:
        values, convolution = embedding * head, embedding * (number("token_shift_count") or 2)
    elif wide:
        values, convolution = wide * number("kda.head_dim"), 3 * kernel * wide
    else:
        values, convolution = size * inner, kernel * (inner + 2 * groups * size) or short * embedding
    if not values and not convolution:
        return State()
    steps = number("ssm.time_step_rank")
    return State(header.recurrent_layers(), values, convolution, inner, groups, size, steps)
