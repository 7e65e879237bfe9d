"""What must hold for every model and machine."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.compat import Gpu, Machine, Settings, estimate
from modelshelf.compat.engines import engines
from modelshelf.compat.judge import judge
from modelshelf.compat.score import Question
from modelshelf.compat.speed import Pace
from modelshelf.metadata import ModelFacts, transformers_facts
from tests.shapes import SHAPES, facts

GIB = 1 << 30
KNOWN = tuple(facts(shape) for shape in SHAPES.values())
CONFIG = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 32, "hidden_size": 4096,
    "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    "max_position_embeddings": 131072, "torch_dtype": "bfloat16",
}  # fmt: skip
PLAIN = transformers_facts.facts(CONFIG, size=16_060_000_000, weights=16_060_000_000)

models = st.sampled_from((*KNOWN, PLAIN))
wishes = st.builds(
    Settings,
    context=st.integers(1, 1 << 20),
    kv=st.sampled_from(("f16", "q8_0", "q4_0")),
    slots=st.integers(1, 8),
    ubatch=st.sampled_from((128, 512, 2048)),
    flash_attention=st.booleans(),
    unified_kv=st.booleans(),
    gpu_layers=st.none() | st.integers(0, 100),
)
memories = st.integers(0, 256 * GIB)
kinds = st.sampled_from(("builtin", "ollama", "vllm", "sglang", "transformers"))
paces = st.none() | st.builds(Pace, st.floats(1e8, 1e10), st.floats(1e10, 1e12), st.booleans())


def machine(ram: int, card: int) -> Machine:
    gpus = (Gpu("card", "nvidia", card, card, 900e9),) if card else ()
    return Machine("any", "any", 8, ram, ram, gpus, 40e9)


def score(model: ModelFacts, wish: Settings, here: Machine, kind: str, required: bool, pace: Pace | None = None) -> int:
    question = Question(model, wish, here, engines()[kind], required, pace=pace)
    found = judge(question, model="m", provider=kind, fixes=False).score
    assert found is not None
    return found


@settings(max_examples=150, deadline=None)
@given(models, wishes, memories, memories, memories, memories, kinds, st.booleans(), paces)
def test_more_memory_never_lowers_a_score(
    model: ModelFacts, wish: Settings, ram: int, more: int, card: int, larger: int, kind: str, required: bool,
    pace: Pace | None,
) -> None:  # fmt: skip
    before = score(model, wish, machine(ram, card), kind, required, pace)
    after = score(model, wish, machine(ram + more, card + larger), kind, required, pace)
    assert after >= before


@settings(max_examples=150, deadline=None)
@given(models, wishes, st.integers(1, 1 << 20))
def test_a_smaller_context_never_needs_more(model: ModelFacts, wish: Settings, context: int) -> None:
    small, large = sorted((wish.context, context))
    less, more = (estimate(model, replace(wish, context=one)) for one in (small, large))
    assert less.memory.total <= more.memory.total
    assert less.high <= more.high


@settings(max_examples=50, deadline=None)
@given(models, wishes, memories, st.text(max_size=40))
def test_a_name_changes_nothing(model: ModelFacts, wish: Settings, ram: int, name: str) -> None:
    renamed = replace(model, name=name)
    assert estimate(renamed, wish) == estimate(model, wish)
    assert score(renamed, wish, machine(ram, 0), "builtin", False) == score(
        model, wish, machine(ram, 0), "builtin", False
    )


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            (
                "block_count",
                "embedding_length",
                "feed_forward_length",
                "attention.head_count",
                "attention.head_count_kv",
                "attention.key_length",
                "attention.sliding_window",
                "attention.sliding_window_pattern",
                "attention.kv_lora_rank",
                "attention.key_length_mla",
                "expert_count",
                "expert_used_count",
                "ssm.conv_kernel",
                "ssm.inner_size",
                "ssm.state_size",
                "vocab_size",
            )
        ),
        st.one_of(
            st.integers(-(1 << 63), 1 << 64), st.floats(), st.booleans(), st.text(max_size=3), st.tuples(st.integers())
        ),
    ),
    wishes,
    st.sampled_from(("llama", "gemma3", "mamba2", "newcomer", None)),
)
def test_lying_headers_are_survived(keys: dict[str, object], wish: Settings, architecture: str | None) -> None:
    model = ModelFacts("gguf", 1000, architecture=architecture, keys=keys, tier=1, weights=1000)
    found = estimate(model, wish)
    assert 0 <= found.low <= found.high
    assert found.memory.total >= 1000
    assert 0 <= score(model, wish, machine(16 * GIB, 0), "builtin", False) <= 100
