"""Memory of the engines that are not llama.cpp: vLLM and SGLang by their budget, Transformers and MLX by what they add.

vLLM and SGLang fill a share of the card: weights, the peak of a test run, graphs, and all the rest is cache. A model
fits when the rest holds the context that is asked for, so that is what counts as its cache here. The rules were read in
vLLM 0.33, SGLang 0.5.23, Transformers 5.24 and MLX-LM 0.32 and were not measured here: answers are bounded, not exact.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from modelshelf.compat import memory as llama_cpp
from modelshelf.compat.caches import Cache, cache_of
from modelshelf.compat.machine import Gpu, Machine
from modelshelf.compat.measures import Measures, measure
from modelshelf.compat.memory import Estimate
from modelshelf.compat.types import Confidence, Memory, Settings
from modelshelf.metadata.facts import ModelFacts

MIB, GIB = 1 << 20, 1 << 30
PYTHON = 2 * GIB  # main memory of a process with PyTorch and a server
MLX_PYTHON = 300 * MIB
DRIVER = 512 * MIB  # what the driver and its libraries take of a card beside PyTorch's own
GRAPH = 8 * MIB  # of captured graphs, for each layer
BLOCK = 16  # tokens in a block of vLLM's cache
STATE = 4  # bytes of a value in a recurrent state; some engines keep it in half of that
SHARE = Settings().gpu_share
SPLITTING = frozenset({"sglang", "vllm"})  # cut every layer across the cards (tensor parallel)
CHUNK = 2048  # tokens that MLX-LM reads at a time


@dataclass(frozen=True, slots=True)
class Batch:
    """Tokens and sequences that an engine takes at once."""

    tokens: int
    sequences: int


def estimate(
    facts: ModelFacts,
    settings: Settings,
    measures: Measures | None = None,
    *,
    family: str = "llamacpp",
    card_memory: int = 0,
    cards: int = 1,
) -> Estimate:
    """What an engine of a family will hold; `card_memory` are the bytes of one card, 0 if that is not known.

    On several `cards` vLLM and SGLang hold on all of them what passes through, and what they cannot cut of the cache.
    Never raises for odd facts, but says how sure it is. `memory.kv` is the cache of `settings.slots` sequences of
    `settings.context` tokens each.
    """
    rule = RULES.get(family)
    known = measures or measure(facts)
    if rule is None or not known.shape.known:
        return llama_cpp.estimate(facts, settings, known)
    memory, sure = rule(facts, settings, known, card_memory)
    if cards > 1 and family in SPLITTING:
        copies = _copies(facts, known, cards)
        memory = replace(memory, kv=memory.kv * copies, compute=memory.compute * cards, host=memory.host * cards)
    spare = memory.compute // 2 + (0 if sure else memory.kv + memory.recurrent)
    low = memory.total - memory.compute // 2
    return Estimate(memory, Confidence.BOUNDED if sure else Confidence.ESTIMATE, low, memory.total + spare)


def _copies(facts: ModelFacts, measures: Measures, cards: int) -> int:
    """How often a cache is kept: a compressed one on every card, else the heads are dealt out, at least one to each."""
    if measures.shape.latent or _count(facts, "kv_lora_rank"):
        return cards
    heads = min((count for count in facts.heads_kv if count > 0), default=cards)
    return max(-(-cards // heads), 1)


def room(family: str, settings: Settings, machine: Machine) -> int:
    """Bytes that an engine of a family may take on a machine, all cards together; the memory is the machine's without.

    vLLM and SGLang cut a model into equal parts, so the fullest card decides. vLLM does not start when less than its
    share is free; then what is free is what a smaller share could be.
    """
    cards = machine.cards
    if family == "mlx":
        return max((min(gpu.memory_free, machine.ram_available) for gpu in machine.gpus if gpu.unified), default=0)
    if not cards:
        return machine.ram_available
    if family in SPLITTING:
        return len(cards) * min(_share(gpu, settings, family) for gpu in cards)
    return sum(gpu.memory_free for gpu in cards)


def tokens_that_fit(
    facts: ModelFacts, settings: Settings, machine: Machine, family: str, measures: Measures | None = None
) -> int:
    """Tokens of cache that the room holds beside everything else, for all sequences together."""
    known = measures or measure(facts)
    card = min((gpu.memory_total for gpu in machine.cards), default=0)
    cards = len(machine.cards) or 1
    needed = estimate(facts, settings, known, family=family, card_memory=card, cards=cards).memory
    copies = _copies(facts, known, cards) if family in SPLITTING else 1
    row = bytes_per_token(facts, settings, family, known) * copies
    left = room(family, settings, machine) - (needed.total - needed.kv)
    return max(int(left / row), 0) if row else 0


def bytes_per_token(facts: ModelFacts, settings: Settings, family: str, measures: Measures | None = None) -> float:
    """Bytes of cache that one more token takes: 2 * layers * heads * length * bytes, 131,072 for Llama 3 8B.

    Layers with a sliding window count too: they grow until the window is full.
    """
    cache = cache_of(facts, measures or measure(facts), packed=family != "transformers")
    return (cache.full + cache.sliding) * _value(facts, settings, family)


def _share(gpu: Gpu, settings: Settings, family: str) -> int:
    part = settings.gpu_share if family == "vllm" else 1.0
    return min(int(gpu.memory_total * part), gpu.memory_free)


def _value(facts: ModelFacts, settings: Settings, family: str) -> float:
    """Bytes of a value in the cache.

    vLLM and SGLang have 8 bits (`fp8`) and no less. MLX-LM quantises in groups of 64 values with a scale and an offset
    of 16 bits each. Transformers keeps the type of the weights.
    """
    small = settings.kv.startswith(("q", "iq", "fp8", "int8"))
    if family == "transformers":
        return 4 if facts.quantisation == "F32" else 2
    if family == "mlx" and small:
        return (4 if settings.kv.startswith(("q4", "iq4")) else 8) / 8 + 4 / 64
    return 1 if small else 2


def _kept(facts: ModelFacts, settings: Settings, family: str, cache: Cache, full: int, sliding: int) -> int:
    """Bytes of the cache of all sequences, of which each keeps so many tokens."""
    values = cache.full * full + cache.sliding * sliding
    return round(settings.slots * values * _value(facts, settings, family))


def _weights(facts: ModelFacts, measures: Measures, family: str) -> int:
    """Bytes of the weights as the engine holds them.

    vLLM and SGLang turn 32 bits into 16 (`dtype=auto`). Transformers unpacks GGUF files to 16 bits.
    """
    if facts.format == "gguf" and family == "transformers":
        return round(2 * (facts.parameters or measures.weights * 8 / llama_cpp.USUAL_BITS))
    if facts.quantisation == "F32" and family in {"vllm", "sglang"}:
        return measures.weights // 2
    return measures.weights


def _activations(facts: ModelFacts, measures: Measures, batch: Batch) -> int:
    """Bytes of the peak while a batch passes, 16 bits a value: the feed-forward block, four rows beside it, the logits.

    Logits are kept with their probabilities and a copy, 32 bits each. vLLM's log for Llama 3 8B (8,192 tokens, 256
    sequences; vllm-project/vllm#10511) says 1.26 GiB, this 1.27 GiB.
    """
    shape = measures.shape
    rows = 3 * _widest(facts) + 4 * shape.embedding
    return 2 * batch.tokens * rows + 12 * batch.sequences * shape.vocabulary


def _widest(facts: ModelFacts) -> int:
    """Values of the widest feed-forward block for one token: a layer's own, or all experts that a token uses."""
    used = _count(facts, "num_experts_per_tok", "expert_used_count")
    expert = _count(facts, "moe_intermediate_size", "expert_feed_forward_length") or (facts.feed_forward or 0)
    return max(facts.feed_forward or 0, used * expert)


