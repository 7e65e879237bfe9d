"""A served page, a command line and a notebook's kernel on one home at once: one is killed, the others go on."""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from modelshelf.samples import Faults, SampleHub
from tests.browser.serving import Served, served
from tests.conftest import LoopRunner, running

MIB = 1 << 20
SIZE = 48 * MIB
REPO = "lab/big-model"
CELL = """
import asyncio, json, modelshelf

async def cell():
    async with modelshelf.open_shelf() as shelf:
        print("open", flush=True)
        while not (jobs := await shelf.downloads.jobs()):
            await asyncio.sleep(0.05)
        async for step in shelf.downloads.follow(jobs[0].id):
            print(json.dumps([step.status, step.done]), flush=True)

asyncio.run(cell())
"""


@asynccontextmanager
async def child(environ: dict[str, str], *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        yield line.decode().rstrip()


async def jobs_of_page(link: str) -> list[dict[str, Any]]:
    """The downloads as the served page's own API tells them, to its owner."""
    url, _, secret = link.partition("/login#")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.post(f"{url}/login", json={"secret": secret}, headers={"origin": url}) as answer:
            assert answer.status == 204, await answer.text()
        async with browser.get(f"{url}/api/downloads") as answer:
            assert answer.status == 200, await answer.text()
            told = await answer.json()
            return list(told["items"] if isinstance(told, dict) else told)


def safetensors(size: int) -> bytes:
    """A well-formed file with one tensor of so many bytes that are nowhere the same."""
    header = json.dumps({"weight": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + random.Random(7).randbytes(size)


async def test_the_command_line_is_killed_and_the_others_finish_its_job(
    loop: LoopRunner, samples_folder: Path, tmp_path: Path
) -> None:
    content = await asyncio.to_thread(safetensors, SIZE)
    hub = await loop.stack.enter_async_context(running(SampleHub(samples_folder, samples=False)))
    await hub.add(REPO, {"model.safetensors": content, "config.json": b'{"model_type": "llama"}'})
    hub.faults = Faults(rate=2 * MIB)
    source = {"name": "lab", "kind": "huggingface", "url": hub.url, "label": "Lab", "hosts": sorted(hub.hosts)}
    settings = {"MODELSHELF_NETWORK__CA_FILE": str(hub.ca_file)}
    home = tmp_path / "home"
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MODELSHELF_HOME": str(home)}
    environ |= {"HF_HUB_CACHE": str(tmp_path / "hub"), **settings}
    async with serving(home, (source,), settings) as page, child(environ, "-c", CELL) as notebook:
        seen = lines(notebook)
        assert await anext(seen) == "open"
        async with child(environ, "-m", "modelshelf.cli", "download", f"lab:{REPO}", "--json") as terminal:
            async for line in lines(terminal):
                if json.loads(line).get("done", 0) > SIZE // 4:
                    break
            terminal.send_signal(signal.SIGKILL)
        followed = [json.loads(line) async for line in seen]
        (job,) = await jobs_of_page(page.link)
    assert followed[-1][0] == "done"
    assert job["status"] == "done"
    (file,) = (tmp_path / "hub").glob("models--lab--big-model/snapshots/*/model.safetensors")
    assert await asyncio.to_thread(file.read_bytes) == content
    sent = sum(request.sent for request in hub.requests if request.path.endswith("model.safetensors"))
    sent = sent or sum(request.sent for request in hub.requests if request.place == "cdn")
    assert len(content) <= sent <= len(content) + 64 * MIB


@asynccontextmanager
async def serving(
    home: Path, sources: tuple[Mapping[str, Any], ...], settings: Mapping[str, str]
) -> AsyncIterator[Served]:
    """A served page whose start and stop do not hold up the hub of this loop."""
    block = served(home, sources=sources, settings=settings)
    page = await asyncio.to_thread(block.__enter__)
    try:
        yield page
    finally:
        await asyncio.to_thread(block.__exit__, None, None, None)
