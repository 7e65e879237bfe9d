"""What llama.cpp will hold for a model under given settings, computed from the model's header.

Weights, cache and recurrent state follow the engine's own arithmetic to the byte; the compute buffer is the largest of
the phases that its graph allocator passes through. A buffer that is too small ends the engine, so where a model is not
known in detail `Estimate.high` is what to plan with.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product

from modelshelf.compat.compute import Cells, compute
from modelshelf.compat.header import AttentionLayer
from modelshelf.compat.measures import Measures, measure
from modelshelf.compat.shape import Shape
from modelshelf.compat.types import Confidence, Memory, Settings
from modelshelf.metadata.facts import ModelFacts

KIB, MIB = 1 << 10, 1 << 20
CELLS = 256  # the cache grows in steps of so many cells
PROCESS = 7 * MIB
RECURRENT_ROWS = 20  # rows of the embedding in the widest recurrent block that was seen
PER_TOKEN = 144  # bytes of host memory for a word of the vocabulary
CACHE_ROWS: Mapping[str, tuple[int, int]] = {  # values in a block, bytes of a block
    "f32": (1, 4),
    "f16": (1, 2),
    "bf16": (1, 2),
    "q8_0": (32, 34),
    "q5_1": (32, 24),
    "q5_0": (32, 22),
    "q4_1": (32, 20),
    "q4_0": (32, 18),
    "iq4_nl": (32, 18),
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Memory with how sure it is; the real total lies between `low` and `high`, which are bytes.

    `repacked` are bytes of the copy that the processor makes of weights to compute with (`Settings.repack`). It is not
    in `memory`: the file's own pages, which it stands in for, are mapped and can be dropped, so it shows in what a
    process holds but not in what it needs; a load without mapping holds these weights once.
    """

    memory: Memory
    confidence: Confidence
    low: int
    high: int
    repacked: int = 0


# What a model of 8 billion parameters with grouped heads takes; others are taken to grow with the root of their size.
USUAL_PARAMETERS = 8e9
USUAL_BITS = 4.85
USUAL_ROW = 131_072  # bytes of cache per token, 16 bits a value
USUAL_COMPUTE = 320 * MIB
USUAL_WORDS = 128_000


def estimate(facts: ModelFacts, settings: Settings, measures: Measures | None = None) -> Estimate:
    """What the engine will hold; never raises for odd facts, but says how sure it is.

    `measures` are those of the same facts, if they are at hand.
    """
    settings = _sane(settings)
    known = measures or measure(facts)
    shape, kind = known.shape, known.traits
    if not shape.known:
        return _guess(facts, settings, known.weights)
    cells = _cells(facts, shape, settings)
    memory = Memory(
        weights=known.weights,
        kv=_cache(shape, settings, cells, shape.kinds),
        recurrent=_recurrent(shape, settings),
        compute=compute(shape, settings, cells, kind),
        output=4 * shape.vocabulary * settings.slots,
        host=PROCESS + PER_TOKEN * shape.vocabulary,
    )
    bounded = _bounded(facts, known, settings, cells, memory)
    return replace(bounded, repacked=_repacked(known, settings))


def _repacked(known: Measures, settings: Settings) -> int:
    """The processor's second copy of what it computes with; layers on a card need none."""
    return known.repacked if settings.repack and not settings.gpu_layers else 0


def _sane(settings: Settings) -> Settings:
    """The engine knows no slots and no batches of none."""
    if settings.slots > 0 and settings.ubatch > 0:
        return settings
    return replace(settings, slots=max(settings.slots, 1), ubatch=max(settings.ubatch, 1))


