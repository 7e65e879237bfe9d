"""A provider that still lists what is gone, and several models that are registered or deleted at once."""

import shutil
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from modelshelf.integration.conflicts import ConflictKind
from modelshelf.providers.profile_spec import Profile
from modelshelf.samples import CHAT_REPO
from modelshelf.shelf import Shelf
from tests.core.registration.conftest import stock, with_provider
from tests.core.registration.test_ollama import listed
from tests.engines.ollama import OllamaSimulator


async def test_what_was_registered_and_is_gone_is_forgotten_with_one_step(
    shelf: Shelf, gguf: Path, ollama: OllamaSimulator
) -> None:
    model = await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    assert made.status.value == "registered"
    shutil.rmtree(model.snapshot.parent.parent)
    found = [item for item in await shelf.conflicts.list() if item.kind is ConflictKind.ORPHAN]
    assert [item.about for item in found] == [{"provider": "ollama"}]
    assert not found[0].undoable
    mending = await shelf.conflicts.resolve(found[0].id)
    assert mending.undo is None
    assert await listed(ollama) == []
    assert not [item for item in await shelf.conflicts.list() if item.kind is ConflictKind.ORPHAN]


async def test_a_copy_without_its_template_and_its_profiles_go_by_the_model_s_own(
    shelf: Shelf, gguf: Path, ollama: OllamaSimulator
) -> None:
    await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    name = f"ollama/{made.name}:latest"
    await shelf.profiles.save(Profile("coder", name))
    await shelf.health.check("ollama")
    assert not [item for item in await shelf.conflicts.list() if item.kind is ConflictKind.MISMATCH]
    again = await shelf.registration.register(CHAT_REPO, "ollama")
    assert again[0].updated != made.updated
    [known] = ollama.models
    ollama.models[known] = replace(ollama.models[known], template="{{ .Prompt }}")
    (found,) = [item for item in await shelf.conflicts.list() if item.kind is ConflictKind.MISMATCH]
    assert "coder will use builtin/tiny-llama" in found.remedy
    asked = len(ollama.requests)
    mending = await shelf.conflicts.resolve(found.id)
    assert (await shelf.profiles.get("coder")).model == "builtin/tiny-llama"
    assert not [path for _method, path, _body in ollama.requests[asked:] if path == "/api/show"], "it was known"
    await shelf.conflicts.undo(mending.id)
    assert (await shelf.profiles.get("coder")).model == name


async def test_registering_and_deleting_several_tells_of_providers(
    shelf: Shelf, gguf: Path, ollama: OllamaSimulator
) -> None:
    model = await stock(shelf, gguf)
    plan = await shelf.bulk.deletion([CHAT_REPO])
    assert f"ollama loses {(await with_provider(shelf, 'ollama')).name}." in plan.breaks
    assert plan.freed == model.size, "the name in Ollama's folder goes with it"
    async with aclosing(shelf.bulk.run("register", [CHAT_REPO, "org/gone"])) as found:
        done, failed = [one async for one in found]
    assert "ollama (registered)" in done.detail
    assert failed.status == "failed"
    async with aclosing(shelf.bulk.run("delete", plan.models)) as found:
        assert [one.status async for one in found] == ["done"]
    assert await listed(ollama) == []
