"""What stands in for a model that is gone, and what is said of a model that is about to go."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.providers.nearest import NOTHING, Traits, family, nearest
from modelshelf.providers.profile_judge import Standing, judge, traits_of
from modelshelf.providers.profile_rows import Kept
from modelshelf.providers.profile_spec import Cause, Profile, ProfileStatus
from modelshelf.providers.spec import ServedModel

TODAY = date(2026, 8, 1)


def served(id_: str, **traits: object) -> ServedModel:
    provider, _, name = id_.partition("/")
    return ServedModel(provider, name, **traits)  # type: ignore[arg-type] # any of its fields


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("qwen2.5:7b-instruct-q4_K_M", "qwen2.5-7b-instruct"),
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b-instruct"),
        ("bartowski/Llama-3.2-3B-Instruct-GGUF", "llama-3.2-3b-instruct"),
        ("tiny-llama.Q8_0.gguf", "tiny-llama"),
        ("gemma-3-12b-it-IQ4_XS", "gemma-3-12b-it"),
        ("phi-4-bf16", "phi-4"),
        ("Mistral-7B-4bit", "mistral-7b"),
        ("llama3.2:latest", "llama3.2"),
        ("gpt-4o", "gpt-4o"),
    ],
)
def test_a_family_is_what_is_left_without_the_quantisation(name: str, of: str) -> None:
    assert family(name) == of


def test_the_same_model_then_its_repository_then_its_family_then_its_likes() -> None:
    here = [
        served("c/mistral-small-24b"),
        served("b/qwen2.5:7b-instruct-q4_K_M"),
        served("b/renamed", repo="Qwen/Qwen2.5-7B"),
        served("b/qwen2.5-coder"),
        served("work/Qwen/qwen2.5:7b-instruct-q8_0"),
    ]
    traits = Traits("Qwen/Qwen2.5-7B", "qwen2", ("chat",))
    assert nearest("ollama/qwen2.5:7b-instruct-q8_0", "coding", traits, here) == (
        "work/Qwen/qwen2.5:7b-instruct-q8_0",
        "b/renamed",
        "b/qwen2.5:7b-instruct-q4_K_M",
        "b/qwen2.5-coder",
        "c/mistral-small-24b",
    )


def test_only_what_can_do_the_job_is_offered() -> None:
    here = [
        served("a/nomic-embed-text", abilities=("embedding",)),
        served("a/bge-m3-embed", abilities=("chat",)),
        served("a/plain", abilities=("completion",)),
        served("a/seeing", abilities=("completion", "vision")),
        served("a/old", deprecated=True),
        served("a/silent"),
    ]
    assert set(nearest("a/lost", "chat", NOTHING, here)) == {"a/plain", "a/seeing", "a/silent"}
    assert set(nearest("a/lost-embed", "embedding", NOTHING, here)) == {"a/nomic-embed-text", "a/bge-m3-embed"}
    assert nearest("a/seen", "vision", NOTHING, here)[0] in {"a/seeing", "a/silent"}
    assert nearest("a/plane", "vision", NOTHING, here)[-1] == "a/plain", "more alike, but it cannot see"
    assert nearest("a/plain", "chat", NOTHING, here)[0] != "a/plain", "never the one that is lost"


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=40), max_size=8))
def test_any_name_can_be_lost(name: str, others: list[str]) -> None:
    found = nearest(f"a/{name}", "chat", NOTHING, [ServedModel("b", other) for other in others])
    assert len(found) <= 5
    assert set(found) <= {f"b/{other}" for other in others}


def standing(*models: ServedModel, **how: object) -> Standing:
    return Standing("OpenAI", models={model.name: model for model in models}, **how)  # type: ignore[arg-type]


def look(here: Standing, **others: Standing) -> tuple[ProfileStatus, Cause, str]:
    kept = Kept(Profile("Coder", "cloud/gpt"))
    state = judge(kept, {"cloud": here, **others}, TODAY)
    assert (state.uses == "cloud/gpt") is (state.status is ProfileStatus.OK)
    return state.status, state.cause, state.problem


def test_what_is_about_to_go_still_answers_and_is_said() -> None:
    soon, later, past = date(2026, 9, 3), date(2027, 9, 3), date(2026, 7, 31)
    assert look(standing(served("cloud/gpt", retires=later))) == (ProfileStatus.OK, Cause.NONE, "")
    status, cause, problem = look(standing(served("cloud/gpt", retires=soon)))
    assert (status, cause) == (ProfileStatus.OK, Cause.DEPRECATED)
    assert problem == "Its model cloud/gpt still answers, but OpenAI serves it until 3 September 2026."
    _, cause, problem = look(standing(served("cloud/gpt", deprecated=True, retires=later)))
    assert cause is Cause.DEPRECATED
    assert problem.endswith("OpenAI advises against it and serves it until 3 September 2027.")
    status, cause, problem = look(standing(served("cloud/gpt", retires=past)))
    assert (status, cause) == (ProfileStatus.BROKEN, Cause.RETIRED)
    assert "retired it on 31 July 2026" in problem


def test_what_cannot_be_listed_counts_as_there_and_what_is_out_of_reach_does_not() -> None:
    assert look(standing(lists=False))[0] is ProfileStatus.OK
    status, cause, problem = look(standing(served("cloud/gpt"), problem="OpenAI refuses the key."))
    assert (status, cause) == (ProfileStatus.BROKEN, Cause.DOWN)
    assert problem == "Its model cloud/gpt is out of reach: OpenAI refuses the key."


def test_what_is_retired_or_out_of_reach_is_not_offered() -> None:
    kept = Kept(Profile("Coder", "cloud/gpt"))
    here = {
        "cloud": standing(served("cloud/gpt-old", retires=date(2026, 1, 1)), served("cloud/gpt-new")),
        "off": standing(served("off/gpt"), enabled=False),
        "down": standing(served("down/gpt"), problem="It does not answer."),
    }
    assert judge(kept, here, TODAY).nearest == ("cloud/gpt-new",)


def test_what_was_remembered_counts_where_nobody_lists_the_model_any_more() -> None:
    model = served("cloud/house-name", repo="org/tiny", abilities=("completion",))
    remembered = traits_of("cloud/house-name", {"cloud": standing(model)})
    assert remembered == Traits("org/tiny", "", ("chat",))
    here = {"cloud": standing(served("cloud/house-nome"), served("cloud/other", repo="org/tiny"))}
    kept = Kept(Profile("Coder", "cloud/house-name"), remembered)
    assert judge(kept, here, TODAY).nearest[0] == "cloud/other"
    assert judge(Kept(kept.profile), here, TODAY).nearest[0] == "cloud/house-nome"
