"""Engines' lists: dated and sorted, unknown is never yes, and the script reads its sources as recorded."""

import json
import zipfile
from collections.abc import Mapping
from datetime import date
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest

from modelshelf.compat.engines import Engine, engine, engines
from modelshelf.compat.machine import Gpu, Machine
from modelshelf.compat.snapshot import described, main
from modelshelf.compat.snapshots import builtin, llamacpp, mlx, packages, sglang, transformers, vllm
from modelshelf.compat.snapshots.packages import Package
from modelshelf.errors import UsageError
from modelshelf.metadata.facts import ModelFacts

GIB = 1 << 30
RECORDED = Path(__file__).parents[2] / "data" / "engines"
KINDS = ("builtin", "llamacpp", "lmstudio", "mlx", "ollama", "sglang", "transformers", "vllm")
FORMATS = {"gguf", "safetensors", "mlx", "exl2", "exl3", "onnx"}


def get(kind: str) -> Engine:
    found = engine(kind)
    assert found is not None
    return found


def machine(*gpus: tuple[str, str | None]) -> Machine:
    cards = tuple(
        Gpu(f"{vendor} card", vendor, 24 * GIB, 24 * GIB, compute=compute, unified=vendor == "apple")
        for vendor, compute in gpus
    )
    return Machine("test", "cpu", 8, 32 * GIB, 32 * GIB, cards)


def recorded(kind: str, version: str = "1.2") -> Package:
    files: dict[str, str] = {}
    for part in (RECORDED / f"{kind}.txt").read_text().split("=== ")[1:]:
        path, _, text = part.partition("\n")
        files[path] = text
    return Package(version, files)


