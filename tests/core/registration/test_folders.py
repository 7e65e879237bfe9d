"""Engines with a folder of their own, and those that are started with their model."""

import shlex
from pathlib import Path

import pytest

from modelshelf.errors import UsageError
from modelshelf.providers.launch import commands
from modelshelf.providers.taking import Goods
from modelshelf.registration import Policy, Status
from modelshelf.samples import CHAT_REPO
from modelshelf.shelf import Shelf
from tests.conftest import LoopRunner
from tests.core.registration.conftest import reached, stock, with_provider
from tests.engines.llamacpp import LlamaCppSimulator
from tests.engines.lmstudio import LmStudioSimulator


@pytest.fixture
def studio(loop: LoopRunner, shelf: Shelf, tmp_path: Path) -> LmStudioSimulator:
    """An LM Studio among the providers."""
    folder = tmp_path / "studio"
    folder.mkdir()
    made = loop.enter(LmStudioSimulator(models_dir=folder).serve())
    loop.runner.run(shelf.providers.add("lmstudio", url=made.url, settings={"models_dir": str(folder)}))
    return made


@pytest.fixture
def router(loop: LoopRunner, shelf: Shelf, tmp_path: Path) -> LlamaCppSimulator:
    """A router of llama.cpp among the providers."""
    folder = tmp_path / "router"
    folder.mkdir()
    made = loop.enter(LlamaCppSimulator(router=True, models_dir=folder).serve())
    loop.runner.run(shelf.providers.add("llamacpp", url=made.url, settings={"models_dir": str(folder)}))
    return made


async def test_lm_studio_gets_a_link_in_a_folder_of_its_publisher(
    shelf: Shelf, gguf: Path, studio: LmStudioSimulator
) -> None:
    model = await stock(shelf, gguf)
    made = await with_provider(shelf, "lmstudio")
    assert (made.status, made.way, made.copied) == (Status.REGISTERED, "hard link", 0), made
    assert studio.models_dir
    link = studio.models_dir / "samples" / "tiny-llama" / gguf.name
    assert link.samefile(model.files[0].blob)
    undone = await shelf.registration.undo(made.id)
    assert undone.status is Status.UNDONE
    assert not list(studio.models_dir.iterdir()), "the folders that were made for it are gone too"
    assert model.files[0].blob.is_file()


async def test_undo_leaves_what_somebody_else_put_in_its_place(
    shelf: Shelf, gguf: Path, studio: LmStudioSimulator
) -> None:
    await stock(shelf, gguf)
    made = await with_provider(shelf, "lmstudio")
    link = Path(made.links[0])
    link.unlink()
    link.write_bytes(b"GGUF of somebody else")
    await shelf.registration.undo(made.id)
    assert link.read_bytes() == b"GGUF of somebody else"


async def test_a_router_lists_what_was_linked_and_forgets_it(
    shelf: Shelf, gguf: Path, router: LlamaCppSimulator
) -> None:
    model = await stock(shelf, gguf)
    made = await with_provider(shelf, "llamacpp")
    assert (made.status, made.way, made.name) == (Status.REGISTERED, "hard link", "tiny-llama"), made
    assert Path(made.links[0]).samefile(model.files[0].blob)
    assert "tiny-llama" in router.models
    removal = await shelf.library.removal(CHAT_REPO)
    assert (removal.used_by, removal.freed) == ((), gguf.stat().st_size), "our own link is no other user"
    await shelf.library.remove(CHAT_REPO)
    assert not router.models
    assert not Path(made.links[0]).exists()


async def test_a_projector_goes_with_its_model(
    shelf: Shelf, gguf: Path, router: LlamaCppSimulator, studio: LmStudioSimulator, tmp_path: Path
) -> None:
    for name in ("tiny-mmproj-f16.gguf", "mmproj-tiny-q8.gguf"):
        (tmp_path / name).write_bytes(gguf.read_bytes() + name.encode())
    await stock(shelf, gguf, tmp_path / "tiny-mmproj-f16.gguf", tmp_path / "mmproj-tiny-q8.gguf")
    made = await with_provider(shelf, "llamacpp")
    assert (made.status, made.way, made.copied) == (Status.REGISTERED, "hard link", 0), made
    assert router.models_dir
    assert studio.models_dir
    there = {path.name for path in (router.models_dir / "tiny-llama").iterdir()}
    assert there == {"tiny-llama.gguf", "mmproj-tiny-mmproj-f16.gguf"}, "it is in a folder of its own"
    beside = {path.name for path in (studio.models_dir / "samples" / "tiny-llama").iterdir()}
    assert beside == {gguf.name, "mmproj-tiny-mmproj-f16.gguf"}
    for provider in ("llamacpp", "lmstudio"):
        await shelf.registration.undo((await with_provider(shelf, provider)).id)
    assert [*router.models_dir.iterdir(), *studio.models_dir.iterdir()] == []


