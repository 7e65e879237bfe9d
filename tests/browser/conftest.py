"""A real Chromium on a real server; whatever a page asks of another host is blocked and fails the test."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from tests.browser.serving import Served, served
from tests.chromium import find

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 30_000  # ms; a busy machine is slow, not wrong
expect.set_options(timeout=PATIENCE)
WIDE, NARROW = 1280, 420
SLOW = {"MODELSHELF_DOWNLOADS__MAX_RATE_MB": "0.7"}  # so that a download of a tiny model can be watched for 5 s
PICTURES = "MODELSHELF_PICTURES"  # a folder: the tests leave their pictures there


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module, each page with its own profile: while it runs, Playwright holds the thread's loop."""
    path = find()
    if path is None:
        pytest.skip("there is no Chromium: `python tests/chromium.py` installs one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One served shelf for a module; who changes it changes it back."""
    with served(tmp_path_factory.mktemp("served") / "home", settings=SLOW) as running:
        yield running


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, server: Served) -> Any:
    """The cookies of the owner, who entered by the one-time link."""
    return sign_in(chromium, server)


@dataclass
class Watched:
    """What pages asked for that they should not have, and what they stumbled over."""

    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


Opener = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, server: Served, signed_in: Any) -> Iterator[Opener]:
    """Opens pages of the owner: `open_page("?q=tiny", width=420, theme="dark")`."""
    with opener(chromium, server, signed_in) as opens:
        yield opens


class opener:  # noqa: N801 - used as a function
    """Opens pages and checks at the end that they asked nobody else and met no error."""

    def __init__(self, browser: Browser, server: Served, state: Any) -> None:
        self._browser, self._server, self._state = browser, server, state
        self._contexts: list[BrowserContext] = []
        self._watched = Watched()

    def __enter__(self) -> Opener:
        return self._open

    def __exit__(self, kind: object, *_: object) -> None:
        for context in self._contexts:
            context.close()
        if kind is None:
            assert self._watched.outside == []
            assert self._watched.errors == []

    def _open(self, address: str = "", *, width: int = WIDE, theme: str = "light", height: int = 860) -> Page:
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            storage_state=self._state,
            color_scheme="dark" if theme == "dark" else "light",
        )
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.route("**/*", self._check)
        page = context.new_page()
        page.on("pageerror", lambda error: self._watched.errors.append(str(error)))
        page.on("console", lambda line: self._watched.errors.append(line.text) if line.type == "error" else None)
        page.goto(f"{self._server.url}/{address}")
        return page

    def _check(self, route: Route) -> None:
        if route.request.url.startswith((self._server.url, "data:", "blob:")):
            route.continue_()
        else:
            self._watched.outside.append(route.request.url)
            route.abort()


def sign_in(browser: Browser, server: Served) -> Any:
    """Enter by the owner's link; the cookies of it."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.link)
    page.get_by_role("tab", name="Model Library").wait_for(timeout=PATIENCE)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Page, str], Path]:
    """Takes a picture of a page, into MODELSHELF_PICTURES if that is set."""
    folder = Path(os.environ.get(PICTURES) or tmp_path)

    def take(page: Page, name: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        page.screenshot(path=path)
        return path

    return take


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here drives a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
