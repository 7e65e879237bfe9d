"""How soon one tab leads to the other, and how soon two open pages show what happened, in a real Chromium.

From the event `navigate-to-…` in the page to the frame in which the other tab stands with what was asked for in it;
from the moment before a service is told of a change to the frame in which each of two pages shows it. The server runs
in this process, so that both ends read one clock.
"""

import asyncio
import hashlib
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from benchmarks.measure import Figure
from benchmarks.page import ARGUMENTS
from modelshelf.config import ConfigManager
from modelshelf.shelf import Shelf
from tests.chromium import find
from tests.core.library.conftest import install
from tests.dashboard.serving import served
from tests.engines.faults import Fault
from tests.engines.ollama import OllamaSimulator
from tests.hermetic import environment

JUMPS, CHANGES = 40, 15
SILENT = "Ollama does not answer"
JUMP, SHOWN = 100, 500  # ms that are promised

HELP = """
window.bench = {
  deep: (root, hit) => { for (const el of root.querySelectorAll('*')) {
    if (hit(el) && el.getClientRects().length) return el
    if (el.shadowRoot) { const found = bench.deep(el.shadowRoot, hit); if (found) return found } } return null },
  painted: (then) => requestAnimationFrame(() => {
    const channel = new MessageChannel()
    channel.port1.onmessage = then
    channel.port2.postMessage(0)
  }),
  says: (selector, text) => bench.deep(document, (el) => el.matches(selector) && el.textContent.includes(text)),
}
"""
# The event, until the other tab stands, its row is chosen or has the keyboard, and the browser has painted that.
LEAD = """([name, detail, selector, text]) => new Promise((done, fail) => {
  const since = performance.now()
  const look = () => bench.says(selector, text) ? bench.painted(() => done(performance.now() - since))
    : performance.now() - since > 10000 ? fail(new Error(`${name} led nowhere`)) : requestAnimationFrame(look)
  window.dispatchEvent(new CustomEvent(name, {detail}))
  look()
})"""
# Until a page shows a text, or no longer does: the moment in milliseconds since 1970.
UNTIL = """([selector, text, there]) => new Promise((done, fail) => {
  const since = performance.now()
  const look = () => Boolean(bench.says(selector, text)) === there
    ? bench.painted(() => done(performance.timeOrigin + performance.now()))
    : performance.now() - since > 20000 ? fail(new Error(`“${text}” is not what is shown`))
    : requestAnimationFrame(look)
  look()
})"""
TO_MODELS = ("navigate-to-model-library", {"view": "discover", "filters": ["provider:ollama"], "focus": True})
TO_PROVIDER = ("navigate-to-llm-settings", {"section": "providers", "provider": "ollama"})


def measure() -> list[Figure]:
    """Jumps between the tabs, and changes in two pages."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Figure]:
    config = ConfigManager(folder / "home", environment(folder))
    config.set("sources", [{"name": "samples", "kind": "samples", "label": "Samples (offline)"}])
    config.paths.cache.mkdir(parents=True)
    (folder / "ollama" / "blobs").mkdir(parents=True)
    config.environ["OLLAMA_MODELS"] = str(folder / "ollama")
    simulator = OllamaSimulator(store=folder / "ollama")
    simulator.add("tiny-llama")
    async with (
        simulator.serve(),
        served(Shelf(config), show=None) as site,
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(executable_path=find(), args=ARGUMENTS)
        await site.shelf.providers.add("ollama", url=simulator.url)
        await site.shelf.health.check("ollama")
        pages = await _open(browser, site.link, site.url)
        figures = [*await _jumps(pages[0]), *await _changes(pages, site.shelf, simulator)]
        await browser.close()
    return figures


async def _open(browser: Browser, link: str, url: str) -> list[Page]:
    """Two pages, each in a window of its own: a browser draws what is behind another page once a second."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(link)
    await page.locator(".item:visible").first.wait_for(timeout=60_000)
    state = await context.storage_state()
    await context.close()
    pages = []
    for _ in range(2):
        context = await browser.new_context(viewport={"width": 1280, "height": 860}, storage_state=state)
        await context.add_init_script(HELP)
        pages.append(await context.new_page())
        await pages[-1].goto(f"{url}/?tab=settings&section=status")
        await pages[-1].evaluate(UNTIL, ["section", "Providers", True])
    return pages


