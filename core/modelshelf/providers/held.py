"""The adapters in use: made when first asked for, made anew when their provider changed, closed in the end."""

import asyncio
import logging
from dataclasses import replace

from modelshelf.providers.boundary import contained
from modelshelf.providers.kinds import Kinds
from modelshelf.providers.spec import Provider, ProviderConfig, ProviderContext

log = logging.getLogger(__name__)


class HeldAdapters:
    """One adapter for each configured provider."""

    def __init__(self, kinds: Kinds, context: ProviderContext) -> None:
        self._kinds = kinds
        self._context = context
        self._adapters: dict[str, Provider] = {}

    async def adapter(self, config: ProviderConfig) -> Provider:
        """The adapter of a provider as it is configured now.

        Raises:
            UsageError: nothing here speaks to its kind.
            ProviderError: the adapter failed in the making.
        """
        held = self._adapters.get(config.id)
        if held is not None and replace(held.config, name=config.name, enabled=config.enabled) == config:
            # Another name is no reason to break answers under way off.
            held.config = config
            return held
        with contained(config):
            made = self._kinds.get(config.kind)(config, self._context)
        self._adapters[config.id] = made
        if held is not None:
            await held.aclose()
        return made

    async def forget(self, provider: str) -> None:
        """Close the adapter of a provider."""
        if adapter := self._adapters.pop(provider, None):
            await adapter.aclose()

    async def aclose(self) -> None:
        """Close all of them."""
        adapters, self._adapters = list(self._adapters.values()), {}
        for outcome in await asyncio.gather(*(item.aclose() for item in adapters), return_exceptions=True):
            if isinstance(outcome, Exception):
                log.warning("a provider did not close cleanly: %s", outcome)