def _count(facts: ModelFacts, *names: str) -> int:
    found = (facts.keys.get(name) for name in names)
    return next((value for value in found if type(value) is int and 0 < value < 1 << 40), 0)


def vllm_batch(card_memory: int) -> Batch:
    """What its server takes by default (`EngineArgs.get_batch_defaults`); an A100 of 80 GB takes the smallest, too."""
    if card_memory >= 160 * GIB:
        return Batch(16384, 1024)
    return Batch(8192, 1024) if card_memory >= 70 * GIB else Batch(2048, 256)


def _vllm(facts: ModelFacts, settings: Settings, measures: Measures, card: int) -> tuple[Memory, bool]:
    """`FullAttentionSpec` and `SlidingWindowSpec.max_memory_usage_bytes`: whole blocks; window - 1 + batch, a block."""
    cache, batch = cache_of(facts, measures), vllm_batch(card)
    window = min(max(cache.window - 1, 0) + batch.tokens, settings.context)
    layers = facts.layers or 0
    memory = Memory(
        weights=_weights(facts, measures, "vllm"),
        kv=_kept(facts, settings, "vllm", cache, _blocks(settings.context), _blocks(window) + BLOCK),
        recurrent=settings.slots * cache.state * STATE,
        compute=_activations(facts, measures, batch) + layers * GRAPH + DRIVER,
        output=0,
        host=PYTHON,
    )
    return memory, cache.sure


