"""Fifty providers, ten of them dead: how long a round takes, what it leaves behind, and whether the page stays quick.

Forty answer as Ollama does; five refuse the connection and five accept it and never answer. The reference beside a
round is the same forty asked by bare aiohttp, all at once.
"""

import asyncio
import gc
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import psutil
from playwright.sync_api import Page, sync_playwright

from benchmarks.measure import Figure
from benchmarks.page import ARGUMENTS
from modelshelf.config import ConfigManager
from modelshelf.providers import HealthStatus
from modelshelf.shelf import Shelf, open_shelf
from tests.browser.conftest import sign_in
from tests.browser.serving import served
from tests.chromium import find
from tests.engines.faults import Fault
from tests.engines.ollama import OllamaSimulator

ALIVE, REFUSING, SILENT = 40, 5, 5
MODELS = 20
TIME_OUT = 1.0
ROUNDS, SETTLED = 200, 40
SHORT_TIME_OUT = 0.25
CLICKS = 40
SWITCHES = 20

# A click on a row, until the card below says its name and the browser has painted that.
CLICK = """(name) => new Promise((resolve, reject) => {
  const deep = (root, hit) => { for (const el of root.querySelectorAll('*')) {
      if (hit(el)) return el
      if (el.shadowRoot) { const found = deep(el.shadowRoot, hit); if (found) return found } } return null }
  const row = deep(document, (el) => el.matches('.item') && el.querySelector('b')?.textContent === name)
  const start = performance.now()
  const look = () => deep(document, (el) => el.matches('section') && el.getAttribute('aria-label') === name)
    ? resolve(performance.now() - start)
    : performance.now() - start > 10_000 ? reject(new Error(`${name} was not shown`)) : requestAnimationFrame(look)
  row.querySelector('.names').click()
  look()
})"""

# A change by another client, until the row of the provider says so.
SWITCH = """({url, id, enabled}) => new Promise((resolve, reject) => {
  const deep = (root, hit) => { for (const el of root.querySelectorAll('*')) {
      if (hit(el)) return el
      if (el.shadowRoot) { const found = deep(el.shadowRoot, hit); if (found) return found } } return null }
  fetch(`${url}/api/providers/${id}`, {method: 'PATCH', headers: {'content-type': 'application/json'},
                                       body: JSON.stringify({enabled})}).then(() => {
    const start = performance.now()
    const look = () => {
      const row = deep(document, (el) => el.matches('.item') && el.dataset.id === id)
      if (row && /switched off/.test(row.textContent) !== enabled) resolve(performance.now() - start)
      else if (performance.now() - start > 10_000) reject(new Error(`${id} was not shown as it is`))
      else requestAnimationFrame(look)
    }
    look()
  })
})"""


def measure() -> list[Figure]:
    """The rounds, what they leave behind, and clicks on the page meanwhile."""
    with _engines() as (urls, dead), tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        figures = asyncio.run(_rounds(home, urls, dead))
        return [*figures, *_page(home)]


async def _rounds(home: Path, urls: list[str], dead: list[str]) -> list[Figure]:
    config = ConfigManager(home, {"OLLAMA_HOST": "http://127.0.0.1:9", "HOME": str(home.parent)})
    config.set("sources", [])
    config.set("providers.discover", False)
    config.set("providers.timeout_seconds", TIME_OUT)
    async with open_shelf(config=config, without={"health", "state"}) as shelf:
        for number, url in enumerate(urls + dead):
            await shelf.providers.add("ollama", url=url, provider=f"p{number}", name=f"Provider {number:02}")
        await _round(shelf)
        seconds = statistics.median([await _round(shelf) for _ in range(5)])
        plain = statistics.median([await _plain(urls) for _ in range(5)])
    config.set("providers.timeout_seconds", SHORT_TIME_OUT)
    async with open_shelf(config=config, without={"health", "state"}) as shelf:
        growth, sockets = await _many(shelf)
    return [
        Figure("a round over 50 providers, 10 dead", "modelshelf", seconds, "s", TIME_OUT),
        Figure("40 of them asked by bare aiohttp", "reference", plain, "s"),
        Figure(f"memory gained from round {SETTLED} to {ROUNDS}", "modelshelf", growth / 2**20, "MiB", 8.0),
        Figure(f"sockets and files gained from round {SETTLED} to {ROUNDS}", "modelshelf", sockets, "", 2.0),
    ]