def types() -> Mapping[str, frozenset[str]]:
    return transformers.class_types(recorded("transformers"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_is_dated_versioned_and_sorted(kind: str) -> None:
    text = (resources.files("modelshelf.compat") / "snapshots" / f"{kind}.json").read_text(encoding="utf-8")
    entry = json.loads(text)
    assert date(2025, 12, 1) <= date.fromisoformat(entry["date"]) <= date(2100, 1, 1)
    assert any(letter.isdigit() for letter in entry["version"])
    assert entry["source"]
    assert set(entry["formats"]) <= FORMATS
    for name in ("architectures", "classes", "causal", "removed", "quantisations", "formats"):
        listed = list(entry[name])
        assert listed == sorted(set(listed)), name
    assert all(a < b for a, b in pairwise(entry["architectures"]))
    assert len(entry["architectures"]) > 100
    assert set(entry["hardware"]) <= {"cpu", "nvidia", "amd", "intel", "apple"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_about_engines_has_the_figures_of_the_lists(kind: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "machines.md").read_text(encoding="utf-8")
    found = get(kind)
    name = {"builtin": "built-in", "mlx": "MLX-LM"}.get(kind, found.label)
    row = next(line for line in page.splitlines() if line.startswith(f"| {name}"))
    count = len(found.classes) if kind in {"sglang", "vllm"} else len(found.architectures)
    assert f"| {count}" in row
    if kind in {"llamacpp", "mlx", "sglang", "transformers", "vllm"}:
        assert row.startswith(f"| {name} {found.version} |")


def test_every_kind_is_there_and_no_other() -> None:
    assert tuple(engines()) == KINDS
    for kind in ("anthropic", "openai-compatible", "nothing", "../vllm", ""):
        assert engine(kind) is None


@pytest.mark.parametrize(
    ("kind", "names", "answer"),
    [
        ("builtin", ("mamba2",), True),
        ("llamacpp", ("mamba2",), True),
        ("builtin", ("no-such-model",), False),
        ("llamacpp", ("no-such-model",), None),
        ("ollama", ("qwen3",), True),
        ("ollama", ("no-such-model",), None),
        ("lmstudio", ("gemma3",), True),
        ("lmstudio", ("gemma3_text",), True),
        ("vllm", ("llama",), True),
        ("vllm", ("LlamaForCausalLM",), True),
        ("vllm", ("made_up", "Qwen3MoeForCausalLM"), True),
        ("vllm", ("MptForCausalLM",), False),
        ("vllm", ("no_such_model",), None),
        ("vllm", ("EagleLlamaForCausalLM",), None),
        ("vllm", ("TransformersForCausalLM",), None),
        ("sglang", ("DeepseekV3ForCausalLM",), True),
        ("sglang", ("TransformersForCausalLM",), None),
        ("transformers", ("gpt_oss",), True),
        ("transformers", ("LlamaForCausalLM",), True),
        ("transformers", ("no_such_model",), None),
        ("mlx", ("mistral",), True),
        ("mlx", ("no_such_model",), None),
        ("builtin", (), None),
    ],
)
def test_what_is_known_of_an_architecture(kind: str, names: tuple[str, ...], answer: bool | None) -> None:
    assert get(kind).supports(*(names or (None,))) is answer


def test_a_model_is_known_by_the_classes_of_its_config() -> None:
    facts = ModelFacts("safetensors", 1, "made_up", keys={"architectures": ["LlamaForCausalLM", 3]})
    assert get("vllm").knows(facts) is True
    assert get("vllm").knows(ModelFacts("safetensors", 1, "made_up")) is None


@pytest.mark.parametrize(
    ("kind", "name", "gpus", "answer"),
    [
        ("vllm", "FP8", (("nvidia", "9.0"),), True),
        ("vllm", "FP8", (("amd", "gfx942"),), True),
        ("vllm", "AWQ-4bit", (("nvidia", "7.5"),), True),
        ("vllm", "FP_QUANT", (("nvidia", "8.9"),), False),
        ("vllm", "GPTQ-4bit", (("nvidia", "7.5"),), True),
        ("vllm", "GPTQ-4bit", (), True),
        ("vllm", "GPTQ_MARLIN", (("nvidia", "6.1"),), None),
        ("vllm", "NF4", (("nvidia", "8.9"),), None),
        ("sglang", "NF4", (("nvidia", "8.9"),), True),
        ("sglang", "NF4", (("nvidia", "6.1"),), False),
        ("sglang", "GPTQ-4bit", (("nvidia", "8.0"),), True),
        ("transformers", "NF4", (("nvidia", "7.5"),), True),
        ("transformers", "NF4", (), True),
        ("transformers", "EETQ", (), False),
        ("transformers", "EETQ", (("amd", "gfx1100"),), False),
        ("transformers", "EETQ", (("amd", "gfx1100"), ("nvidia", "8.0")), True),
        ("mlx", "MLX-4bit", (("apple", None),), True),
        ("mlx", "MLX-4bit", (("amd", "gfx1100"),), None),
        ("lmstudio", "MLX-4bit", (("nvidia", "8.9"),), False),
        ("lmstudio", "MLX-4bit", (("apple", None),), True),
        ("lmstudio", "Q4_K_M", (), True),
        ("llamacpp", "Q4_K_M", (("nvidia", "5.2"),), True),
        ("ollama", "Q4_K_M", (), True),
        ("ollama", "NVFP4", (), None),
        ("transformers", "Q4_K_M", (), True),
        ("sglang", "Q4_K_M", (("nvidia", "8.0"),), True),
        ("vllm", "Q4_K_M", (("nvidia", "8.0"),), None),
        ("vllm", "W4A16", (("nvidia", "8.0"),), True),
        ("vllm", "AUTOROUND-4bit", (("nvidia", "8.0"),), True),
        ("vllm", "NVFP4", (("nvidia", "8.9"),), True),
        ("transformers", "NVFP4", (("nvidia", "12.0"),), None),
        ("llamacpp", "F16", (), True),
        ("llamacpp", "EXL2", (("nvidia", "8.9"),), None),
        ("vllm", "BF16", (("nvidia", "9.0"),), True),
        ("vllm", None, (("nvidia", "9.0"),), None),
    ],
)
def test_what_a_quantisation_needs(
    kind: str, name: str | None, gpus: tuple[tuple[str, str | None], ...], answer: bool | None
) -> None:
    assert get(kind).quantisation(name, machine(*gpus)).answer is answer


def test_a_no_says_what_is_missing() -> None:
    reason = get("transformers").quantisation("EETQ", machine(("amd", "gfx1100"))).reason
    assert reason is not None
    assert reason.code == "QUANT_HW_UNSUPPORTED"
    assert "EETQ in Transformers" in reason.detail
    assert "needs an NVIDIA card; this machine has amd card (gfx1100)" in reason.detail


def test_too_old_a_card_is_named_with_what_it_lacks() -> None:
    bare = Engine("x", "X", "1", "2026-01-01", *(frozenset[str](),) * 3, True, True, needs={"fp8": {"nvidia": "8.9"}})
    verdict = bare.quantisation("FP8", machine(("nvidia", "8.6")))
    assert verdict.answer is False
    assert verdict.reason is not None
    assert "compute capability 8.9 or newer; this machine has nvidia card (8.6)" in verdict.reason.detail
    assert bare.quantisation("FP8", machine(("nvidia", "10.0"))).answer is True  # as numbers, not as text
    assert bare.quantisation("FP8", machine(("nvidia", None))).answer is None
    assert bare.runs_on(machine()).answer is None


@pytest.mark.parametrize(
    ("kind", "gpus", "answer"),
    [
        ("llamacpp", (), True),
        ("vllm", (("nvidia", "8.9"),), True),
        ("vllm", (("amd", "gfx1100"),), True),
        ("mlx", (("apple", None),), True),
        ("mlx", (("amd", "gfx1100"),), None),
        ("sglang", (("nvidia", "6.1"),), None),
        ("sglang", (("amd", "gfx942"),), True),
        ("llamacpp", (("", None),), True),
        ("vllm", (("", None),), None),
        ("vllm", (("nvidia", "6.1"),), True),  # on the processor
        ("vllm", (), True),
        ("vllm", (("apple", None),), True),
        ("transformers", (("amd", "gfx1100"),), None),
    ],
)
def test_where_an_engine_runs(kind: str, gpus: tuple[tuple[str, str | None], ...], answer: bool | None) -> None:
    assert get(kind).runs_on(machine(*gpus)).answer is answer


def test_a_format_may_need_more_than_its_engine() -> None:
    studio = get("lmstudio")
    assert studio.runs_on(machine(("nvidia", "8.9")), "gguf").answer is True
    verdict = studio.runs_on(machine(("nvidia", "8.9")), "mlx")
    assert verdict.answer is False
    assert verdict.reason is not None
    assert "LM Studio with mlx files needs an Apple chip" in verdict.reason.detail
    assert studio.runs_on(machine(("apple", None)), "mlx").answer is True


def test_a_verdict_is_not_taken_for_a_yes() -> None:
    with pytest.raises(TypeError, match="answer"):
        bool(get("llamacpp").runs_on(machine()))


def test_an_engine_with_a_list_for_a_format_goes_by_it() -> None:
    transformers_, studio = get("transformers"), get("lmstudio")
    assert transformers_.knows(ModelFacts("gguf", 1, "gpt-oss")) is True
    assert transformers_.knows(ModelFacts("gguf", 1, "mamba2")) is None  # it runs the model, but not from this file
    assert transformers_.knows(ModelFacts("safetensors", 1, "mamba2")) is True
    assert studio.knows(ModelFacts("mlx", 1, "gemma3_text")) is True
    assert studio.knows(ModelFacts("gguf", 1, "gemma3_text")) is None
    assert get("sglang").knows(ModelFacts("gguf", 1, "llama")) is None


def test_memory_goes_by_the_format_where_an_engine_has_two() -> None:
    assert get("lmstudio").family_for("mlx") == "mlx"
    assert get("lmstudio").family_for("gguf") == "llamacpp"
    assert get("vllm").family_for("safetensors") == "vllm"


def test_vllm_is_read_from_its_registry() -> None:
    found = vllm.read(recorded("vllm", "0.33.0"), types())
    assert found.classes == {"LlamaForCausalLM", "Mamba2ForCausalLM", "BertModel"}
    assert found.architectures == {"llama", "mamba2"}
    assert found.removed == {"MptForCausalLM": "0.28.0"}
    assert found.quantisations == {
        "awq": {"cpu": "", "nvidia": "7.5", "amd": "", "intel": ""},
        "fp8": {"cpu": None, "nvidia": "7.5", "amd": ""},
        "fp_quant": {"cpu": None, "nvidia": "10.0"},
        "special": {"cpu": None, "nvidia": None},
    }


def test_sglang_is_read_from_its_models() -> None:
    found = sglang.read(recorded("sglang"), types())
    assert found.classes == {"LlamaForCausalLM", "Mamba2ForCausalLM", "Phi3ForCausalLM"}
    assert found.architectures == {"llama", "mamba2", "phi3"}
    others = {"amd": None, "intel": None}
    assert found.quantisations == {
        "fp8": {**others, "nvidia": "8.0", "cpu": ""},
        "mxfp8": {**others, "nvidia": "10.0"},
        "gguf": {**others, "nvidia": "6.0"},
        "gptq_marlin": {**others, "nvidia": "8.0"},
        "nvfp4_online": {**others, "nvidia": "8.0"},
        "npu_only": {**others, "nvidia": None},
        "mxfp4": {"cpu": "", "nvidia": "8.0", "amd": "gfx95"},
        "gptq": {"intel": "", "nvidia": "8.0"},
    }


def test_transformers_is_read_from_its_mappings() -> None:
    found = transformers.read(recorded("transformers"), frozenset({"llama", "gpt-oss", "qwen35", "mamba2"}))
    assert found.architectures == {"llama", "mamba2", "vit", "mlcd", "gpt-sw3"}
    assert found.causal == {"llama", "mamba2", "phi3"}
    assert {"LlamaForCausalLM", "ViTModel", "ViTOther"} <= found.classes
    assert set(found.quantisations) == {"awq", "bitsandbytes", "fp8", "newest"}
    assert found.by_format == {"gguf": {"gpt-oss", "llama", "qwen35"}}
    assert isinstance(found.quantisations, Mapping)
    assert set(found.quantisations["newest"].values()) == {None}


def test_mlx_is_read_from_its_files() -> None:
    assert mlx.read(recorded("mlx")).architectures == {"llama", "mamba2", "mistral"}


def test_llama_cpp_is_read_from_its_table() -> None:
    found = llamacpp.read(recorded("llamacpp", "11434.0.0"))
    assert found.version == "b11434"
    assert found.architectures == {"llama", "mamba2"}
    assert found.quantisations == ["F16", "F32", "Q4_K_M"]


def test_the_built_in_engine_is_asked_and_not_believed() -> None:
    assert set(builtin.known(["llama", "mamba2", "no-such-model"])) == {"llama", "mamba2"}


def test_words_in_a_library_that_may_be_architectures() -> None:
    # Linkers keep a word that ends another one only within that one: `qwen3` here is the end of `rwkv6qwen3`.
    library = b"\0granitehybrid\0Not A Name\0rwkv6qwen3\0llama\0"
    found = builtin.words(b"\0" * 10 + library)
    assert {"granitehybrid", "llama", "rwkv6qwen3", "qwen3"} <= set(found)
    assert not any(" " in word for word in found)


def test_a_source_that_is_arranged_anew_is_an_error_and_no_empty_list() -> None:
    with pytest.raises(LookupError, match="LLM_ARCH_NAMES"):
        llamacpp.read(Package("1.0", {}))
    with pytest.raises(LookupError, match="registry"):
        vllm.read(Package("1.0", {}), {})


def test_what_was_found_is_written_sorted_and_dated() -> None:
    entry = described("vllm", vllm.read(recorded("vllm", "0.33.0"), types()), "2026-11-27")
    assert (entry["label"], entry["version"], entry["date"]) == ("vLLM", "0.33.0", "2026-11-27")
    assert entry["classes"] == ["BertModel", "LlamaForCausalLM", "Mamba2ForCausalLM"]
    assert list(entry["quantisations"]) == ["awq", "fp8", "fp_quant", "special"]


def test_an_engine_that_is_not_kept_is_named() -> None:
    with pytest.raises(UsageError, match="no list is kept for nothing"):
        main(["nothing"])


def test_a_wheel_is_read_without_being_unpacked(tmp_path: Path) -> None:
    wheel = tmp_path / "mlx_lm-0.32.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mlx_lm/models/llama.py", "class Model: pass\n")
        archive.writestr("mlx_lm/other.py", "x = 1\n")
    found = packages.read(packages.newest("mlx-lm", tmp_path), mlx.PATTERNS)
    assert (found.version, list(found.files)) == ("0.32.2", ["mlx_lm/models/llama.py"])
