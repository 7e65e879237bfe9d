"""A secret that was told to Modelshelf is seen nowhere again: no log, answer, page, file, process or exception."""

import asyncio
import io
import logging
import os
import traceback
import zipfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError
from modelshelf.providers.drafts import Draft
from modelshelf.samples import CHAT_REPO, Faults, SampleHub
from modelshelf.samples.accounts import Account
from modelshelf.shelf import Shelf, open_shelf
from modelshelf.vault import Secret
from tests.acceptance.canaries import Canaries, Quoting, Watch, document
from tests.acceptance.terminal import Terminal
from tests.acceptance.test_processes import serving
from tests.conftest import LoopRunner
from tests.dashboard.serving import Browser
from tests.engines.faults import Fault

SAMPLES = {"name": "samples", "kind": "samples", "label": "Samples (offline)"}
HUB = {"name": "hf", "kind": "huggingface", "label": "Hub"}


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def hub(hub: SampleHub, watch: Watch) -> SampleHub:
    """The sample hub, where the canary token belongs to somebody who is let in everywhere."""
    hub.accounts[watch.canaries.token] = Account("somebody", "granted")
    return hub


@pytest.fixture
def service(loop: LoopRunner, watch: Watch) -> Quoting:
    """A service that wants the key that was typed in."""
    return loop.enter(Quoting(key=watch.canaries.provider).serve())


@pytest.fixture
def given(hub: SampleHub, watch: Watch) -> dict[str, str]:
    """What a person sets in the environment."""
    return {
        "HF_ENDPOINT": hub.url,
        "MODELSHELF_NETWORK__CA_FILE": str(hub.ca_file),
        "MODELSHELF_MASTER_KEY": watch.canaries.master,
        "CANARY_KEY": watch.canaries.variable,
    }


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """All logs of this process, as talkative as they can be."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s %(pathname)s"))
    talkative = [logging.getLogger(name) for name in (None, "sqlalchemy.engine", "aiohttp", "uvicorn", "modelshelf")]
    levels = [logger.level for logger in talkative]
    factory = logging.getLogRecordFactory()
    for logger in talkative:
        logger.setLevel(logging.DEBUG)
    talkative[0].addHandler(handler)
    yield stream
    talkative[0].removeHandler(handler)
    for logger, level in zip(talkative, levels, strict=True):
        logger.setLevel(level)
    logging.setLogRecordFactory(factory)


async def filled(shelf: Shelf, canaries: Canaries, service: Quoting) -> None:
    """Hand over every secret in the way that people do. A new way to do so belongs here."""
    await shelf.huggingface.sign_in(Secret(canaries.token))
    await shelf.vault.put("other/odd", Secret(canaries.odd))
    typed = Draft("openai-compatible", service.url + "/v1", "Typed", "typed", key=Secret(canaries.provider))
    await shelf.providers.drafts.save(typed)
    await shelf.providers.add_key("typed", secret=Secret(canaries.provider), pattern="tiny-*")
    named = Draft("openai-compatible", service.url + "/v1", "Named", "named", key_env="CANARY_KEY")
    await shelf.providers.drafts.save(named, insist=True)


def things(shelf: Shelf) -> Iterator[object]:
    """Whatever a notebook or a debugger may show."""
    yield shelf
    yield from vars(shelf).values()
    for part in vars(shelf).values():
        if hasattr(part, "__dict__"):
            # The environment itself is the person's own, as os.environ is.
            yield from (value for value in vars(part).values() if value is not shelf.config.environ)


async def test_a_shelf_at_work(
    config: ConfigManager, environ: dict[str, str], given: dict[str, str], watch: Watch, service: Quoting,
    hub: SampleHub, written: io.StringIO, tmp_path: Path,
) -> None:  # fmt: skip
    """Questions that go well and ill, exports, reprs and tracebacks, with all logs on."""
    await hub.add("org/gated", {"a.gguf": b"1" * 100}, gated="manual")
    settings = ConfigManager(config.home, environ | given)
    settings.set("sources", [HUB, SAMPLES])

    async with open_shelf(config=settings) as shelf:
        await filled(shelf, watch.canaries, service)

        async def shown(name: str, call: Callable[[], Awaitable[Any]]) -> None:
            """What comes back of a call, be it an answer or an error."""
            try:
                answer = await call()
            except ModelshelfError as error:
                watch.look(f"the error of {name}", (error.as_dict(), error.facts, repr(error)))
                watch.look(f"the traceback of {name}", "".join(traceback.format_exception(error)))
            else:
                watch.look(f"the answer of {name}", (answer, repr(answer)))

        async def everything(when: str) -> None:
            for name, call in calls(shelf).items():
                await shown(f"{name} ({when})", call)
            for thing in things(shelf):
                watch.look(f"the repr of a {type(thing).__name__} ({when})", repr(thing))

        await everything("all is well")
        for fault in (Fault.BAD_KEY, Fault.FORBIDDEN, Fault.LIMITED, Fault.GARBAGE, Fault.HALF, Fault.REDIRECT):
            service.faults.everywhere(fault)
            await everything(fault)
        service.faults.clear()
        service.key = "another key from today on"
        hub.faults = Faults(revoked=True)
        await everything("no key is accepted")
        hub.faults = Faults(api_down=True)
        await everything("the hub is down")
        await shelf.vault.rotate_data_key()
        told = await shelf.access.audit(500)
        watch.look("the record of deeds", told)
        assert {"secret.save", "secret.rotate"} <= {row["action"] for row in told}
    assert watch.canaries.provider in {header.get("Authorization", "")[7:] for header in service.headers}
    assert watch.canaries.variable in {header.get("Authorization", "")[7:] for header in service.headers}
    assert any(request.authorised for request in hub.requests)
    careless(watch.canaries)
    watch.look("the logs", written.getvalue())
    assert "sqlalchemy.engine" in written.getvalue()
    assert "a careless line" in written.getvalue()
    watch.look_at_files(tmp_path)
    assert watch.looked > 100_000


def careless(canaries: Canaries) -> None:
    """Code that logs what it should not, as any library may some day."""
    headers = {"Authorization": f"Bearer {canaries.provider}", "X-Other": canaries.odd, "X-Master": canaries.master}
    for name in ("aiohttp.client", "uvicorn.error", "asyncio", "modelshelf.providers"):
        logger = logging.getLogger(name)
        logger.error("a careless line: %s, %r", headers, canaries)
        try:
            headers[canaries.token]
        except KeyError:
            logger.exception("a careless line", stack_info=True)


def calls(shelf: Shelf) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Everything that sends a secret, or tells of one. What is new in the shelf belongs here."""
    return {
        "a search": lambda: shelf.catalog.find("org"),
        "details": lambda: shelf.catalog.source("hf").detail("org/gated"),
        "an address": lambda: shelf.catalog.source("hf").locate("org/gated", "main", "a.gguf"),
        "the account": shelf.huggingface.account,
        "access": lambda: shelf.huggingface.access("org/gated"),
        "secrets": shelf.vault.info,
        "the vault": shelf.vault.status,
        "providers": shelf.providers.list,
        "adapter": lambda: shelf.providers.get("typed"),
        "keys": lambda: shelf.providers.keys_of("typed"),
        "keys of the environment": lambda: shelf.providers.keys_of("named"),
        "a key": lambda: shelf.vault.get("other/odd"),
        "models": lambda: shelf.providers.models("typed"),
        "models of the other": lambda: shelf.providers.models("named"),
        "health": lambda: shelf.health.check("typed"),
        "a test": lambda: shelf.providers.drafts.test("typed", ping=True),
        "a chat": lambda: shelf.chat("typed/tiny-llama", "Once"),
        "a chat with the other": lambda: shelf.chat("named/tiny-llama", "Once"),
        "an export of providers": shelf.providers.exchange.export,
        "an export of profiles": shelf.profiles.export,
        "an export of settings": lambda: asyncio.to_thread(shelf.config.export),
        "the integration": shelf.integration.status,
    }


