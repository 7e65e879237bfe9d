"""Several models at once: who fails keeps nobody else from it, and what was not done says why."""

from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from modelshelf.access import Principal, Role, acting_as
from modelshelf.errors import NotFound, RoleRequired, UsageError
from modelshelf.integration.bulk import Outcome
from modelshelf.integration.conflicts import ConflictKind
from modelshelf.providers.profile_spec import Profile
from tests.core.library.conftest import install

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

WEIGHTS = b"weights" * 100


async def outcomes(shelf: "Shelf", deed: str, *models: str) -> list[Outcome]:
    async with aclosing(shelf.bulk.run(deed, models)) as found:
        return [one async for one in found]


async def test_it_goes_on_after_one_that_fails(quiet: "Shelf") -> None:
    cache = quiet.config.paths.cache
    bad = install(cache, "org/bad", {"m.gguf": WEIGHTS}) / "m.gguf"
    install(cache, "org/good", {"m.gguf": WEIGHTS})
    bad.resolve().write_bytes(b"other bytes")
    first, gone, last = await outcomes(quiet, "verify", "org/bad", "org/gone", "org/good")
    assert (first.status, first.error) == ("failed", "m.gguf is not what it should be.")
    assert first.remedy
    assert (gone.status, gone.place, gone.total) == ("failed", 2, 3)
    assert "org/gone is not installed" in gone.error
    assert last == Outcome("org/good", "done", 3, 3, "1 files are what they should be")


async def test_deleting_several_frees_what_they_share_and_says_what_breaks(quiet: "Shelf") -> None:
    cache = quiet.config.paths.cache
    places = [install(cache, f"org/{name}-GGUF", {"m-Q8_0.gguf": WEIGHTS}) for name in ("a", "b", "c")]
    shared = (places[0] / "m-Q8_0.gguf").resolve()
    other = (places[1] / "m-Q8_0.gguf").resolve()
    other.unlink()
    other.hardlink_to(shared)
    await quiet.profiles.save(Profile("coder", "builtin/a"))
    alone, both = await quiet.bulk.deletion(["org/a-GGUF"]), await quiet.bulk.deletion(["org/a-GGUF", "org/b-GGUF"])
    assert (alone.freed, both.freed) == (0, len(WEIGHTS))
    assert any("org/b-GGUF" in line for line in alone.breaks)
    assert both.breaks == ("The profile “coder” loses its model.",)
    done = await outcomes(quiet, "delete", *both.models)
    assert [one.status for one in done] == ["done", "done"]
    assert [model.repo for model in await quiet.library.models()] == ["org/c-GGUF"]


async def test_what_is_pinned_stays_and_is_not_updated(quiet: "Shelf") -> None:
    cache = quiet.config.paths.cache
    for name in ("a", "b"):
        install(cache, f"org/{name}", {"m-Q8_0.gguf": WEIGHTS})
    assert [one.status for one in await outcomes(quiet, "pin", "org/a")] == ["done"]
    assert {model.repo for model in await quiet.library.models() if model.pinned} == {"org/a"}
    plan = await quiet.bulk.deletion(["org/a", "org/b"])
    assert [name.partition("@")[0] for name in plan.models] == ["org/b"]
    assert [name.partition("@")[0] for name in plan.kept] == ["org/a"]
    (kept,) = await outcomes(quiet, "delete", "org/a")
    assert (kept.status, kept.remedy) == ("failed", "Unpin it first.")
    with pytest.raises(UsageError, match="pinned"):
        await quiet.updates.update("org/a")
    (conflict,) = [item for item in await quiet.conflicts.list() if item.kind is ConflictKind.TWO_NAMES]
    assert conflict.remedy.startswith("a stays")
    await outcomes(quiet, "pin", "org/b")
    (conflict,) = [item for item in await quiet.conflicts.list() if item.kind is ConflictKind.TWO_NAMES]
    assert conflict.deed is None
    await outcomes(quiet, "unpin", "org/a", "org/b")
    assert not any(model.pinned for model in await quiet.library.models())
    assert [one.status for one in await outcomes(quiet, "delete", "org/a", "org/b")] == ["done", "done"]


async def test_closing_it_stops_it_after_the_one_it_is_at(quiet: "Shelf") -> None:
    for name in ("a", "b"):
        install(quiet.config.paths.cache, f"org/{name}", {"m.gguf": WEIGHTS})
    async with aclosing(quiet.bulk.run("pin", ["org/a", "org/b"])) as found:
        assert (await anext(found)).status == "done"
    assert {model.repo for model in await quiet.library.models() if model.pinned} == {"org/a"}


async def test_what_cannot_be_done_is_said_before_anything_is(quiet: "Shelf") -> None:
    with pytest.raises(UsageError, match="paint"):
        await outcomes(quiet, "paint", "org/a")
    with pytest.raises(NotFound, match="org/a"):
        await quiet.bulk.deletion(["org/a"])
    install(quiet.config.paths.cache, "org/a", {"m.gguf": WEIGHTS})
    with acting_as(Principal("guest", Role.VIEWER)):
        (refused,) = await outcomes(quiet, "delete", "org/a")
        with pytest.raises(RoleRequired):
            await quiet.library.pins.pin("org/a")
    assert "needs" in refused.error
    assert (await quiet.library.get("org/a")).complete
