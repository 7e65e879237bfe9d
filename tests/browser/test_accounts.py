"""Signing in to the Hub by mouse, and what that opens."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from modelshelf.samples import GATED_REPO, READER_TOKEN, WAITING_TOKEN, SampleHub
from modelshelf.samples.certificates import certificates
from tests.browser.conftest import opener, sign_in
from tests.browser.page import drawer
from tests.browser.serving import Served, served
from tests.browser.simulated import simulated


class Hub:
    """The sample hub as a stranger's: served in the background like a simulator."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = ""

    @asynccontextmanager
    async def serve(self) -> Any:
        hub = SampleHub(self._folder)
        await hub.start()
        self.url = hub.url
        try:
            yield self
        finally:
            await hub.stop()
            await asyncio.sleep(0)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A shelf whose one source is a hub that wants to know who asks for gated models."""
    folder = tmp_path_factory.mktemp("accounts")
    hub = Hub(folder / "hub")
    with simulated(hub):
        settings = {"HF_ENDPOINT": hub.url, "MODELSHELF_NETWORK__CA_FILE": str(certificates(folder / "hub" / "tls").ca)}
        source = {"name": "hf", "kind": "huggingface", "label": "Hugging Face"}
        with served(folder / "home", sources=(source,), settings=settings) as running:
            yield running


def test_a_token_is_pasted_and_opens_a_gated_model(
    chromium: Browser, site: Served, picture: Callable[[Page, str], Path]
) -> None:
    with opener(chromium, site, sign_in(chromium, site)) as opens:
        page = opens("?tab=settings&section=accounts")
        card = page.get_by_role("region", name="Hugging Face")
        expect(card).to_contain_text("Nobody is signed in")
        give(page, "hf_wrong_token_1234")
        expect(page.get_by_role("dialog", name="Sign in to Hugging Face")).to_contain_text("does not accept the token")
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()

        give(page, WAITING_TOKEN)
        expect(card).to_contain_text("waiting")
        page.goto(f"{site.url}/?model=hf:{GATED_REPO}")
        expect(drawer(page)).to_contain_text("the publisher has not answered yet")
        expect(drawer(page).get_by_role("button", name=re.compile("^Download"))).to_have_count(0)

        page.goto(f"{site.url}/?tab=settings&section=accounts")
        give(page, READER_TOKEN)
        expect(card).to_contain_text("reader")
        expect(card).to_contain_text("saved here")
        picture(page, "accounts")
        assert READER_TOKEN not in page.content()
        assert READER_TOKEN.encode() not in (site.home / "modelshelf.db").read_bytes()
        page.goto(f"{site.url}/?model=hf:{GATED_REPO}")
        expect(drawer(page)).to_contain_text("The publisher let your account in.")
        expect(drawer(page).get_by_role("button", name=re.compile("^Download")).first).to_be_visible()

        page.goto(f"{site.url}/?tab=settings&section=accounts")
        card.get_by_role("button", name="Sign out").click()
        expect(card).to_contain_text("Nobody is signed in")


def give(page: Page, token: str) -> None:
    page.get_by_role("region", name="Hugging Face").get_by_role("button").first.click()
    dialog = page.get_by_role("dialog", name="Sign in to Hugging Face")
    dialog.get_by_label("Token").fill(token)
    dialog.get_by_role("button", name="Sign in").click()
