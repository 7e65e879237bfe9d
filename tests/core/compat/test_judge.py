"""Scores, gates, reasons and fixes: what an answer says, and why."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelshelf.compat import Compatibility, Confidence, Gpu, Machine, Settings, fit_file
from modelshelf.compat.engines import engine, engines
from modelshelf.compat.fidelity import fidelity
from modelshelf.compat.judge import judge
from modelshelf.compat.score import WEIGHTS, Question
from modelshelf.errors import FormatError, NotFound, UsageError
from modelshelf.metadata import ModelFacts
from tests.shapes import SHAPES, facts, write

GIB = 1 << 30


def here(gib: float, *, card: float = 0, bandwidth: float | None = 40e9) -> Machine:
    free = round(card * GIB)
    gpus = (Gpu("card", "nvidia", free, free, 900e9),) if card else ()
    ram = round(gib * GIB)
    return Machine("test", "any", 8, ram, ram, gpus, bandwidth)


def ask(
    model: str | ModelFacts, machine: Machine, settings: Settings | None = None, kind: str = "builtin"
) -> Compatibility:
    known = facts(SHAPES[model]) if isinstance(model, str) else model
    wanted = settings or Settings()
    required = settings is not None and settings.context != Settings().context
    runs = engine(kind)
    assert runs is not None
    return judge(Question(known, wanted, machine, runs, required), model="m", provider=kind)


def codes(answer: Compatibility) -> list[str]:
    return [reason.code for reason in answer.reasons]


def test_the_weights_are_those_of_the_table() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    assert list(WEIGHTS) == ["memory", "speed", "fidelity", "context", "abilities"]


def test_a_small_model_on_a_large_machine_does_well() -> None:
    answer = ask("llama32_1b", here(32))
    assert answer.score is not None
    assert answer.score > 90
    assert answer.available
    assert answer.confidence is Confidence.EXACT
    assert codes(answer)[0] == "FITS"
    assert answer.summary.startswith("It fits with 31.0 GiB to spare; ")
    assert "tokens a second" in answer.summary


def test_what_cannot_fit_has_no_score_and_says_what_is_missing() -> None:
    answer = ask("mixtral_8x7b", here(16))
    assert answer.score == 0
    gate = answer.reasons[0]
    assert gate.code == "MEM_EXCEEDS"
    assert gate.figures["missing"] == gate.figures["need"] - gate.figures["budget"] > 0
    assert "GiB" in gate.detail
    assert answer.summary == gate.detail
    assert answer.fixes == ()


def test_what_fits_only_when_smaller_is_downgraded_and_says_so() -> None:
    tight = here(5.5)
    asked = Settings(slots=4, context=4096)
    whole, small = ask("llama2_7b", here(32), asked), ask("llama2_7b", tight, asked)
    assert whole.score is not None
    assert small.score is not None
    assert 0 < small.score < whole.score
    assert "DOWNGRADED" in codes(small)
    assert small.settings is not None
    assert small.settings != asked
    assert small.memory is not None
    assert small.memory.total <= (small.budget or 0)


def test_fixes_bring_what_they_promise() -> None:
    wanted = Settings(context=32768)
    answer = ask("mistral_7b", here(5), wanted)
    assert answer.score == 0
    assert answer.fixes
    assert len({str(fix.apply) for fix in answer.fixes}) == len(answer.fixes)
    for fix in answer.fixes:
        changed = replace(wanted, **fix.apply)
        promised = judge(
            Question(facts(SHAPES["mistral_7b"]), changed, here(5), engines()["builtin"], True),
            model="m",
            provider="builtin",
        )
        assert promised.score == fix.score > 0


def test_a_required_context_beyond_the_model_is_refused_with_the_longest_it_has() -> None:
    answer = ask("llama2_7b", here(32), Settings(context=32768))
    assert (answer.score, codes(answer)[0]) == (0, "CTX_TOO_LONG")
    assert {"context": 4096} in [fix.apply for fix in answer.fixes]


def test_a_default_context_beyond_the_model_is_shortened() -> None:
    answer = ask(replace(facts(SHAPES["llama32_1b"]), context=512), here(32))
    assert answer.settings is not None
    assert answer.settings.context == 512
    assert "CTX_TOO_LONG" not in codes(answer)


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"format": "safetensors"}, "FORMAT_UNSUPPORTED"), ({"architecture": "from-the-future"}, "ARCH_UNSUPPORTED")],
)
def test_what_the_engine_cannot_run(changed: dict[str, Any], code: str) -> None:
    answer = ask(replace(facts(SHAPES["llama32_1b"]), **changed), here(32))
    assert (answer.score, codes(answer), answer.fixes) == (0, [code], ())
    assert answer.speed is None


def test_unknown_is_never_yes() -> None:
    stranger = replace(facts(SHAPES["llama32_1b"]), architecture="from-the-future")
    answer = ask(stranger, here(32), kind="ollama")
    assert answer.score == 50
    assert codes(answer)[0] == "UNKNOWN_ARCH"
    nameless = ask(replace(stranger, architecture=None), here(32))
    assert (nameless.score, nameless.confidence) == (50, Confidence.BOUNDED)


def test_a_card_makes_an_engine_faster_that_can_use_it() -> None:
    plain, card = here(16), here(16, card=24)
    ollama = ask("llama31_8b", plain, kind="ollama"), ask("llama31_8b", card, kind="ollama")
    assert ollama[0].speed is not None
    assert ollama[1].speed is not None
    assert ollama[1].speed[0] > 10 * ollama[0].speed[0]
    assert ask("llama31_8b", card).speed == ask("llama31_8b", plain).speed


def test_a_small_card_takes_a_part() -> None:
    answer = ask("llama31_8b", here(16, card=3), kind="ollama")
    (reason,) = (reason for reason in answer.reasons if reason.code == "PARTIAL_OFFLOAD")
    assert 30 < reason.figures["percent"] < 70


def test_speed_without_a_measurement_says_that_it_is_assumed() -> None:
    answer = ask("llama31_8b", here(16, bandwidth=None))
    (reason,) = (reason for reason in answer.reasons if reason.code == "SPEED_ESTIMATED")
    assert reason.figures["bandwidth"] == "assumed"


def test_experts_that_are_not_chosen_cost_no_time() -> None:
    sparse, dense = ask("olmoe_7b", here(32)), ask("llama2_7b", here(32))
    assert sparse.speed is not None
    assert dense.speed is not None
    assert sparse.speed[0] > 3 * dense.speed[0]


def test_fidelity_goes_with_the_bits() -> None:
    order = ["F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "Q3_K_M", "Q2_K", "IQ1_S"]
    values = [fidelity(name) for name in order]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)
    assert fidelity("UD-Q4_K_XL") == fidelity("Q4_K_M")
    assert fidelity(None) < fidelity("Q4_0")
    bits = [fidelity(f"EXL2-{bits}bit") for bits in ("2", "2.5", "3", "4", "4.5", "6", "8", "40")]
    assert bits == sorted(set(bits))
    assert fidelity("GPTQ-3bit") < fidelity("GPTQ-4bit") < fidelity("W8A8")


def test_the_snapshots_know_the_engine_that_is_installed() -> None:
    ours = engines()["builtin"]
    assert ours.complete
    assert {shape.architecture for shape in SHAPES.values()} <= ours.architectures
    assert len(ours.architectures) > 140
    assert not {"clip", "nonsense"} & ours.architectures
    assert ours.version
    assert ours.date


def test_a_file_needs_no_shelf(tmp_path: Path) -> None:
    """No network's module, no database's and no table's is even loaded."""
    path = write(SHAPES["llama32_1b"], tmp_path / "model.gguf")
    code = (
        "import sys; from modelshelf.compat import fit_file; print(fit_file(sys.argv[1]).score);"
        "print(sorted({'aiohttp', 'huggingface_hub', 'pandas', 'sqlalchemy', 'panel'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    score, loaded = done.stdout.split("\n")[:2]
    assert int(score) > 0
    assert loaded == "[]"


def test_the_name_of_a_file_changes_nothing(tmp_path: Path) -> None:
    one = write(SHAPES["llama32_1b"], tmp_path / "model-Q2_K.gguf")
    two = one.rename(tmp_path / "another-F16.gguf")
    copy = write(SHAPES["llama32_1b"], one)
    answers = [replace(fit_file(path, machine=here(8)), model="") for path in (copy, two)]
    assert answers[0] == answers[1]


def test_bad_files(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(3))
    with pytest.raises(FormatError):
        fit_file(broken, machine=here(8))
    with pytest.raises(NotFound):
        fit_file(tmp_path / "none.gguf", machine=here(8))
    with pytest.raises(UsageError, match="cloud"):
        fit_file(broken, machine=here(8), provider="cloud")


def test_the_answer_as_json(tmp_path: Path) -> None:
    path = write(SHAPES["llama32_1b"], tmp_path / "model.gguf")
    answer = fit_file(path, Settings(context=8192), here(16)).as_dict()
    assert set(answer) >= {"model", "provider", "score", "available", "confidence", "memory", "reasons", "fixes"}
    memory = answer["memory"]
    assert memory["total"] == sum(memory[part] for part in ("weights", "kv", "recurrent", "compute", "output"))
    assert memory["kv"] == 2 * 8192 * 16 * 8 * 64 * 2


def test_a_cache_in_blocks_needs_flash_attention() -> None:
    answer = ask("llama32_1b", here(32), Settings(kv="q8_0", flash_attention=False))
    assert (answer.score, codes(answer)[0]) == (0, "FLASH_ATTENTION_NEEDED")
    assert {"FLASH_ATTENTION", "KV_TYPE"} <= {fix.code for fix in answer.fixes}


def test_a_context_that_was_named_is_kept_whatever_it_is(tmp_path: Path) -> None:
    short = write(SHAPES["llama2_7b"], tmp_path / "model.gguf")  # made for 4,096 tokens
    scores = [fit_file(short, Settings(context=size), here(64), keep_context=True).score for size in (4095, 4096, 4097)]
    assert scores[0]
    assert scores[1]
    assert scores[2] == 0


def test_more_cards_never_run_less_on_a_server() -> None:
    known = facts(SHAPES["llama31_8b"])
    plain = replace(known, format="safetensors", quantisation="BF16")
    card = Gpu("card", "nvidia", 24 * GIB, 23 * GIB, 900e9, compute="8.9")
    scores = [
        ask(plain, replace(here(64), gpus=(card,) * count), kind=kind).score or 0
        for kind in ("vllm", "sglang")
        for count in range(1, 6)
    ]
    assert scores[:5] == sorted(scores[:5])
    assert scores[5:] == sorted(scores[5:])
