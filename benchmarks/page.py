"""How soon the page can be used: from the start of the navigation to a row that a click would hit.

Cold means a new browser profile on a running server; warm the same profile again. The peer is a stock Panel template
with a table of as many rows, on the same machine in the same run.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.measure import BIN, Figure
from tests.chromium import find

ROUNDS = 5
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

# Through the shadow roots: the row is usable when a click in its middle would reach it.
HIT = """(selector) => {
  const deep = (root) => { for (const el of root.querySelectorAll('*')) {
      if (el.matches(selector)) return el
      if (el.shadowRoot) { const found = deep(el.shadowRoot); if (found) return found } } return null }
  const row = deep(document)
  if (!row) return false
  const box = row.getBoundingClientRect()
  if (!box.width || !box.height) return false
  let at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2)
  while (at && at.shadowRoot) {
    const inner = at.shadowRoot.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2)
    if (!inner || inner === at) break
    at = inner
  }
  for (let el = at; el; el = el.parentNode || el.host) if (el === row) return true
  return false
}"""

PEER = """
import pandas as pd, panel as pn
pn.extension("tabulator")
frame = pd.DataFrame({"model": [f"org/model-{i}" for i in range(50)], "size": range(50)})
pn.template.FastListTemplate(title="peer", main=[pn.widgets.Tabulator(frame, page_size=50)]).servable()
"""


def measure() -> list[Figure]:
    """Cold and warm, ours and the peer's."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=ARGUMENTS)
        figures = _ours(browser, Path(folder)) + _peer(browser, Path(folder))
        browser.close()
    return figures


def _ours(browser: Browser, folder: Path) -> list[Figure]:
    home = folder / "home"
    home.mkdir()
    (home / "config.toml").write_text('[[sources]]\nname = "samples"\nkind = "samples"\nlabel = "Samples (offline)"\n')
    environment = {**os.environ, "HOME": str(folder), "MODELSHELF_HOME": str(home), "HF_HOME": str(folder / "hf")}
    command: list[str | Path] = [BIN / "modelshelf", "serve", "--port", "0", "--no-browser"]
    with _process(command, environment) as server:
        assert server.stdout is not None
        link = next(line.strip() for line in server.stdout if "/login#" in line)
        state = folder / "state.json"
        context = browser.new_context()
        _usable(context.new_page(), link, "[role=row][data-id]")  # also what the server loads once
        context.storage_state(path=state)
        context.close()
        address = link.partition("/login")[0] + "/"
        cold, warm = _rounds(browser, address, "[role=row][data-id]", state)
    return [
        Figure("page usable, cold profile", "modelshelf", cold, "s", 2.0),
        Figure("page usable, warm", "modelshelf", warm, "s"),
    ]


def _peer(browser: Browser, folder: Path) -> list[Figure]:
    (folder / "peer.py").write_text(PEER)
    command: list[str | Path] = [BIN / "panel", "serve", folder / "peer.py", "--port", "5107", "--log-level", "error"]
    with _process(command, dict(os.environ)):
        address = "http://localhost:5107/peer"
        _wait_for(address)
        cold, warm = _rounds(browser, address, ".tabulator-row", None)
    return [
        Figure("page usable, cold profile", "stock Panel template", cold, "s"),
        Figure("page usable, warm", "stock Panel template", warm, "s"),
    ]


def _rounds(browser: Browser, address: str, row: str, state: Path | None) -> tuple[float, float]:
    cold, warm = [], []
    for _ in range(ROUNDS):
        context = browser.new_context(storage_state=state, viewport={"width": 1280, "height": 860})
        cold.append(_usable(context.new_page(), address, row))
        warm.append(_usable(context.new_page(), address, row))
        context.close()
    return statistics.median(cold), statistics.median(warm)


def _usable(page: Page, address: str, row: str) -> float:
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(HIT, arg=row, timeout=60_000, polling="raf")
    seconds = time.perf_counter() - start
    page.close()
    return seconds


@contextmanager
def _process(command: list[str | Path], environment: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(15)


def _wait_for(address: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(address)
