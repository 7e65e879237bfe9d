"""The self-test is green where all is well, and with each fault exactly the step is red that it is about."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import psutil
import pytest

from modelshelf.catalog.sources.samples import SampleSource
from modelshelf.integration import IntegrationTest, Step
from modelshelf.samples import ALWAYS, CHAT_REPO, SUSPICIOUS_REPO, Faults, SampleHub

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

NAMES = (
    "open a shelf",
    "find the sample",
    "judge the fit",
    "download",
    "verify the checksums",
    "scan",
    "register with the engine",
    "load",
    "ask",
    "unload",
    "clean up",
)
SECONDS = 60.0
SHORT = 1.0  # for a step that is to take too long


@dataclass
class World:
    """What a fault can lay hands on; `undo` is called when the test is over."""

    folder: Path
    samples: Path
    shelf: "Shelf | None" = None
    undo: list[Callable[[], object]] = field(default_factory=list)
    before_cleaning: Callable[[], object] = field(default=lambda: None)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    async def hub(self) -> SampleHub:
        assert self.shelf is not None
        return await cast("SampleSource", self.shelf.catalog.source("samples")).hub()

    def engines(self) -> list[psutil.Process]:
        """The engine's processes that this test started."""
        found = []
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if any(part.endswith("engine/child.py") for part in child.cmdline()):
                    found.append(child)
        return found


Fault = Callable[[World], Awaitable[None]]


async def damaged_settings(world: World) -> None:
    world.home.mkdir()
    (world.home / "config.toml").write_text("[downloads\n")


async def damaged_database(world: World) -> None:
    world.home.mkdir()
    (world.home / "modelshelf.db").write_bytes(b"this is no database at all" * 100)


async def home_that_cannot_be_written(world: World) -> None:
    world.home.symlink_to("/proc/1")


async def catalogue_down(world: World) -> None:
    (await world.hub()).faults = Faults(api_down=True)


async def blocked_samples_folder(world: World) -> None:
    """A file stands where the sample hub keeps its models."""
    (world.home / "samples").unlink()
    (world.home / "samples").write_text("")


async def no_model_of_that_name(world: World) -> None:
    (await world.hub()).remove(CHAT_REPO)


async def refused_by_the_hub(world: World) -> None:
    (await world.hub()).faults = Faults(status=403, status_times=ALWAYS, status_on="resolve")


async def content_server_down(world: World) -> None:
    (await world.hub()).faults = Faults(cdn_down=True)


async def full_disk(world: World) -> None:
    disk = world.folder / "hub"
    disk.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small disk")
    world.before_cleaning = lambda: subprocess.run(["umount", "-l", str(disk)], check=True)


async def wrong_checksum(world: World) -> None:
    """The hub publishes another SHA-256 than that of the bytes it sends."""
    (await world.hub()).faults = Faults(corrupt=ALWAYS)


async def damaged_byte(world: World) -> None:
    [blob] = [path for path in (world.folder / "hub").glob("models--*/blobs/*") if path.stat().st_size > 1_000_000]
    with blob.open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))


async def malicious_file(world: World) -> None:
    hub = await world.hub()
    bad = next(file for path, file in hub.repos[SUSPICIOUS_REPO].head.files.items() if path.endswith((".bin", ".pkl")))
    [good] = [name for name in hub.repos[CHAT_REPO].head.files if name.endswith(".gguf")]
    await hub.add(CHAT_REPO, {good: bad.content})


async def deleted_by_another_program(world: World) -> None:
    for path in (world.folder / "hub").glob("models--*/snapshots/*/*.gguf"):
        path.unlink()


async def engine_that_dies(world: World) -> None:
    """Whatever engine comes up is killed at once."""
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.005):
            for process in world.engines():
                with suppress(psutil.Error):
                    process.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    world.undo += [over.set, thread.join]


async def engine_too_slow_to_load(world: World) -> None:
    assert world.shelf is not None
    world.shelf.config.set("engine.start_seconds", 0.01)


async def engine_that_never_answers(world: World) -> None:
    [engine] = world.engines()
    engine.send_signal(signal.SIGSTOP)


async def unload_that_fails(world: World) -> None:
    assert world.shelf is not None
    await world.shelf.providers.enable("builtin", False)


async def leftovers_that_cannot_be_removed(world: World) -> None:
    stuck = world.folder / "stuck"
    stuck.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(stuck)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a disk")
    world.undo += [lambda: subprocess.run(["umount", str(stuck)], check=False), stuck.rmdir, world.folder.rmdir]


@dataclass(frozen=True)
class Case:
    """A fault, the step before which it comes, the step that must be red, and what its error and remedy say."""

    fault: Fault
    before: str
    red: str
    error: str
    remedy: str
    seconds: float = SECONDS


