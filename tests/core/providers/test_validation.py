"""A test of a provider and its key tells apart whatever can be wrong with them, and says what to do."""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.config import ConfigManager
from modelshelf.errors import KeyUnproven, UsageError
from modelshelf.library import ModelLibrary
from modelshelf.providers import Ability, Provider, ProviderConfig, ProviderContext, ServedModel
from modelshelf.providers.adapter import Adapter
from modelshelf.providers.adapters.ollama import OllamaProvider
from modelshelf.providers.spec import KeyUse
from modelshelf.providers.validation import APIValidation, Outcome, Validation, clean_key
from modelshelf.vault import Secret
from tests.conftest import LoopRunner
from tests.core.providers.subjects import EVERY_KEYED, EVERY_SIMULATED, SUBJECTS
from tests.engines.anthropic import CREDIT, KEY, AnthropicSimulator, Failure
from tests.engines.faults import Fault
from tests.engines.ollama import OllamaSimulator

MODEL = "claude-tiny-4-5"
CANARY = "sk-canary-4711-4711-4711"
EXPECTED = {
    Fault.BAD_KEY: {Outcome.BAD_KEY, Outcome.NO_KEY},
    Fault.FORBIDDEN: {Outcome.NO_PERMISSION},
    Fault.LIMITED: {Outcome.RATE_LIMITED},
    Fault.BROKEN: {Outcome.OTHER},
    Fault.PAGE: {Outcome.WRONG_URL},
    Fault.GARBAGE: {Outcome.WRONG_URL},
    Fault.SHAPE: {Outcome.WRONG_URL},
    Fault.DEEP: {Outcome.WRONG_URL},
    Fault.ENDLESS: {Outcome.OTHER, Outcome.TIMEOUT},
    Fault.SILENT: {Outcome.TIMEOUT},
    Fault.HALF: {Outcome.UNREACHABLE},
    Fault.REDIRECT: {Outcome.WRONG_URL},
}


class Bench:
    """Makes adapters and tests them, each anew, as one that is filled in but not saved."""

    def __init__(self, config: ConfigManager, library: ModelLibrary) -> None:
        self.config, self.library = config, library

    def make(self, name: str, url: str, key: str | None = None, kind: Any = None) -> Any:
        """An adapter to an address, by its subject's name."""

        async def find(_config: ProviderConfig, _model: str) -> Secret | None:
            return Secret(key) if key else None

        settings = dict(SUBJECTS[name].settings) if name in SUBJECTS else {}
        context = ProviderContext(self.config, self.library, key=find)
        adapter = kind or SUBJECTS[name].adapter
        return adapter(ProviderConfig("mine", name, "Mine", url, True, settings), context)

    async def check(self, name: str, url: str, key: str | None = None, **asked: Any) -> Validation:
        """One test."""
        async with aclosing(self.make(name, url, key)) as provider:
            return told(await APIValidation().check(provider, **asked))


def told(found: Validation) -> Validation:
    """Whatever a test finds is a sentence, with a remedy unless all is well, and holds no key."""
    assert found.message[-1] in ".!?"
    assert bool(found.remedy) != found.good
    assert "canary" not in repr(found)
    return found


@pytest.fixture
def bench(config: ConfigManager, library: ModelLibrary) -> Bench:
    config.set("providers.timeout_seconds", 2.0)
    return Bench(config, library)


@pytest.fixture
def claude(loop: LoopRunner) -> AnthropicSimulator:
    made = AnthropicSimulator(key=KEY)
    made.add(MODEL)
    return loop.enter(made.serve())


@dataclass
class Served:
    """A subject with its simulator."""

    name: str
    simulator: Any

    @property
    def url(self) -> str:
        return str(self.simulator.url + SUBJECTS[self.name].path)

    @property
    def key(self) -> str | None:
        return SUBJECTS[self.name].key or None


@pytest.fixture
def served(request: pytest.FixtureRequest, loop: LoopRunner) -> Served:
    return Served(request.param, loop.enter(SUBJECTS[request.param].simulator().serve()))


every = pytest.mark.parametrize("served", EVERY_SIMULATED, indirect=True)


@every
async def test_a_right_one_is_good_and_counted(served: Served, bench: Bench) -> None:
    found = await bench.check(served.name, served.url, served.key)
    assert found.outcome in {Outcome.VALID, Outcome.UNPROVEN}
    assert found.models
    assert found.latency_ms is not None
    pinged = await bench.check(served.name, served.url, served.key, ping=True, model=SUBJECTS[served.name].model)
    assert (pinged.outcome, pinged.remedy) == (Outcome.VALID, "")


@pytest.mark.parametrize("fault", list(Fault))
@every
async def test_every_fault_is_told_apart(served: Served, bench: Bench, fault: Fault) -> None:
    served.simulator.faults.everywhere(fault)
    bench.config.set("providers.timeout_seconds", 0.4 if fault in {Fault.SILENT, Fault.ENDLESS} else 5.0)
    found = await bench.check(served.name, served.url, served.key)
    assert found.outcome in EXPECTED[fault], found
    assert found.outcome is not Outcome.BAD_KEY or served.key


