"""What is wrong, the worst first, each with what mends it; the state follows, and nobody is asked twice."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from modelshelf.errors import NotFound
from modelshelf.events import ServiceChanged
from modelshelf.integration.issues import Action, Issue
from modelshelf.shelf import ServiceStatus
from modelshelf.store.tables import FileRow
from tests.core.library.conftest import NEW, install
from tests.engines.faults import Fault
from tests.engines.ollama import OllamaSimulator

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

WEIGHTS = b"weights" * 100


async def issue(shelf: "Shelf", name: str) -> Issue:
    found = {item.id: item for item in await shelf.troubles.issues()}
    assert name in found, found
    return found[name]


async def until(look: Callable[[], Any]) -> Any:
    async with asyncio.timeout(10):
        while not (found := look()):
            await asyncio.sleep(0.01)
    return found


async def test_an_engine_without_models_names_one_as_soon_as_somebody_asked_what_there_is(quiet: "Shelf") -> None:
    await quiet.health.check("builtin")
    assert (await issue(quiet, "empty builtin")).action == Action("find", {"provider": "builtin"})
    await quiet.compatibility.machine()
    async with asyncio.timeout(30):  # a source that is slow on a busy machine is asked again
        while not (await quiet.integration.status()).total_compatible_models:
            await asyncio.sleep(0.01)
    offered = await issue(quiet, "empty builtin")
    assert offered.action is not None
    assert offered.action.do == "download"
    assert offered.action.context["model"].startswith("samples/")
    assert offered.as_dict()["action"]["do"] == "download"


async def test_what_is_wrong_comes_before_what_is_only_worth_a_look(quiet: "Shelf") -> None:
    simulator = OllamaSimulator()
    async with simulator.serve():
        await quiet.providers.add("ollama", url=simulator.url, name="Shaky")
        await quiet.providers.add("openai", provider="cloud", name="Cloud")
        simulator.faults.everywhere(Fault.BROKEN)
        for provider in ("builtin", "ollama"):
            await quiet.health.check(provider)
        found = await quiet.troubles.issues()
        assert [item.severity for item in found] == ["wrong", "wrong", "warning"]
        assert (await issue(quiet, "provider ollama")).action == Action("test", {"provider": "ollama"})
        assert (await issue(quiet, "key cloud")).action == Action("key", {"provider": "cloud"})
        simulator.faults.everywhere(Fault.BAD_KEY)
        await quiet.health.check("ollama")
        assert (await issue(quiet, "provider ollama")).action == Action("key", {"provider": "ollama"})
        simulator.faults.clear()
        await quiet.health.check("ollama")
        assert "provider ollama" not in {item.id for item in await quiet.troubles.issues()}


async def test_everything_off_a_damaged_model_and_a_failed_service(quiet: "Shelf") -> None:
    await quiet.providers.enable("builtin", False)
    assert (await issue(quiet, "providers off")).action == Action("enable", {"provider": "builtin"})
    install(quiet.config.paths.cache, "org/m", {"m.gguf": WEIGHTS})
    row = FileRow(repo="org/m", commit=NEW, path="m.gguf", sha256="0" * 64, size=1, damaged=True)
    await quiet.library.record([row])
    assert (await issue(quiet, f"damaged org/m@{NEW}")).severity == "wrong"
    quiet.services = {**quiet.services, "bundles": ServiceStatus("bundles", "failed", "It broke.", "Mend it.")}
    broken = await issue(quiet, "service bundles")
    assert (broken.text, broken.remedy) == ("It broke.", "Mend it.")
    with quiet.events.subscribe() as events:
        assert (await quiet.restart("bundles")).status == "running"
        assert isinstance(await anext(events), ServiceChanged)
    with pytest.raises(NotFound, match="no service"):
        await quiet.restart("nonsense")


async def test_a_status_is_computed_once_until_something_happens(quiet: "Shelf") -> None:
    first = await quiet.integration.status()
    assert await quiet.integration.glance() is first
    await quiet.providers.enable("builtin", False)
    assert (await quiet.integration.status()).total_providers == 0
    await quiet.providers.enable("builtin")
    assert (await quiet.integration.status()).total_providers == 1


async def test_the_state_follows_what_happens(shelf: "Shelf") -> None:
    state = shelf.integration_state
    await until(lambda: state.loaded and state.status)
    install(shelf.config.paths.cache, "one/m-GGUF", {"m-Q8_0.gguf": WEIGHTS})
    install(shelf.config.paths.cache, "two/m-GGUF", {"m-Q8_0.gguf": WEIGHTS})
    await shelf.library.models()
    found = await until(lambda: [item for item in state.conflicts if item.kind.value == "duplicate"])
    mending = await shelf.conflicts.resolve(found[0].id)
    await until(lambda: [one.id for one in state.mended if not one.undone] == [mending.id])
    assert found[0] not in state.conflicts
    await shelf.conflicts.undo(mending.id)
    await until(lambda: found[0] in state.conflicts)
    assert all(one.undone for one in state.mended)
