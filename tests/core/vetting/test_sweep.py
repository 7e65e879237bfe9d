"""Verifying everything: checksums, whole models, progress and a pause; and the check over HTTP."""

import asyncio
import json
from contextlib import aclosing

import pytest

from modelshelf.access import Principal, Role, acting_as
from modelshelf.errors import NotFound, RoleRequired, UsageError
from modelshelf.events import VerifyProgress
from modelshelf.shelf import Shelf
from modelshelf.vetting.sweep import SweepStep
from tests.core.library.conftest import install
from tests.core.vetting import ggufs, safe

GOOD = {"m.gguf": ggufs.build(), "README.md": b"# hello\n"}


async def swept(shelf: Shelf, model: str | None = None, *, scan: bool = False) -> list[SweepStep]:
    async with aclosing(shelf.vetting.sweep(shelf.library).run(model, scan=scan)) as steps:
        return [step async for step in steps]


async def test_everything_is_read_and_whole_models_are_held_against_their_index(shelf: Shelf) -> None:
    cache = shelf.library.cache
    await asyncio.to_thread(install, cache, "org/good", GOOD)
    part = safe.build(safe.GOOD, 32)
    index = json.dumps({"metadata": {}, "weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}).encode()
    await asyncio.to_thread(install, cache, "org/part", {"a.safetensors": part, "model.safetensors.index.json": index})
    await asyncio.to_thread(install, cache, "org/broken", {"x.safetensors": part + b"more"})
    await asyncio.to_thread(install, cache, "org/evil", {"x.pkl": b"cos\nsystem\n(S'id'\ntR."})
    steps = await swept(shelf, scan=True)
    found = {(step.repo, step.path, step.status) for step in steps if step.status not in {"ok", "recorded"}}
    assert ("org/part", "model.safetensors.index.json", "incomplete") in found
    assert ("org/broken", "x.safetensors", "broken") in found
    assert ("org/evil", "x.pkl", "block") in found
    assert not any(repo == "org/good" for repo, _, _ in found)
    assert steps[-1].done == steps[-1].total > 0
    with pytest.raises(NotFound):
        await swept(shelf, "org/none")


async def test_a_split_model_without_a_part_is_incomplete(shelf: Shelf) -> None:
    first = ggufs.with_key(("split.no", ggufs.U16, 0), ("split.count", ggufs.U16, 3))
    await asyncio.to_thread(install, shelf.library.cache, "org/s", {"m-00001-of-00003.gguf": first})
    assert ("incomplete", "2 of its 3 parts are not there.") in {
        (step.status, step.detail) for step in await swept(shelf, "org/s")
    }


async def test_a_pause_holds_the_reading_and_progress_is_told(shelf: Shelf) -> None:
    await asyncio.to_thread(install, shelf.library.cache, "org/m", GOOD | {"big.json": b" " * 9_000_000 + b"{}"})
    sweep = shelf.vetting.sweep(shelf.library)
    sweep.pause()
    with shelf.events.subscribe() as heard:
        run = sweep.run()

        async def first() -> SweepStep:
            return await anext(run)

        steps = asyncio.create_task(first())
        while not isinstance(event := await anext(heard), VerifyProgress) or not event.total:
            pass
        assert event.paused
        assert (sweep.done, sweep.paused, steps.done()) == (0, True, False)
        sweep.resume()
        assert (await steps).status == "ok"
        await run.aclose()
    assert sweep.done > 0


async def test_one_check_runs_at_a_time_and_can_be_steered(shelf: Shelf) -> None:
    await asyncio.to_thread(install, shelf.library.cache, "org/m", GOOD)
    checks = shelf.vetting.checks
    assert checks.state.status == "none"
    await checks.begin("", shelf.library)
    await checks.steer("pause")
    assert checks.state.status == "paused"
    with pytest.raises(UsageError, match="A check is running"):
        await checks.begin("", shelf.library)
    await checks.steer("resume")
    done = await checks.wait()
    assert (done.status, done.bad, done.files) == ("done", 0, 2)
    with pytest.raises(NotFound):
        await checks.begin("org/none", shelf.library)
    await checks.begin("", shelf.library)
    await checks.steer("pause")
    await checks.steer("cancel")
    assert checks.state.status == "cancelled"


async def test_who_may_only_look_neither_begins_nor_ends_a_check(shelf: Shelf) -> None:
    checks = shelf.vetting.checks
    with acting_as(Principal("eve", Role.VIEWER)):
        with pytest.raises(RoleRequired):
            await checks.begin("", shelf.library)
        with pytest.raises(RoleRequired):
            await checks.steer("cancel")
    assert checks.state.status == "none"
