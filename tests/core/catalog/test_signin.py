"""Signing in to the Hub, against the sample hub."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.access import AccessService, Principal, Role, acting_as
from modelshelf.catalog import CatalogService
from modelshelf.catalog.sources import cards
from modelshelf.catalog.sources.signin import HuggingFaceSignIn
from modelshelf.config import ConfigManager
from modelshelf.errors import NotSignedIn, RepositoryNotFound, RoleRequired, Unreachable, UsageError, VaultError
from modelshelf.events import EventBus, SourceChanged
from modelshelf.samples import READER_TOKEN, REFUSED_TOKEN, STRANGER_TOKEN, WAITING_TOKEN, Faults, SampleHub
from modelshelf.store import Store
from modelshelf.vault import Secret, Vault
from tests.conftest import LoopRunner, running
from tests.core.catalog.conftest import Serve

SAVED = "source/hf/token"


@pytest.fixture
def vault(config: ConfigManager, store: Store, access: AccessService) -> Vault:
    return Vault(config, store, access)


@pytest.fixture
def signin(
    config: ConfigManager, tiny_hub: SampleHub, trusted: None, vault: Vault, events: EventBus
) -> HuggingFaceSignIn:
    config.set("sources", [{"name": "hf", "kind": "huggingface", "label": "Hugging Face"}])
    config.environ["HF_ENDPOINT"] = tiny_hub.url
    return HuggingFaceSignIn(config, vault, events)


@pytest.fixture
def catalog(
    loop: LoopRunner, config: ConfigManager, signin: HuggingFaceSignIn, store: Store, events: EventBus, vault: Vault
) -> CatalogService:
    """A catalogue that asks the hub as the account that is signed in."""
    return loop.enter(running(CatalogService(config, store, events, vault)))


async def test_a_token_is_asked_about_saved_and_used(
    signin: HuggingFaceSignIn, catalog: CatalogService, vault: Vault, tiny_hub: SampleHub, events: EventBus
) -> None:
    await tiny_hub.add("org/gated", {"a.gguf": b"1"}, gated="manual")
    source = catalog.source("hf")
    assert await signin.account() is None
    assert (await source.locate("org/gated", "main", "a.gguf")).headers == {}
    with events.subscribe() as news:
        account = await signin.sign_in(Secret(f"  {READER_TOKEN}\n"))
        assert await anext(news) == SourceChanged(source="hf")
    assert (account.name, account.kind, account.orgs) == ("reader", "user", ("lab", "press"))
    assert account.permission == "fineGrained"
    assert (account.gated, account.label, account.origin) == (True, "reader's token", "vault")
    assert account.expires is not None
    assert account.expires.year == 2099
    assert [item.name for item in await vault.info()] == [SAVED]
    sent = (await source.locate("org/gated", "main", "a.gguf")).headers
    assert sent == {"Authorization": f"Bearer {READER_TOKEN}"}

    assert await signin.sign_out()
    assert not await signin.sign_out()
    assert await signin.account() is None
    assert (await source.locate("org/gated", "main", "a.gguf")).headers == {}


async def test_the_environment_goes_before_the_vault_and_that_before_the_file(
    signin: HuggingFaceSignIn, config: ConfigManager, tmp_path: Path
) -> None:
    stored = tmp_path / ".cache" / "huggingface" / "token"
    await asyncio.to_thread(stored.parent.mkdir, parents=True)
    await asyncio.to_thread(stored.write_text, WAITING_TOKEN)
    account = await signin.account()
    assert account is not None
    assert (account.name, account.origin) == ("waiting", "file")
    await signin.sign_in(Secret(READER_TOKEN))
    account = await signin.account()
    assert account is not None
    assert (account.name, account.origin) == ("reader", "vault")
    config.environ["HF_TOKEN"] = STRANGER_TOKEN
    account = await signin.account()
    assert account is not None
    assert (account.name, account.origin) == ("stranger", "HF_TOKEN")


async def test_who_it_is_is_asked_once(signin: HuggingFaceSignIn, tiny_hub: SampleHub) -> None:
    await signin.sign_in(Secret(READER_TOKEN))
    for _ in range(5):
        await signin.account()
    assert sum(request.path == "/api/whoami-v2" for request in tiny_hub.requests) == 1


async def test_a_token_that_is_not_accepted_is_not_saved(signin: HuggingFaceSignIn, vault: Vault) -> None:
    with pytest.raises(NotSignedIn, match="does not accept the token") as caught:
        await signin.sign_in(Secret("hf_canarywrongtoken"))
    assert "settings/tokens" in caught.value.remedy
    assert "canary" not in f"{caught.value} {caught.value.remedy} {caught.value.__cause__}"
    assert await vault.info() == ()


async def test_a_token_that_was_withdrawn_says_so_and_the_hub_stays_open(
    config: ConfigManager, signin: HuggingFaceSignIn, tiny_hub: SampleHub, vault: Vault, events: EventBus
) -> None:
    await signin.sign_in(Secret(READER_TOKEN))
    tiny_hub.faults = Faults(revoked=True)
    with pytest.raises(NotSignedIn, match="does not accept"):
        await HuggingFaceSignIn(config, vault, events).account()


@pytest.mark.parametrize("token", ["", "  ", "two words", "hf_ä", "hf_a\nb", "h" * 501])
async def test_what_cannot_be_a_token_is_not_sent(signin: HuggingFaceSignIn, tiny_hub: SampleHub, token: str) -> None:
    with pytest.raises(UsageError, match="no token"):
        await signin.sign_in(Secret(token))
    assert not tiny_hub.requests


async def test_only_an_administrator_signs_in(
    signin: HuggingFaceSignIn, tiny_hub: SampleHub, access: AccessService
) -> None:
    with acting_as(Principal("op", Role.OPERATOR)), pytest.raises(RoleRequired):
        await signin.sign_in(Secret(READER_TOKEN))
    assert not tiny_hub.requests
    assert [(row["principal"], row["action"], row["outcome"]) for row in await access.audit()] == [
        ("op", "source.sign-in", "refused")
    ]


async def test_a_saved_token_goes_to_no_other_address(
    signin: HuggingFaceSignIn, config: ConfigManager, catalog: CatalogService
) -> None:
    await signin.sign_in(Secret(READER_TOKEN))
    config.set("sources", [{"name": "hf", "kind": "huggingface", "url": "https://evil.example"}])
    assert await signin.account() is None
    assert (await catalog.source("hf").locate("org/m", "main", "a.gguf")).headers == {}


async def test_a_vault_that_is_closed_keeps_nobody_from_what_is_open(
    signin: HuggingFaceSignIn, catalog: CatalogService, config: ConfigManager, tiny_hub: SampleHub, vault: Vault
) -> None:
    await tiny_hub.add("org/m", {"a.gguf": b"1"})
    await signin.sign_in(Secret(READER_TOKEN))
    await vault.stop()
    config.environ["MODELSHELF_MASTER_KEY"] = "00112233445566778899aabbccddeeff" * 2
    with pytest.raises(VaultError):
        await signin.account()
    assert [row.repo for row in (await catalog.find("org")).rows] == ["org/m"]


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "ask"),
        (STRANGER_TOKEN, "ask"),
        (WAITING_TOKEN, "waiting"),
        (REFUSED_TOKEN, "refused"),
        (READER_TOKEN, "granted"),
    ],
)
async def test_where_an_account_stands_with_a_gated_repository(
    signin: HuggingFaceSignIn, tiny_hub: SampleHub, token: str, said: str
) -> None:
    await tiny_hub.add("org/gated", {"a.gguf": b"1"}, gated="manual")
    await tiny_hub.add("org/open", {"a.gguf": b"1"})
    if token:
        await signin.sign_in(Secret(token))
    assert await signin.access("org/gated") == said
    assert await signin.access("org/open") == "open"
    with pytest.raises(RepositoryNotFound):
        await signin.access("org/none")
    with pytest.raises(UsageError, match="no name"):
        await signin.access("../../api/whoami-v2")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_hub_in_trouble_is_told_from_a_wrong_token(
    signin: HuggingFaceSignIn, tiny_hub: SampleHub, vault: Vault, status: int
) -> None:
    tiny_hub.faults = Faults(status=status, status_on="api", status_times=9, retry_after="7")
    with pytest.raises(Unreachable):
        await signin.sign_in(Secret(READER_TOKEN))
    tiny_hub.faults = Faults(api_down=True)
    with pytest.raises(Unreachable):
        await signin.sign_in(Secret(READER_TOKEN))
    assert await vault.info() == ()


async def test_nothing_is_asked_offline(signin: HuggingFaceSignIn, config: ConfigManager) -> None:
    config.environ["HF_ENDPOINT"] = "https://hub.example"
    config.set("network.offline", True)
    with pytest.raises(Unreachable, match="offline"):
        await signin.sign_in(Secret(READER_TOKEN))


@pytest.mark.parametrize("said", ["[]", '"x"', "null", "{}", '{"name": 3}', "<html>", "[" * 10_000])
async def test_an_answer_that_names_nobody(
    signin: HuggingFaceSignIn, config: ConfigManager, serve: Serve, said: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=said, content_type="application/json")

    async with serve(answer) as url:
        config.environ["HF_ENDPOINT"] = url
        with pytest.raises(Unreachable):
            await signin.sign_in(Secret(READER_TOKEN))


async def test_a_mirror_without_that_question(signin: HuggingFaceSignIn, config: ConfigManager, serve: Serve) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("auth-check"):
            return web.json_response({"error": "no such page"}, status=404)
        return web.json_response({"id": "org/gated", "gated": "auto"})

    async with serve(answer) as url:
        config.environ["HF_ENDPOINT"] = url
        assert await signin.access("org/gated") == "unknown"


FIELDS = [
    "name",
    "type",
    "orgs",
    "auth",
    "accessToken",
    "role",
    "fineGrained",
    "canReadGatedRepos",
    "expiresAt",
    "expiration",
]
names = st.sampled_from(FIELDS)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=12,
)


@given(json)
def test_any_answer_is_an_account_or_none(said: Any) -> None:
    account = cards.account(said)
    assert account is None or account.name
