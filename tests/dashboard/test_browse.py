"""Discover on a catalogue: each key is answered by a page of it, with what else could be chosen and kept."""

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from modelshelf.access import Principal, Role
from modelshelf.catalog import stock
from modelshelf.catalog.columns.__main__ import make
from modelshelf.catalog.sources.samples import SampleSource
from modelshelf.catalog.sync.more import More
from modelshelf.catalog.types import RepoCard
from modelshelf.config import ConfigManager
from modelshelf.discovery.preferences import LOOKED
from modelshelf.events import CatalogChanged, SyncAsked, SyncChanged
from modelshelf.library.types import InstalledModel
from modelshelf.shelf import Shelf
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.piece import Piece
from modelshelf_dashboard.library.compare import Compare
from modelshelf_dashboard.library.detail import Detail
from modelshelf_dashboard.library.discover import Discover
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.transfers import Transfers

TINY = "samples:samples/tiny-llama-GGUF"
CARDS = [
    RepoCard("samples", "samples/tiny-llama-GGUF", task="text-generation", downloads=900, formats=("gguf",)),
    *(
        RepoCard(
            "samples",
            f"org/model-{number:03}",
            task="text-generation" if number % 2 else "fill-mask",
            licence="mit" if number % 4 else "gemma",
            formats=("gguf",) if number % 3 else ("safetensors",),
            downloads=800 - number,
            size=number * 10**8,
        )
        for number in range(1, 121)
    ),
]


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session(None)
    yield made
    made.close()


@pytest.fixture
def listed(config: ConfigManager, tmp_path: Path) -> None:
    """A home that has a list of all models before its shelf is opened."""
    file = tmp_path / "models.parquet"
    stock.write(CARDS, file)
    make(config.paths.catalog, {"samples": [str(file)]})


async def until(true: Callable[[], Any]) -> Any:
    async with asyncio.timeout(20):
        while not (found := true()):
            await asyncio.sleep(0.01)
    return found


async def press(piece: Piece, **message: Any) -> None:
    await piece._handle_msg(message)


def begun(shelf: Shelf, session: Session, dialog: Dialog | None = None) -> Discover:
    session.begin()
    return Discover(shelf, session, Transfers(shelf, session), dialog)


def titles(discover: Discover) -> list[str]:
    return [row["title"] for row in discover.table.rows]


def choices(discover: Discover) -> dict[str, Any]:
    return {one["token"]: one["count"] for group in discover.filters.groups for one in group["choices"]}


async def test_a_key_is_answered_by_one_page_and_the_exact_count(listed: None, shelf: Shelf, session: Session) -> None:
    discover = begun(shelf, session)
    await until(lambda: discover.table.rows)
    assert len(discover.table.rows) == 50
    assert discover.table.pages == {"offset": 0, "size": 50, "total": 121}
    discover.search.text = "model-01"
    await until(lambda: discover.table.pages["total"] == 10)
    assert titles(discover) == [f"model-{number:03}" for number in range(10, 20)]
    assert choices(discover)["task:fill-mask"] == 5
    assert await until(lambda: choices(discover).get("is:installed") is not None) is True


async def test_whoever_types_fast_on_a_slow_catalogue_gets_the_answer_to_the_last_key(
    listed: None, shelf: Shelf, session: Session
) -> None:
    """Two hundred keys, some of them while the answer to another is on its way, judged or given up."""
    chance, ranks = random.Random(7), shelf.catalog.index.ranks
    assert ranks is not None

    async def slow(mapped: Any) -> Any:
        await asyncio.sleep(chance.choice((0.0, 0.002, 0.02)))
        return await ranks(mapped)

    shelf.catalog.index.ranks = slow
    session.navigation.sort = "compatibility"
    discover = begun(shelf, session)
    await until(lambda: discover.table.rows)
    for word in ("model-01", "tiny", "model-1", "nothing", "llama", "model-09", "org") * 5:
        for letters in range(len(word) + 1):
            discover.search.text = word[:letters]
            await asyncio.sleep(chance.choice((0.0, 0.0, 0.001, 0.01)))
    expected = (await shelf.catalog.index.page("org", sort="compatibility")).total
    await until(lambda: discover.table.pages.get("total") == expected == 120)
    assert await until(lambda: choices(discover).get("is:installed") == 0) is True
    assert discover.table.state == "ready"


