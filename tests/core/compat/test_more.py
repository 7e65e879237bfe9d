"""The estimate against what the engine would allocate for architectures beyond those it was drawn up with."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median

import pytest

from modelshelf.compat import Confidence, Estimate, Settings, estimate
from modelshelf.compat.architectures import traits
from modelshelf.compat.measures import Measures, measure
from modelshelf.metadata import ModelFacts, local
from tests.shapes import SHAPES, facts, write
from tests.shapes.more import more

TRUTH = Path(__file__).parents[2] / "data" / "llama_cpp_memory_more.csv"
MIB = 1 << 20


@cache
def rows() -> tuple[Mapping[str, str], ...]:
    with TRUTH.open(newline="") as file:
        return tuple(row for row in csv.DictReader(file) if not row["error"] and traits(row["arch"]).measured)


@cache
def known(name: str) -> tuple[ModelFacts, Measures]:
    found = facts(more()[name])
    return found, measure(found)


@cache
def ours(index: int) -> Estimate:
    row = rows()[index]
    found, measures = known(row["model"])
    return estimate(found, settings_of(row), measures)


def settings_of(row: Mapping[str, str]) -> Settings:
    return Settings(
        context=int(row["n_ctx"]),
        kv=row["type_k"],
        slots=int(row["n_seq"]),
        ubatch=int(row["ubatch"]),
        flash_attention=row["fa"] == "1",
        unified_kv=row["kv_unified"] == "1",
    )


def real(row: Mapping[str, str]) -> int:
    return int(row["model_bytes"]) + int(row["context_bytes"]) + int(row["compute_bytes"])


def test_many_architectures_were_measured() -> None:
    assert len({row["arch"] for row in rows()}) >= 100


def test_weights_cache_and_state_are_exact() -> None:
    wrong = []
    for index, row in enumerate(rows()):
        memory = ours(index).memory
        if (memory.weights, memory.kv + memory.recurrent) != (int(row["model_bytes"]), int(row["context_bytes"])):
            wrong.append(row)
    assert wrong == []


def test_compute_is_within_ten_percent_or_eight_mebibytes() -> None:
    beyond = sorted(
        abs(ours(index).memory.compute - (size := int(row["compute_bytes"]))) / max(size * 0.1, 8 * MIB)
        for index, row in enumerate(rows())
    )
    assert beyond[int(0.95 * len(beyond))] <= 1


def test_total_is_right_to_a_thousandth() -> None:
    errors = []
    for index, row in enumerate(rows()):
        memory = ours(index).memory
        errors.append(abs(memory.total - memory.output - real(row)) / real(row))
    assert median(errors) <= 0.001
    assert max(errors) <= 0.02


def test_an_architecture_that_nobody_measured_lies_in_its_interval() -> None:
    """What would have been said of each, had it been unknown."""
    outside = []
    for row in rows():
        found = replace(known(row["model"])[0], architecture="newcomer")
        bounds = estimate(found, settings_of(row))
        taken = real(row) + bounds.memory.output
        if not bounds.low <= taken <= bounds.high:
            outside.append((row["model"], row["n_ctx"], row["fa"], bounds.low, taken, bounds.high))
    assert outside == []


@pytest.mark.parametrize(
    "name", ["llama31_8b", "qwen3_8b", "mistral_7b", "gemma3_12b", "qwen3moe_30b", "granite_hybrid"]
)
def test_the_interval_of_usual_models_is_narrow(name: str) -> None:
    found = replace(facts(SHAPES[name]), architecture="newcomer")
    bounds = estimate(found, Settings(context=8192))
    assert bounds.confidence is Confidence.BOUNDED
    assert bounds.high < 2 * bounds.low


@pytest.mark.parametrize("name", ["gemma4_e2b", "nemotron_h_8b", "kimi_linear_48b", "mimo2_flash", "glm4moe_106b"])
def test_the_header_of_a_file_gives_the_same(name: str, tmp_path: Path) -> None:
    path = write(more()[name], tmp_path / f"{name}.gguf")
    settings = Settings(context=8192, slots=4)
    assert estimate(local.read(path), settings) == estimate(known(name)[0], settings)


def test_hybrids_are_told_from_the_first_bytes_as_well() -> None:
    """Without the tensors the counts of heads, the intervals and the lengths must tell what a layer keeps."""
    for name in more():
        whole, measures = known(name)
        part = replace(whole, tensors=(), tier=1)
        for settings in (Settings(context=16384, slots=4), Settings(flash_attention=False)):
            first, exact = estimate(part, settings).memory, estimate(whole, settings, measures).memory
            assert (name, first.kv, first.recurrent) == (name, exact.kv, exact.recurrent)


def test_the_plan_covers_what_the_engine_takes() -> None:
    """`high` is what to plan with: hardly any model may need more."""
    short = [row for index, row in enumerate(rows()) if real(row) + ours(index).memory.output > ours(index).high]
    assert len(short) <= len(rows()) // 100
