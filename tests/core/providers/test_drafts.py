"""A provider is tried before it is saved, and nothing is saved that did not pass unless a person insists."""

import asyncio

import pytest

from modelshelf.errors import NotFound, UnsafeAddress, UsageError
from modelshelf.providers import ProviderRegistry
from modelshelf.providers.drafts import Draft, NotValidated
from modelshelf.providers.spec import LoadSettings
from modelshelf.providers.validation import Outcome
from modelshelf.vault import Secret, Vault
from tests.conftest import LoopRunner
from tests.engines.compatible import CompatibleSimulator
from tests.engines.ollama import OllamaSimulator

KEY = "sk-draft-canary-1234"
GONE = "http://127.0.0.1:1"
pytestmark = pytest.mark.usefixtures("joined")


@pytest.fixture
def lab(loop: LoopRunner) -> CompatibleSimulator:
    """A server that wants a key."""
    return loop.enter(CompatibleSimulator(key=KEY).serve())


def draft(url: str, key: str = "", **more: object) -> Draft:
    return Draft("openai-compatible", url, "Lab", key=Secret(key) if key else None, **more)  # type: ignore[arg-type]


async def test_trying_saves_nothing(registry: ProviderRegistry, lab: CompatibleSimulator, vault: Vault) -> None:
    before = await registry.list()
    seen = await registry.drafts.try_out(draft(lab.url, KEY))
    assert (seen.outcome, seen.models) == (Outcome.VALID, 2)
    assert await registry.list() == before
    assert await vault.info() == ()


async def test_what_does_not_pass_is_not_saved(registry: ProviderRegistry, lab: CompatibleSimulator) -> None:
    before = await registry.list()
    for wrong in (draft(lab.url, "sk-wrong-canary-9999"), draft(lab.url), draft(GONE, KEY)):
        with pytest.raises(NotValidated) as caught:
            await registry.drafts.save(wrong)
        assert "insist" in caught.value.remedy
        assert "canary" not in str(caught.value) + caught.value.remedy
    assert await registry.list() == before


async def test_a_person_may_insist(registry: ProviderRegistry) -> None:
    saved = await registry.drafts.save(draft(GONE), insist=True)
    assert saved.validation is None
    assert saved.provider in await registry.list()


async def test_saved_it_works_with_its_key(registry: ProviderRegistry, lab: CompatibleSimulator, vault: Vault) -> None:
    saved = await registry.drafts.save(draft(lab.url, KEY))
    assert saved.validation
    assert saved.validation.good
    assert {model.name for model in await registry.models(saved.provider.id)} == {"tiny-llama", "tiny-embed"}
    [key] = await registry.keys_of(saved.provider.id)
    assert (key.origin, key.last4, key.present) == ("vault", "1234", True)
    await registry.remove(saved.provider.id)
    assert await vault.info() == ()


async def test_a_key_does_not_follow_its_provider_to_another_address(
    registry: ProviderRegistry, lab: CompatibleSimulator, loop: LoopRunner
) -> None:
    saved = (await registry.drafts.save(draft(lab.url, KEY))).provider
    async with CompatibleSimulator().serve() as thief:
        seen = await registry.drafts.try_out(Draft(saved.kind, thief.url, provider=saved.id, existing=True))
        assert seen.outcome is Outcome.VALID
        await registry.change(saved.id, url=thief.url)
        await registry.models(saved.id)
        assert thief.headers
        assert not any("canary" in str(headers) for headers in thief.headers)
    [key] = await registry.keys_of(saved.id)
    assert not key.present


async def test_a_change_is_tried_with_the_key_that_it_has(registry: ProviderRegistry, lab: CompatibleSimulator) -> None:
    saved = (await registry.drafts.save(draft(lab.url, KEY))).provider
    renamed = await registry.drafts.save(Draft(saved.kind, name="Renamed", provider=saved.id, existing=True))
    assert renamed.provider.name == "Renamed"
    with pytest.raises(NotValidated):
        await registry.drafts.save(Draft(saved.kind, url=GONE, provider=saved.id, existing=True))
    assert (await registry.config(saved.id)).url == lab.url
    with pytest.raises(NotFound):
        await registry.drafts.save(Draft(saved.kind, provider="nobody", existing=True))


