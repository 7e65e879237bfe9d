"""The service on a whole shelf: remote, installed and served models, and providers that are not ours."""

import time
from contextlib import aclosing
from dataclasses import replace

import pytest

from modelshelf.catalog.types import RepoCard
from modelshelf.compat import Confidence, Machine, Settings
from modelshelf.errors import NotFound
from modelshelf.shelf import Shelf

GIB = 1 << 30
TINY = "samples/tiny-llama-GGUF"
SMALL = Machine("small", "any", 2, 4 << 20, 4 << 20, (), 10e9)


async def fetch(shelf: Shelf, repo: str) -> None:
    job = await shelf.downloads.start(repo)
    async with aclosing(shelf.downloads.follow(job)) as steps:
        async for step in steps:
            last = step
    assert last.status == "done", last


async def test_a_remote_model_is_judged_by_its_header(shelf: Shelf) -> None:
    answer = await shelf.compatibility.check_model_compatibility(TINY)
    assert answer.confidence is Confidence.EXACT
    assert answer.score is not None
    assert answer.score > 80
    assert answer.memory is not None
    assert answer.memory.kv > 0


async def test_installed_and_served_names_give_the_same_answer(shelf: Shelf) -> None:
    remote = await shelf.compatibility.check_model_compatibility(TINY)
    await fetch(shelf, TINY)
    installed = await shelf.compatibility.check_model_compatibility(TINY)
    served = await shelf.compatibility.check_model_compatibility("builtin/tiny-llama")
    assert remote.memory == installed.memory == served.memory
    assert served.confidence is Confidence.EXACT


async def test_the_files_of_a_repository_are_ranked(shelf: Shelf) -> None:
    detail = await shelf.catalog.detail("samples/tiny-llama-quants-GGUF")
    ranked = await shelf.compatibility.rank(detail)
    scores = [row.compatibility.score or 0 for row in ranked]
    assert scores == sorted(scores, reverse=True)
    assert {row.quantisation for row in ranked} == set(detail.card.quantisations)
    assert all(row.size > 0 for row in ranked)


async def test_of_files_that_do_not_run_the_nearest_to_it_comes_first(shelf: Shelf) -> None:
    detail = await shelf.catalog.detail("samples/tiny-llama-quants-GGUF")
    ranked = await shelf.compatibility.rank(detail, machine=replace(SMALL, ram_total=1 << 20, ram_available=1 << 20))
    assert {row.compatibility.score for row in ranked} == {0}
    assert [row.size for row in ranked] == sorted(row.size for row in ranked)


async def test_a_named_file_that_does_not_fit_names_one_that_does_better(shelf: Shelf) -> None:
    detail = await shelf.catalog.detail("samples/tiny-llama-quants-GGUF")
    (largest,) = (row for row in await shelf.compatibility.rank(detail) if row.quantisation == "F16")
    model = f"{detail.card.repo}@{detail.commit}/{largest.files[0]}"
    answer = await shelf.compatibility.check_model_compatibility(model, machine=SMALL)
    assert answer.score == 0
    assert answer.reasons[0].code == "MEM_EXCEEDS"


async def test_another_format_is_refused(shelf: Shelf) -> None:
    answer = await shelf.compatibility.check_model_compatibility("samples/tiny-llama")
    assert (answer.score, answer.reasons[0].code) == (0, "FORMAT_UNSUPPORTED")


async def test_a_gated_model_keeps_its_score_and_says_what_to_do(shelf: Shelf) -> None:
    answer = await shelf.compatibility.check_model_compatibility("samples/gated-llama-GGUF")
    assert not answer.available
    assert answer.score
    assert answer.confidence is Confidence.ESTIMATE
    (reason,) = (reason for reason in answer.reasons if reason.code == "GATED_NO_ACCESS")
    assert reason.figures["remedy"]


async def test_a_context_that_was_asked_for_is_required(shelf: Shelf) -> None:
    answer = await shelf.compatibility.check_model_compatibility(TINY, settings=Settings(context=1 << 20))
    assert (answer.score, answer.reasons[0].code) == (0, "CTX_TOO_LONG")


async def test_unknown_models_and_providers(shelf: Shelf) -> None:
    with pytest.raises(NotFound):
        await shelf.compatibility.check_model_compatibility("samples/nothing-here")
    with pytest.raises(NotFound, match="nowhere"):
        await shelf.compatibility.check_model_compatibility(TINY, "nowhere")


async def test_an_engine_on_another_machine_has_no_score(shelf: Shelf) -> None:
    far = await shelf.providers.add("ollama", url="https://192.0.2.1:11434", provider="far")
    detail = await shelf.catalog.detail(TINY)
    (ranked,) = await shelf.compatibility.rank(detail, far.id)
    assert ranked.compatibility.score is None
    assert ranked.compatibility.reasons[0].code == "NOT_SERVED"
    assert await shelf.compatibility.get_recommended_models_for_provider(far.id) == ()


async def test_recommendations_run_here(shelf: Shelf) -> None:
    found = await shelf.compatibility.get_recommended_models_for_provider("builtin", limit=2)
    assert 1 <= len(found) <= 2
    assert all((answer.score or 0) >= 60 for answer in found)


async def test_a_first_answer_is_quick_and_rough(shelf: Shelf) -> None:
    await shelf.compatibility.machine()
    card = RepoCard(
        "hf",
        "org/model-GGUF",
        formats=("gguf",),
        quantisations=("Q4_K_M", "Q8_0"),
        parameters=8_030_000_000,
        architecture="llama",
        context=131072,
        size=4_920_000_000,
    )
    shelf.compatibility.quick(card)
    begin = time.perf_counter()
    for _ in range(100):
        answer = shelf.compatibility.quick(card)
    assert (time.perf_counter() - begin) / 100 < 0.001
    assert answer.confidence is Confidence.ESTIMATE
    assert answer.memory is not None
    # An 8 billion model at 4,096 tokens takes 5.6 GiB with the engine.
    assert answer.memory.total == pytest.approx(5.6 * GIB, rel=0.1)
    assert shelf.compatibility.quick(replace(card, size=None, parameters=None)).score is None
    assert "GATED" in [reason.code for reason in shelf.compatibility.quick(replace(card, gated=True)).reasons]


async def test_the_machine_is_looked_at(shelf: Shelf) -> None:
    machine = await shelf.compatibility.machine()
    assert machine.ram_total > 0
    assert machine.memory_bandwidth