@pytest.mark.parametrize("served", EVERY_KEYED, indirect=True)
async def test_a_wrong_key_is_told_from_none(served: Served, bench: Bench) -> None:
    assert (await bench.check(served.name, served.url, CANARY)).outcome is Outcome.BAD_KEY
    asked = len(served.simulator.requests)
    assert (await bench.check(served.name, served.url, None)).outcome is Outcome.NO_KEY
    required = SUBJECTS[served.name].adapter.key_use is KeyUse.REQUIRED
    assert (len(served.simulator.requests) == asked) == required


@pytest.mark.parametrize("wrong", [f"{CANARY} x", f"{CANARY}\n", f"{CANARY}\r\nX-Evil: 1", f"{CANARY}\u200b", "ключ"])
@pytest.mark.parametrize("served", EVERY_KEYED, indirect=True)
async def test_a_key_that_is_none_is_never_sent(served: Served, bench: Bench, wrong: str) -> None:
    found = await bench.check(served.name, served.url, wrong)
    assert found.outcome is Outcome.BAD_KEY
    assert served.simulator.requests == []


@every
async def test_a_certificate_of_nobody_we_trust(served: Served, bench: Bench) -> None:
    context = server_context(trustme.CA())
    async with SUBJECTS[served.name].simulator().serve(context) as simulator:
        found = await bench.check(served.name, simulator.url + SUBJECTS[served.name].path, served.key)
    assert found.outcome is Outcome.TLS
    assert "no certificate that can be trusted" in found.message


async def test_a_certificate_that_changed_between_two_looks(bench: Bench, tmp_path: Path) -> None:
    trusted = trustme.CA()
    trust(bench, trusted, tmp_path)
    context = server_context(trusted)
    async with OllamaSimulator().serve(context) as simulator:
        assert (await bench.check("ollama", simulator.url)).outcome is Outcome.VALID
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        changed = await bench.check("ollama", simulator.url)
        assert (changed.outcome, changed.good) == (Outcome.TLS, False)
        trusted.issue_cert("127.0.0.1").configure_cert(context)
        assert (await bench.check("ollama", simulator.url)).outcome is Outcome.VALID


async def test_a_certificate_of_another_machine(bench: Bench, tmp_path: Path) -> None:
    trusted = trustme.CA()
    trust(bench, trusted, tmp_path)
    async with OllamaSimulator().serve(server_context(trusted, "example.org")) as simulator:
        assert (await bench.check("ollama", simulator.url)).outcome is Outcome.TLS


async def test_https_where_plain_http_is_spoken_is_the_wrong_address(bench: Bench) -> None:
    async with OllamaSimulator().serve() as simulator:
        found = await bench.check("ollama", simulator.url.replace("http:", "https:"))
    assert found.outcome is Outcome.WRONG_URL
    assert "http://" in found.remedy


async def test_plain_http_where_https_is_spoken(bench: Bench) -> None:
    async with OllamaSimulator().serve(server_context(trustme.CA())) as simulator:
        found = await bench.check("ollama", simulator.url.replace("https:", "http:"))
    assert found.outcome is Outcome.UNREACHABLE


async def test_nobody_there(bench: Bench) -> None:
    for url in ("http://127.0.0.1:1", "https://no-such-host.invalid"):
        assert (await bench.check("ollama", url)).outcome is Outcome.UNREACHABLE


async def test_another_api_at_the_address(bench: Bench, claude: AnthropicSimulator, ollama: OllamaSimulator) -> None:
    assert (await bench.check("anthropic", ollama.url, KEY)).outcome is Outcome.WRONG_URL
    assert (await bench.check("anthropic", claude.url + "/deeper", KEY)).outcome is Outcome.WRONG_URL


async def test_what_a_key_is_worth_shows_only_when_a_model_is_asked(bench: Bench, claude: AnthropicSimulator) -> None:
    claude.failures["/v1/messages"] = Failure("invalid_request_error", CREDIT)
    assert (await bench.check("anthropic", claude.url, KEY)).outcome is Outcome.VALID
    found = await bench.check("anthropic", claude.url, KEY, ping=True)
    assert (found.outcome, found.models) == (Outcome.NO_CREDIT, 1)
    claude.failures["/v1/messages"] = Failure("rate_limit_error", "Slow down.", "9")
    found = await bench.check("anthropic", claude.url, KEY, ping=True)
    assert (found.outcome, found.remedy) == (Outcome.RATE_LIMITED, "Try again in 9 s.")
    claude.failures["/v1/messages"] = Failure("permission_error", "Not this model.")
    assert (await bench.check("anthropic", claude.url, KEY, ping=True)).outcome is Outcome.NO_PERMISSION


