"""A webhook: what it is sent, how that is signed, and how it is sent.

The headers and the signature are those of Standard Webhooks: `webhook-id`, `webhook-timestamp` (seconds) and
`webhook-signature`, `v1,` and the Base64 of HMAC-SHA256 over `id.timestamp.body`.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from modelshelf.config import ConfigManager, WebhookConfig
from modelshelf.errors import ModelshelfError, NotFound, ProviderError, TimedOut, Unreachable, UnsafeAddress
from modelshelf.network.addresses import is_loopback
from modelshelf.network.client import tls_context
from modelshelf.providers.addresses import ProviderResolver, usable
from modelshelf.vault import Secret, Vault

SECONDS = 10.0
READ = 4096
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as it may be shown: of its address only the origin, since the rest may be a secret."""

    name: str
    origin: str
    events: tuple[str, ...]
    signed: bool
    problem: str = ""


def signature(secret: Secret, message: str, stamp: int, body: bytes) -> str:
    """What the header `webhook-signature` says. A secret that begins with `whsec_` is Base64, as in the standard."""
    told = secret.reveal()
    key = told.encode()
    if told.startswith(_PREFIX):
        try:
            key = base64.b64decode(told.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            key = told.encode()
    digest = hmac.new(key, f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def checked(webhook: WebhookConfig) -> URL:
    """The address to send to.

    Raises:
        UnsafeAddress: it is none that a message may go to.
    """
    try:
        url = URL(webhook.url)
        host, _port = url.raw_host, url.port
    except ValueError:
        host = None
    if not host or url.scheme not in ("http", "https") or not usable(host):
        raise UnsafeAddress(f"The webhook {webhook.name} has no address that can be used.", remedy="Write https://…")
    if url.user is not None or url.password is not None:
        raise UnsafeAddress(
            f"The address of the webhook {webhook.name} carries a name or a password.",
            remedy="Leave them out; the signature says who sends.",
        )
    if url.scheme == "http" and not webhook.plain_http and not is_loopback(host):
        raise UnsafeAddress(
            f"The webhook {webhook.name} is on another machine ({host}), and http is not encrypted.",
            remedy="Use https, or set its plain_http to true if you trust the network between.",
        )
    return url


def shown(webhook: WebhookConfig) -> Webhook:
    """As it may be shown."""
    try:
        origin, problem = str(checked(webhook).origin()), ""
    except UnsafeAddress as error:
        origin, problem = "", f"{error} {error.remedy}"
    return Webhook(webhook.name, origin, webhook.events, bool(webhook.secret), problem)


class Sender:
    """Sends messages, one connection each: they are rare."""

    def __init__(self, config: ConfigManager, vault: Vault, *, seconds: float = SECONDS) -> None:
        self._config = config
        self._vault = vault
        self._seconds = seconds

    async def send(self, webhook: WebhookConfig, message: str, body: bytes) -> str:
        """Send one message; what was answered, in a word.

        Raises:
            UnsafeAddress, Unreachable: it cannot be sent, or nobody answers.
            NotFound, VaultError: its secret is not there.
            ProviderError: it was refused.
        """
        url = checked(webhook)
        headers = await self._headers(webhook, url, message, body)
        network = self._config.config.network
        if network.offline and not is_loopback(url.host or ""):
            raise Unreachable(
                f"{url.host} was not asked: the settings say to stay offline.",
                remedy="Set network.offline to false to use the network.",
            )
        proxy = network.proxy if network.proxy and not is_loopback(url.host or "") else None
        context = await asyncio.to_thread(tls_context, network.ca_file, self._config.environ)
        connector = aiohttp.TCPConnector(ssl=context, resolver=ProviderResolver())
        limits = aiohttp.ClientTimeout(total=self._seconds)
        async with aiohttp.ClientSession(connector=connector, timeout=limits, trust_env=False) as session:
            return await self._post(session, webhook, url, headers, body, proxy)

    async def _post(
        self,
        session: aiohttp.ClientSession,
        webhook: WebhookConfig,
        url: URL,
        headers: Mapping[str, str],
        body: bytes,
        proxy: str | None,
    ) -> str:
        where = f"The webhook {webhook.name} at {url.origin()}"
        try:
            async with session.post(url, data=body, headers=headers, allow_redirects=False, proxy=proxy) as response:
                await response.content.read(READ)
                if response.status < 300:
                    return str(response.status)
                raise ProviderError(
                    f"{where} answers with {response.status}.", remedy="Look into the log of what receives it."
                )
        except TimeoutError as error:
            raise TimedOut(
                f"{where} did not answer in {self._seconds:g} s.", remedy="Check that it runs and answers at once."
            ) from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ModelshelfError):
                raise error.os_error from error
            raise Unreachable(f"{where} does not answer.", remedy="Start it, or check its address.") from error
        except aiohttp.ClientError as error:
            raise Unreachable(f"{where} broke off: {type(error).__name__}.") from error

    async def _headers(self, webhook: WebhookConfig, url: URL, message: str, body: bytes) -> dict[str, str]:
        stamp = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "modelshelf",
            "webhook-id": message,
            "webhook-timestamp": str(stamp),
        }
        if webhook.secret:
            headers["webhook-signature"] = signature(await self._secret(webhook, url), message, stamp, body)
        return headers

    async def _secret(self, webhook: WebhookConfig, url: URL) -> Secret:
        try:
            return await self._vault.get(webhook.secret, bound_to=str(url.origin()))
        except NotFound as error:
            raise NotFound(
                f"The secret {webhook.secret} of the webhook {webhook.name} is not saved for {url.origin()}.",
                remedy=f"Save it with `modelshelf hooks sign {webhook.name}`.",
            ) from error
