"""What llama.cpp will hold for a model under given settings, computed from the model's header.

Weights, cache and recurrent state follow the engine's own arithmetic to the byte; the compute buffer is the largest of
the phases that its graph allocator passes through. A buffer that is too small ends the engine, so where a model is not
known in detail `Estimate.high` is what to plan with.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from modelshelf.compat.architectures import Traits
from modelshelf.compat.measures import Measures, measure
from modelshelf.compat.shape import Shape
from modelshelf.compat.types import Confidence, Memory, Settings
from modelshelf.metadata.facts import ModelFacts

KIB, MIB = 1 << 10, 1 << 20
CELLS = 256  # the cache grows in steps of so many cells
GRAPH = 24 * KIB
PROCESS = 7 * MIB
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
    """Memory with how sure it is; the real total lies between `low` and `high`, which are bytes."""

    memory: Memory
    confidence: Confidence
    low: int
    high: int


# What a model of 8 billion parameters with grouped heads takes; others are taken to grow with the root of their size.
USUAL_PARAMETERS = 8e9
USUAL_BITS = 4.85
USUAL_ROW = 131_072  # bytes of cache per token, 16 bits a value
USUAL_COMPUTE = 320 * MIB
USUAL_WORDS = 128_000


@dataclass(frozen=True, slots=True)
class _Cells:
    """Cells of the cache per stream: those of layers that see everything, and of those with a sliding window."""

    full: int
    sliding: int
    streams: int


def estimate(facts: ModelFacts, settings: Settings, measures: Measures | None = None) -> Estimate:
    """What the engine will hold; never raises for odd facts, but says how sure it is.

    `measures` are those of the same facts, if they are at hand.
    """
    known = measures or measure(facts)
    shape, kind = known.shape, known.traits
    if not shape.known:
        return _guess(facts, settings, known.weights)
    cells = _cells(shape, settings)
    memory = Memory(
        weights=known.weights,
        kv=_cache(shape, settings, cells),
        recurrent=_recurrent(shape, settings),
        compute=_compute(shape, settings, cells, kind),
        output=4 * shape.vocabulary * settings.slots,
        host=PROCESS + PER_TOKEN * shape.vocabulary,
    )
    return _bounded(facts, memory, kind)


def _padded(cells: int) -> int:
    return -(-cells // CELLS) * CELLS


def _cells(shape: Shape, settings: Settings) -> _Cells:
    together = settings.slots if settings.unified_kv else 1
    full = _padded(settings.context if settings.unified_kv else settings.context // settings.slots)
    window = shape.window * together + settings.ubatch
    sliding = _padded(min(full, window)) if shape.window else 0
    return _Cells(full, sliding, 1 if settings.unified_kv else settings.slots)


def _row(values: int, kind: str) -> int:
    block, size = CACHE_ROWS.get(kind, CACHE_ROWS["f16"])
    return -(-values // block) * size


def _cache(shape: Shape, settings: Settings, cells: _Cells) -> int:
    total = 0
    for layer in shape.attention:
        held = cells.sliding if layer.slides else cells.full
        total += held * (_row(layer.key, settings.kv) + _row(layer.value, settings.kv))
    return total * cells.streams


def _recurrent(shape: Shape, settings: Settings) -> int:
    return 4 * settings.slots * shape.recurrent_layers * (shape.state + shape.convolution)


def _compute(shape: Shape, settings: Settings, cells: _Cells, kind: Traits) -> int:
    row = 4 * settings.ubatch  # bytes that one value takes for every token of a batch
    width = shape.embedding
    phases: list[float] = [4 * shape.vocabulary * settings.slots + 2 * row * width]
    if shape.feed_forward:
        phases.append(row * ((3 if kind.gated else 2) * shape.feed_forward + kind.residuals * width))
    if shape.experts_used:
        chosen = shape.experts_used
        phases.append(row * (3 * chosen * shape.expert_feed_forward + 5 * width))
        if kind.expert_residuals is not None:
            phases.append(row * (2 * chosen * width + kind.expert_residuals * width))
    if shape.attention:
        phases.append(_attention(shape, settings, cells, kind))
    if shape.state:
        wide = 5 * width + 5 * shape.inner + (6 * shape.groups * shape.state_size + shape.time_steps)
        held = 4 * settings.slots * (shape.state + shape.convolution)
        phases.append(row * wide + held)
        if kind.states > 1:
            phases.append(row * (5 * width + 5 * shape.inner) + kind.states * held)
    return round(max(phases)) + _mask(shape, settings, cells) + GRAPH


def _attention(shape: Shape, settings: Settings, cells: _Cells, kind: Traits) -> float:
    row, width = 4 * settings.ubatch, shape.embedding
    if settings.flash_attention:
        return row * (2 * width + 2 * shape.key_row + 3 * shape.heads_row + shape.values_row)
    scores = row * shape.heads * cells.full
    if shape.latent:
        # The values are a view of the keys, which plain attention has to copy once they outgrow the queries' room.
        copied = 2 * shape.latent * cells.full
        queries = shape.heads * shape.key_row
        kept = row * (2 * width + 2 * queries + shape.heads * shape.latent)
        return scores + kept + (copied if copied > row * queries else 0)
    widths, heads, keys = kind.plain_attention
    others = (heads - 1) * shape.heads_row + shape.values_row
    return scores + row * (widths * width + others + keys * shape.key_row)


def _mask(shape: Shape, settings: Settings, cells: _Cells) -> int:
    if not shape.attention:
        return 0
    return (cells.full + cells.sliding) * settings.ubatch * (2 if settings.flash_attention else 4)


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


def _bounded(facts: ModelFacts, memory: Memory, kind: Traits) -> Estimate:
    total = memory.total
    if not kind.measured:
        spare = (memory.kv + memory.recurrent) // 2
        return Estimate(memory, Confidence.BOUNDED, total - spare - memory.compute // 2, total + spare + memory.compute)
    if facts.tier < 2:
        slack = memory.weights // 200 + memory.compute // 20
        return Estimate(memory, Confidence.HEADER, total - slack, total + slack)
    slack = max(memory.compute // 20, 8 * MIB)
    return Estimate(memory, Confidence.EXACT, total - slack, total + slack)
