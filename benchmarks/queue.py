"""A thousand queued jobs while three transfer: how long the API and the page take, and what two hundred changes leave.

The jobs are written into the database as the manager would, with plans of twelve files. Three more are started over
the API from the sample hub, limited so that they last; everything is asked while they run. A request is measured from
the socket's side, in a process of its own, one after another.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright

from benchmarks.measure import Figure
from benchmarks.page import ARGUMENTS
from modelshelf.samples import SampleHub
from modelshelf.store import Store
from modelshelf.store.tables import JobRow
from tests.browser.conftest import sign_in
from tests.browser.serving import Served, served
from tests.chromium import find

QUEUED, ENDED, MOVING = 1000, 1000, 3
FILES = 12
ASKED = 60
SETTLED, CHANGES = 20, 200
SIZE = 100_000  # bytes of a file that waits
LARGE = 400_000_000  # bytes of a model that transfers
RATE_MB = "6"
PROMISED = 100.0  # ms

# A press on a button of a row, until the row says so: it is the first that waits.
PRESS = """(id) => new Promise((resolve, reject) => {
  const deep = (root, hit) => { for (const el of root.querySelectorAll('*')) {
      if (hit(el)) return el
      if (el.shadowRoot) { const found = deep(el.shadowRoot, hit); if (found) return found } } return null }
  const list = deep(document, (el) => el.matches('section[data-section=queue] .rows'))
  const first = () => list.querySelectorAll('[data-do=first]')[0]?.closest('.item').dataset.id
  const button = list.querySelector(`.item[data-id="${id}"] [data-do=first]`), start = performance.now()
  const look = () => first() === id ? resolve(performance.now() - start)
    : performance.now() - start > 10_000 ? reject(new Error(`${id} did not move`)) : requestAnimationFrame(look)
  button.click()
  look()
})"""
WAITING = """() => {
  const deep = (root, hit) => { for (const el of root.querySelectorAll('*')) {
      if (hit(el)) return el
      if (el.shadowRoot) { const found = deep(el.shadowRoot, hit); if (found) return found } } return null }
  const list = deep(document, (el) => el.matches('section[data-section=queue] .rows'))
  return [...list.querySelectorAll('[data-do=first]')].map((b) => b.closest('.item').dataset.id)
}"""
# How long the page takes for each frame while it is scrolled from top to bottom.
SCROLL = """() => new Promise((resolve) => {
  const deep = (root, hit) => { for (const el of root.querySelectorAll('*')) {
      if (hit(el)) return el
      if (el.shadowRoot) { const found = deep(el.shadowRoot, hit); if (found) return found } } return null }
  const body = deep(document, (el) => el.matches('.view[data-tab=library] .body')), spans = []
  let last = performance.now(), left = 60
  const step = () => {
    const now = performance.now()
    spans.push(now - last)
    last = now
    body.scrollTop += 60
    if (--left) requestAnimationFrame(step); else resolve(spans.slice(1))
  }
  requestAnimationFrame(step)
})"""

Ask = Callable[..., Any]


def measure() -> list[Figure]:
    """The API, the page, and the memory."""
    with tempfile.TemporaryDirectory() as folder, _hub(Path(folder)) as (url, cdn, ca_file):
        home = Path(folder) / "home"
        asyncio.run(_fill(home / "modelshelf.db"))
        source = {"name": "hub", "kind": "huggingface", "url": url, "hosts": [cdn], "label": "Hub"}
        config = {"network": {"ca_file": ca_file}, "downloads": {"concurrent_jobs": MOVING}}
        settings = {"MODELSHELF_DOWNLOADS__MAX_RATE_MB": RATE_MB}
        with served(home, sources=(source,), config=config, settings=settings) as server, sync_playwright() as play:
            browser = play.chromium.launch(executable_path=find(), args=ARGUMENTS)
            state = sign_in(browser, server)
            context = browser.new_context(storage_state=state, viewport={"width": 1280, "height": 860})
            ask = _asker(server, state)
            _start(ask)
            page = context.new_page()
            page.goto(f"{server.url}/?view=downloads")
            page.locator(".item:visible").nth(MOVING + 5).wait_for()
            figures = _api(ask)
            figures += [*_page(page), *_memory(ask, page, server)]
            browser.close()
    return figures


def _api(ask: Ask) -> list[Figure]:
    waiting = [job["id"] for job in ask("GET", "?state=open&limit=200")[MOVING:]]
    chance = random.Random(1)

    def move() -> None:
        to = chance.choice(["first", "last", "before", "after"])
        job, other = chance.sample(waiting, 2)
        ask("POST", f"/{job}/move", {"to": to, "other": other})

    stopped: list[str] = []

    def pause() -> None:
        stopped.append(waiting.pop())
        ask("POST", f"/{stopped[-1]}/pause")

    def resume() -> None:
        waiting.append(stopped.pop())
        ask("POST", f"/{waiting[-1]}/resume")

    deeds: dict[str, Callable[[], object]] = {
        "a page of 50": lambda: ask("GET", "?state=open&limit=50"),
        "a page of 200": lambda: ask("GET", "?state=open&limit=200"),
        "the last page of 50": lambda: ask("GET", f"?state=open&limit=50&offset={QUEUED - 50}"),
        "history, 50": lambda: ask("GET", "/history?limit=50"),
        "history, 200": lambda: ask("GET", "/history?limit=200"),
        "move": move,
        "pause": pause,
        "resume": resume,
    }
    figures = []
    for name, deed in deeds.items():
        spans = sorted(_timed(deed) for _ in range(ASKED))
        middle, late = spans[len(spans) // 2], spans[int(len(spans) * 0.95)]
        figures += [
            Figure(f"{QUEUED:,} queued, {MOVING} transfer: {name}, p50", "API", middle, "ms"),
            Figure(f"{name}, p95", "API", late, "ms", PROMISED),
        ]
    return figures


def _page(page: Page) -> list[Figure]:
    frames = sorted(page.evaluate(SCROLL))
    presses = []
    for number in range(30):
        waiting = page.evaluate(WAITING)
        presses.append(float(page.evaluate(PRESS, waiting[5 + number % 20])))
    presses.sort()
    return [
        Figure(
            "a frame while the open downloads are scrolled, p95", "page", frames[int(len(frames) * 0.95)], "ms", 50.0
        ),
        Figure("Move first, from the press until the row is there: p50", "page", presses[15], "ms", PROMISED),
        Figure("Move first, from the press until the row is there: p95", "page", presses[28], "ms", PROMISED),
    ]


def _memory(ask: Ask, page: Page, server: Served) -> list[Figure]:
    process, chance = psutil.Process(server.pid), random.Random(2)
    waiting = [job["id"] for job in ask("GET", "?state=open&limit=200")[MOVING:]]
    tools = page.context.new_cdp_session(page)
    seen: dict[int, tuple[float, float]] = {}
    for number in range(1, CHANGES + 1):
        job, other = chance.sample(waiting, 2)
        ask("POST", f"/{job}/move", {"to": "before", "other": other})
        if number % 2:
            ask("POST", f"/{job}/pause")
            ask("POST", f"/{job}/resume")
        page.wait_for_timeout(50)
        if number in (SETTLED, CHANGES):
            tools.send("HeapProfiler.collectGarbage")
            heap = tools.send("Runtime.getHeapUsage")["usedSize"]
            seen[number] = process.memory_info().rss / 2**20, heap / 2**20
    (server_before, page_before), (server_after, page_after) = seen[SETTLED], seen[CHANGES]
    what = f"gained from change {SETTLED} to {CHANGES}"
    return [
        Figure(f"memory of the server {what}", "modelshelf", server_after - server_before, "MiB", 24.0),
        Figure(f"memory of the page's scripts {what}", "page", page_after - page_before, "MiB", 16.0),
    ]


def _timed(deed: Callable[[], object]) -> float:
    start = time.perf_counter()
    deed()
    return 1000 * (time.perf_counter() - start)


def _asker(server: Served, state: Any) -> Ask:
    """Asks the downloads' part of the API as the owner."""
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in state["cookies"])
    headers = {"cookie": cookies, "origin": server.url, "content-type": "application/json"}

    def ask(method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{server.url}/api/downloads{path}", data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    return ask


def _start(ask: Ask) -> None:
    """Three that transfer, before all others."""
    for number in range(MOVING):
        ask("POST", "", {"model": f"hub:large/m{number}", "priority": 100})
    until = time.monotonic() + 60
    while time.monotonic() < until:
        states = [job["status"] for job in ask("GET", f"?state=open&limit={MOVING}")]
        if states == ["transferring"] * MOVING:
            ask("POST", "/resume")
            return
        time.sleep(0.2)
    raise TimeoutError(f"they do not transfer: {states}")


async def _fill(database: Path) -> None:
    """Jobs as the manager writes them: a thousand that wait, a thousand that ended."""
    store = Store.at(database)
    await store.start()
    now = datetime.now(UTC)

    def add(session: Any) -> None:
        session.add_all(_row(number, now) for number in range(QUEUED + ENDED))

    await store.write(add)
    await store.stop()


def _row(number: int, now: datetime) -> JobRow:
    waits = number < QUEUED
    files = [f"model-{part:05}-of-{FILES:05}.safetensors" for part in range(FILES)]
    plan = {
        "source": "hub", "repo": f"org/m{number}", "commit": f"{number:040x}", "skipped": 0, "total": FILES * SIZE,
        "missing": FILES * SIZE, "disk_needed": 0, "disk_free": 0, "licence": "apache-2.0", "gated": False,
        "resumable": True, "disks": [], "copies": [], "refs": None,
        "files": [{"path": path, "size": SIZE, "sha256": f"{number:032x}{part:032x}", "git_sha1": None,
                   "present": False, "pinned": None} for part, path in enumerate(files)],
    }  # fmt: skip
    at = now - timedelta(minutes=QUEUED + ENDED - number)
    result = {"files": [{"name": path, "sha256": "0" * 64, "size": SIZE} for path in files]}
    return JobRow(
        id=f"{number:012x}", source="hub", repo=f"org/m{number}", commit=f"{number:040x}", wanted=files, plan=plan,
        status="paused" if waits else "done", position=float(number), bytes_total=FILES * SIZE,
        bytes_done=0 if waits else FILES * SIZE, created=at, started=None if waits else at,
        ended=None if waits else at, result={} if waits else result, principal="owner",
    )  # fmt: skip


@contextmanager
def _hub(folder: Path) -> Iterator[tuple[str, str, str]]:
    """A hub with three large models, in a process of its own: its two addresses, and its authority's certificate."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(str(folder / "hub"), theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join(10)


def _serve(folder: str, pipe: Connection) -> None:
    asyncio.run(_serve_all(Path(folder), pipe))


async def _serve_all(folder: Path, pipe: Connection) -> None:
    folder.mkdir(parents=True)
    hub = SampleHub(folder, samples=False)
    await hub.start()
    for number in range(MOVING):
        file = folder / f"large-{number}.bin"
        with file.open("wb") as handle:
            handle.write(bytes([number]) * 1000)
            handle.truncate(LARGE)
        await hub.add(f"large/m{number}", {"model.gguf": file})
    pipe.send((hub.url, hub.cdn_url, str(hub.ca_file)))
    await asyncio.to_thread(pipe.recv)
    await hub.stop()


if __name__ == "__main__":
    for figure in measure():
        print(figure, file=sys.stderr)
