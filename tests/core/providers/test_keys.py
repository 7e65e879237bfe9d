"""Which key goes where: by model pattern, from vault or environment, and never to somebody else's address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.access import Principal, Role, acting_as
from modelshelf.config import ConfigManager
from modelshelf.errors import NotFound, RoleRequired, UsageError
from modelshelf.providers import ProviderRegistry
from modelshelf.providers.keys import _by_fit
from modelshelf.store.tables import ProviderKeyRow
from modelshelf.vault import Secret, Vault
from tests.conftest import LoopRunner
from tests.core.providers.conftest import ask, collect
from tests.engines.compatible import CompatibleSimulator

GENERAL, SPECIAL = "sk-general-canary-0001", "sk-special-canary-0002"


@pytest.fixture
def lab(loop: LoopRunner) -> CompatibleSimulator:
    return loop.enter(CompatibleSimulator().serve())


def sent(lab: CompatibleSimulator) -> str:
    return lab.headers[-1].get("Authorization", "")


async def test_a_model_takes_the_key_whose_pattern_fits_it_best(
    registry: ProviderRegistry, lab: CompatibleSimulator
) -> None:
    provider = await registry.add("openai-compatible", url=lab.url)
    await registry.add_key(provider.id, secret=Secret(GENERAL))
    await registry.add_key(provider.id, secret=Secret(SPECIAL), pattern="tiny-*")
    await registry.models(provider.id)
    assert sent(lab) == f"Bearer {GENERAL}"
    await collect((await registry.get(provider.id)).chat("tiny-llama", ask("hello")))
    assert sent(lab) == f"Bearer {SPECIAL}"


async def test_a_key_of_the_same_pattern_takes_the_place_of_the_one_before(
    registry: ProviderRegistry, lab: CompatibleSimulator, vault: Vault
) -> None:
    provider = await registry.add("openai-compatible", url=lab.url)
    await registry.add_key(provider.id, secret=Secret(GENERAL))
    await registry.add_key(provider.id, secret=Secret(SPECIAL))
    assert [key.last4 for key in await registry.keys_of(provider.id)] == ["0002"]
    assert len(await vault.info()) == 1
    [key] = await registry.keys_of(provider.id)
    await registry.keys.remove(provider.id, key.id)
    assert await vault.info() == ()
    with pytest.raises(NotFound):
        await registry.keys.remove(provider.id, key.id)


async def test_the_usual_variable_of_a_service_counts_at_its_own_address_only(
    config: ConfigManager, registry: ProviderRegistry, lab: CompatibleSimulator
) -> None:
    config.environ["OPENAI_API_KEY"] = GENERAL
    there = await registry.add("openai")
    [key] = await registry.keys_of(there.id)
    assert (key.origin, key.env, key.present) == ("usual environment", "OPENAI_API_KEY", True)
    elsewhere = await registry.add("openai", url=lab.url)
    assert await registry.keys_of(elsewhere.id) == []
    await registry.models(elsewhere.id)
    assert sent(lab) == ""
    assert await registry.lacks_key(elsewhere)
    assert not await registry.lacks_key(there)


async def test_a_variable_that_is_empty_is_no_key(registry: ProviderRegistry, lab: CompatibleSimulator) -> None:
    provider = await registry.add("openai-compatible", url=lab.url)
    await registry.add_key(provider.id, env="NOT_SET_ANYWHERE")
    [key] = await registry.keys_of(provider.id)
    assert not key.present
    await registry.models(provider.id)
    assert sent(lab) == ""


async def test_what_makes_no_sense_is_refused(registry: ProviderRegistry, lab: CompatibleSimulator) -> None:
    provider = await registry.add("openai-compatible", url=lab.url)
    with pytest.raises(UsageError):
        await registry.add_key(provider.id)
    with pytest.raises(UsageError):
        await registry.add_key(provider.id, secret=Secret(GENERAL), env="BOTH")
    with pytest.raises(UsageError, match="environment variable"):
        await registry.add_key(provider.id, env="rm -rf")
    with pytest.raises(NotFound):
        await registry.add_key("nobody", env="MY_KEY")
    with acting_as(Principal("eve", Role.OPERATOR)), pytest.raises(RoleRequired):
        await registry.add_key(provider.id, secret=Secret(GENERAL))


patterns = st.lists(st.sampled_from(["*", "gpt-*", "gpt-4*", "gpt-4o", "*mini", "claude-*"]), unique=True)


@given(patterns, st.sampled_from(["gpt-4o", "gpt-4-turbo", "gpt-5", "claude-3", "o1-mini"]))
def test_a_key_is_found_whenever_one_fits_and_never_another_s(found: list[str], model: str) -> None:
    rows = [ProviderKeyRow(id=pattern, provider="p", pattern=pattern) for pattern in found]
    fitting = [row.pattern for row in _by_fit(rows, model)]
    assert ("*" in fitting) == ("*" in found)
    assert all(pattern == "*" or model.startswith(pattern.strip("*")) or model.endswith("mini") for pattern in fitting)
    if model in fitting:
        assert fitting[0] == model
    if "*" in fitting:
        assert fitting[-1] == "*"
