"""Where a session is, what it follows, and what it lets go of."""

import asyncio
from typing import Any

import param
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.access import Principal, Role, current
from modelshelf.errors import Unreachable
from modelshelf_dashboard.follow import Follower
from modelshelf_dashboard.session import Navigation, Session

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
WORD = st.text("abcdefghijklmnopqrstuvwxyz:<=>.-0123456789", min_size=1, max_size=12)


@given(q=TEXT, filters=st.lists(WORD, max_size=3), model=TEXT, view=st.sampled_from(["discover", "installed"]))
def test_an_address_leads_back_to_where_it_was_made(q: str, filters: list[str], model: str, view: str) -> None:
    there, back = Navigation(q=q, filters=filters, model=model, view=view), Navigation()
    back.read(there.address())
    assert (back.q, back.filters, back.model, back.view) == (q, filters, model, view)


@given(section=st.sampled_from(["providers", "machine", "status"]), chat=TEXT)
def test_the_settings_have_addresses_too(section: str, chat: str) -> None:
    there, back = Navigation(tab="settings", section=section, chat=chat), Navigation()
    back.read(there.address())
    assert (back.tab, back.section, back.chat) == ("settings", section, chat)


@given(TEXT)
def test_no_address_breaks_the_page(address: str) -> None:
    Navigation().read(f"?{address}")
    Navigation().read(f"?tab={address}&view={address}&section={address}")


def test_an_address_that_makes_no_sense_is_the_start() -> None:
    nav = Navigation(q="old")
    nav.read("?tab=nowhere&view=nothing")
    assert (nav.tab, nav.view, nav.q, nav.address()) == ("library", "discover", "", "")


def test_one_tab_leads_to_the_other_with_its_context() -> None:
    nav = Navigation()
    nav.navigate_to_llm_settings(section="machine", nonsense="x")
    assert nav.address() == "?tab=settings&section=machine"
    nav.navigate_to_model_library(q="tiny", filters=["is:fits"])
    assert nav.address() == "?q=tiny&filters=is:fits"


class Shared(param.Parameterized):
    n = param.Integer(default=0)
    items = param.List(default=[])


class Item(param.Parameterized):
    done = param.Integer(default=0)


def watchers(item: Item) -> int:
    return sum(len(found) for kinds in item.param.watchers.values() for found in kinds.values())


async def test_many_changes_are_shown_once_and_the_latest_wins() -> None:
    shared, seen, follower = Shared(), [], Follower(None)
    follower.watch(shared, ["n"], lambda: seen.append(shared.n))
    follower.begin()
    for n in range(1, 50):
        shared.n = n
    while not seen:
        await asyncio.sleep(0.01)
    assert seen == [49]
    follower.close()


async def test_items_are_followed_when_the_list_is_replaced() -> None:
    first, second = Item(), Item()
    shared, seen, follower = Shared(items=[first]), asyncio.Event(), Follower(None)
    follower.watch_items(shared, "items", ["done"], seen.set)
    follower.begin()
    await seen.wait()
    shared.items = [second]
    seen.clear()
    await seen.wait()
    seen.clear()
    second.done = 1
    await seen.wait()
    assert watchers(first) == 0, "an item that left is let go"
    follower.close()
    assert watchers(second) == 0


async def test_a_broken_view_reaches_neither_the_state_nor_the_other_views(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("a view that cannot")

    shared, seen, follower = Shared(), asyncio.Event(), Follower(None)
    follower.watch(shared, ["n"], broken)
    follower.watch(shared, ["n"], seen.set)
    follower.begin()
    shared.n = 1
    await seen.wait()
    assert "could not follow" in caplog.text
    follower.close()


async def test_work_acts_for_the_session_and_its_errors_become_notices() -> None:
    session = Session(None, Principal("ann", Role.VIEWER))
    told: list[dict[str, Any]] = []
    who: list[str] = []
    session.tell = told.append
    session.begin()

    async def work() -> None:
        who.append(current().name)
        raise Unreachable("The hub does not answer.", remedy="Wait a moment.")

    session.run(work())
    while not told:
        await asyncio.sleep(0)
    assert who == ["ann"]
    assert (told[0]["text"], told[0]["remedy"]) == ("The hub does not answer.", "Wait a moment.")


async def test_the_latest_work_of_a_key_wins_and_the_end_cancels_all() -> None:
    session, ended = Session(None), []
    session.begin()

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    session.run(work("first"), key="find")
    await asyncio.sleep(0)
    session.run(work("second"), key="find")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ended == ["first"]
    session.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ended == ["first", "second"]


def test_a_page_that_is_no_number_is_the_first() -> None:
    nav = Navigation()
    for page, read in (("²", 0), ("-1", 0), ("x", 0), ("3", 3), ("9" * 5000, 100_000)):
        nav.read(f"?q=tiny&page={page}")
        assert (nav.q, nav.page) == ("tiny", read)
