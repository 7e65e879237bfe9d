"""Hooks and webhooks of a home, as a service."""

import asyncio
from collections.abc import Sequence
from typing import Any

from modelshelf.access import AccessService, Role, require
from modelshelf.config import ConfigManager
from modelshelf.events import EventBus
from modelshelf.hooks import webhooks
from modelshelf.hooks.calling import Hooks
from modelshelf.hooks.courier import Courier
from modelshelf.hooks.deliveries import Delivery
from modelshelf.hooks.finding import Known, find
from modelshelf.hooks.webhooks import Sender, Webhook
from modelshelf.store import Store
from modelshelf.vault import Secret, Vault

FAILED = "hook.failed"


class HookService(Hooks):
    """`ask`, `tell` and `verdicts` call the hooks that are installed, that the settings name, and that were added.

    Webhooks are told when a download ends; their messages are kept until they arrive.
    """

    name = "hooks"

    def __init__(
        self, config: ConfigManager, store: Store, events: EventBus, access: AccessService, vault: Vault
    ) -> None:
        super().__init__(self._record)
        self.access = access
        self._config = config
        self._vault = vault
        self._courier = Courier(config, store, events, Sender(config, vault))
        self._found: dict[Any, dict[str, Known]] = {}
        self._finding = asyncio.Lock()

    async def start(self) -> None:
        """Begin to bring messages to webhooks. Hooks are loaded when one may be needed."""
        await self._courier.start()

    async def stop(self) -> None:
        """Send what is due, and end."""
        await self._courier.stop()

    async def listed(self) -> Sequence[Known]:
        """Every hook under the settings in force, broken ones included."""
        settings = self._config.config.hooks
        self._seconds = settings.seconds
        key = settings.use, settings.off
        async with self._finding:
            if key not in self._found:
                self._found = {key: {hook.name: hook for hook in await asyncio.to_thread(find, settings)}}
        return tuple({**self._found[key], **self._known}.values())

    def webhooks(self) -> Sequence[Webhook]:
        """The webhooks of the settings, as they may be shown."""
        return tuple(webhooks.shown(webhook) for webhook in self._courier.webhooks)

    @require(Role.ADMIN, "webhook.test")
    async def test(self, webhook: str) -> str:
        """Send a webhook a message that says it is a test; the status that was answered.

        Raises:
            NotFound: there is no such webhook, or its secret is not saved.
            UnsafeAddress, Unreachable, ProviderError, VaultError: it did not arrive.
        """
        return await self._courier.test(webhook)

    @require(Role.ADMIN, "webhook.sign")
    async def sign(self, webhook: str, secret: Secret) -> None:
        """Keep the secret that signs the messages to a webhook, for the origin that it has now.

        Raises:
            NotFound: there is no such webhook.
            UnsafeAddress: it has no address that can be used.
            UsageError, VaultError: the secret cannot be kept.
        """
        known = self._courier.find(webhook)
        name = known.secret or f"webhook/{webhook}"
        await self._vault.put(name, secret, bound_to=str(webhooks.checked(known).origin()))
        if not known.secret:
            changed = [item.model_dump(mode="json", exclude_defaults=True) for item in self._courier.webhooks]
            told = [item | ({"secret": name} if item["name"] == webhook else {}) for item in changed]
            await asyncio.to_thread(self._config.set, "hooks.webhooks", told)

    async def deliveries(self, limit: int = 100) -> Sequence[Delivery]:
        """The messages to webhooks, the newest first."""
        return await self._courier.newest(limit)

    @require(Role.ADMIN, "webhook.retry")
    async def retry(self) -> int:
        """Send everything now that waits, or was given up within a day; how many messages that are."""
        return await self._courier.retry()

    async def _record(self, hook: str, point: str, why: str) -> None:
        await self.access.record(FAILED, hook, "failed", f"{point}: {why}")