async def _jumps(page: Page) -> list[Figure]:
    async def to_models() -> float:
        return float(await page.evaluate(LEAD, [*TO_MODELS, ".item:focus", ""]))

    async def to_provider() -> float:
        return float(await page.evaluate(LEAD, [*TO_PROVIDER, ".item[aria-selected=true]", "Ollama"]))

    for _ in range(2):  # what is filled when it is first seen
        await to_models()
        await to_provider()
    spans = [span for _ in range(JUMPS // 2) for span in (await to_models(), await to_provider())]
    return _figures("jump to the other tab with context", spans, JUMP)


async def _changes(pages: Sequence[Page], shelf: Shelf, simulator: OllamaSimulator) -> list[Figure]:
    for page in pages:
        await page.evaluate(LEAD, ["navigate-to-llm-settings", {"section": "status"}, "section", "Sources"])
    down, landed = [], []

    def look() -> Awaitable[object]:
        return shelf.health.check("ollama")

    for _ in range(CHANGES):
        simulator.faults.everywhere(Fault.BROKEN)
        down += await _seen(
            pages, lambda: shelf.health.check("ollama"), ".notice", "Ollama does not answer", there=True
        )
        simulator.faults.clear()
        await _seen(pages, lambda: shelf.health.check("ollama"), ".notice", "Ollama does not answer", there=False)
    for page in pages:
        await page.evaluate(LEAD, ["navigate-to-model-library", {"view": "installed"}, ".note,.item", ""])
    for number in range(CHANGES):
        name = f"landed-{number}"
        install(shelf.config.paths.cache, f"org/{name}", {"m.gguf": hashlib.sha256(name.encode()).digest() * 100})
        landed += await _seen(pages, shelf.library.models, ".item", name, there=True)
    return [
        *_figures("registration undone, in both pages", await _undone(pages, shelf), SHOWN),
        *_figures("provider down, in both pages", down, SHOWN),
        *_figures("model landed, in both pages", landed, SHOWN),
    ]


async def _undone(pages: Sequence[Page], shelf: Shelf) -> list[float]:
    """A model that was given to Ollama is taken back there, and given again."""
    model = "samples/tiny-llama-GGUF"
    async with aclosing(shelf.downloads.follow(await shelf.downloads.start(model))) as steps:
        async for _step in steps:
            pass
    for page in pages:
        await page.evaluate(LEAD, ["navigate-to-model-library", {"model": f"samples:{model}"}, ".pair", "Ollama"])
    undone = []
    for _ in range(CHANGES):
        [made] = await shelf.registration.register(model, "ollama")
        await _seen(pages, shelf.registration.list, "[data-do=unuse]", "Undo", there=True)
        undo = partial(shelf.registration.undo, made.id)
        undone += await _seen(pages, undo, "[data-do=unuse]", "Undo", there=False)
    return undone


async def _seen(
    pages: Sequence[Page], happens: Callable[[], Awaitable[object]], selector: str, text: str, *, there: bool
) -> list[float]:
    """When each page showed it, in milliseconds from the moment before it happened."""
    looks = [asyncio.create_task(page.evaluate(UNTIL, [selector, text, there])) for page in pages]
    await asyncio.sleep(0.05)  # both look
    since = time.time() * 1000
    await happens()
    return [moment - since for moment in await asyncio.gather(*looks)]


def _figures(what: str, spans: Sequence[float], budget: float) -> list[Figure]:
    return [
        Figure(f"{what}, p50", "modelshelf", statistics.median(spans), "ms"),
        Figure(f"{what}, p95", "modelshelf", statistics.quantiles(spans, n=100)[94], "ms", budget),
    ]