async def test_pages_and_orders_go_by_the_address(listed: None, shelf: Shelf, session: Session) -> None:
    session.navigation.read("?page=1&sort=size&filters=format:gguf")
    discover = begun(shelf, session)
    await until(lambda: discover.table.rows)
    assert discover.table.pages == {"offset": 50, "size": 50, "total": 81}
    assert titles(discover)[0] == "model-044"
    await press(discover.table, do="page", context={"offset": 0})
    assert await until(lambda: titles(discover)[0] == "model-119") is True
    await press(discover.filters, do="toggle", token="format:safetensors", on=True)
    await until(lambda: discover.table.pages["total"] == 121)
    await press(discover.table, do="sort", context={"value": "downloads"})
    assert await until(lambda: titles(discover)[0] == "tiny-llama-GGUF") is True
    assert session.navigation.address() == "?filters=format:gguf+format:safetensors"


async def test_a_size_is_chosen_in_place_of_another(listed: None, shelf: Shelf, session: Session) -> None:
    discover = begun(shelf, session)
    for token in ("size:<8GB", "size:<2GB"):
        await press(discover.filters, do="choose", key="size", token=token)
    assert session.navigation.filters == ["size:<2GB"]
    assert await until(lambda: discover.table.pages.get("total") == 19) is True


async def test_everything_that_filters_says_how_many_it_would_leave(
    listed: None, shelf: Shelf, session: Session
) -> None:
    session.navigation.filters = ["size:<4GB", "is:fits"]
    discover = begun(shelf, session)
    await until(lambda: discover.filters.fitting is not None)
    told = choices(discover)
    assert told["size:<2GB"] <= 19
    assert told["size:<4GB"] == discover.filters.fitting == discover.table.pages["total"]
    assert told["size:<8GB"] >= told["size:<4GB"], "the size that is chosen is set aside"
    assert {told["is:installed"], told["params:1B..4B"], told["ctx:>=32k"], told["quant:Q4_K_M"]} == {0}
    session.navigation.filters = []
    await until(lambda: choices(discover).get("size:<2GB") == 19)
    assert choices(discover)["size:<8GB"] == 79
    assert choices(discover)["updated:<7d"] == 0


async def test_a_wrong_word_is_marked_where_it_stands_and_rows_stay(
    listed: None, shelf: Shelf, session: Session
) -> None:
    discover = begun(shelf, session)
    await until(lambda: discover.table.rows)
    discover.search.text = "model colour:red"
    wrong = await until(lambda: discover.search.wrong)
    assert (wrong["before"], wrong["word"], wrong["after"]) == ("model ", "colour:red", "")
    assert len(discover.table.rows) == 50
    discover.search.text = "model author:or"
    await until(lambda: not discover.search.wrong)
    assert await until(lambda: "author:org" in discover.search.proposals) is True


async def test_a_near_word_is_proposed_where_nothing_fits(listed: None, shelf: Shelf, session: Session) -> None:
    discover = begun(shelf, session)
    discover.search.text = "modle"
    action = await until(lambda: (discover.table.note or {}).get("action"))
    assert (action["do"], action["word"]) == ("take", "model")
    await press(discover.table, do="take")
    assert await until(lambda: discover.table.pages.get("total") == 120) is True


async def test_a_search_is_kept_under_a_name_and_opened_again(listed: None, shelf: Shelf, session: Session) -> None:
    dialog = Dialog()
    discover = begun(shelf, session, dialog)
    session.navigation.param.update(q="model", filters=["license:mit", "-task:fill-mask"], sort="likes")
    await until(lambda: discover.table.pages.get("total") == 60)
    await press(discover.table, do="keep")
    await press(dialog, do="confirmed", id="save search", fields={"name": "  free ones "})
    await until(lambda: not dialog.question)
    kept = await until(
        lambda: [one for group in discover.filters.kept for one in group["items"] if one["do"] == "search"]
    )
    assert kept[0]["label"] == "free ones"
    session.navigation.param.update(q="", filters=[], sort="downloads")
    await press(discover.filters, do="search", id="free ones")
    await until(lambda: session.navigation.q == "model")
    assert session.navigation.filters == ["license:mit", "-task:fill-mask"]
    assert session.navigation.sort == "likes"
    await press(discover.filters, do="forget", id="free ones")
    assert await until(lambda: len(discover.filters.kept) == 1) is True


async def test_a_favourite_stands_in_its_collection(listed: None, shelf: Shelf, session: Session) -> None:
    discover = begun(shelf, session)
    detail = Detail(shelf, session, Transfers(shelf, session))
    session.navigation.model = TINY
    await until(lambda: any(action["do"] == "favour" for action in detail.drawer.shown.get("actions", ())))
    await press(detail.drawer, do="favour", context={})
    await until(lambda: any(action["word"] == "No favourite any more" for action in detail.drawer.shown["actions"]))
    await press(discover.filters, do="collection", id="favourites")
    assert await until(lambda: titles(discover) == ["tiny-llama-GGUF"]) is True
    assert session.navigation.address() == f"?collection=favourites&model={TINY}"
    discover.search.text = "model"
    await until(lambda: discover.table.pages.get("total") == 120)
    assert session.navigation.collection == ""