CASES = (
    Case(damaged_settings, "open a shelf", "open a shelf", "is not valid TOML", "Mend the file"),
    Case(home_that_cannot_be_written, "open a shelf", "open a shelf", "cannot be written", "write permission"),
    Case(damaged_database, "open a shelf", "open a shelf", "cannot be used", "Restore a backup"),
    Case(blocked_samples_folder, "find the sample", "find the sample", "cannot start", "can be written"),
    Case(catalogue_down, "find the sample", "find the sample", "Samples", "try again"),
    Case(no_model_of_that_name, "find the sample", "find the sample", "did not find", "Install Modelshelf anew"),
    Case(refused_by_the_hub, "download", "download", "ended as failed", "token may read"),
    Case(content_server_down, "download", "download", "not done within", "firewall", SHORT),
    Case(full_disk, "download", "download", "", "Free some space"),
    Case(wrong_checksum, "download", "verify the checksums", "published", "happens twice"),
    Case(damaged_byte, "verify the checksums", "verify the checksums", "On the disk", "check the disk"),
    Case(malicious_file, "download", "scan", "is unsafe", "safetensors or GGUF"),
    Case(deleted_by_another_program, "register with the engine", "register with the engine", "does not", "again"),
    Case(engine_that_dies, "load", "load", "cannot load", "Choose another file|Close other programs"),
    Case(engine_too_slow_to_load, "load", "load", "did not load", "engine.start_seconds"),
    Case(engine_that_dies, "ask", "ask", "engine", "choose a smaller model|Choose another file|smaller file"),
    Case(engine_that_never_answers, "ask", "ask", "not done within", "engine hangs", SHORT),
    Case(unload_that_fails, "unload", "unload", "switched off", "Switch it on"),
    Case(leftovers_that_cannot_be_removed, "clean up", "clean up", "cannot be removed", "by hand"),
)


async def walk(samples: Path, case: Case | None) -> list[Step]:
    world = World(Path(), samples)

    async def between(step: str, shelf: "Shelf | None", folder: Path) -> None:
        world.folder, world.shelf = folder, shelf
        if case is not None and case.before == step:
            await case.fault(world)
            test.seconds = case.seconds
        if step == "clean up":
            world.before_cleaning()
        if step == "open a shelf" and not world.home.is_symlink():
            # The models need not be made anew for each test.
            world.home.mkdir(exist_ok=True)
            (world.home / "samples").symlink_to(samples)

    test = IntegrationTest(dict(os.environ), seconds=SECONDS, between=between)
    try:
        return [step async for step in test.run()]
    finally:
        for undo in world.undo:
            await asyncio.to_thread(undo)


@pytest.mark.parametrize("step", ["open a shelf", "find the sample", "download", "load"])
async def test_who_stops_in_the_middle_leaves_nothing(samples_folder: Path, step: str) -> None:
    begun, folders = asyncio.Event(), list[Path]()

    async def between(name: str, _shelf: "Shelf | None", folder: Path) -> None:
        folders.append(folder)
        if name == "open a shelf" and step != "find the sample":  # that one makes the samples, in a thread
            (folder / "home").mkdir()
            (folder / "home" / "samples").symlink_to(samples_folder)
        if name == step:
            begun.set()

    async def follow() -> None:
        async for _step in IntegrationTest(dict(os.environ), between=between).run():
            pass

    running = asyncio.create_task(follow())
    await begun.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    assert not folders[0].exists()
    assert not World(folders[0], samples_folder).engines()


def red(steps: Sequence[Step]) -> list[str]:
    return [step.name for step in steps if step.status == "failed"]


async def test_where_all_is_well_every_step_passes_with_what_was_seen(samples_folder: Path) -> None:
    steps = await walk(samples_folder, None)
    assert [step.name for step in steps] == list(NAMES)
    assert {step.status for step in steps} == {"passed"}, steps
    assert all(step.evidence for step in steps)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.fault.__name__} before {case.before}")
async def test_a_fault_makes_exactly_its_step_red(samples_folder: Path, case: Case) -> None:
    steps = await walk(samples_folder, case)
    assert [step.name for step in steps] == list(NAMES)
    assert red(steps) == [case.red], steps
    found = steps[NAMES.index(case.red)]
    assert case.error in found.error
    assert any(words in found.remedy for words in case.remedy.split("|")), found.remedy
    assert found.code
    after = [step.status for step in steps[NAMES.index(case.red) + 1 : -1]]
    assert after == ["not run"] * len(after)
    assert all("failed before it" in step.error for step in steps if step.status == "not run")