async def test_a_model_to_ask_is_chosen_or_named(bench: Bench, claude: AnthropicSimulator) -> None:
    claude.models = {}
    claude.add("claude-old", lifecycle="deprecated")
    claude.add(MODEL)
    found = await bench.check("anthropic", claude.url, KEY, ping=True)
    assert found.message == f"Mine answers and accepts the key; it offers 2 models; {MODEL} was asked."
    [body] = claude.asked("/v1/messages")
    assert (body["model"], body["max_tokens"]) == (MODEL, 1)
    found = await bench.check("anthropic", claude.url, KEY, ping=True, model="claude-none")
    assert (found.outcome, found.message) == (Outcome.OTHER, "Mine has no model claude-none.")


async def test_the_remedy_names_the_usual_variable(bench: Bench) -> None:
    found = await bench.check("anthropic", "", None)
    assert found.message == "Mine needs a key and has none."
    assert found.remedy == "Enter one or set ANTHROPIC_API_KEY."
    # Such a key would not go to another address than the usual one.
    assert (await bench.check("anthropic", "http://127.0.0.1:1", None)).remedy == "Enter one."


class OpenList(OllamaProvider):
    """Its list is public, as OpenRouter's is: only an answer proves a key."""

    async def check_key(self) -> str:
        raise KeyUnproven("Mine shows its list to everybody.")


class Odd(Adapter):
    """A plug-in that misbehaves inside."""

    kind, label = "odd", "Odd"
    abilities = frozenset({Ability.LIST, Ability.CHAT})
    hangs = False

    async def models(self) -> Sequence[ServedModel]:
        if self.hangs:
            await asyncio.Event().wait()
        raise KeyError(CANARY)


class Hanging(Odd):
    """A plug-in that never comes back."""

    hangs = True


async def test_only_an_answer_proves_a_key_of_a_public_list(bench: Bench, ollama: OllamaSimulator) -> None:
    async with aclosing(bench.make("ollama", ollama.url, kind=OpenList)) as provider:
        found = told(await APIValidation().check(provider))
        assert (found.outcome, found.models, found.good) == (Outcome.UNPROVEN, 1, False)
        assert "one-token" in found.remedy
        assert told(await APIValidation().check(provider, ping=True)).outcome is Outcome.VALID
        ollama.faults.by_path = {"/api/chat": Fault.BAD_KEY}
        assert told(await APIValidation().check(provider, ping=True)).outcome is Outcome.BAD_KEY


async def test_a_plug_in_s_own_fault_is_its_outcome(bench: Bench) -> None:
    found = told(await APIValidation().check(bench.make("odd", "", kind=Odd)))
    assert (found.outcome, found.message) == (Outcome.OTHER, "The adapter for Mine failed: KeyError.")
    found = told(await APIValidation(seconds=0.05).check(bench.make("odd", "", kind=Hanging)))
    assert (found.outcome, found.message) == (Outcome.TIMEOUT, "Mine was not done within 0.05 s.")


async def test_whoever_cancels_a_test_is_heard(bench: Bench) -> None:
    provider: Provider = bench.make("odd", "", kind=Hanging)
    check = asyncio.create_task(APIValidation().check(provider))
    await asyncio.sleep(0)
    check.cancel()
    with pytest.raises(asyncio.CancelledError):
        await check


async def test_a_question_that_is_never_answered_times_out(bench: Bench, claude: AnthropicSimulator) -> None:
    claude.gate.clear()
    async with aclosing(bench.make("anthropic", claude.url, KEY)) as provider:
        found = await APIValidation(seconds=1.0).check(provider, ping=True)
        assert (told(found).outcome, claude.running) == (Outcome.TIMEOUT, 1)
        async with asyncio.timeout(5):
            await claude.idle.wait()


@pytest.mark.parametrize("text", ["sk-abc", "  sk-abc\n", "Bearer sk-abc", "bearer   sk-abc "])
def test_what_surrounds_a_key_is_taken_off(text: str) -> None:
    assert clean_key(text).reveal() == "sk-abc"


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "empty"), (" \n", "empty"), ("Bearer ", "empty"), ("a b", "blank"), ("a\nb", "blank"), ("a\0b", "character"),
     ("schlüssel", "character"), ("x" * 4097, "longer than 4,096")],
)  # fmt: skip
def test_what_no_key_has_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        clean_key(text)
    assert caught.value.remedy


@given(st.text(min_size=9))
def test_a_refused_key_is_not_shown(text: str) -> None:
    bare = text.strip()
    try:
        shown, key = "", clean_key(text).reveal()
    except UsageError as error:
        shown, key = f"{error.message} {error.remedy} {error.facts}", ""
    assert not bare or bare not in shown
    assert key in text
    assert key.isascii()
    assert key.isprintable()


def server_context(authority: trustme.CA, host: str = "127.0.0.1") -> ssl.SSLContext:
    """TLS with a certificate of this authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


def trust(bench: Bench, authority: trustme.CA, folder: Path) -> None:
    """Have the settings name an authority."""
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    bench.config.set("network.ca_file", str(file))