async def test_a_served_page(given: dict[str, str], watch: Watch, service: Quoting, tmp_path: Path) -> None:
    """The real server as a process of its own: page, REST, events, children, files, what it prints."""
    canaries = watch.canaries
    async with serving(tmp_path / "home", (HUB, SAMPLES), given) as page, signed_in(page.link) as owner:
        events: list[str] = []
        listening = asyncio.create_task(listen(owner, events))
        for order in (
            {"kind": "openai-compatible", "id": "typed", "url": f"{service.url}/v1", "key": canaries.provider},
            {
                "kind": "openai-compatible",
                "id": "named",
                "url": f"{service.url}/v1",
                "key_env": "CANARY_KEY",
                "insist": True,
            },
            {"kind": "openai-compatible", "id": "refused", "url": f"{service.url}/v1", "key": canaries.variable},
            {"kind": "openai-compatible", "url": f"{service.url}/v1", "key": {"wrong": canaries.variable}},
            {"kind": "openai-compatible", "url": f"https://me:{canaries.token}@127.0.0.1/v1"},
        ):
            seen = await owner.send("POST", "/api/providers", json=order)
            watch.look(f"the answer to {order['url']}", seen.body)
            assert seen.status == (201 if "id" in order and order["id"] != "refused" else 422), seen.text
        await downloaded(owner, CHAT_REPO)
        question = {"messages": [{"role": "user", "content": "Once"}], "max_tokens": 8}
        for model in ("builtin/tiny-llama", "typed/tiny-llama", "named/tiny-llama"):
            seen = await owner.send("POST", "/api/chat", json={**question, "model": model})
            watch.look(f"the answer of {model}", seen.body)
        assert watch.look_at_children(page.pid) >= 1  # the engine, with the model
        await look_at_every_route(owner, watch)
        for address in ("/", "/?tab=settings&section=providers", "/?tab=settings&section=profiles"):
            watch.look(f"the page {address}", await document(owner, address))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        watch.look("the events", "".join(events))
        assert events
    watch.look("what the server printed", (tmp_path / "server.log").read_bytes())
    watch.look_at_files(tmp_path / "home")
    assert watch.looked > 1_000_000


