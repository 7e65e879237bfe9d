"""Facts from a hub over real connections: how few requests they take, and that the next process takes none."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelshelf.errors import FileNotInRepository, FormatError, ModelshelfError, Unreachable
from modelshelf.metadata import local, remote
from modelshelf.samples import ALWAYS, Faults
from tests.core.metadata import files
from tests.core.metadata.conftest import World
from tests.core.metadata.test_splits import part
from tests.core.vetting import ggufs
from tests.shapes import SHAPES, Shape, write
from tests.shapes.shape import Tensor

MIB = 1 << 20


def small(name: str) -> Shape:
    """A real header with a real vocabulary, but hardly any tensors: a hub hashes what it holds."""

    def layer(_: int) -> Iterator[Tensor]:
        yield "attn_norm.weight", (SHAPES[name].embedding,)

    return replace(SHAPES[name], layer=layer, outside=(("output_norm.weight", (SHAPES[name].embedding,)),))


@pytest.mark.parametrize(("name", "merges"), [("gemma3_4b", 0), ("gemma3_4b", 280_000), ("llama31_8b", 280_000)])
async def test_a_first_look_takes_one_range_and_everything_a_few(
    world: World, tmp_path: Path, name: str, merges: int
) -> None:
    file = await asyncio.to_thread(write, small(name), tmp_path / "x.gguf", merges=merges)
    await world.hub.add("org/m", {"m-Q4_K_M.gguf": file})
    near = await world.metadata.facts("org/m", exact=False)
    assert world.asked(".gguf") == ["bytes=0-65535"]
    assert (near.tier, near.layers, near.vocabulary) == (1, SHAPES[name].layers, SHAPES[name].vocabulary)
    exact = await world.metadata.facts("org/m")
    assert exact.tensors == (await asyncio.to_thread(local.read, file)).tensors
    assert (exact.tier, exact.gated) == (2, False)
    assert len(world.asked(".gguf")) <= (4 if merges else 3)
    assert world.sent <= remote.MOST


async def test_a_tokenizer_before_the_architecture_takes_the_whole_header(world: World) -> None:
    words = [f"word{index}" for index in range(20_000)]
    tokens = [("tokenizer.ggml.tokens", ggufs.ARRAY, (ggufs.STRING, words))]
    rest = [item for item in ggufs.KEYS if not item[0].startswith("tokenizer")]
    await world.hub.add("org/m", {"m.gguf": ggufs.build([*tokens, *rest])})
    facts = await world.metadata.facts("org/m", exact=False)
    assert (facts.tier, facts.layers, facts.vocabulary) == (2, 2, 20_000)
    assert len(world.asked(".gguf")) == 2


async def test_another_process_reads_what_one_has_fetched(world: World) -> None:
    repo = await world.hub.add("org/m", {"m.gguf": ggufs.build()}, gated="auto", tags=("license:mit",))
    pinned = f"hub:org/m@{repo.head.id}"
    with pytest.raises(ModelshelfError):
        await world.metadata.facts(pinned)  # nobody has asked to be let in
    world.hub.repos["org/m"] = replace(repo, gated=False)
    first = await world.metadata.facts("org/m@main")
    assert (first.licence, first.gated, first.origins["licence"]) == ("mit", False, "source")
    asked = len(world.hub.requests)
    for name in (pinned, f"org/m@{repo.head.id}"):
        async with world.anew() as other:
            assert await other.facts(name) == first
            assert await other.facts(name, exact=False) == first
    assert len(world.hub.requests) == asked


async def test_a_source_that_is_silent_leaves_what_was_read_last(world: World) -> None:
    await world.hub.add("org/m", {"m.gguf": ggufs.build(), "n.gguf": ggufs.build()})
    first = await world.metadata.facts("org/m", "m.gguf")
    await world.hub.stop()
    world.catalog._details.clear()
    async with world.anew() as later:
        assert await later.facts("org/m", "m.gguf") == first
        assert await later.facts("hub:org/m", "m.gguf", exact=False) == first
        for model, file in (("org/m", "n.gguf"), ("org/other", None), (f"org/m@{'e' * 40}", "m.gguf")):
            with pytest.raises(Unreachable):
                await later.facts(model, file)


async def test_the_same_question_in_other_words_or_at_once_costs_nothing(world: World) -> None:
    await world.hub.add("org/m", {"m-Q4_K_M.gguf": ggufs.build(), "m-Q8_0.gguf": ggufs.with_key()})
    answers = await asyncio.gather(*(world.metadata.facts("org/m", name) for name in (None, None, "m-Q4_K_M.gguf")))
    assert answers[0] is answers[1] is answers[2]
    assert await world.metadata.facts("org/m/m-Q4_K_M.gguf", exact=False) is answers[0]
    assert len(world.asked("m-Q4_K_M.gguf")) == 1


async def test_a_commit_of_its_own_is_read_anew(world: World) -> None:
    await world.hub.add("org/m", {"m.gguf": ggufs.build()})
    old = await world.metadata.facts("org/m")
    await world.hub.add("org/m", {"m.gguf": ggufs.changed("llama.block_count", ggufs.U32, 5)})
    world.catalog._details.clear()
    assert (await world.metadata.facts("org/m")).layers == 5
    assert old.layers == 2


async def test_when_the_gate_changes_the_kept_facts_do_too(world: World) -> None:
    repo = await world.hub.add("org/m", {"m.gguf": ggufs.build()})
    assert (await world.metadata.facts("org/m")).gated is False
    world.hub.repos["org/m"] = replace(repo, gated="manual")
    world.catalog._details.clear()
    facts = await world.metadata.facts("org/m")
    assert (facts.gated, facts.origins["gated"]) == (True, "source")
    assert await world.metadata.facts("org/m") is facts


async def test_a_split_model_is_summed(world: World) -> None:
    parts = {
        "m-00001-of-00003.gguf": part(0, 3, [], 3, first=True),
        "m-00002-of-00003.gguf": part(1, 3, ["a", "b"]),
        "m-00003-of-00003.gguf": part(2, 3, ["c"]),
    }
    await world.hub.add("org/m", parts)
    facts = await world.metadata.facts("org/m", "m-00002-of-00003.gguf")
    assert ([tensor.name for tensor in facts.tensors], facts.layers) == (["a", "b", "c"], 2)
    await world.hub.add("org/near", parts)
    near = await world.metadata.facts("org/near", exact=False)
    assert (near.tier, near.size) == (1, sum(map(len, parts.values())))
    await world.hub.add("org/lying", {name: part(0, 9, ["a"], first=True) for name in list(parts)})
    with pytest.raises(FormatError, match=r"m-00001-of-00003\.gguf: “split\.count” says 9 parts, but there are 3"):
        await world.metadata.facts("org/lying", exact=False)
    await world.hub.add("org/short", {"m-00001-of-00002.gguf": part(0, 2, ["a"], first=True)})
    with pytest.raises(FileNotInRepository, match="lacks a part"):
        await world.metadata.facts("org/short")


async def test_a_projector_of_the_repository_lets_its_models_see(world: World) -> None:
    await world.hub.add("org/m", {"m-Q4_K_M.gguf": ggufs.build(), "mmproj-F16.gguf": files.projector(999)})
    facts = await world.metadata.facts("org/m", exact=False)
    assert (facts.role, facts.abilities) == ("model", frozenset({"vision"}))
    assert len(world.asked(".gguf")) == 2
    alone = await world.metadata.facts("org/m", "mmproj-F16.gguf")
    assert (alone.role, alone.parameters) == ("projector", 128)


FOLDER: dict[str, Any] = {
    "config.json": dict(files.LLAMA),
    "generation_config.json": {"temperature": 0.6},
    "tokenizer_config.json": {"chat_template": files.TOOLS},
    "additional_chat_templates/think.jinja": files.THINKS,
    "model.safetensors": files.tensors({"l.weight": ("BF16", [64, 64])}),
    "consolidated.safetensors": files.tensors({"l.weight": ("BF16", [64, 64])}),
    "README.md": "# nothing",
}


async def test_a_folder_elsewhere_gives_what_it_gives_here(world: World, tmp_path: Path) -> None:
    here = local.read(files.write(tmp_path / "m", FOLDER))
    await world.hub.add("org/m", {name: files.encoded(content) for name, content in FOLDER.items()})
    facts = await world.metadata.facts("org/m")
    assert facts == replace(here, gated=False, origins={**here.origins, "gated": "source"})
    assert set(facts.abilities) == {"chat", "tools", "reasoning"}


@pytest.mark.parametrize("exact", [True, False])
async def test_onnx_elsewhere(world: World, exact: bool) -> None:
    outside = {"location": "model.onnx_data", "offset": "0", "length": "16384"}
    graph = files.onnx([files.initialiser("w", [64, 64], outside=outside)])
    content = {"onnx/model.onnx": graph, "onnx/model.onnx_data": bytes(16384)}
    await world.hub.add("org/m", {**content, "config.json": files.encoded(dict(files.LLAMA))})
    facts = await world.metadata.facts("org/m", exact=exact)
    assert (facts.format, facts.layers, facts.parameters, facts.weights) == ("onnx", 2, 4096, 16384)
    assert facts.size == len(graph) + 16384
    await world.hub.add("org/lost", {"model.onnx": graph})
    with pytest.raises(FormatError, match=r"the data file model\.onnx_data is missing"):
        await world.metadata.facts("org/lost", exact=exact)


async def test_onnx_with_its_data_inside_is_told_by_its_beginning(world: World) -> None:
    graph = files.onnx([files.initialiser("w", [3000, 2000], raw=bytes(24_000_000)), files.initialiser("b", [1])])
    await world.hub.add("org/m", {"model.onnx": graph})
    facts = await world.metadata.facts("org/m")
    assert (facts.format, facts.tier, facts.weights, facts.parameters) == ("onnx", 1, len(graph), None)
    assert world.sent <= 70_000


async def test_many_shards_are_told_by_their_index(world: World) -> None:
    names = [f"model-{number:05}-of-00009.safetensors" for number in range(1, 10)]
    shards = {name: files.tensors({name: ("BF16", [8, 8])}, {"format": "mlx"}) for name in names}
    index = {"metadata": {"total_size": 9 * 128}, "weight_map": dict(zip(names, names, strict=True))}
    more = {"model.safetensors.index.json": files.encoded(index), "config.json": files.encoded(dict(files.LLAMA))}
    await world.hub.add("org/m", {**shards, **more})
    facts = await world.metadata.facts("org/m")
    assert (facts.format, facts.tier, facts.weights, facts.layers) == ("mlx", 1, 9 * 128, 2)
    assert len(world.asked(".safetensors")) == 1


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (Faults(wrong_offset=ALWAYS), "other bytes of the file than asked for"),
        (Faults(lying_body=ALWAYS), "neither GGUF"),
        (Faults(close_after=1000, close_times=ALWAYS), "broke the connection"),
        (Faults(status=503, status_times=ALWAYS), "error 503"),
        (Faults(status=404, status_times=ALWAYS), "does not exist"),
        (Faults(cdn_down=True), "cannot be reached"),
        (Faults(plain_redirect=ALWAYS), "is not an https address"),
    ],
)
async def test_a_hub_at_fault_is_one_sentence(world: World, tmp_path: Path, faults: Faults, said: str) -> None:
    file = await asyncio.to_thread(write, small("llama31_8b"), tmp_path / "x.gguf")
    await world.hub.add("org/m", {"m.gguf": file})
    world.hub.faults = faults
    with pytest.raises(ModelshelfError) as caught:
        await world.metadata.facts("org/m")
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")


async def test_a_hub_that_ignores_ranges_is_read_no_further_than_16_mib(world: World, tmp_path: Path) -> None:
    file = await asyncio.to_thread(write, small("gemma3_4b"), tmp_path / "x.gguf")
    with file.open("r+b") as handle:
        handle.truncate(80 * MIB)
    await world.hub.add("org/m", {"m.gguf": file})
    world.hub.faults = Faults(range_ignored=ALWAYS)
    facts = await world.metadata.facts("org/m")
    assert (facts.architecture, facts.vocabulary) == ("gemma3", SHAPES["gemma3_4b"].vocabulary)
    assert facts.tier == 2
    assert len(world.asked(".gguf")) == 2
