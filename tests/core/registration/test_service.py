"""What the service promises whatever the provider: one process at a time, crashes finished, vetoes, room counted."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from modelshelf.access import Principal, Role, acting_as
from modelshelf.errors import RoleRequired, UsageError
from modelshelf.events import ProviderChanged
from modelshelf.hooks import Veto
from modelshelf.hooks.spec import AFTER_REGISTRATION, BEFORE_REGISTRATION
from modelshelf.providers.engine import EngineModel, EngineProcess
from modelshelf.providers.engine.log import EngineLog
from modelshelf.providers.taking import Goods, Taker
from modelshelf.registration import Status, rows
from modelshelf.samples import CHAT_REPO
from modelshelf.shelf import Shelf
from modelshelf.store.tables import RegistrationRow, now
from modelshelf.vault import Secret
from tests.conftest import LoopRunner
from tests.core.registration.conftest import fetch, reached, stock, with_provider
from tests.engines.ollama import OllamaSimulator


async def abandon(shelf: Shelf, registration: str, *, wish: str = "register") -> None:
    """Leave a registration as a process does that was killed in the middle of it, a while ago."""

    def write(session: Session) -> None:
        row = session.get(RegistrationRow, registration)
        assert row is not None
        row.status, row.wish, row.owner = "registering", wish, "somebody:who:is:gone"
        row.lease_until = now() - timedelta(seconds=1)

    await shelf.store.write(write)


async def test_what_a_killed_process_left_is_finished(shelf: Shelf, gguf: Path, ollama: OllamaSimulator) -> None:
    await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    ollama.models.clear()
    await abandon(shelf, made.id)
    shelf.events.publish(ProviderChanged(provider="ollama"))
    assert (await reached(shelf, "ollama", Status.REGISTERED)).error == ""
    assert list(ollama.models) == ["tiny-llama:latest"]


async def test_a_killed_undo_is_finished(shelf: Shelf, gguf: Path, ollama: OllamaSimulator) -> None:
    await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    await abandon(shelf, made.id, wish="undo")
    shelf.events.publish(ProviderChanged(provider="ollama"))
    await reached(shelf, "ollama", Status.UNDONE)
    assert not ollama.models


async def test_a_repair_finishes_what_is_left_where_nobody_leads(
    shelf: Shelf, gguf: Path, ollama: OllamaSimulator
) -> None:
    await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    ollama.models.clear()
    await abandon(shelf, made.id)
    assert await shelf.registration.repair() == ()
    assert list(ollama.models) == ["tiny-llama:latest"]


async def test_who_may_only_look_neither_registers_nor_undoes(shelf: Shelf, gguf: Path) -> None:
    await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    with acting_as(Principal("ada", Role.VIEWER)):
        assert (await shelf.registration.plan(CHAT_REPO)).offers
        with pytest.raises(RoleRequired):
            await shelf.registration.undo(made.id)
        with pytest.raises(RoleRequired):
            await shelf.registration.register(CHAT_REPO, "ollama")
        with pytest.raises(RoleRequired):
            await shelf.registration.repair()


async def test_the_built_in_engine_cannot_be_taken_from(shelf: Shelf, gguf: Path) -> None:
    await stock(shelf, gguf)
    with pytest.raises(UsageError, match="serves every model"):
        await shelf.registration.undo((await with_provider(shelf, "builtin")).id)


async def test_one_process_at_a_time(shelf: Shelf, gguf: Path) -> None:
    model = await stock(shelf, gguf)
    key = ("ollama", CHAT_REPO, model.commit, gguf.name)
    assert await shelf.store.write(rows.claim, key, "one", 30.0, {}) is not None
    assert await shelf.store.write(rows.claim, key, "another", 30.0, {}) is None
    assert await shelf.store.write(rows.claim, key, "one", 30.0, {}) is not None
    await shelf.store.write(rows.release, "one")
    assert await shelf.store.write(rows.claim, key, "another", 30.0, {}, new=True) is None
    assert await shelf.store.write(rows.claim, key, "another", 30.0, {}) is not None


class Strict:
    """A hook that forbids one provider, and notes what it is told."""

    points = frozenset({BEFORE_REGISTRATION, AFTER_REGISTRATION})

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def __call__(self, point: str, about: Mapping[str, Any]) -> Veto | None:
        self.told.append((point, f"{about['provider']}: {about['model']} by {about['way']}"))
        refused = about["provider"] == "ollama" and point == BEFORE_REGISTRATION
        return Veto("house rules keep models out of Ollama.") if refused else None


async def test_a_hook_may_forbid_it_with_a_reason(shelf: Shelf, gguf: Path, ollama: OllamaSimulator) -> None:
    hook = Strict()
    shelf.hooks.add("strict", hook)
    model = await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    assert made.status is Status.FAILED
    assert made.error == "The hook strict refuses: house rules keep models out of Ollama."
    builtin, refused = f"builtin: {model.id} by path", f"ollama: {model.id} by hard link"
    assert hook.told == [
        (BEFORE_REGISTRATION, builtin), (AFTER_REGISTRATION, builtin), (BEFORE_REGISTRATION, refused),
    ]  # fmt: skip
    assert not ollama.models


async def test_a_plan_counts_the_room_of_a_copy_that_is_made_by_itself(
    shelf: Shelf, ollama: OllamaSimulator, store_folder: Path
) -> None:
    free = await shelf.downloads.plan(CHAT_REPO)
    assert free.copies == (), "a link takes no room"
    ollama.store = None  # it looks elsewhere: it has to be given a copy
    (store_folder / "blobs" / f"sha256-{'0' * 64}").touch()
    assert (await shelf.downloads.plan(CHAT_REPO)).copies == (), "a copy is asked for first"
    await shelf.providers.change("ollama", settings={"register": "automatic"})
    plan = await shelf.downloads.plan(CHAT_REPO)
    assert [(copy.label, copy.folder) for copy in plan.copies] == [("Ollama", store_folder)]
    job = await fetch(shelf)
    assert {"provider": "ollama", "name": "tiny-llama", "status": "registered"} in job.result["registrations"]
    assert (await with_provider(shelf, "ollama")).copied > 3_000_000


async def test_the_real_engine_lists_and_answers(shelf: Shelf, gguf: Path, loop: LoopRunner, tmp_path: Path) -> None:
    model = await stock(shelf, gguf)
    assert (await with_provider(shelf, "builtin")).name == "tiny-llama"
    reply = await shelf.chat("builtin/tiny-llama", "Hello", max_tokens=4)
    assert reply.text
    # llama.cpp's own server, started as the command says: its list is the proof.
    [offer] = (await shelf.registration.plan(CHAT_REPO, "builtin")).offers
    assert offer.goods is not None
    served = EngineModel(model.files[0].file, "tiny-llama", context=1024)
    process = await EngineProcess.start(served, EngineLog(tmp_path / "engine.log"), 120.0)
    loop.stack.push_async_callback(process.stop)
    config = await shelf.providers.add("llamacpp", url=process.url)
    await shelf.providers.add_key(config.id, secret=Secret(process.key))
    [made] = await shelf.registration.register(CHAT_REPO, config.id)
    assert (made.status, made.way, made.copied) == (Status.REGISTERED, "path", 0), made
    assert " --alias tiny-llama " in made.command


async def test_what_a_provider_cannot_take_is_said_in_words(shelf: Shelf, tmp_path: Path) -> None:
    parts = tuple(tmp_path / f"m-0000{number}-of-00002.gguf" for number in (1, 2))
    split = Goods("o/m", "c", tmp_path, parts, "gguf", 1, "m")
    folder = Goods("o/m", "c", tmp_path, (tmp_path / "model.safetensors",), "safetensors", 1, "m")
    told = []
    for provider, goods in (("ollama", split), ("ollama", folder), ("builtin", folder)):
        adapter = await shelf.providers.get(provider)
        assert isinstance(adapter, Taker)
        told.append((await adapter.taking(goods)).refused)
    assert told == [
        "Ollama takes no model in several parts.",
        "Ollama runs GGUF files, and this is safetensors.",
        "The built-in engine runs GGUF files, and this is safetensors.",
    ]


async def test_a_model_that_does_not_do_well_is_given_only_by_hand(
    shelf: Shelf, gguf: Path, ollama: OllamaSimulator
) -> None:
    await shelf.configure("compatibility.refused_licences", ["apache-2.0"])
    await stock(shelf, gguf)
    [offer] = (await shelf.registration.plan(CHAT_REPO, "ollama")).offers
    assert (offer.score, offer.automatic, offer.possible) == (0, False, True)
    assert offer.why == "It does not do well with Ollama: 0 of 100, and 60 are wanted."
    assert not ollama.models
    [made] = await shelf.registration.register(CHAT_REPO, "ollama")
    assert (made.status, made.automatic) == (Status.REGISTERED, False)
