"""Webhooks: a message for each end of a download, signed, sent until it arrives, over restarts too."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from sqlalchemy.orm import Session

from modelshelf.config import ConfigManager, WebhookConfig
from modelshelf.errors import NotFound, ProviderError, Unreachable, UnsafeAddress
from modelshelf.hooks import deliveries
from modelshelf.hooks.deliveries import Delivery
from modelshelf.hooks.webhooks import checked, shown, signature
from modelshelf.samples import CHAT_REPO
from modelshelf.shelf import open_shelf
from modelshelf.store.tables import WebhookDeliveryRow, now
from modelshelf.vault import Secret
from tests.conftest import LoopRunner

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

QUIET = frozenset({"health", "catalog sync", "compatibility", "state"})


@dataclass
class Receiver:
    """A server that takes messages, answering each with `status`."""

    status: int = 200
    url: str = ""
    came: "asyncio.Queue[tuple[dict[str, str], bytes]]" = field(default_factory=asyncio.Queue)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        await self.came.put(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        await self.gate.wait()
        return web.Response(status=self.status, headers={"Location": "http://127.0.0.1:9/"})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    receiver.gate.set()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hidden-path"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@pytest.fixture
def receiver(loop: LoopRunner) -> Receiver:
    return loop.enter(receiving())


@pytest.fixture
def told(config: ConfigManager, receiver: Receiver) -> ConfigManager:
    config.set("hooks.webhooks", [{"name": "ci", "url": receiver.url}])
    return config


async def settled(shelf: "Shelf", attempts: int = 1) -> Delivery:
    """The message, once a try was written down."""
    async with asyncio.timeout(10):
        while True:
            found = await shelf.hooks.deliveries()
            if found and found[0].attempts >= attempts:
                return found[0]
            await asyncio.sleep(0.01)


async def test_a_download_that_ends_is_told_signed(told: ConfigManager, receiver: Receiver) -> None:
    async with open_shelf(config=told, without=QUIET) as shelf:
        await shelf.hooks.sign("ci", Secret("a-long-shared-secret"))
        job = await shelf.downloads.start(CHAT_REPO)
        headers, body = await receiver.came.get()
        said = json.loads(body)
        assert said["type"] == "job.done"
        assert said["data"]["job"] == job
        assert said["data"]["repo"] == CHAT_REPO
        assert len(said["data"]["files"][0]["sha256"]) == 64
        assert str(told.home) not in body.decode()
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = hmac.new(b"a-long-shared-secret", signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        delivery = await settled(shelf)
        assert (delivery.status, delivery.answer, delivery.about) == ("delivered", "200", f"samples:{CHAT_REPO}")


async def test_what_does_not_arrive_is_kept_and_sent_after_a_restart(told: ConfigManager, receiver: Receiver) -> None:
    receiver.status = 503
    async with open_shelf(config=told, without=QUIET) as shelf:
        await shelf.downloads.start(CHAT_REPO)
        first, _ = await receiver.came.get()
        delivery = await settled(shelf)
        assert delivery.status == "pending"
        assert "503" in delivery.answer
        assert delivery.next_at > now() + timedelta(seconds=5)
    receiver.status = 204
    async with open_shelf(config=told, without=QUIET | {"downloads"}) as shelf:
        await shelf.hooks.retry()
        again, _ = await receiver.came.get()
        assert again["webhook-id"] == first["webhook-id"], "the receiver can tell that it had it"
        assert (await settled(shelf, delivery.attempts + 1)).status == "delivered"


async def test_a_process_that_ends_in_mid_sending_finishes_it(told: ConfigManager, receiver: Receiver) -> None:
    receiver.gate.clear()
    shelf = await open_shelf(config=told, without=QUIET)
    await shelf.downloads.start(CHAT_REPO)
    await receiver.came.get()
    stopping = asyncio.create_task(shelf.stop())
    while shelf.services["downloads"].status != "stopped":
        await asyncio.sleep(0)
    receiver.gate.set()
    await stopping
    async with open_shelf(config=told, without=QUIET) as again:
        [delivery] = await again.hooks.deliveries()
        assert (delivery.status, delivery.attempts) == ("delivered", 1)


async def test_only_the_ends_that_were_asked_for_are_told(config: ConfigManager, receiver: Receiver) -> None:
    config.set("hooks.webhooks", [{"name": "bad", "url": receiver.url, "events": ["failed"]}])
    async with open_shelf(config=config, without=QUIET) as shelf:
        job = await shelf.downloads.start(CHAT_REPO)
        async for _step in shelf.downloads.follow(job):
            pass
    async with open_shelf(config=config, without=QUIET) as shelf:
        assert await shelf.hooks.deliveries() == []


async def test_several_processes_keep_one_message_and_send_it_once(told: ConfigManager, receiver: Receiver) -> None:
    async with open_shelf(config=told, without=QUIET) as one, open_shelf(config=told, without=QUIET) as two:
        await one.downloads.start(CHAT_REPO)
        await receiver.came.get()
        assert (await settled(two)).status == "delivered"
    assert receiver.came.empty()


async def test_the_test_button_says_what_was_answered(told: ConfigManager, receiver: Receiver) -> None:
    async with open_shelf(config=told, without=QUIET) as shelf:
        assert await shelf.hooks.test("ci") == "200"
        assert json.loads((await receiver.came.get())[1])["type"] == "test"
        receiver.status = 302
        with pytest.raises(ProviderError, match="302"):
            await shelf.hooks.test("ci")
        assert receiver.came.qsize() == 1, "a redirect is not followed"
        with pytest.raises(NotFound, match="no webhook"):
            await shelf.hooks.test("other")


async def test_nobody_there_is_said(config: ConfigManager) -> None:
    config.set("hooks.webhooks", [{"name": "gone", "url": "http://127.0.0.1:9/"}])
    async with open_shelf(config=config, without=QUIET) as shelf:
        with pytest.raises(Unreachable, match="does not answer"):
            await shelf.hooks.test("gone")


async def test_a_message_is_not_sent_unsigned_when_its_secret_is_gone(
    config: ConfigManager, receiver: Receiver
) -> None:
    config.set("hooks.webhooks", [{"name": "ci", "url": receiver.url, "secret": "webhook/ci"}])
    async with open_shelf(config=config, without=QUIET) as shelf:
        with pytest.raises(NotFound, match="is not saved") as caught:
            await shelf.hooks.test("ci")
        assert "modelshelf hooks sign ci" in caught.value.remedy
    assert receiver.came.empty()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.org/x", "not encrypted"),
        ("https://me:secret@example.org/", "a name or a password"),
        ("https://169.254.169.254/latest", "no address"),
        ("ftp://example.org/", "no address"),
        ("example", "no address"),
    ],
)
def test_addresses_that_no_message_goes_to(url: str, why: str) -> None:
    with pytest.raises(UnsafeAddress, match=why):
        checked(WebhookConfig(name="x", url=url))


def test_of_an_address_only_the_origin_is_shown() -> None:
    assert shown(WebhookConfig(name="x", url="https://chat.example/T0/secret?key=1")).origin == "https://chat.example"
    assert checked(WebhookConfig(name="x", url="http://ci.lan/", plain_http=True))


def test_a_secret_of_the_standard_is_base64() -> None:
    secret = Secret("whsec_" + base64.b64encode(b"24 bytes of randomness!!").decode())
    digest = hmac.new(b"24 bytes of randomness!!", b"m.1.{}", hashlib.sha256).digest()
    assert signature(secret, "m", 1, b"{}") == f"v1,{base64.b64encode(digest).decode()}"


async def test_a_message_is_given_up_after_its_last_try_and_can_be_sent_again(shelf: "Shelf") -> None:
    def fail(session: Session) -> str:
        session.add(WebhookDeliveryRow(id="a", webhook="ci", event="job.done", payload="{}"))
        session.flush()
        found = [deliveries.settle(session, "a", "no", arrived=False) for _ in range(len(deliveries.PAUSES) + 1)]
        assert found[:-1] == ["pending"] * len(deliveries.PAUSES)
        return found[-1]

    assert await shelf.store.write(fail) == "given up"
    assert await shelf.hooks.retry() == 1