async def test_columns_are_kept_for_the_person_and_known_before_there_are_rows(
    listed: None, shelf: Shelf, session: Session
) -> None:
    discover = begun(shelf, session)
    assert discover.table.columns == []
    await until(lambda: discover.table.rows)
    assert discover.table.omitted is None
    for off in (["likes"], ["likes", "downloads"], ["downloads", "nonsense"]):
        await press(discover.table, do="columns", context={"off": off})
    assert discover.table.omitted == ["downloads"]
    assert await until_kept(shelf, "discover columns off") == ("downloads",)
    elsewhere = Session(None)
    seen: list[Any] = []
    other = begun(shelf, elsewhere)
    other.table.param.watch(lambda _event: seen.append(other.table.omitted), ["rows"])
    await until(lambda: other.table.rows)
    assert seen[0] == ["downloads"]
    elsewhere.close()
    stranger = Session(None, Principal("vera", Role.VIEWER))
    hers = begun(shelf, stranger)
    await until(lambda: hers.table.rows)
    assert hers.table.omitted is None
    stranger.close()


async def until_kept(shelf: Shelf, name: str) -> tuple[str, ...] | None:
    async with asyncio.timeout(20):
        while (found := await shelf.discovery.preferences.texts(name)) is None:
            await asyncio.sleep(0.01)
    return found


async def test_what_is_new_since_one_last_looked_is_listed_until_it_was_seen(
    listed: None, shelf: Shelf, session: Session, tmp_path: Path
) -> None:
    discover = begun(shelf, session)
    await until(lambda: discover.filters.kept)
    assert collections(discover)["unseen"] == ""
    began = await shelf.discovery.preferences.moment(LOOKED)
    assert began is not None, "who never looked begins now"
    await shelf.discovery.preferences.keep_moment(LOOKED, began - timedelta(hours=2))
    fresh = [replace(card, created=began - timedelta(hours=1)) for card in CARDS[1:71]]
    file = tmp_path / "more.parquet"
    stock.write([*CARDS, *fresh], file)
    made = await asyncio.to_thread(make, shelf.config.paths.catalog, {"samples": [str(file)]})
    shelf.events.publish(CatalogChanged(generation=made["generation"], rows=made["rows"]))
    await until(lambda: collections(discover)["unseen"] == "70")
    await press(discover.filters, do="collection", id="unseen")
    await until(lambda: discover.table.pages == {"offset": 0, "size": 50, "total": 70})
    assert "new since you last looked, " in discover.table.status
    await press(discover.table, do="page", context={"offset": 50})
    await until(lambda: len(discover.table.rows) == 20)
    assert [tool["key"] for tool in discover.table.tools] == ["seen", "columns"]
    await press(discover.table, do="seen", context={})
    await until(lambda: discover.table.state == "empty")
    assert discover.table.note["text"] == "Nothing is new since you last looked."
    assert collections(discover)["unseen"] == ""


def collections(discover: Discover) -> dict[str, str]:
    return {one["id"]: one.get("count", "") for group in discover.filters.kept for one in group["items"]}


async def test_the_drawer_tells_commits_and_what_changed_since_the_person_s_copy(
    shelf: Shelf, session: Session
) -> None:
    source = shelf.catalog.source("samples")
    assert isinstance(source, SampleSource)
    hub, _api = await source._start()
    first = await hub.add("samples/two", {"a.gguf": b"1", "b.txt": b"1"}, date="2026-11-02T09:00:00.000Z")
    await hub.add("samples/two", {"a.gguf": b"2", "c.txt": b"1"}, date="2026-11-20T09:00:00.000Z")
    shelf.models_state.installed = [InstalledModel("samples/two", first.head.id, Path(), ())]
    session.begin()
    detail = Detail(shelf, session, Transfers(shelf, session))
    session.navigation.model = "samples:samples/two"
    told = await until(lambda: detail.drawer.shown.get("commits"))
    assert [(one["title"], one["mark"]) for one in told["items"]] == [
        ("Change a.gguf, b.txt, c.txt", ""), ("Initial commit", "your copy"),
    ]  # fmt: skip
    assert told["link"] == {}, "the samples have no page that a person could open"
    facts = await until(lambda: found if "Changed since" in (found := facts_of(detail)) else None)
    assert facts["Changed since"] == "changed: a.gguf; new: c.txt; gone: b.txt"
    assert facts["Installed"].startswith(f"an older commit: {first.head.id[:7]}, ")


def facts_of(detail: Detail) -> dict[str, str]:
    return {one["name"]: one["value"] for one in detail.drawer.shown.get("facts", ())}