async def look_at_every_route(owner: Browser, watch: Watch) -> None:
    """Ask every route that reads, the new ones too: what they are is read from the description of the API."""
    paths: dict[str, Any] = (await owner.get("/api/openapi.json")).json()["paths"]
    org, _, name = CHAT_REPO.partition("/")
    for path, methods in paths.items():
        if "get" in methods and path != "/api/events":
            for provider in ("typed", "named"):
                known = {"org": org, "name": name, "provider": provider}
                asked = path.format_map(defaultdict(lambda: "x", known))
                seen = await owner.get(asked)
                watch.look(asked, sorted(seen.headers.items()))
                for part in opened(seen.body):
                    watch.look(asked, part)
    for path in ("/api/providers/typed/validate?ping=true", "/api/providers/named/test", "/api/providers/none/test"):
        watch.look(path, (await owner.send("POST", path)).text)


def opened(body: bytes) -> list[bytes]:
    """An answer, or what is packed in it."""
    if not body.startswith(b"PK"):
        return [body]
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        return [packed.read(name) for name in packed.namelist()]


@asynccontextmanager
async def signed_in(link: str) -> AsyncIterator[Browser]:
    url, _, secret = link.partition("/login#")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        browser = Browser(url, http)
        assert (await browser.sign_in(secret)).status == 204
        yield browser


async def downloaded(owner: Browser, repo: str) -> None:
    job = (await owner.send("POST", "/api/downloads", json={"model": repo})).json()
    async with owner.http.get(f"{owner.url}/api/events?kinds=job", headers=owner.headers) as stream:
        while not job["ended"]:
            await asyncio.wait_for(stream.content.readline(), 60)
            job = (await owner.get(f"/api/downloads/{job['id']}")).json()
    assert job["status"] == "done", job


async def listen(owner: Browser, events: list[str]) -> None:
    async with owner.http.get(f"{owner.url}/api/events", headers=owner.headers) as stream:
        async for line in stream.content:
            events.append(line.decode())  # noqa: PERF401 - cancelled in the middle, it keeps what came


COMMANDS = (
    ("secrets", "list"),
    ("whoami",),
    ("providers", "list"),
    ("providers", "keys", "typed"),
    ("providers", "test", "typed"),
    ("providers", "export"),
    ("profiles", "export"),
    ("chat", "named/tiny-llama", "Once"),
    ("doctor", "--bundle"),
    ("hooks", "list"),
)
"""What the command line can be asked once it knows secrets. A new command that tells of providers belongs here."""


async def test_the_command_line(given: dict[str, str], watch: Watch, service: Quoting, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "own")
    terminal.environment |= given | {"COLUMNS": "300"}
    settings = ConfigManager(terminal.home, terminal.environment)
    await asyncio.to_thread(settings.set, "sources", [HUB])
    async with open_shelf(config=settings, without={"health"}) as shelf:
        await filled(shelf, watch.canaries, service)
    service.key = "another key from today on"
    for command in COMMANDS:
        as_json = () if command[-1] == "export" else ("--json",)
        done = await asyncio.to_thread(terminal.run, *command, *as_json)
        watch.look(" ".join(command), done.stdout + done.stderr)
        assert done.stdout or done.stderr, command
    watch.look_at_files(tmp_path)
    bundle = next(terminal.folder.glob("modelshelf-support-*.zip"))
    for name, content in await asyncio.to_thread(unzipped, bundle):
        watch.look(f"{name} in {bundle.name}", content)


def unzipped(file: Path) -> list[tuple[str, bytes]]:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


async def test_a_master_key_that_was_made_here(config: ConfigManager, written: io.StringIO, tmp_path: Path) -> None:
    async with open_shelf(config=config, without={"health"}) as shelf:
        await shelf.vault.put("a", Secret("sk-canary-0123456789"))
        (file,) = (tmp_path / ".config" / "modelshelf-keys").iterdir()
        watch = Watch(Canaries(master=file.read_text().strip()))
        watch.look("the status", (await shelf.vault.status(), repr(shelf.vault.masters.folder)))
        await shelf.vault.rotate_master()
        (other,) = (tmp_path / ".config" / "modelshelf-keys").iterdir()
        logging.getLogger("modelshelf").error("the keys are %s and %s", watch.canaries.master, other.read_text())
    watch.look("the logs", written.getvalue())
    watch.look_at_files(config.home)
    watch.look("the environment", repr(os.environ))
