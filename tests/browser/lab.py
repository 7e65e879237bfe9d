"""A real JupyterLab on loopback, with a home, a configuration and a folder of its own, and nobody else to ask."""

import json
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from playwright.sync_api import Page, expect

from tests.browser.serving import SAMPLES
from tests.hermetic import START_SECONDS, child_environment

DASHBOARD = "import modelshelf\n\nshelf = await modelshelf.open_shelf()\nshelf.dashboard()"
QUIET = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"  # it asks no host for news


@dataclass(frozen=True)
class Lab:
    """Where a browser finds it, and the folder of its notebooks."""

    url: str
    token: str
    folder: Path

    def notebook(self, name: str, *sources: str) -> str:
        """Write a notebook of these cells; the address that opens it."""
        cells = [_cell(f"cell-{place}", source) for place, source in enumerate(sources)]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        written: dict[str, Any] = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4}
        (self.folder / f"{name}.ipynb").write_text(json.dumps({**written, "nbformat_minor": 5}), "utf-8")
        return f"{self.url}lab/tree/{name}.ipynb?token={self.token}&reset"


def _cell(name: str, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code", "id": name, "metadata": {}, "execution_count": None, "outputs": [], "source": source,
    }  # fmt: skip


@contextmanager
def jupyter_lab(folder: Path) -> Iterator[Lab]:
    """Run it until the end of the block; fails with what it said if it does not start."""
    home, notebooks, config = folder / "home", folder / "notebooks", folder / "config"
    for made in (home, notebooks, (config / "lab" / "user-settings" / QUIET).parent):
        made.mkdir(parents=True)
    (home / "config.toml").write_text(tomlkit.dumps({"sources": [dict(SAMPLES)]}), "utf-8")
    (config / "lab" / "user-settings" / QUIET).write_text('{"fetchNews": "false", "checkForUpdates": false}', "utf-8")
    environ = child_environment(folder) | {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    token = secrets.token_hex(16)
    command = [
        str(Path(sys.executable).with_name("jupyter-lab")),
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--port=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={notebooks}",
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    said = folder / "lab.log"  # a pipe that nobody reads would fill up
    with said.open("w") as log, subprocess.Popen(command, env=environ, stdout=log, stderr=log) as child:
        try:
            yield Lab(_address(child, said), token, notebooks)
        finally:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


def _address(child: "subprocess.Popen[bytes]", said: Path) -> str:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and child.poll() is None:
        if found := re.search(r"(http://127\.0\.0\.1:\d+/)lab\?token=", said.read_text("utf-8")):
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start: {said.read_text('utf-8')}")


def run_cell(page: Page, place: int) -> None:
    """Run a cell and wait until its kernel has nothing more to do."""
    idle = page.get_by_text("Python 3 (ipykernel) | Idle")
    expect(idle).to_be_visible()  # before, a cell that is run is forgotten
    page.locator(".jp-Notebook .jp-Cell").nth(place).locator(".cm-content").click()
    count = page.locator(".jp-Notebook .jp-Cell").nth(place).locator(".jp-InputPrompt")
    before = count.inner_text()
    page.keyboard.press("Shift+Enter")
    expect(count).not_to_have_text(before)
    expect(count).to_have_text(re.compile(r"\[\d+\]"))
    expect(idle).to_be_visible()
