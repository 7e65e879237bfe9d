"""How looks at providers are kept: together, and none at the cost of another."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from modelshelf.errors import ModelshelfError
from modelshelf.providers.looks import Look, Looks
from modelshelf.providers.offers import Offering, Offers
from modelshelf.providers.spec import Health, HealthStatus, ServedModel
from modelshelf.store import Store


def look(provider: str, offer: Offering | None = None, detail: str = "") -> Look:
    return Look(provider, Health(HealthStatus.WELL, datetime.now(UTC), 3.0, detail), offer)


@pytest.fixture
def looks(store: Store) -> Looks:
    return Looks(store, Offers(store))


async def test_a_look_that_cannot_be_kept_does_not_take_the_others_along(looks: Looks) -> None:
    given = [look("first"), look("bad", detail="half a pair \ud83d"), look("last")]
    kept = await asyncio.gather(*(looks.keep(item) for item in given), return_exceptions=True)
    assert [kept[0], kept[2]] == [False, False]
    assert isinstance(kept[1], ModelshelfError)
    counts = [len(await looks.of(item.provider, datetime.now(UTC) - timedelta(hours=1))) for item in given]
    assert counts == [1, 0, 1]


async def test_an_offer_is_news_once(looks: Looks, store: Store) -> None:
    offer = Offering(models=(ServedModel("one/llama", "llama"),))
    assert await looks.keep(look("one", offer))
    assert not await looks.keep(look("one", Offering(models=(ServedModel("one/llama", "llama"),))))
    assert await looks.keep(look("one", Offering(error="It went away.")))
    listed = (await Offers(store).read())["one"]
    assert [model.name for model in listed.models] == ["llama"], "what it offered stays when it cannot be asked"
    assert listed.error == "It went away."


async def test_what_another_process_saw_since_is_not_taken_for_ours(looks: Looks, store: Store) -> None:
    offer = Offering(models=(ServedModel("one/llama", "llama"),))
    await looks.keep(look("one", offer))
    await Looks(store, Offers(store)).keep(look("one", Offering(models=(ServedModel("one/mistral", "mistral"),))))
    assert await looks.keep(look("one", offer))
    assert [model.name for model in (await Offers(store).read())["one"].models] == ["llama"]


async def test_who_asked_and_left_stops_no_look(looks: Looks) -> None:
    waiting = asyncio.create_task(looks.keep(look("left")))
    await asyncio.sleep(0)
    waiting.cancel()
    await looks.keep(look("stays"))
    await looks.settle()
    assert len(await looks.of("left", datetime.now(UTC) - timedelta(hours=1))) == 1