async def test_what_no_source_tells_is_compared_by_what_the_list_tells(
    listed: None, shelf: Shelf, session: Session
) -> None:
    session.navigation.read("?view=compare&compare=samples:org/model-001")
    session.begin()
    transfers = Transfers(shelf, session)
    compare = Compare(shelf, session, Discover(shelf, session, transfers), transfers)
    told = lambda: {one["label"]: one["values"][0] for one in compare.beside.piece.facts}  # noqa: E731
    await until(lambda: (told().get("Licence") or {}).get("main") == "MIT")
    assert told()["Task"]["main"] == "text-generation"
    (heading,) = compare.beside.piece.models
    assert "model-001" in heading["sub"], "why there is no more"


async def test_up_to_four_models_stand_side_by_side(shelf: Shelf, session: Session) -> None:
    session.navigation.read(f"?view=compare&compare={TINY}+samples:samples/nobody")
    session.begin()
    transfers = Transfers(shelf, session)
    compare = Compare(shelf, session, Discover(shelf, session, transfers), transfers)
    facts = await until(lambda: {one["label"]: one["values"] for one in compare.beside.piece.facts})
    assert set(facts) >= {"Fit here", "Licence", "Context"}
    first, second = await until(
        lambda: found if (found := compare.beside.piece.facts[0]["values"]) and None not in found else None
    )
    assert first["score"] > 0
    assert second == {"main": "—"}
    await press(compare.beside.piece, do="drop", id="samples:samples/nobody")
    assert session.navigation.compare == [TINY]


async def test_without_a_list_the_page_says_so_and_shows_how_it_comes(shelf: Shelf, session: Session) -> None:
    discover = begun(shelf, session)
    (notice,) = await until(lambda: discover.sources.items)
    assert notice["text"] == "There is no list of all models yet."
    with shelf.events.subscribe() as events:
        await press(discover.sources, do="list", id="listing")
        assert await until(lambda: discover.sources.items[0]["text"] == "Listing begins in a moment.") is True
        assert any([isinstance(event, SyncAsked) async for event in _first(events, 1)])
    shelf.events.publish(SyncChanged(source="hub", status="asking", found=1200))
    assert await until(lambda: discover.sources.items[0]["text"] == "Listing hub: 1,200 models so far.") is True
    assert discover.sources.items[0]["action"]["word"] == "Stop"
    await press(discover.sources, do="list-stop", id="listing")
    assert await until(lambda: discover.sources.items[0]["text"] == "There is no list of all models yet.") is True
    shelf.events.publish(SyncChanged(source="hub", status="failed", error="The hub does not answer."))
    assert await until(lambda: discover.sources.items[0]["text"] == "The hub does not answer.") is True
    stock.write(CARDS, shelf.config.paths.catalog.parent / "models.parquet")
    file = str(shelf.config.paths.catalog.parent / "models.parquet")
    made = await asyncio.to_thread(make, shelf.config.paths.catalog, {"samples": [file]})
    shelf.events.publish(CatalogChanged(generation=made["generation"], rows=made["rows"]))
    assert await until(lambda: discover.table.pages.get("total") == 121) is True
    assert discover.filters.foot["text"].startswith("List of 121 models")


async def test_the_rest_is_offered_in_one_line_until_it_is_declined(
    listed: None, shelf: Shelf, session: Session
) -> None:
    discover = begun(shelf, session)
    await until(lambda: discover.table.rows)
    shelf.catalog_state.more = More("hf", "Hugging Face", 50_000, 2_500_000, 2450, 1470.0, 500_000_000)
    (offer,) = await until(lambda: discover.sources.items)
    assert offer["text"] == "50,000 of some 2.5 M models of Hugging Face are listed."
    assert offer["remedy"] == "The others take 2,450 requests, 0.5 GB and 24 minutes."
    await press(discover.sources, do="dismiss", id=offer["id"])
    assert discover.sources.items == []
    assert [one["do"] for one in discover.filters.foot["actions"]] == ["list", "list-all"]
    with shelf.events.subscribe() as events:
        await press(discover.filters, do="list-all", id="")
        async with asyncio.timeout(20):
            await anext(event async for event in events if isinstance(event, SyncAsked))
    assert shelf.config.config.catalog.sync == "all"
    assert await until(lambda: shelf.catalog_state.more is None) is True


async def _first(events: Any, count: int) -> Any:
    async for event in events:
        yield event
        count -= 1
        if not count:
            return


async def test_who_may_only_look_is_told_who_may_list(shelf: Shelf) -> None:
    session = Session(None, Principal("vera", Role.VIEWER))
    told: list[dict[str, Any]] = []
    session.tell = told.append
    discover = begun(shelf, session)
    discover.listing.begin()
    assert "vera is viewer" in told[0]["text"]
    session.close()
