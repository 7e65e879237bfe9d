"""The estimate against what the engine itself allocated, and through a file against the same."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.compat import Confidence, Memory, Settings, estimate
from modelshelf.compat.measures import Measures, measure
from modelshelf.compat.memory import by_layer
from modelshelf.metadata import ModelFacts, local
from tests.shapes import SHAPES, facts, write
from tests.shapes.more import more

TRUTH = Path(__file__).parents[2] / "data" / "llama_cpp_memory.csv"
MIB = 1 << 20


@cache
def rows() -> tuple[Mapping[str, str], ...]:
    """What was measured as a server runs, without error."""
    with TRUTH.open(newline="") as file:
        return tuple(row for row in csv.DictReader(file) if row["mode"] == "noalloc_srv" and not row["error"])


@cache
def known(name: str, mix: str) -> ModelFacts:
    return facts(SHAPES[name], mix)


def ours(row: Mapping[str, str]) -> Memory:
    settings = Settings(
        context=int(row["n_ctx"]),
        kv=row["type_k"],
        slots=int(row["n_seq"]),
        ubatch=int(row["ubatch"]),
        flash_attention=row["fa"] == "1",
        unified_kv=row["kv_unified"] == "1",
    )
    return estimate(known(row["model"], row["mix"]), settings).memory


def test_weights_are_exact() -> None:
    assert len(rows()) == 450
    assert [row for row in rows() if ours(row).weights != int(row["model_bytes"])] == []


def test_cache_and_state_are_exact() -> None:
    wrong = [row for row in rows() if ours(row).kv + ours(row).recurrent != int(row["context_bytes"])]
    assert wrong == []


def test_compute_is_within_five_percent_or_eight_mebibytes() -> None:
    beyond = sorted(
        abs(ours(row).compute - (real := int(row["compute_bytes"]))) / max(real * 0.05, 8 * MIB) for row in rows()
    )
    assert beyond[int(0.95 * len(beyond))] <= 1


def test_total_is_right_to_a_thousandth() -> None:
    errors = []
    for row in rows():
        real = int(row["model_bytes"]) + int(row["context_bytes"]) + int(row["compute_bytes"])
        memory = ours(row)
        errors.append(abs(memory.total - memory.output - real) / real)
    assert median(errors) <= 0.001
    assert max(errors) <= 0.0078


def test_the_plan_covers_what_the_engine_takes() -> None:
    """`high` is what to plan with: hardly any model may need more."""
    short = 0
    for row in rows():
        real = int(row["model_bytes"]) + int(row["context_bytes"]) + int(row["compute_bytes"])
        settings = Settings(int(row["n_ctx"]), row["type_k"], int(row["n_seq"]), flash_attention=row["fa"] == "1")
        found = estimate(known(row["model"], row["mix"]), settings)
        assert found.confidence is Confidence.EXACT
        short += real > found.high
    assert short <= 2


@pytest.mark.parametrize("name", ["llama32_1b", "deepseek2_lite", "qwen3next_80b", "lfm2_1_2b", "phi3_mini"])
def test_the_header_of_a_file_gives_the_same(name: str, tmp_path: Path) -> None:
    path = write(SHAPES[name], tmp_path / f"{name}.gguf")
    settings = Settings(context=8192, slots=4)
    assert estimate(local.read(path), settings) == estimate(known(name, SHAPES[name].mix), settings)


def test_the_first_bytes_alone_come_near() -> None:
    """Tier 1: no tensors, the weights from the file's size."""
    whole = known("llama31_8b", "Q4_K_M")
    part = replace(whole, tensors=(), tier=1)
    near, exact = estimate(part, Settings()), estimate(whole, Settings())
    assert near.confidence is Confidence.HEADER
    assert abs(near.memory.total - exact.memory.total) / exact.memory.total < 0.005
    assert near.low <= exact.memory.total <= near.high


def test_an_unmeasured_architecture_is_bounded() -> None:
    found = estimate(replace(known("llama31_8b", "Q4_K_M"), architecture="newcomer"), Settings())
    assert found.confidence is Confidence.BOUNDED
    assert found.low < found.memory.total < found.high


