"""kill -9 at any moment: the next start goes on, fetches at most 64 MiB again, and ends in the right bytes."""

import asyncio
import hashlib
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from modelshelf.config import ConfigManager
from modelshelf.downloads import JobStatus
from modelshelf.samples import Faults, SampleHub
from tests.core.downloads.conftest import World, a_world, noise, use

MIB = 2**20
ROOT = Path(__file__).parents[3]


async def child(config: ConfigManager, repo: str) -> asyncio.subprocess.Process:
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'core'}"}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.core.downloads.child", str(config.home), str(config.paths.cache), repo),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=environ,
    )


async def reached(process: asyncio.subprocess.Process, done: int) -> bool:
    """Read the child's report until so many bytes have arrived; False if it ends before."""
    assert process.stdout
    async for line in process.stdout:
        status, count, *_ = line.decode().split(maxsplit=2)
        if status == "transferring" and int(count) >= done:
            return True
    return False


def digest(file: Path) -> bytes:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").digest()


async def killed_and_resumed(hub: SampleHub, config: ConfigManager, size: int, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    content = await asyncio.to_thread(noise, size, seed)
    published = await asyncio.to_thread(lambda: hashlib.sha256(content).digest())
    await hub.add("org/big", {"big.gguf": content})
    use(hub, config)
    hub.faults = Faults(rate=24 * MIB)
    marks = sorted(chance.randrange(size * 9 // 10) for _ in range(kills))
    killed = 0
    for mark in marks:
        process = await child(config, "org/big")
        if await reached(process, mark):
            await asyncio.sleep(chance.random() / 10)
            process.send_signal(signal.SIGKILL)
            killed += 1
        await process.communicate()
    hub.faults = Faults()
    async with a_world(hub, config) as world:
        job = (await world.downloads.jobs())[0]
        assert (await world.ended(job.id)).status is JobStatus.DONE
        file = world.cache / "models--org--big/snapshots" / job.commit / "big.gguf"
        assert await asyncio.to_thread(digest, file) == published
        assert killed >= kills // 2
        assert world.sent() <= size + killed * 64 * MIB
        print(f"{killed} kills, {(world.sent() - size) / killed / MIB:.1f} MiB fetched again after each")  # noqa: T201
        assert len(await world.downloads.jobs()) == 1


async def test_ten_kills_of_a_download(empty_hub: SampleHub, config: ConfigManager) -> None:
    await killed_and_resumed(empty_hub, config, 128 * MIB, 10, seed=11)


@pytest.mark.deep
@pytest.mark.timeout(3600)
async def test_fifty_kills_of_a_gibibyte(empty_hub: SampleHub, config: ConfigManager) -> None:
    await killed_and_resumed(empty_hub, config, 1024 * MIB, 50, seed=12)


async def test_another_process_takes_over_at_once(world: World) -> None:
    content = noise(40 * MIB, 5)
    await world.hub.add("org/big", {"big.gguf": content})
    world.hub.faults = Faults(rate=6 * MIB)
    process = await child(world.config, "org/big")
    assert await reached(process, 6 * MIB)
    (job,) = await world.downloads.jobs()
    assert job.status is JobStatus.TRANSFERRING
    # Two at once on one home: ours follows, then the other one is killed and ours goes on with its job.
    process.kill()
    await process.communicate()
    world.hub.faults = Faults()
    ended = await world.ended(job.id)
    assert ended.status is JobStatus.DONE
    assert (world.cache / "models--org--big/snapshots" / job.commit / "big.gguf").read_bytes() == content
