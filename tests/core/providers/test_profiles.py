"""Profiles: kept, checked, mended, carried elsewhere, and asked with their fallbacks."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.access import AccessService, Principal, Role, acting_as
from modelshelf.config import ConfigManager
from modelshelf.errors import (
    ModelshelfError,
    NotFound,
    NotSignedIn,
    ProviderError,
    RateLimited,
    RoleRequired,
    Unreachable,
    UsageError,
)
from modelshelf.events import EventBus, ProfileChanged
from modelshelf.providers import ChatMessage, HealthMonitor, ProviderRegistry, profile_text
from modelshelf.providers.profile_checks import cleaned
from modelshelf.providers.profile_spec import Cause, Parameters, Profile, ProfileStatus
from modelshelf.providers.profiles import ProfileManager
from modelshelf.store import Store
from tests.core.providers.conftest import collect
from tests.engines.faults import Fault
from tests.engines.ollama import OllamaSimulator

GONE = "http://127.0.0.1:1"
HERE = "ollama/tiny-llama:latest"


@pytest.fixture
def profiles(
    config: ConfigManager, store: Store, events: EventBus, access: AccessService, registry: ProviderRegistry
) -> ProfileManager:
    return ProfileManager(store, events, access, registry, HealthMonitor(config, store, events, registry))


async def found(registry: ProviderRegistry, provider: str = "ollama") -> None:
    """Wait until the Ollama of this machine has joined by itself."""
    async with asyncio.timeout(5):
        while provider not in {item.id for item in await registry.list()}:
            await asyncio.sleep(0.01)


async def defaults(profiles: ProfileManager) -> set[str]:
    return {item.name for item in await profiles.list() if item.default}


async def test_a_profile_is_found_by_its_name_in_any_letters(profiles: ProfileManager) -> None:
    saved = await profiles.save(Profile("  My   Coder ", HERE, "Coding", fallbacks=("builtin/a", HERE, "builtin/a")))
    assert saved == Profile("My Coder", HERE, "coding", fallbacks=("builtin/a",), default=True)
    assert await profiles.get("my coder") == saved
    assert await profiles.find("@MY CODER") == saved
    assert await profiles.find("@coding") == saved, "a purpose means its default"
    assert await profiles.default("coding") == saved
    with pytest.raises(NotFound, match="“nobody”") as refused:
        await profiles.get("nobody")
    assert "My Coder" in refused.value.remedy
    with pytest.raises(NotFound, match="writing"):
        await profiles.default("writing")


async def test_saving_again_changes_and_a_new_one_must_be_new(profiles: ProfileManager) -> None:
    await profiles.save(Profile("Coder", HERE, system="Be brief."))
    await profiles.save(Profile("coder", "builtin/other"))
    assert [item.model for item in await profiles.list()] == ["builtin/other"]
    with pytest.raises(UsageError, match="“Coder” already") as refused:
        await profiles.save(Profile("CODER", HERE), new=True)
    assert refused.value.facts["field"] == "name"


async def test_every_purpose_has_one_default(profiles: ProfileManager) -> None:
    for name in ("one", "two", "three"):
        await profiles.save(Profile(name, HERE))
    assert await defaults(profiles) == {"one"}
    await profiles.set_default("two")
    assert await defaults(profiles) == {"two"}
    await profiles.save(Profile("three", HERE, default=True))
    assert await defaults(profiles) == {"three"}
    await profiles.save(Profile("three", HERE, default=False))
    assert await defaults(profiles) == {"three"}, "there is always one"
    await profiles.save(Profile("three", HERE, "coding"))
    assert await defaults(profiles) == {"one", "three"}, "who leaves a purpose passes its default on"
    await profiles.remove("one")
    assert await defaults(profiles) == {"two", "three"}
    await profiles.remove("THREE")
    assert await defaults(profiles) == {"two"}
    with pytest.raises(NotFound):
        await profiles.remove("three")


async def test_renaming(profiles: ProfileManager) -> None:
    await profiles.save(Profile("one", HERE))
    await profiles.save(Profile("two", HERE))
    assert (await profiles.rename("one", "One")).name == "One"
    with pytest.raises(UsageError, match="already"):
        await profiles.rename("two", "ONE")
    with pytest.raises(NotFound):
        await profiles.rename("three", "four")
    assert [(item.name, item.default) for item in await profiles.list()] == [("One", True), ("two", False)]


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("name", {"name": ""}),
    ("name", {"name": "x" * 61}),
    ("name", {"name": "two\u202elines"}),
    ("name", {"name": "a/b"}),
    ("name", {"name": "@home"}),
    ("name", {"name": "Export"}),
    ("model", {"model": "tiny"}),
    ("model", {"model": "builtin/" + "x" * 400}),
    ("model", {"model": "builtin/a\nb"}),
    ("fallbacks", {"fallbacks": ("tiny",)}),
    ("fallbacks", {"fallbacks": tuple(f"a/{number}" for number in range(11))}),
    ("purpose", {"purpose": "two words"}),
    ("purpose", {"purpose": ""}),
    ("system", {"system": "x" * 100_001}),
    ("system", {"system": "a\0b"}),
    ("temperature", {"parameters": Parameters(temperature=5.1)}),
    ("temperature", {"parameters": Parameters(temperature=float("nan"))}),
    ("top_p", {"parameters": Parameters(top_p=-0.1)}),
    ("max_tokens", {"parameters": Parameters(max_tokens=0)}),
    ("max_tokens", {"parameters": Parameters(max_tokens=1.5)}),  # type: ignore[arg-type] # what a form may bring
    ("seed", {"parameters": Parameters(seed=True)}),
    ("seed", {"parameters": Parameters(seed=2**32)}),
    ("stop", {"parameters": Parameters(stop=("",))}),
    ("stop", {"parameters": Parameters(stop=tuple("abcdefghijklmnopq"))}),
    ("extra", {"parameters": Parameters(extra={"messages": []})}),
    ("extra", {"parameters": Parameters(extra={"top": {"x-api-key": "sk-1"}})}),
    ("extra", {"parameters": Parameters(extra={"a": None})}),
    ("extra", {"parameters": Parameters(extra={"a": "x" * 20_001})}),
    ("extra", {"parameters": Parameters(extra={"a": float("inf")})}),
]


@pytest.mark.parametrize(("field", "wrong"), WRONG)
async def test_what_makes_no_sense_is_refused_by_its_field(
    profiles: ProfileManager, field: str, wrong: dict[str, Any]
) -> None:
    before = await profiles.save(Profile("Coder", HERE))
    with pytest.raises(UsageError) as refused:
        await profiles.save(replace(before, **wrong))
    assert refused.value.facts["field"] == field
    assert refused.value.message.endswith(".")
    assert "sk-1" not in refused.value.message + refused.value.remedy
    assert await profiles.list() == (before,)


async def test_only_an_operator_changes_and_everybody_reads(
    profiles: ProfileManager, registry: ProviderRegistry, access: AccessService
) -> None:
    await found(registry)
    await profiles.save(Profile("Coder", HERE, system="Our secret sauce."))
    deeds = (
        lambda: profiles.save(Profile("Other", HERE)),
        lambda: profiles.remove("Coder"),
        lambda: profiles.rename("Coder", "Other"),
        lambda: profiles.set_default("Coder"),
        lambda: profiles.use_nearest("Coder"),
        lambda: profiles.import_(""),
    )
    with acting_as(Principal("vera", Role.VIEWER)):
        for deed in deeds:
            with pytest.raises(RoleRequired):
                await deed()
        assert (await profiles.check("coder")).status is ProfileStatus.OK
        assert (await profiles.chat("@coder", "hello")).text.startswith("word0")
        assert "Coder" in await profiles.export()
    with acting_as(Principal("otto", Role.OPERATOR)):
        await profiles.save(Profile("Other", HERE))
    rows = await access.audit()
    assert {row["action"] for row in rows if row["outcome"] == "refused"} == {
        "profile.save", "profile.remove", "profile.rename", "profile.default", "profile.mend", "profile.import",
    }  # fmt: skip
    assert {row["target"] for row in rows if row["action"] == "profile.save"} == {"Coder", "Other"}
    assert not any("sauce" in str(row) for row in rows)


async def test_changes_are_told(profiles: ProfileManager, events: EventBus) -> None:
    with events.subscribe() as told:
        await profiles.save(Profile("Coder", HERE))
        await profiles.remove("coder")
        async with asyncio.timeout(2):
            seen = [event async for event in _first(told, 2)]
    assert seen == [ProfileChanged(profile="Coder")] * 2


async def _first(told: Any, count: int) -> Any:
    while count:
        event = await anext(told)
        if isinstance(event, ProfileChanged):
            count -= 1
            yield event


# Export and import

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
WORD = st.text("abcdefgh", min_size=1, max_size=8)
EXTRA = st.recursive(
    st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3),
    max_leaves=6,
)
PARAMETERS = st.builds(
    Parameters,
    temperature=st.none() | st.floats(0, 5),
    top_p=st.none() | st.floats(0, 1),
    max_tokens=st.none() | st.integers(1, 1_048_576),
    seed=st.none() | st.integers(0, 2**32 - 1),
    stop=st.lists(TEXT.filter(bool), max_size=3).map(tuple),
    extra=st.dictionaries(WORD, EXTRA, max_size=3),
)
PROFILES = st.builds(
    Profile,
    name=WORD.map("n{}".format),
    model=WORD.map("builtin/{}".format),
    purpose=WORD,
    parameters=PARAMETERS,
    system=TEXT,
    fallbacks=st.lists(WORD.map("other/{}".format), max_size=2, unique=True).map(tuple),
    default=st.booleans(),
)


@given(st.lists(PROFILES, max_size=3, unique_by=lambda item: item.name))
def test_an_export_holds_all_of_a_profile(found: list[Profile]) -> None:
    assert list(profile_text.parse(profile_text.dump(found))) == [cleaned(item) for item in found]


@given(st.text(max_size=80) | st.from_regex(r"version = 1\n(\[\[profiles\]\]\n)?.{0,40}"))
def test_no_text_breaks_the_import(text: str) -> None:
    with suppress(UsageError):
        assert profile_text.parse(text) is not None


async def test_an_import_adds_keeps_and_on_demand_changes(profiles: ProfileManager) -> None:
    await profiles.save(Profile("One", HERE))
    await profiles.save(Profile("Two", HERE, "coding", Parameters(temperature=0.2), "Be\nbrief.", ("builtin/a",)))
    text = await profiles.export()
    assert 'system = """Be\nbrief."""' in text, "prose stays readable"
    await profiles.remove("two")
    await profiles.save(Profile("one", "builtin/other"))
    report = await profiles.import_(text)
    assert (report.added, report.kept, report.changed, report.same) == (("Two",), ("One",), (), ())
    assert (await profiles.get("one")).model == "builtin/other"
    report = await profiles.import_(text, replace=True)
    assert (report.added, report.kept, report.changed, report.same) == ((), (), ("One",), ("Two",))
    assert await profiles.export() == text


BROKEN = {
    "no TOML": "[[",
    "something else": "colour = 1",
    "newer": "version = 2\n[[profiles]]\nname = 'a'\nmodel = 'b/c'",
    "no model": "version = 1\n[[profiles]]\nname = 'a'",
    "unknown key": "version = 1\n[[profiles]]\nname = 'a'\nmodel = 'b/c'\ncolour = 'red'",
    "wrong type": "version = 1\n[[profiles]]\nname = 7\nmodel = 'b/c'",
    "twice": "version = 1\n[[profiles]]\nname = 'a'\nmodel = 'b/c'\n[[profiles]]\nname = 'A'\nmodel = 'b/c'",
    "a secret": "version = 1\n[[profiles]]\nname = 'a'\nmodel = 'b/c'\n[profiles.parameters.extra]\napi_key = 'sk-1'",
    "deep": "version = " + "[" * 5000 + "]" * 5000,
    "not a list": "version = 1\nprofiles = 'all'",
}


@pytest.mark.parametrize("what", BROKEN)
async def test_an_import_is_all_or_nothing(profiles: ProfileManager, what: str) -> None:
    good = "\n[[profiles]]\nname = 'good'\nmodel = 'builtin/a'\n"
    text = BROKEN[what]
    with pytest.raises(UsageError) as refused:
        await profiles.import_(text + good if "[[profiles]]" in text else text)
    assert "sk-1" not in refused.value.message
    assert await profiles.list() == ()


# How a profile is


async def test_a_profile_is_well_while_its_model_is_served(
    profiles: ProfileManager, registry: ProviderRegistry
) -> None:
    await found(registry)
    await profiles.save(Profile("Coder", HERE))
    (state,) = await profiles.states()
    assert (state.status, state.uses, state.problem, state.nearest) == (ProfileStatus.OK, HERE, "", ())
    with pytest.raises(UsageError, match="is well"):
        await profiles.use_nearest("Coder")


async def test_a_model_that_is_gone_is_said_and_the_nearest_is_offered(
    profiles: ProfileManager, registry: ProviderRegistry, ollama: OllamaSimulator
) -> None:
    await found(registry)
    ollama.add("qwen2.5:7b-instruct-q8_0")
    await profiles.save(Profile("Coder", "ollama/qwen2.5:7b-instruct-q8_0", "coding", Parameters(seed=1), "Be brief."))
    del ollama.models["qwen2.5:7b-instruct-q8_0"]
    for name in ("qwen2.5:7b-instruct-q4_K_M", "nomic-embed-text"):
        ollama.add(name)
    state = await profiles.check("coder")
    assert (state.status, state.uses, state.cause) == (ProfileStatus.BROKEN, "", Cause.MISSING)
    assert "ollama/qwen2.5:7b-instruct-q8_0 is gone" in state.problem
    assert state.nearest[0] == "ollama/qwen2.5:7b-instruct-q4_K_M"
    assert not any("embed" in model for model in state.nearest)
    with pytest.raises(NotFound, match="Coder"):
        await profiles.resolve("@coder")
    mended = await profiles.use_nearest("coder")
    assert (mended.model, mended.system, mended.parameters.seed) == (state.nearest[0], "Be brief.", 1)
    assert (await profiles.check("coder")).status is ProfileStatus.OK
    assert (await profiles.use_nearest("coder", HERE)).model == HERE


async def test_a_provider_that_is_removed_off_or_down_is_said(
    profiles: ProfileManager, registry: ProviderRegistry, ollama: OllamaSimulator
) -> None:
    await found(registry)
    await registry.add("ollama", url=ollama.url + "/", provider="work", name="Work")
    await profiles.save(Profile("Coder", "work/tiny-llama:latest", fallbacks=("nobody/x", HERE)))
    assert (await profiles.check("Coder")).status is ProfileStatus.OK
    await registry.enable("work", False)
    state = await profiles.check("Coder")
    assert (state.status, state.uses, state.cause) == (ProfileStatus.FALLBACK, HERE, Cause.OFF)
    assert "Work is switched off" in state.problem
    assert state.nearest[0] == HERE, "the same model at another provider"
    await registry.enable("work")
    await registry.change("work", url=GONE)
    state = await profiles.check("Coder")
    assert (state.status, state.uses, state.cause) == (ProfileStatus.FALLBACK, HERE, Cause.DOWN)
    assert await profiles.resolve("Coder") == (HERE, (await profiles.get("Coder")).request(()))
    await registry.remove("work")
    await registry.remove("ollama")
    state = await profiles.check("Coder")
    assert (state.status, state.uses, state.cause) == (ProfileStatus.BROKEN, "", Cause.REMOVED)
    assert state.nearest == ()
    with pytest.raises(NotFound, match="could stand in"):
        await profiles.use_nearest("Coder")


# Asked


async def test_parameters_and_prompt_reach_the_provider(
    profiles: ProfileManager, registry: ProviderRegistry, ollama: OllamaSimulator
) -> None:
    await found(registry)
    told = Parameters(0.5, 0.9, 5, 7, ("END",), {"think": False, "options": {"mirostat": 1}})
    await profiles.save(Profile("Coder", HERE, "coding", told, "Be brief."))
    reply = await profiles.chat("@coder", "hello")
    assert (reply.provider, reply.model) == ("ollama", "tiny-llama:latest")
    assert reply.usage["completion_tokens"] == 5
    sent = ollama.asked("/api/chat")[-1]
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    assert sent["think"] is False
    assert sent["options"] == {
        "num_predict": 5, "temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["END"], "mirostat": 1,
    }  # fmt: skip
    turns = (ChatMessage("system", "Be long."), ChatMessage("user", "hello"))
    await profiles.chat("@coder", turns, max_tokens=3, temperature=0.0)
    sent = ollama.asked("/api/chat")[-1]
    assert sent["messages"][0]["content"] == "Be long."
    assert (sent["options"]["num_predict"], sent["options"]["temperature"]) == (3, 0.0)


@pytest.fixture
def second(loop: Any) -> OllamaSimulator:
    simulator = OllamaSimulator()
    simulator.add("spare")
    return loop.enter(simulator.serve())  # type: ignore[no-any-return]


async def with_spare(profiles: ProfileManager, registry: ProviderRegistry, second: OllamaSimulator) -> None:
    await found(registry)
    await registry.add("ollama", url=second.url, provider="second")
    await profiles.save(Profile("Coder", HERE, fallbacks=("nobody/none", "second/spare:latest")))


@pytest.mark.parametrize("fault", [Fault.LIMITED, Fault.BROKEN, Fault.PAGE, Fault.HALF, Fault.GARBAGE])
async def test_a_fallback_answers_while_the_model_cannot(
    profiles: ProfileManager, registry: ProviderRegistry, ollama: OllamaSimulator, second: OllamaSimulator, fault: Fault
) -> None:
    await with_spare(profiles, registry, second)
    ollama.faults.by_path["/api/chat"] = fault
    reply = await profiles.chat("@coder", "hello")
    assert (reply.provider, reply.model) == ("second", "spare:latest")
    ollama.faults.clear()
    assert (await profiles.chat("@coder", "hello")).provider == "ollama"


async def test_nobody_takes_over_in_mid_sentence(
    profiles: ProfileManager, registry: ProviderRegistry, ollama: OllamaSimulator, second: OllamaSimulator
) -> None:
    await with_spare(profiles, registry, second)
    ollama.break_after = 2
    with pytest.raises(ModelshelfError):
        await profiles.chat("@coder", "hello")
    assert second.asked("/api/chat") == []


async def test_a_refused_key_is_for_a_person_to_mend(
    profiles: ProfileManager, registry: ProviderRegistry, ollama: OllamaSimulator, second: OllamaSimulator
) -> None:
    await with_spare(profiles, registry, second)
    ollama.faults.by_path["/api/chat"] = Fault.BAD_KEY
    with pytest.raises(NotSignedIn):
        await profiles.chat("@coder", "hello")
    assert second.asked("/api/chat") == []


async def test_when_nobody_can_answer_the_first_reason_is_told_with_the_others(
    profiles: ProfileManager, registry: ProviderRegistry, ollama: OllamaSimulator, second: OllamaSimulator
) -> None:
    await with_spare(profiles, registry, second)
    ollama.faults.by_path["/api/chat"] = Fault.LIMITED
    await registry.change("second", url=GONE)
    with pytest.raises(RateLimited) as failed:
        await profiles.chat("@coder", "hello")
    assert "second/spare:latest" in failed.value.remedy
    assert "nobody" in failed.value.remedy


async def test_a_switched_off_provider_is_passed_over(
    profiles: ProfileManager, registry: ProviderRegistry, second: OllamaSimulator
) -> None:
    await with_spare(profiles, registry, second)
    await registry.enable("ollama", False)
    text, pieces = await collect(profiles.chat_stream("coder", "hello"))
    assert text.startswith("word0")
    assert {piece.model for piece in pieces} == {"second/spare:latest"}
    await registry.enable("second", False)
    with pytest.raises(ProviderError, match="switched off"):
        await profiles.chat("coder", "hello")


async def test_closing_the_answer_stops_the_provider(
    profiles: ProfileManager, registry: ProviderRegistry, ollama: OllamaSimulator
) -> None:
    await found(registry)
    await profiles.save(Profile("Coder", HERE))
    answer = profiles.chat_stream("@coder", "hello")
    await anext(answer)
    ollama.gate.clear()
    await answer.aclose()
    async with asyncio.timeout(3):
        await ollama.idle.wait()


async def test_no_profile_is_no_model(profiles: ProfileManager, registry: ProviderRegistry) -> None:
    with pytest.raises(NotFound, match="no profile “nobody”"):
        await profiles.chat("@nobody", "hello")
    await profiles.save(Profile("Down", "builtin/none"))
    with pytest.raises((NotFound, Unreachable)):
        await profiles.chat("@down", "hello")