def _blocks(tokens: int) -> int:
    return -(-tokens // BLOCK) * BLOCK


def sglang_reserve(card_memory: int) -> int:
    """Bytes that SGLang leaves beside weights and cache (`memory_hook.py`): for graphs and what passes through.

    0.5 GiB + 1.5 MiB for each token of a chunk + 2 MiB for each sequence of a graph + 128 MiB, and 10 GiB at least on
    cards with more than 60 GiB. mem_fraction_static is what is left of the card.
    """
    steps = ((20, 2048, 8), (35, 4096, 48), (60, 4096, 32), (160, 8192, 256))
    sizes = ((tokens, sequences) for below, tokens, sequences in steps if card_memory < below * GIB)
    tokens, sequences = next(sizes, (16384, 512))
    reserve = 512 * MIB + 3 * tokens * MIB // 2 + 2 * sequences * MIB + 128 * MIB
    return max(reserve, 10 * GIB) if card_memory > 60 * GIB else reserve


def _sglang(facts: ModelFacts, settings: Settings, measures: Measures, card: int) -> tuple[Memory, bool]:
    """A share that was chosen is its mem_fraction_static: the rest of the card is kept back. It keeps single tokens."""
    cache = cache_of(facts, measures)
    chosen = settings.gpu_share != SHARE and card > 0
    memory = Memory(
        weights=_weights(facts, measures, "sglang"),
        kv=_kept(facts, settings, "sglang", cache, settings.context, min(settings.context, cache.window)),
        recurrent=settings.slots * cache.state * STATE,
        compute=round(card * (1 - settings.gpu_share)) if chosen else sglang_reserve(card),
        output=0,
        host=PYTHON,
    )
    return memory, cache.sure


def _transformers(facts: ModelFacts, settings: Settings, measures: Measures, card: int) -> tuple[Memory, bool]:
    """Weights and `DynamicCache`, which grows to the whole context; a prompt passes through in one piece.

    A compressed cache (MLA) is kept unpacked. `generate` computes the logits of the last token only.
    """
    cache = cache_of(facts, measures, packed=False)
    batch = Batch(settings.context * settings.slots, settings.slots)
    memory = Memory(
        weights=_weights(facts, measures, "transformers"),
        kv=_kept(facts, settings, "transformers", cache, settings.context, min(settings.context, cache.window)),
        recurrent=settings.slots * cache.state * STATE,
        compute=_activations(facts, measures, batch) + (DRIVER if card else 0),
        output=0,
        host=PYTHON,
    )
    return memory, cache.sure


def _mlx(facts: ModelFacts, settings: Settings, measures: Measures, card: int) -> tuple[Memory, bool]:
    """Weights and a cache that grows by 256 tokens; a prompt passes through in chunks of 2,048 (`generate.py`)."""
    del card  # its memory is the machine's own
    cache = cache_of(facts, measures)
    full = -(-settings.context // 256) * 256
    batch = Batch(min(CHUNK, settings.context), settings.slots)
    memory = Memory(
        weights=_weights(facts, measures, "mlx"),
        kv=_kept(facts, settings, "mlx", cache, full, min(full, cache.window)),
        recurrent=settings.slots * cache.state * STATE,
        compute=_activations(facts, measures, batch),
        output=0,
        host=MLX_PYTHON,
    )
    return memory, cache.sure


RULES: Mapping[str, Callable[[ModelFacts, Settings, Measures, int], tuple[Memory, bool]]] = {
    "mlx": _mlx,
    "sglang": _sglang,
    "transformers": _transformers,
    "vllm": _vllm,
}
