"""What a source sends and trusts: certificates, proxy, and the token that a person gave for its own address."""

import asyncio
import logging
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

from modelshelf.catalog.sources.api import Access
from modelshelf.catalog.sources.tokens import Secrets, named_token, saved_token
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import StoreError
from modelshelf.network.addresses import is_loopback
from modelshelf.network.client import tls_context
from modelshelf.vault import Secret

log = logging.getLogger(__name__)


class Credentials:
    """For a source at `endpoint`. `variables` name tokens that belong to the service's own address and no other."""

    def __init__(
        self, settings: SourceConfig, config: ConfigManager, endpoint: str, variables: Sequence[str] = ()
    ) -> None:
        self.secrets: Secrets | None = None
        self.endpoint = endpoint
        self._settings, self._config = settings, config
        self._variables = () if settings.url else tuple(variables)
        self._context: ssl.SSLContext | None = None
        self._saved: Secret | None = None

    async def prepare(self) -> None:
        """Read the certificates once, and the saved token each time anew."""
        if self._context is None:
            # Reading the certificates takes some 30 ms, which belong in a thread.
            ca_file = self._config.config.network.ca_file
            self._context = await asyncio.to_thread(tls_context, ca_file, self._config.environ)
        try:
            self._saved = await saved_token(self._settings, self._config, self.secrets)
        except StoreError as error:
            # Most of a service is open to everyone: it goes on without the token.
            log.warning("The token of %s is not used: %s", self._settings.name, error)
            self._saved = None

    @property
    def context(self) -> ssl.SSLContext | None:
        """What certificates are trusted; known after `prepare`."""
        return self._context

    def token(self) -> str | None:
        """The token of the environment, else the saved one."""
        found = named_token(self._settings, self._config, self._variables) or self._saved
        return found.reveal() if found else None

    def access(self) -> Access:
        """What a request to the endpoint needs."""
        proxy = None if is_loopback(urlsplit(self.endpoint).hostname or "") else self._config.config.network.proxy
        return Access(self.token(), proxy or None, self._context)
