"""Providers carried elsewhere as a text: without secrets, all or nothing."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelshelf.errors import ModelshelfError, UsageError
from modelshelf.providers import ProviderConfig, ProviderRegistry
from modelshelf.providers.exchange import Portable, dump, parse
from modelshelf.vault import Secret

GONE = "http://127.0.0.1:1"
pytestmark = pytest.mark.usefixtures("joined")


async def test_out_and_in_again(registry: ProviderRegistry) -> None:
    await registry.add("openai-compatible", url=GONE, provider="lab", name="Lab", settings={"models": ["a", "b"]})
    await registry.add_key("lab", env="LAB_KEY", pattern="a*")
    await registry.add("openai", provider="work")
    await registry.add_key("work", secret=Secret("sk-export-canary-0001"))
    await registry.enable("work", False)
    before = {item.id: item for item in await registry.list()}
    text = await registry.exchange.export()
    assert "canary" not in text
    await registry.remove("lab")
    await registry.remove("work")
    done = await registry.exchange.import_(text)
    assert set(done.added) == {"lab", "work"}
    assert done.without_key == ("work",)
    after = {item.id: item for item in await registry.list()}
    assert {name: after[name] for name in ("lab", "work")} == {name: before[name] for name in ("lab", "work")}
    assert [(key.pattern, key.env) for key in await registry.keys_of("lab")] == [("a*", "LAB_KEY")]
    again = await registry.exchange.import_(text)
    assert set(again.changed) == {"lab", "ollama", "work"}


async def test_one_wrong_provider_and_nothing_is_imported(registry: ProviderRegistry) -> None:
    before = await registry.list()
    good = ProviderConfig("good", "ollama", "Good", GONE)
    for bad in (
        ProviderConfig("bad/id", "ollama", "Bad", GONE),
        ProviderConfig("bad", "no-such-kind", "Bad", GONE),
        ProviderConfig("bad", "ollama", "Bad", "http://169.254.169.254"),
        ProviderConfig("bad", "ollama", "Bad", GONE, settings={"colour": "red"}),
        ProviderConfig("ollama", "vllm", "Another kind", GONE),
        ProviderConfig("builtin", "builtin", "Evil", GONE),
    ):
        with pytest.raises(ModelshelfError):
            await registry.exchange.import_(dump([Portable(good), Portable(bad)]))
        assert await registry.list() == before
    with pytest.raises(UsageError, match="environment variable"):
        await registry.exchange.import_(dump([Portable(good, {"*": "not a name"})]))
    assert await registry.list() == before


@pytest.mark.parametrize(
    "text",
    ["", "version = 2\nproviders = []", "{{{", 'version = 1\nproviders = "x"', "version = 1\n[[providers]]\nid = 3",
     'version = 1\n[[providers]]\nid = "a"\nkind = "ollama"\nurl = 5',
     'version = 1\n[[providers]]\nid = "a"\nkind = "b"\n[[providers]]\nid = "a"\nkind = "b"'],
)  # fmt: skip
def test_what_is_no_export_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.remedy


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(names, names, st.booleans()), unique_by=lambda item: item[0], max_size=5))
def test_every_provider_comes_back_as_it_was(found: list[tuple[str, str, bool]]) -> None:
    made = [
        Portable(ProviderConfig(id_, "ollama", name, GONE, enabled, {"note": name}), {"*": "SOME_KEY"})
        for id_, name, enabled in found
    ]
    assert list(parse(dump(made))) == made
