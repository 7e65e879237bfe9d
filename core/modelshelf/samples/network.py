"""The weights of the sample model, set by hand: the bigram table as embedding times output.

The embedding of a token is a single one, in the dimension of its unit; the output matrix holds, in that dimension, how
likely each token follows. Attention and the feed-forward network are zero and add nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelshelf.samples.bigram import END, Bigrams, control
from modelshelf.samples.corpus import OTHERWISE, TOPICS
from modelshelf.samples.quantise import Weights
from modelshelf.samples.vocabulary import NORMAL, SPACE, Vocabulary, written

WIDTH = 512
HEADS = 8
KV_HEADS = 2
INNER = 512
CONTEXT = 4096
EPSILON = 1e-5
CERTAIN = 16.0
"""The logit of a follower that is certain. All others have 0, so that they share e^-16 each, also when quantised."""


@dataclass(frozen=True, slots=True)
class Network:
    """The matrices, rows first, as numpy has them; names as in llama.cpp."""

    weights: dict[str, Weights]

    @property
    def parameters(self) -> int:
        """How many numbers there are."""
        return sum(matrix.size for matrix in self.weights.values())


def network(table: Bigrams, words: Vocabulary) -> Network:
    """The weights that say what the table says."""
    dimensions = _dimensions(table)
    embedding = np.zeros((len(words.tokens), WIDTH), np.float32)
    output = np.zeros_like(embedding)
    for token, unit in _meanings(table, words):
        embedding[token, dimensions[unit]] = 1
    for unit, dimension in dimensions.items():
        spoken = unit.startswith("<|")
        for following, likely in table.after[unit].items():
            output[words.numbers[written(following, opens=spoken)], dimension] = CERTAIN + likely
    # one 1 in WIDTH numbers: the norm makes it sqrt(WIDTH), this makes it 1 again
    norm = np.full(WIDTH, np.sqrt(1 / WIDTH + EPSILON), np.float32)
    key = WIDTH // HEADS * KV_HEADS
    return Network(
        {
            "token_embd": embedding,
            "blk.0.attn_norm": np.ones(WIDTH, np.float32),
            "blk.0.attn_q": np.zeros((WIDTH, WIDTH), np.float32),
            "blk.0.attn_k": np.zeros((key, WIDTH), np.float32),
            "blk.0.attn_v": np.zeros((key, WIDTH), np.float32),
            "blk.0.attn_output": np.zeros((WIDTH, WIDTH), np.float32),
            "blk.0.ffn_norm": np.ones(WIDTH, np.float32),
            "blk.0.ffn_gate": np.zeros((INNER, WIDTH), np.float32),
            "blk.0.ffn_up": np.zeros((INNER, WIDTH), np.float32),
            "blk.0.ffn_down": np.zeros((WIDTH, INNER), np.float32),
            "output_norm": norm,
            "output": output,
        }
    )


def _dimensions(table: Bigrams) -> dict[str, int]:
    units = [unit for unit in table.after if unit != END]
    if len(units) > WIDTH:
        raise ValueError(f"the corpus has {len(units)} units, the model room for {WIDTH}")
    return {unit: dimension for dimension, unit in enumerate(units)}


def _meanings(table: Bigrams, words: Vocabulary) -> Iterator[tuple[int, str]]:
    """Which unit each token stands for. A word that ends a longer unit stands for that; anything else for the topic."""
    ends = {unit.rpartition(" ")[2]: unit for unit in reversed(table.words)}
    spoken = {control(topic.name) for topic in TOPICS}
    for number, (token, kind) in enumerate(zip(words.tokens, words.kinds, strict=True)):
        text = token.removeprefix(SPACE).replace(SPACE, " ")
        if token in spoken or (kind == NORMAL and text in table.after):
            yield number, token if token in spoken else text
        else:
            yield number, ends.get(text, control(OTHERWISE)) if token.startswith(SPACE) else control(OTHERWISE)
