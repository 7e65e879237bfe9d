"""Brings messages to webhooks: hears how jobs end, keeps a message for each, and sends what is due until it arrives."""

import asyncio
import json
import logging
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress

from modelshelf.config import ConfigManager, WebhookConfig
from modelshelf.errors import ModelshelfError, NotFound, StoreError, UnsafeAddress
from modelshelf.events import EventBus, JobChanged, Subscription
from modelshelf.hooks import deliveries
from modelshelf.hooks.deliveries import Delivery
from modelshelf.hooks.webhooks import Sender
from modelshelf.store import Store
from modelshelf.store.tables import WebhookDeliveryRow, now

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
LAST_SECONDS = 5.0
_ENDED = frozenset({"done", "review", "quarantined", "failed", "cancelled"})


class Courier:
    """Sends what this home's webhooks are to be told, whichever process ran the job."""

    def __init__(self, config: ConfigManager, store: Store, events: EventBus, sender: Sender) -> None:
        self._config, self._store, self._events, self._sender = config, store, events, sender
        self._heard: Subscription | None = None
        self._leaving: AbstractContextManager[Subscription] | None = None
        self._wake = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._delivering: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def webhooks(self) -> Sequence[WebhookConfig]:
        """Those of the settings in force."""
        return self._config.config.hooks.webhooks

    async def start(self) -> None:
        """Begin to listen and to send."""
        if self.webhooks:
            await self._store.write(deliveries.forget_old)
        self._leaving = self._events.subscribe()
        heard = self._heard = self._leaving.__enter__()
        self._closing = False
        self._listening = asyncio.create_task(self._listen(heard), name="hooks.listen")
        self._delivering = asyncio.create_task(self._deliver(), name="hooks.deliver")

    async def stop(self) -> None:
        """Keep what was heard and not written yet, and send what is due: a command may be the only process."""
        if self._listening and self._delivering:
            await _end(self._listening)
            with suppress(StoreError):
                while self._heard is not None and (event := self._heard.take()) is not None:
                    if isinstance(event, JobChanged):
                        await self._note(event)
            self._closing = True
            self._wake.set()
            await asyncio.wait([self._delivering], timeout=LAST_SECONDS)
            await _end(self._delivering)
            self._listening = self._delivering = None
        if self._leaving is not None:
            self._leaving.__exit__(None, None, None)
            self._leaving = self._heard = None

    async def test(self, name: str) -> str:
        """Send a message that says it is a test; what was answered.

        Raises:
            NotFound: there is no such webhook, or its secret is not saved.
            UnsafeAddress, Unreachable, ProviderError, VaultError: it did not arrive.
        """
        webhook = self.find(name)
        body = {"type": "test", "timestamp": now().isoformat(), "data": {"webhook": name}}
        return await self._sender.send(webhook, uuid.uuid4().hex, json.dumps(body).encode())

    def find(self, name: str) -> WebhookConfig:
        """The webhook of a name.

        Raises:
            NotFound: there is none.
        """
        found = next((webhook for webhook in self.webhooks if webhook.name == name), None)
        if found is None:
            known = ", ".join(webhook.name for webhook in self.webhooks) or "none"
            raise NotFound(f"There is no webhook “{name}”.", remedy=f"In the settings there are: {known}.")
        return found

    async def newest(self, limit: int = 100) -> list[Delivery]:
        """The newest messages first."""
        return await self._store.read(deliveries.newest, limit)

    async def retry(self) -> int:
        """Send everything now that waits, or was given up within a day; how many messages that are."""
        count = await self._store.write(deliveries.retry)
        self._wake.set()
        return count

    async def _listen(self, heard: Subscription) -> None:
        async for event in heard:
            if isinstance(event, JobChanged):
                try:
                    await self._note(event)
                except StoreError as error:
                    log.warning("the end of a download was not kept for webhooks: %s", error)

    async def _note(self, event: JobChanged) -> None:
        webhooks = self.webhooks
        if webhooks and event.job and event.status in _ENDED:
            count = await self._store.write(deliveries.note_end, event.job, webhooks)
            if count:
                self._wake.set()

    async def _deliver(self) -> None:
        while True:
            closing, pause = self._closing, LOOK_SECONDS
            self._wake.clear()
            try:
                await self._send_due()
                if self.webhooks and (due := await self._store.read(deliveries.next_due)):
                    pause = min(max((due - now()).total_seconds(), 0.05), LOOK_SECONDS)
            except StoreError as error:
                log.warning("messages to webhooks wait: %s", error)
            if closing:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _send_due(self) -> None:
        while self.webhooks and (row := await self._store.write(deliveries.claim)) is not None:
            await self._send(row)

    async def _send(self, row: WebhookDeliveryRow) -> None:
        webhook = next((item for item in self.webhooks if item.name == row.webhook), None)
        if webhook is None:
            await self._store.write(
                deliveries.settle, row.id, "It is not in the settings any more.", arrived=False, hopeless=True
            )
            return
        settled = False
        try:
            answer = await self._sender.send(webhook, row.id, row.payload.encode())
        except ModelshelfError as error:
            log.warning("%s", error)
            hopeless, settled = isinstance(error, UnsafeAddress), True
            await self._store.write(deliveries.settle, row.id, error.message, arrived=False, hopeless=hopeless)
        else:
            settled = True
            await self._store.write(deliveries.settle, row.id, answer, arrived=True)
        finally:
            if not settled:  # who was stopped in the middle lets the next one send it at once
                await self._store.write(deliveries.release, row.id)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
