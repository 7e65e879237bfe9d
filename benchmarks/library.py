"""How soon the page answers a key with all models loaded, and how soon it switches tabs, in a real Chromium.

From the key's event in the page to the frame in which the first rows of its answer stand; from the click on a tab to
the frame in which the other tab does. `MODELSHELF_BENCH_ROWS` sets how many models there are (2,500,000),
`MODELSHELF_BENCH_HOME` a home that has a catalogue already.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.measure import Figure
from benchmarks.page import ARGUMENTS, _process
from tests.chromium import find

ROWS = int(os.environ.get("MODELSHELF_BENCH_ROWS", "2500000"))
WORDS = ("llama", "qwen", "mistral chat", "gemma 9b", "bert", "whisper", "7b instruct", "deepseek", "phi", "granite q4")
TAB_ROUNDS = 40
PAUSE = 0.12  # seconds between keys: some 8 a second, a quick typist

# The list of the page, through the shadow roots; and a promise of the first frame in which its answer has changed.
WATCH = """() => {
  const deep = (root, selector, all = []) => { for (const el of root.querySelectorAll('*')) {
    if (el.matches(selector)) all.push(el)
    if (el.shadowRoot) deep(el.shadowRoot, selector, all) } return all }
  const visible = (el) => el.getClientRects().length
  // After the next frame is made: a message that is posted in it comes once it is.
  const painted = (then) => requestAnimationFrame(() => {
    const channel = new MessageChannel()
    channel.port1.onmessage = then
    channel.port2.postMessage(0)
  })
  window.bench = {spans: [], deep, painted}
  let pressed = 0, status = null
  const observer = new MutationObserver(() => {
    if (!pressed) return
    const since = pressed
    pressed = 0
    painted(() => bench.spans.push(performance.now() - since))
  })
  // The page may make its list anew: then the one that is there now is watched.
  const watch = () => {
    if (status?.isConnected) return
    status = deep(document, '.listing').find(visible).querySelector('.status')
    observer.observe(status, {childList: true, characterData: true, subtree: true})
  }
  watch()
  document.addEventListener('input', () => { watch(); pressed = performance.now() }, true)
  bench.told = () => deep(document, '.status, .note, .notice').filter(visible).map((el) => el.textContent).join(' | ')
}"""

SWITCH = """(name) => new Promise((done) => {
  const visible = (el) => el.getClientRects().length
  const tab = bench.deep(document, '[role=tab]').find((el) => visible(el) && el.textContent.trim() === name)
  const view = bench.deep(document, `.view[data-tab=${name === 'LLM Settings' ? 'settings' : 'library'}]`)[0]
  const since = performance.now()
  tab.click()
  const look = () => view.hidden ? requestAnimationFrame(look) : bench.painted(() => done(performance.now() - since))
  look()
})"""


def measure() -> list[Figure]:
    """Key to rows and tab to tab, with everything loaded."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(os.environ.get("MODELSHELF_BENCH_HOME") or _filled(Path(folder)))
        environment = {**os.environ, "HOME": folder, "MODELSHELF_HOME": str(home), "HF_HOME": f"{folder}/hf"}
        command: list[str | Path] = [sys.executable, "-m", "modelshelf.cli", "serve", "--port", "0", "--no-browser"]
        browser = playwright.chromium.launch(executable_path=find(), args=ARGUMENTS)
        with _process(command, environment) as server:
            assert server.stdout is not None
            link = next(line.strip() for line in server.stdout if "/login#" in line)
            figures = _measured(browser, link)
        browser.close()
    return figures


def _filled(folder: Path) -> Path:
    """A home with a catalogue of generated models."""
    from benchmarks.catalogue_data import write

    home, file = folder / "home", folder / "models.parquet"
    home.mkdir()
    (home / "config.toml").write_text('[[sources]]\nname = "samples"\nkind = "samples"\nlabel = "Samples (offline)"\n')
    write(file, ROWS)
    environment = {**os.environ, "HOME": str(folder), "MODELSHELF_HOME": str(home), "HF_HOME": str(folder / "hf")}
    command = [sys.executable, "-m", "modelshelf.cli", "catalog", "import", str(file), "--source", "hub"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    file.unlink()
    return home


def _measured(browser: Browser, link: str) -> list[Figure]:
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.goto(link)
    page.locator(".item:visible").first.wait_for(timeout=60_000)
    page.evaluate(WATCH)
    keys = _typed(page)
    page.evaluate(SWITCH, "LLM Settings")
    page.evaluate(SWITCH, "Model Library")  # what is filled when it is first seen
    tabs = [page.evaluate(SWITCH, name) for _ in range(TAB_ROUNDS // 2) for name in ("LLM Settings", "Model Library")]
    page.close()
    return [
        Figure(f"key to new rows, {ROWS:,} models, p50", "modelshelf", statistics.median(keys), "ms"),
        Figure(f"key to new rows, {ROWS:,} models, p95", "modelshelf", _percentile(keys, 95), "ms", 150),
        Figure("tab switch, p50", "modelshelf", statistics.median(tabs), "ms"),
        Figure("tab switch, p95", "modelshelf", _percentile(tabs, 95), "ms", 100),
    ]


def _typed(page: Page) -> Sequence[float]:
    """Every word, key by key; the box is emptied in between."""
    box = page.locator("input[role=combobox]:visible")
    for word in WORDS:
        box.fill("")
        page.wait_for_timeout(600)
        for letter in word:
            box.press(letter if letter != " " else "Space")
            page.wait_for_timeout(PAUSE * 1000)
        page.wait_for_timeout(600)
    spans: list[float] = page.evaluate("() => bench.spans")
    if len(spans) < 2:
        raise RuntimeError(f"No key was answered; the page says: {page.evaluate('() => bench.told()')}")
    print(f"{len(spans)} answers to {sum(map(len, WORDS)) + len(WORDS)} keys", file=sys.stderr)
    return spans


def _percentile(spans: Sequence[float], percent: int) -> float:
    return statistics.quantiles(spans, n=100)[percent - 1]
