"""What goes wrong in mid-work, seen from the page: it says what happened, what to do, and that works."""

import asyncio
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from modelshelf.samples import Faults, SampleHub
from modelshelf.samples.certificates import certificates
from tests.browser.conftest import opener, sign_in
from tests.browser.page import drawer, go, row
from tests.browser.serving import served
from tests.browser.simulated import simulated
from tests.browser.test_providers import add
from tests.engines.compatible import CompatibleSimulator

pytestmark = pytest.mark.browser

MODEL = "tiny-llama-GGUF"
CALM = Faults(rate=400_000, close_after=300_000, close_times=1 << 30)
CUT = Faults(api_down=True, cdn_down=True)


@dataclass
class Hub:
    """The sample hub as a stranger's, on a network that can be cut."""

    folder: Path
    running: list[SampleHub] = field(default_factory=list)

    @asynccontextmanager
    async def serve(self) -> Any:
        hub = SampleHub(self.folder, faults=CALM)
        await hub.start()
        self.running.append(hub)
        try:
            yield self
        finally:
            await hub.stop()
            await asyncio.sleep(0)

    @property
    def source(self) -> dict[str, object]:
        """How a shelf is told of it."""
        hub = self.running[0]
        return {"name": "lab", "kind": "huggingface", "label": "Lab", "url": hub.url, "hosts": [hub.cdn_url]}

    def now(self, faults: Faults) -> None:
        """What goes wrong from now on."""
        self.running[0].faults = faults


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub for the module."""
    with simulated(made := Hub(tmp_path_factory.mktemp("hub"))):
        yield made


@pytest.fixture
def settings(hub: Hub) -> dict[str, str]:
    """A shelf that trusts the hub."""
    return {"MODELSHELF_NETWORK__CA_FILE": str(certificates(hub.folder / "tls").ca)}


def test_a_network_that_is_cut_in_mid_download_loses_nothing(
    chromium: Browser, tmp_path: Path, hub: Hub, settings: dict[str, str], picture: Callable[[Page, str], Path]
) -> None:
    hub.now(CALM)
    with (
        served(tmp_path / "home", sources=(hub.source,), settings=settings) as server,
        opener(chromium, server, sign_in(chromium, server)) as opens,
    ):
        page = opens(f"?model=lab:samples/{MODEL}")
        drawer(page).get_by_role("button", name=re.compile("^Download")).first.click()
        dock = page.locator(".running:visible")
        expect(dock).to_contain_text(re.compile(r"\d of 3.5 MB"))
        hub.now(CUT)
        expect(dock).to_contain_text("waits for the network")
        picture(page, "recovery-network")
        hub.now(Faults())
        expect(drawer(page).get_by_role("button", name="Try it")).to_be_visible()
        go(page, "Downloads")
        expect(row(page, MODEL).first).to_contain_text("done")


def test_an_engine_that_dies_in_mid_answer_is_said_and_asked_again(
    chromium: Browser, tmp_path: Path, picture: Callable[[Page, str], Path]
) -> None:
    with (
        served(tmp_path / "home") as server,
        opener(chromium, server, sign_in(chromium, server)) as opens,
    ):
        page = opens(f"?model=samples:samples/{MODEL}")
        drawer(page).get_by_role("button", name=re.compile("^Download")).click()
        drawer(page).get_by_role("button", name="Try it").click()
        say(page, "Once upon a time")
        answers = page.locator(".turn.assistant:not(.live)")
        expect(answers).to_contain_text("tokens/s")
        with server.frozen_engine():
            say(page, "And then?")
            expect(page.get_by_role("button", name="Stop")).to_be_visible()
            for child in engines(server.pid):
                child.kill()
        expect(answers.last).to_contain_text(re.compile("stopped|ended|died|crash"))
        picture(page, "recovery-engine")
        say(page, "Are you there?")
        expect(answers.last).to_contain_text("tokens/s")


def test_a_key_that_was_revoked_is_said_and_replaced(
    chromium: Browser, tmp_path: Path, picture: Callable[[Page, str], Path]
) -> None:
    lab = CompatibleSimulator(key="sk-lab-first-1111")
    quick = {"MODELSHELF_PROVIDERS__HEALTH_SECONDS": "1"}
    with (
        simulated(lab),
        served(tmp_path / "home", settings=quick) as server,
        opener(chromium, server, sign_in(chromium, server)) as opens,
    ):
        page = opens("?tab=settings")
        dialog = add(page, "openai-compatible", lab.url, name="Lab server", key=lab.key)
        dialog.get_by_role("button", name="Save", exact=True).click()
        expect(row(page, "Lab server")).to_contain_text("well")
        lab.key = "sk-lab-second-2222"
        expect(row(page, "Lab server")).to_contain_text(re.compile("key|refuse"))
        row(page, "Lab server").locator(".names").click()
        picture(page, "recovery-key")
        page.get_by_role("button", name="Replace key").filter(visible=True).first.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label(re.compile("[Kk]ey")).filter(visible=True).first.fill(lab.key)
        picture(page, "recovery-key-form")
        dialog.get_by_role("button", name=re.compile("^(Save|Add)")).first.click()
        expect(row(page, "Lab server")).to_contain_text("well")


def test_a_full_disk_holds_the_download_until_there_is_room(
    chromium: Browser, tmp_path: Path, picture: Callable[[Page, str], Path]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small disk")
    try:
        ballast = disk / "ballast"
        cache = {"HF_HUB_CACHE": str(disk / "hub")}
        with (
            served(tmp_path / "home", settings=cache) as server,
            opener(chromium, server, sign_in(chromium, server)) as opens,
        ):
            page = opens(f"?model=samples:samples/{MODEL}")
            expect(drawer(page).get_by_role("button", name=re.compile("^Download")).first).to_be_visible()
            fill(ballast, disk)
            drawer(page).get_by_role("button", name=re.compile("^Download")).first.click()
            expect(page.locator("body")).to_contain_text(re.compile("disk|room|space"))
            picture(page, "recovery-disk")
            ballast.unlink()
            again = page.get_by_role("button", name=re.compile("^(Download|Try again|Resume)")).filter(visible=True)
            again.first.click()
            expect(drawer(page).get_by_role("button", name="Try it")).to_be_visible()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def say(page: Page, text: str) -> None:
    """Ask the model that the drawer shows."""
    page.locator("textarea:visible").fill(text)
    page.locator("textarea:visible").press("Enter")


def engines(server: int) -> list[psutil.Process]:
    """The processes of a server in which models are loaded."""
    return [child for child in psutil.Process(server).children() if "engine/child.py" in " ".join(child.cmdline())]


def fill(file: Path, disk: Path) -> None:
    """Leave 20 MB on a disk."""
    room = psutil.disk_usage(str(disk)).free - 20_000_000
    file.write_bytes(b"x" * max(room, 0))
