"""A provider is tried before it is saved, and nothing is saved that did not pass unless a person insists."""

import pytest

from modelshelf.errors import NotFound, UnsafeAddress, UsageError
from modelshelf.providers import ProviderRegistry
from modelshelf.providers.drafts import Draft, NotValidated
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