async def _round(shelf: Shelf) -> float:
    configs = [item for item in await shelf.providers.list() if item.id != "builtin"]
    start = time.perf_counter()
    looks = await asyncio.gather(*(shelf.health.check(item.id) for item in configs))
    seconds = time.perf_counter() - start
    down = sum(look.status is HealthStatus.DOWN for look in looks)
    if down < REFUSING + SILENT:
        raise AssertionError(f"{down} of {len(looks)} are down: that is not what was to be measured")
    return seconds


async def _plain(urls: list[str]) -> float:
    start = time.perf_counter()
    async with aiohttp.ClientSession() as session:

        async def ask(url: str) -> None:
            for path in ("/api/version", "/api/tags", "/api/ps"):
                async with session.get(url + path) as answer:
                    await answer.json()

        await asyncio.gather(*(ask(url) for url in urls))
    return time.perf_counter() - start


async def _many(shelf: Shelf) -> tuple[int, int]:
    process = psutil.Process()
    memory, handles = 0, 0
    for number in range(1, ROUNDS + 1):
        await _round(shelf)
        if number in (SETTLED, ROUNDS):
            gc.collect()
            seen = process.memory_info().rss, process.num_fds()
            if number == SETTLED:
                memory, handles = seen
    return seen[0] - memory, seen[1] - handles


def _page(home: Path) -> list[Figure]:
    settings = {"MODELSHELF_PROVIDERS__HEALTH_SECONDS": "1", "MODELSHELF_PROVIDERS__TIMEOUT_SECONDS": str(TIME_OUT)}
    with served(home, sources=(), settings=settings) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=ARGUMENTS)
        context = browser.new_context(storage_state=sign_in(browser, server), viewport={"width": 1280, "height": 860})
        page = context.new_page()
        page.goto(f"{server.url}/?tab=settings")
        page.get_by_text("Provider 39", exact=True).first.wait_for()
        clicks = sorted(_click(page, number) for number in range(CLICKS))
        told = sorted(_told(page, server.url, number) for number in range(SWITCHES))
        browser.close()
    name = "a click on a provider until it is shown, looks every second"
    return [
        Figure(f"{name}: p50", "modelshelf", clicks[len(clicks) // 2], "ms", 100.0),
        Figure(f"{name}: p95", "modelshelf", clicks[int(len(clicks) * 0.95)], "ms"),
        Figure("a change, from the look that saw it to the page: p50", "modelshelf", told[SWITCHES // 2], "ms", 500.0),
        Figure("a change, from the look that saw it to the page: worst", "modelshelf", told[-1], "ms"),
    ]


def _told(page: Page, url: str, number: int) -> float:
    """Switch a provider off or on over HTTP; from the answer to that until the page says so."""
    return float(page.evaluate(SWITCH, {"url": url, "id": f"p{number // 2}", "enabled": number % 2 == 1}))


def _click(page: Page, number: int) -> float:
    return float(page.evaluate(CLICK, f"Provider {number % ALIVE:02}"))


@contextmanager
def _engines() -> Iterator[tuple[list[str], list[str]]]:
    """The forty and the ten, in a process of their own: what is measured is ours."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join(10)


def _serve(pipe: Connection) -> None:
    asyncio.run(_serve_all(pipe))


async def _serve_all(pipe: Connection) -> None:
    async with AsyncExitStack() as stack:
        simulators = []
        for number in range(ALIVE):
            simulator = await stack.enter_async_context(OllamaSimulator().serve())
            simulator.requests = _Forgetful()
            simulator.headers = _Forgetful()
            for model in range(MODELS):
                simulator.add(f"model-{number}-{model}")
            simulators.append(simulator)
        pipe.send(([simulator.url for simulator in simulators], await stack.enter_async_context(_dead())))
        await asyncio.to_thread(pipe.recv)


class _Forgetful(list):  # type: ignore[type-arg]
    """Remembers nothing: the simulators must not grow either."""

    def append(self, _item: object) -> None:
        return


@asynccontextmanager
async def _dead() -> AsyncIterator[list[str]]:
    """Addresses that refuse, and addresses that accept and never answer."""
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(OllamaSimulator().serve())
        simulator.faults.everywhere(Fault.SILENT)
        simulator.requests = _Forgetful()
        simulator.headers = _Forgetful()
        refusing = [f"http://127.0.0.1:{_closed_port()}" for _ in range(REFUSING)]
        yield refusing + [f"{simulator.url}/{number}" for number in range(SILENT)]


def _closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    for figure in measure():
        print(figure, file=sys.stderr)