async def test_what_makes_no_sense_is_refused_before_anybody_is_asked(
    registry: ProviderRegistry, ollama: OllamaSimulator
) -> None:
    for url, error in {
        "ftp://127.0.0.1": UsageError,
        "127.0.0.1:8000": UsageError,
        "http://user:secret@127.0.0.1": UsageError,
        "http://192.0.2.1:8000": UnsafeAddress,
        "http://169.254.169.254": UnsafeAddress,
    }.items():
        with pytest.raises(error):
            await registry.drafts.try_out(draft(url))
    with pytest.raises(UsageError, match="no setting “colour”"):
        await registry.drafts.try_out(draft(ollama.url, settings={"colour": "red"}))
    with pytest.raises(UsageError, match="makes no sense"):
        await registry.drafts.try_out(draft(ollama.url, settings={"models": [1, 2]}))


async def test_two_of_one_name_are_told_apart_by_their_ids(
    registry: ProviderRegistry, lab: CompatibleSimulator
) -> None:
    first = (await registry.drafts.save(draft(lab.url, KEY))).provider
    second = (await registry.drafts.save(draft(lab.url, KEY))).provider
    assert first.name == second.name
    assert first.id != second.id


async def test_a_key_may_come_from_a_variable_that_is_named(
    registry: ProviderRegistry, lab: CompatibleSimulator, vault: Vault
) -> None:
    registry.keys._environ["LAB_KEY"] = KEY
    saved = await registry.drafts.save(draft(lab.url, key_env="LAB_KEY"))
    assert saved.validation
    assert saved.validation.good
    [key] = await registry.keys_of(saved.provider.id)
    assert (key.origin, key.env, key.last4) == ("environment", "LAB_KEY", "1234")
    assert await vault.info() == ()


async def test_an_id_that_is_taken_leaves_the_one_who_has_it_alone(
    registry: ProviderRegistry, lab: CompatibleSimulator, vault: Vault
) -> None:
    first = (await registry.drafts.save(draft(lab.url, KEY, provider="lab"))).provider
    for insist in (True, False):
        with pytest.raises(UsageError, match="already"):
            await registry.drafts.save(draft(lab.url, KEY, provider="lab"), insist=insist)
    assert (await registry.drafts.test(first.id)).good
    await asyncio.gather(
        *(registry.drafts.save(draft(lab.url, KEY, provider="race")) for _ in range(5)), return_exceptions=True
    )
    assert (await registry.drafts.test("race")).good
    assert len(await vault.info()) == 2


async def test_what_can_never_be_spoken_to_is_not_saved_however_much_one_insists(registry: ProviderRegistry) -> None:
    before = await registry.list()
    with pytest.raises(UsageError, match="no address"):
        await registry.drafts.save(draft(""), insist=True)
    assert await registry.list() == before


@pytest.mark.parametrize("wrong", ["nl\n", "kinds", "a b", "\ud800"])
async def test_words_of_the_routes_and_lines_are_no_ids(registry: ProviderRegistry, wrong: str) -> None:
    with pytest.raises(UsageError) as caught:
        await registry.drafts.save(draft(GONE, provider=wrong), insist=True)
    assert caught.value.message.isprintable()


async def test_names_that_nothing_can_keep_are_refused(registry: ProviderRegistry) -> None:
    for names in (["\ud800"], ["a\nb"], ["x" * 501], ["x"] * 5001):
        with pytest.raises(UsageError, match="makes no sense"):
            await registry.drafts.save(draft(GONE, settings={"models": names}), insist=True)


async def test_the_next_of_a_name_has_nothing_of_the_one_before(
    registry: ProviderRegistry, ollama: OllamaSimulator
) -> None:
    provider = (await registry.list())[1].id
    await registry.set_load_settings(f"{provider}/tiny-llama", LoadSettings(context=4096))
    await registry.remove(provider)
    again = await registry.add("ollama", url=ollama.url, provider=provider)
    assert await registry.load_settings(again.id, "tiny-llama") == LoadSettings()
