"""The compute buffer: what llama.cpp's graph allocator holds at the fullest moment of the worst batch.

The inputs live all the time; above them lie the rows of the phase at hand. A row that does not fit into the hole that
others left goes on top, so `residuals` count holes as well as rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from modelshelf.compat.architectures import Traits
from modelshelf.compat.shape import Shape
from modelshelf.compat.types import Settings

GRAPH = 24 * 1024
ROW = 4  # bytes of a value
UNPACKED = frozenset({"f32", "f16", "bf16"})


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of the cache per stream: those of layers that see everything, and of those with a sliding window."""

    full: int
    sliding: int
    streams: int
    batch: int

    def own(self) -> "Cells":
        """Those of a batch that sees nothing but itself."""
        return Cells(self.batch, self.batch if self.sliding else 0, 1, self.batch)


def compute(shape: Shape, settings: Settings, cells: Cells, kind: Traits) -> int:
    """Bytes of the buffer, for as many outputs as slots."""
    row = ROW * cells.batch  # bytes that one value takes for every token of a batch
    cells = cells.own() if kind.encodes else cells
    phases: list[float] = [ROW * shape.vocabulary * settings.slots + 2 * row * shape.embedding]
    phases += [row * values + _kept(shape, kind, settings.slots) for values in _blocks(shape, settings, kind)]
    if shape.attention:
        phases.append(_attention(shape, cells, kind, flash=settings.flash_attention and kind.flash))
    if shape.state.values:
        phases.append(_recurrence(shape, cells, kind, slots=settings.slots))
    inputs = _inputs(shape, cells, kind, flash=settings.flash_attention and kind.flash)
    return round(max(phases)) + inputs + GRAPH


def _blocks(shape: Shape, settings: Settings, kind: Traits) -> Iterator[float]:
    """Values of a token in the feed-forward blocks, with what lives beside them."""
    blocks = shape.blocks
    held = kind.residuals * shape.embedding if shape.inputs == shape.embedding else 4 * shape.inputs
    packed = settings.kv not in UNPACKED and not kind.encodes
    if blocks.dense > shape.per_layer or packed:
        # What each layer adds was made in two steps, and the block, or what packing needs, does not fit into that hole.
        held += shape.per_layer
    if blocks.dense:
        yield (3 if blocks.gated else 1) * blocks.dense + held
    if blocks.used:
        inner, outputs = blocks.used * blocks.expert, blocks.used * shape.embedding
        rows = 3 if blocks.gated_experts else 1
        # The experts' outputs need new room where the hole that gate and width leave is too small.
        yield rows * inner + (outputs if outputs > (rows - 1) * inner else 0) + held


def _kept(shape: Shape, kind: Traits, slots: int) -> int:
    """Bytes of states that live on beside the feed-forward block."""
    return ROW * shape.state.values * (slots + 1) if kind.states_kept else 0


def _recurrence(shape: Shape, cells: Cells, kind: Traits, slots: int) -> float:
    row, state, width = ROW * cells.batch, shape.state, shape.embedding
    one = ROW * (state.values + state.convolution)
    if kind.recurrent_rows:
        return row * kind.recurrent_rows * width + slots * one
    groups = state.groups * state.size
    if kind.attention_every:
        each, copied = ROW * (5 * width + 3 * state.inner + 4 * groups), slots * one
    else:
        each = ROW * (5 * width + 5 * state.inner + 6 * groups + state.steps)
        copied = ROW * state.values * (slots - 1)
    # States are copied, unless they fit into a hole as long as a row of the block.
    fitting = copied / (ROW * state.inner) if state.inner else 0
    return slots * one + max(each * cells.batch, each * min(cells.batch, fitting) + copied)


def _attention(shape: Shape, cells: Cells, kind: Traits, *, flash: bool) -> float:
    row, width = ROW * cells.batch, shape.embedding
    if shape.latent:
        return _latent(shape, cells, flash=flash)
    if flash:
        fused = 2 * shape.key_row if shape.fused else 0
        return row * (5 * width + shape.heads_row + shape.values_row + shape.expanded + fused)
    scores = row * shape.heads * cells.full
    if shape.inputs > width:
        return scores + row * (5 * shape.inputs + 2 * shape.heads_row)
    widths, heads = kind.plain_attention
    # Made in one go and never rotated, queries and keys are views of one tensor that lives on.
    fused = (3 if kind.encodes else 2) * shape.key_row if shape.fused and (kind.encodes or kind.unrotated) else 0
    biases = 2 * scores if kind.biased else 0
    return fused * row + biases + scores + row * (widths * width + (heads - 1) * shape.heads_row + shape.values_row)


def _latent(shape: Shape, cells: Cells, *, flash: bool) -> float:
    """Attention on a compressed cache: every head's query grows to the length of a row of the cache."""
    row, width = ROW * cells.batch, shape.embedding
    query, rope = shape.heads_length, shape.key_row - shape.latent
    made = row * (5 * width + shape.heads * (shape.key_row + shape.latent + query + rope))
    if flash or cells.full <= shape.latent + query + rope:  # the scores fit into the hole that the queries left
        return made
    copied = 2 * shape.latent * cells.full * cells.streams
    queries = shape.heads * shape.key_row
    kept = row * (2 * width + 2 * queries + shape.heads * shape.latent)
    # The values are a view of the keys, which plain attention has to copy once they outgrow the queries' room.
    return max(made, row * shape.heads * cells.full + kept + (copied if copied > row * queries else 0))


def _inputs(shape: Shape, cells: Cells, kind: Traits, *, flash: bool) -> int:
    """What lives all the time: masks, what an indexer chose in every layer, rows that each layer adds.

    Without flash attention also the places of every value, which is then stored the other way round.
    """
    found = ROW * cells.batch * shape.per_layer
    if not shape.attention:
        return found
    index = shape.kinds[0][0].index
    masks = (cells.full * (2 if index else 1) + cells.sliding) * cells.batch * (2 if flash else 4)
    if index:
        found += ROW * cells.batch * min(cells.full, shape.chosen) * len(shape.attention)
    if flash or shape.latent or kind.encodes:
        return found + masks
    caches = len({layer.slides for layer, _ in shape.kinds})
    return found + masks + 8 * cells.batch * shape.value_row * caches