def _padded(cells: int) -> int:
    return -(-cells // CELLS) * CELLS


def _cells(facts: ModelFacts, shape: Shape, settings: Settings) -> Cells:
    context = settings.context if settings.context > 0 else facts.context or CELLS  # 0: what the model was trained for
    together, streams = (settings.slots, 1) if settings.unified_kv else (1, settings.slots)
    batch = max(min(settings.ubatch, context), 1)
    full = _padded(max(context // streams, 1))
    sliding = _padded(min(full, shape.window * together + batch)) if shape.window else 0
    return Cells(full, sliding, streams, batch)


def _row(values: int, kind: str) -> int:
    block, size = CACHE_ROWS.get(kind, CACHE_ROWS["f16"])
    return -(-values // block) * size


def _cache(shape: Shape, settings: Settings, cells: Cells, kinds: Iterable[tuple[AttentionLayer, int]]) -> int:
    return sum(_kept(shape, settings, cells, layer) * count for layer, count in kinds) if shape.cached else 0


def _kept(shape: Shape, settings: Settings, cells: Cells, layer: AttentionLayer) -> int:
    """Bytes of one layer's cache."""
    keys, values = settings.kv, settings.kv_values or settings.kv
    # Without flash attention values are stored the other way round, in rows as long as the widest layer's.
    value = layer.value if settings.flash_attention else shape.value_row
    held = cells.sliding if layer.slides else cells.full
    return held * (_row(layer.key, keys) + _row(value, values) + _row(layer.index, keys)) * cells.streams


def _recurrent(shape: Shape, settings: Settings) -> int:
    return len(shape.state.layers) * _carried(shape, settings)


def _carried(shape: Shape, settings: Settings) -> int:
    """Bytes of one layer's state."""
    return 4 * settings.slots * (shape.state.values + shape.state.convolution)


def by_layer(facts: ModelFacts, settings: Settings, measures: Measures | None = None) -> tuple[int, ...]:
    """Bytes of each layer's weights, cache and state: what moves to a card with it.

    What stands outside the layers is `Measures.outside` and `Measures.output`; every device has a compute buffer of its
    own.
    """
    settings = _sane(settings)
    known = measures or measure(facts)
    shape = known.shape
    cells = _cells(facts, shape, settings)
    found = list(known.layers)
    for number, layer in zip(shape.attending, shape.attention, strict=True) if shape.cached else ():
        found[number] += _kept(shape, settings, cells, layer)
    for number in shape.state.layers:
        found[number] += _carried(shape, settings)
    return tuple(found)


def _guess(facts: ModelFacts, settings: Settings, weights: int) -> Estimate:
    """Without layers and heads only the weights are sure; the rest goes by the size."""
    parameters = facts.parameters or weights * 8 / USUAL_BITS
    scale = (parameters / USUAL_PARAMETERS) ** 0.5
    row = _row(round(USUAL_ROW * scale) // 2, settings.kv)
    memory = Memory(
        weights=weights,
        kv=_padded(settings.context) * row,
        recurrent=0,
        compute=round(USUAL_COMPUTE * scale * settings.ubatch / 512),
        output=4 * USUAL_WORDS * settings.slots,
        host=PROCESS + PER_TOKEN * USUAL_WORDS,
    )
    spare = memory.kv + memory.compute
    return Estimate(memory, Confidence.ESTIMATE, weights, memory.total + spare)


def _bounded(facts: ModelFacts, known: Measures, settings: Settings, cells: Cells, memory: Memory) -> Estimate:
    total = memory.total
    if not known.traits.measured:
        low, high = _extremes(known, settings, cells, memory)
        return Estimate(memory, Confidence.BOUNDED, min(low, total), max(high, total))
    if facts.tier < 2:
        slack = memory.weights // 200 + memory.compute // 20
        return Estimate(memory, Confidence.HEADER, total - slack, total + slack)
    slack = max(memory.compute // 10, 8 * MIB)
    return Estimate(memory, Confidence.EXACT, total - slack, total + slack)


def _extremes(known: Measures, settings: Settings, cells: Cells, memory: Memory) -> tuple[int, int]:
    """The least and the most that an unknown architecture may need, by what the known ones do differently.

    The least: it keeps no cache, as encoders and diffusion models do. The most: no layer slides, tied embeddings are
    held twice, and the engine has no flash attention for it.
    """
    shape, kind = known.shape, known.traits
    whole = [(replace(layer, slides=False), count) for layer, count in shape.kinds]
    rows = 0 if shape.state.inner else RECURRENT_ROWS
    ways = [
        replace(kind, flash=flash, encodes=own, recurrent_rows=rows) for flash, own in product((True, False), repeat=2)
    ]
    buffers = [compute(shape, settings, cells, way) for way in ways]
    low = known.weights + min(buffers) // 2
    high = known.weights + known.tied + _cache(shape, settings, cells, whole) + memory.recurrent + max(buffers) * 3 // 2
    return low, high + memory.output + 8 * MIB