async def test_what_lies_in_the_folder_already_is_not_linked_twice(
    shelf: Shelf, gguf: Path, router: LlamaCppSimulator
) -> None:
    assert router.models_dir
    await shelf.providers.change("llamacpp", settings={"models_dir": str(router.models_dir), "register": "never"})
    model = await stock(shelf, gguf)
    (router.models_dir / "mine.gguf").hardlink_to(model.files[0].blob)
    await shelf.providers.get("llamacpp")
    [offer] = (await shelf.registration.plan(CHAT_REPO, "llamacpp")).offers
    assert (offer.policy, offer.automatic, offer.taking.there) == (Policy.NEVER, False, True)
    assert "its setting says so" in offer.why
    router._reload()
    [made] = await shelf.registration.register(CHAT_REPO, "llamacpp")
    assert (made.name, made.given) == ("mine", False)
    await shelf.registration.undo(made.id)
    assert (router.models_dir / "mine.gguf").exists()


async def test_a_link_that_is_gone_is_found(shelf: Shelf, gguf: Path, router: LlamaCppSimulator) -> None:
    router.forgets = False
    await stock(shelf, gguf)
    made = await with_provider(shelf, "llamacpp")
    Path(made.links[0]).unlink()
    [finding] = await shelf.registration.check()
    assert (finding.problem, finding.deed) == ("listed but file gone", "undo")
    [same] = await shelf.registration.repair()
    assert not same.done, "a person decides to take it back"


async def test_a_server_with_one_model_is_to_be_started(shelf: Shelf, gguf: Path, loop: LoopRunner) -> None:
    server = await loop.stack.enter_async_context(LlamaCppSimulator().serve())
    server.add("other")
    await shelf.providers.add("llamacpp", url=server.url)
    model = await stock(shelf, gguf)
    made = await with_provider(shelf, "llamacpp")
    assert (made.status, made.way) == (Status.TO_START, "path")
    assert shlex.split(made.command)[:3] == ["llama-server", "-m", str(model.files[0].file)]
    server.models = {}
    server.add("tiny-llama")
    await shelf.health.check("llamacpp")
    assert (await reached(shelf, "llamacpp", Status.REGISTERED)).command == made.command


async def test_a_router_with_a_presets_file_gets_a_section(
    shelf: Shelf, gguf: Path, loop: LoopRunner, tmp_path: Path
) -> None:
    presets = tmp_path / "presets.ini"
    presets.write_text("; mine\n[other]\nmodel = /models/other.gguf\n")
    server = await loop.stack.enter_async_context(LlamaCppSimulator(router=True, presets=presets).serve())
    await shelf.providers.add("llamacpp", url=server.url, settings={"models_preset": str(presets)})
    model = await stock(shelf, gguf)
    made = await with_provider(shelf, "llamacpp")
    assert (made.status, made.way, made.copied) == (Status.REGISTERED, "path", 0), made
    assert f"[tiny-llama]\nmodel = {model.files[0].file}\n" in presets.read_text()
    await shelf.registration.undo(made.id)
    assert presets.read_text() == "; mine\n[other]\nmodel = /models/other.gguf\n"
    assert list(server.models) == ["other"]


async def test_a_model_that_did_not_pass_is_given_to_nobody(
    shelf: Shelf, gguf: Path, router: LlamaCppSimulator
) -> None:
    model = await stock(shelf, gguf, verdict="review")
    assert await shelf.registration.list() == ()
    with pytest.raises(UsageError, match="did not pass the scan"):
        await shelf.registration.register(str(model.id), "llamacpp")
    assert not router.models


def test_commands_are_quoted_and_carry_what_is_known() -> None:
    folder = Path("/models/a b")
    goods = Goods("o/m", "c", folder, (folder / "model.safetensors",), "safetensors", 1, "m", None, 4096, "AWQ")
    told = {name: shlex.split(line) for name, line in commands(goods).items()}
    assert told["vLLM"] == [
        "vllm", "serve", "/models/a b", "--served-model-name", "m", "--max-model-len", "4096", "--quantization", "awq",
    ]  # fmt: skip
    assert told["SGLang"][3:5] == ["--model-path", "/models/a b"]
    assert told["Transformers"] == ["transformers", "serve", "/models/a b"]
