"""Signing in to the Hugging Face Hub: whose token it is, what it opens, and where it is kept."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

from modelshelf.access import Role, current
from modelshelf.catalog.registry import SourceRegistry
from modelshelf.catalog.sources import cards
from modelshelf.catalog.sources.api import Access, HubApi
from modelshelf.catalog.sources.tokens import FoundToken, find_token, hub_endpoint, saved_token, secret_name
from modelshelf.catalog.types import HfAccount, RepoAccess
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import GatedRepository, NotFound, NotSignedIn, RoleRequired, Unreachable, UsageError
from modelshelf.events import EventBus, SourceChanged
from modelshelf.network.addresses import is_loopback
from modelshelf.network.client import tls_context
from modelshelf.vault import Secret, Vault

KIND = "huggingface"
FRESH_SECONDS = 600.0
"""The Hub answers who somebody is only a few times; the answer is kept so long."""
LONGEST = 500


class HuggingFaceSignIn:
    """The account at the Hub, of the source `hf` or the first one of its kind."""

    def __init__(self, config: ConfigManager, vault: Vault, events: EventBus) -> None:
        self._config = config
        self._vault = vault
        self._events = events
        self._known: dict[str, tuple[float, HfAccount]] = {}

    async def sign_in(self, token: Secret) -> HfAccount:
        """Ask the Hub whose token it is, then save it. One of the environment goes before it all the same.

        Raises:
            RoleRequired: only an administrator may.
            UsageError: it cannot be a token.
            NotSignedIn: the Hub does not accept it.
            Unreachable: the Hub was not asked, or does not answer as it should.
            VaultError: it cannot be saved.
        """
        settings = self._settings()
        await self._allow(settings.name)
        token = _tidy(token)
        account = await self._ask(settings, FoundToken(token, "vault"))
        await self._vault.put(secret_name(settings), token, bound_to=hub_endpoint(settings, self._config))
        self._events.publish(SourceChanged(source=settings.name))
        return account

    async def sign_out(self) -> bool:
        """Forget the saved token; False if there was none. Those of the environment and of `hf auth login` stay."""
        settings = self._settings()
        try:
            await self._vault.delete(secret_name(settings))
        except NotFound:
            return False
        self._events.publish(SourceChanged(source=settings.name))
        return True

    async def account(self) -> HfAccount | None:
        """Whose token is in force; None without one.

        Raises:
            NotSignedIn: the Hub does not accept it any more.
            Unreachable, VaultError.
        """
        settings = self._settings()
        found = await self._token(settings)
        if found is None:
            return None
        until, known = self._known.get(found.secret.fingerprint, (0.0, None))
        if known is not None and until > time.monotonic():
            return replace(known, origin=found.origin)
        return await self._ask(settings, found)

    async def access(self, repo: str) -> RepoAccess:
        """Whether the files of a repository are open to the present account, as far as the Hub tells.

        Raises:
            UsageError: that is no name of a repository.
            RepositoryNotFound, NotSignedIn, Unreachable, VaultError.
        """
        if not cards.is_repo(repo):
            raise UsageError(f"“{repo}” is no name of a repository.", remedy="Write it as author/name.")
        settings = self._settings()
        async with self._api(settings, await self._token(settings)) as api:
            said, _ = await api.json(f"/api/models/{repo}", about=repo)
            card = cards.card(settings.name, said)
            if card is not None and not card.gated:
                return "open"
            try:
                await api.get(f"/api/models/{repo}/auth-check", about=repo)
            except GatedRepository as error:
                return _refusal(str(error.facts.get("said", "")))
            except NotFound:  # a mirror that was not taught this question
                return "unknown"
            return "granted"

    async def _ask(self, settings: SourceConfig, found: FoundToken) -> HfAccount:
        async with self._api(settings, found) as api:
            try:
                said, _ = await api.json("/api/whoami-v2")
            except NotSignedIn as error:
                self._known.pop(found.secret.fingerprint, None)
                raise NotSignedIn(
                    f"{api.label} does not accept the token{_named(found.origin)}.",
                    remedy=f"Copy it once more, or make a new one at {api.endpoint}/settings/tokens.",
                ) from error
            account = cards.account(said)
            if account is None:
                raise Unreachable(f"{api.label} ({api.endpoint}) does not say whose token it is.")
        account = replace(account, origin=found.origin)
        self._known[found.secret.fingerprint] = time.monotonic() + FRESH_SECONDS, account
        return account

    async def _token(self, settings: SourceConfig) -> FoundToken | None:
        saved = await saved_token(settings, self._config, self._vault)
        return await asyncio.to_thread(find_token, settings, self._config, saved)

    async def _allow(self, source: str) -> None:
        """Nobody tries out tokens here who may not save one."""
        who = current()
        if who.role < Role.ADMIN:
            await self._vault.access.record("source.sign-in", source, "refused")
            raise RoleRequired(f"{who.name} is {who.role.label}; to sign in to a source needs {Role.ADMIN.label}.")

    def _settings(self) -> SourceConfig:
        sources = [source for source in self._config.config.sources if source.kind == KIND]
        named = [source for source in sources if source.name == "hf"]
        return next(iter((*named, *sources)), SourceConfig(name="hf", kind=KIND, label="Hugging Face"))

    @asynccontextmanager
    async def _api(self, settings: SourceConfig, found: FoundToken | None) -> AsyncGenerator[HubApi, None]:
        endpoint = hub_endpoint(settings, self._config)
        local = is_loopback(urlsplit(endpoint).hostname or "")
        if SourceRegistry(self._config).offline and not local:
            raise Unreachable(
                f"{endpoint} was not asked: the settings say to stay offline.",
                remedy="Switch off network.offline in the settings and HF_HUB_OFFLINE in the environment.",
            )
        network = self._config.config.network
        context = await asyncio.to_thread(tls_context, network.ca_file, self._config.environ)
        token = found.secret.reveal() if found else None
        access = Access(token, None if local else network.proxy or None, context)
        api = HubApi(endpoint, settings.label or settings.name, lambda: access)
        try:
            yield api
        finally:
            await api.aclose()


def _tidy(token: Secret) -> Secret:
    text = token.reveal().strip()
    if not text or len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError(
            "That is no token.", remedy="Copy the whole token, without quotes or spaces; it begins with hf_."
        )
    return Secret(text)


def _refusal(said: str) -> RepoAccess:
    if "awaiting" in said:
        return "waiting"
    return "refused" if "rejected" in said else "ask"


def _named(origin: str) -> str:
    return {"vault": "", "file": " of `hf auth login`"}.get(origin, f" of {origin}")