@cache
def measured(name: str) -> tuple[ModelFacts, Measures]:
    found = facts({**SHAPES, **more()}[name])
    return found, measure(found)


NAMES = st.sampled_from([*SHAPES, *more()])
SETTINGS = st.builds(
    Settings,
    context=st.integers(1, 300_000),
    kv=st.sampled_from(["f16", "q8_0", "q4_0"]),
    kv_values=st.sampled_from([None, "f16", "q8_0"]),
    slots=st.integers(1, 300),
    ubatch=st.integers(1, 4096),
    flash_attention=st.booleans(),
    unified_kv=st.booleans(),
)


@given(NAMES, SETTINGS, st.integers(1, 300_000))
def test_a_smaller_context_never_needs_more(name: str, settings: Settings, other: int) -> None:
    found, measures = measured(name)
    smaller, larger = sorted((settings.context, other))
    less = estimate(found, replace(settings, context=smaller), measures)
    more_of_it = estimate(found, replace(settings, context=larger), measures)
    assert less.memory.total <= more_of_it.memory.total
    assert less.high <= more_of_it.high


@given(NAMES, SETTINGS, st.integers(1, 300))
def test_fewer_slots_never_need_more_of_a_shared_cache(name: str, settings: Settings, other: int) -> None:
    found, measures = measured(name)
    fewer, many = sorted((settings.slots, other))
    shared = replace(settings, unified_kv=True)
    less = estimate(found, replace(shared, slots=fewer), measures).memory
    assert less.total <= estimate(found, replace(shared, slots=many), measures).memory.total


@given(NAMES, SETTINGS, st.text())
def test_a_name_changes_nothing(name: str, settings: Settings, called: str) -> None:
    found, measures = measured(name)
    assert estimate(replace(found, name=called), settings) == estimate(found, settings, measures)


@given(NAMES, st.builds(Settings, context=st.integers(-4, 8), slots=st.integers(-4, 8), ubatch=st.integers(-4, 8)))
def test_odd_settings_give_sizes_all_the_same(name: str, settings: Settings) -> None:
    memory = estimate(measured(name)[0], settings, measured(name)[1]).memory
    assert min(memory.as_dict().values()) >= 0


def test_values_may_be_packed_more_than_keys() -> None:
    """Of a cache of keys and values alike each counts for half."""
    found = known("llama31_8b", "Q4_K_M")
    full, packed = (estimate(found, Settings(kv=kind)).memory.kv for kind in ("f16", "q8_0"))
    assert estimate(found, Settings(kv="f16", kv_values="q8_0")).memory.kv == (full + packed) // 2


def test_layers_and_what_is_beside_them_make_up_the_weights() -> None:
    for name in (*SHAPES, *more()):
        measures = measured(name)[1]
        assert measures.outside + sum(measures.layers) + measures.output == measures.weights
        assert all(measures.layers)


def test_what_moves_with_each_layer_makes_up_the_whole() -> None:
    settings = Settings(context=8192, slots=4, unified_kv=False)
    for name in (*SHAPES, *more()):
        found, measures = measured(name)
        memory = estimate(found, settings, measures).memory
        moved = sum(by_layer(found, settings, measures)) + measures.outside + measures.output
        assert moved == memory.weights + memory.kv + memory.recurrent


def test_the_first_layers_of_a_part_count_alike() -> None:
    part = replace(known("llama31_8b", "Q4_K_M"), tensors=(), tier=1, parameters=8_030_000_000)
    measures = measure(part)
    assert len(set(measures.layers)) == 1
    assert measures.outside + sum(measures.layers) + measures.output == measures.weights


def test_the_processor_s_own_copy_stands_beside() -> None:
    """662.9 MiB were logged as CPU_REPACK for this model in Q4_K; tied embeddings are woven as output."""
    found = known("llama32_1b", "Q4_K")
    assert estimate(found, Settings()).repacked / MIB == pytest.approx(662.9, abs=0.1)
    assert estimate(found, Settings(repack=False)).repacked == estimate(found, Settings(gpu_layers=99)).repacked == 0
