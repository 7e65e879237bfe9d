"""Updates: beside the old commit, whole or not at all, and back again, whenever the process ends."""

import asyncio
import hashlib
import os
import signal
import sys
from pathlib import Path

import pytest

from modelshelf.config import ConfigManager
from modelshelf.downloads import JobStatus, refs
from modelshelf.errors import ChecksumMismatch, FileNotInRepository, NotFound, UsageError
from modelshelf.samples import ALWAYS, Faults, SampleHub
from tests.core.downloads.conftest import World, a_world, noise, use

ROOT = Path(__file__).parents[3]
REPO = "org/m"
OLD, NEW, SAME = noise(3000, 1), noise(4000, 2), noise(5000, 3)


def main_of(world: World) -> str:
    return refs.read(world.downloads.worker.places.repo(REPO), "main")


def content(world: World, commit: str, name: str = "a.safetensors") -> bytes:
    return (world.cache / "models--org--m/snapshots" / commit / name).read_bytes()


async def installed(hub: SampleHub, config: ConfigManager) -> str:
    """The first commit in the library; the hub has a second one since. The first one's id."""
    use(hub, config)
    await hub.add(REPO, {"a.safetensors": OLD, "config.json": b"{}", "model.bin.json": SAME})
    async with a_world(hub, config) as world:
        commit = (await world.fetch(REPO)).commit
        (update,) = await world.updates.outdated()
        assert (update.status, update.newest, update.missing) == ("current", commit, 0)
    await hub.add(REPO, {"a.safetensors": NEW, "config.json": b"{}", "model.bin.json": SAME})
    return commit


async def test_an_update_comes_beside_and_can_be_taken_back(empty_hub: SampleHub, config: ConfigManager) -> None:
    old = await installed(empty_hub, config)
    async with a_world(empty_hub, config) as world:
        (update,) = await world.updates.outdated()
        assert (update.status, update.ref, update.commit, update.missing) == ("outdated", "main", old, len(NEW))
        done = await world.ended(await world.updates.update(REPO))
        assert (done.status, done.commit) == (JobStatus.DONE, update.newest)
        assert main_of(world) == update.newest
        assert (content(world, old), content(world, update.newest)) == (OLD, NEW)
        assert await world.updates.update(REPO) == ""

        back = await world.updates.rollback(REPO)
        assert (back.before, back.after) == (update.newest, old)
        assert main_of(world) == old
        again = await world.updates.rollback(REPO)
        assert (again.before, again.after) == (old, update.newest)
        assert main_of(world) == update.newest


async def test_an_update_that_fails_leaves_all_as_it_was(empty_hub: SampleHub, config: ConfigManager) -> None:
    old = await installed(empty_hub, config)
    empty_hub.faults = Faults(corrupt=ALWAYS)
    async with a_world(empty_hub, config) as world:
        failed = await world.ended(await world.updates.update(REPO))
        assert failed.status is JobStatus.FAILED
        assert main_of(world) == old
        assert {result.status async for result in world.library.verify(REPO)} == {"ok"}
        with pytest.raises(UsageError, match="was not updated here"):
            await world.updates.rollback(REPO)


async def test_a_damaged_commit_is_not_gone_back_to(empty_hub: SampleHub, config: ConfigManager) -> None:
    old = await installed(empty_hub, config)
    async with a_world(empty_hub, config) as world:
        done = await world.ended(await world.updates.update(REPO))
        blob = (world.cache / "models--org--m/snapshots" / old / "a.safetensors").resolve()
        blob.write_bytes(OLD[:-1] + b"x")
        with pytest.raises(ChecksumMismatch, match="earlier commit"):
            await world.updates.rollback(REPO)
        assert main_of(world) == done.commit
        await world.library.remove(f"{REPO}@{old}")
        with pytest.raises(NotFound, match="not in the library any more"):
            await world.updates.rollback(REPO)


async def test_a_source_that_does_not_answer_is_told(empty_hub: SampleHub, config: ConfigManager) -> None:
    await installed(empty_hub, config)
    empty_hub.faults = Faults(api_down=True)
    async with a_world(empty_hub, config) as world:
        (update,) = await world.updates.outdated(REPO)
        assert (update.status, update.newest) == ("unknown", "")
        assert update.error


async def test_weights_that_are_gone_are_told(empty_hub: SampleHub, config: ConfigManager) -> None:
    use(empty_hub, config)
    await empty_hub.add(REPO, {"m-Q4_K_M.gguf": OLD, "m-Q8_0.gguf": SAME})
    async with a_world(empty_hub, config) as world:
        await world.fetch(REPO, "Q4_K_M")
    await empty_hub.add(REPO, {"new-Q4_K_M.gguf": NEW, "new-Q8_0.gguf": SAME})
    async with a_world(empty_hub, config) as world:
        assert (await world.ended(await world.updates.update(REPO))).files == ("new-Q4_K_M.gguf",)
    await empty_hub.add(REPO, {"README.md": b"moved"})
    async with a_world(empty_hub, config) as world:
        with pytest.raises(FileNotInRepository, match="none of the installed weights"):
            await world.updates.update(REPO)


async def killed(config: ConfigManager, deed: str, ending: str) -> None:
    """Let a process do the deed, killed the moment before it renames something to this ending."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.core.downloads.killed", str(config.home), str(config.paths.cache), deed, REPO, ending),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'core'}"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == -signal.SIGKILL, said.decode()


@pytest.mark.parametrize("step", ["blob", "snapshot", "ref"])
async def test_an_update_that_is_killed_leaves_the_old_one_and_goes_on(
    empty_hub: SampleHub, config: ConfigManager, step: str
) -> None:
    old = await installed(empty_hub, config)
    newest = await newest_of(empty_hub, config)
    blob = hashlib.sha256(NEW).hexdigest()
    await killed(config, "update", {"blob": blob, "snapshot": f"snapshots/{newest}", "ref": "refs/main"}[step])
    async with a_world(empty_hub, config, working=False) as world:
        assert main_of(world) == old
        assert content(world, old) == OLD
        whole = {model.commit: model.complete for model in await world.library.models()}
        assert whole.pop(old)
        assert all(whole.values())
        assert {result.status async for result in world.library.verify()} == {"ok"}
    async with a_world(empty_hub, config) as world:
        (job,) = [job for job in await world.downloads.jobs() if job.commit == newest]
        assert (await world.ended(job.id)).status is JobStatus.DONE
        assert main_of(world) == newest
        assert (await world.updates.rollback(REPO)).after == old


async def newest_of(hub: SampleHub, config: ConfigManager) -> str:
    async with a_world(hub, config, working=False) as world:
        (update,) = await world.updates.outdated()
        return update.newest


async def test_a_rollback_that_is_killed_has_not_begun(empty_hub: SampleHub, config: ConfigManager) -> None:
    old = await installed(empty_hub, config)
    async with a_world(empty_hub, config) as world:
        newest = (await world.ended(await world.updates.update(REPO))).commit
    await killed(config, "rollback", "refs/main")
    async with a_world(empty_hub, config) as world:
        assert main_of(world) == newest
        assert (content(world, old), content(world, newest)) == (OLD, NEW)
        assert (await world.updates.rollback(REPO)).after == old
        assert main_of(world) == old
