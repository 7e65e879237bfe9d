"""Each kind of conflict is really made, found, explained, resolved, and taken back."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modelshelf.access import Principal, Role, acting_as
from modelshelf.errors import NotFound, RoleRequired, UsageError, Vetoed
from modelshelf.events import ConflictsChanged, Subscription
from modelshelf.hooks import Veto
from modelshelf.hooks.spec import BEFORE_DELETION
from modelshelf.integration.conflicts import Conflict, ConflictKind
from modelshelf.providers.profile_spec import Profile
from modelshelf.providers.spec import LoadSettings
from tests.core.library.conftest import NEW, OLD, install

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

WEIGHTS = b"the same weights" * 100


async def only(shelf: "Shelf", kind: ConflictKind) -> Conflict:
    (found,) = of(await shelf.conflicts.list(), kind)
    return found


def of(found: Sequence[Conflict], kind: ConflictKind) -> list[Conflict]:
    return [item for item in found if item.kind is kind]


async def kinds(shelf: "Shelf") -> set[str]:
    return {item.kind.value for item in await shelf.conflicts.list()} - {"low disk"}


def inodes(*snapshots: Path) -> set[int]:
    return {(snapshot / "m-Q8_0.gguf").stat().st_ino for snapshot in snapshots}


async def test_copies_become_one_and_two_again(quiet: "Shelf") -> None:
    cache = quiet.config.paths.cache
    places = [install(cache, repo, {"m-Q8_0.gguf": WEIGHTS}) for repo in ("one/m-GGUF", "two/m-GGUF")]
    found = await only(quiet, ConflictKind.DUPLICATE)
    assert (found.freed, found.undoable) == (len(WEIGHTS), True)
    assert "one/m-GGUF and two/m-GGUF" in found.text
    with quiet.events.subscribe() as events:
        mending = await quiet.conflicts.resolve(found.id)
        assert await told(events) == mending.id
    assert len(inodes(*places)) == 1
    assert not of(await quiet.conflicts.list(), ConflictKind.DUPLICATE)
    assert (await quiet.library.removal("two/m-GGUF")).freed == 0

    assert (await quiet.conflicts.undo(mending.id)).undone
    assert len(inodes(*places)) == 2
    assert {(place / "m-Q8_0.gguf").read_bytes() for place in places} == {WEIGHTS}
    assert await only(quiet, ConflictKind.DUPLICATE) == found


async def test_what_another_program_holds_too_is_not_given_up(quiet: "Shelf", tmp_path: Path) -> None:
    cache = quiet.config.paths.cache
    places = [install(cache, f"{name}/m-GGUF", {"m-Q8_0.gguf": WEIGHTS}) for name in ("one", "three", "two")]
    blobs = [(place / "m-Q8_0.gguf").resolve() for place in places]
    for number in (1, 2):
        os.link(blobs[number], tmp_path / f"adopted-{number}.gguf")
    found = await only(quiet, ConflictKind.DUPLICATE)
    assert found.freed == len(WEIGHTS), "only one of the three would really be free"
    await quiet.conflicts.resolve(found.id)
    assert blobs[0].stat().st_nlink == 3
    assert not of(await quiet.conflicts.list(), ConflictKind.DUPLICATE)


async def test_what_a_hook_wants_kept_does_not_go_into_the_trash(quiet: "Shelf") -> None:
    cache = quiet.config.paths.cache
    places = [install(cache, repo, {"m-Q8_0.gguf": WEIGHTS}) for repo in ("one/m-GGUF", "two/m-GGUF")]
    quiet.hooks.add("team", Keeper())
    with pytest.raises(Vetoed, match="The demo needs it"):
        await quiet.conflicts.resolve((await only(quiet, ConflictKind.TWO_NAMES)).id)
    assert all(place.exists() for place in places)


class Keeper:
    """A hook that keeps everything."""

    points = frozenset({BEFORE_DELETION})

    def __call__(self, point: str, about: Mapping[str, Any]) -> Veto:
        return Veto("The demo needs it.")


async def told(events: Subscription) -> str:
    async for event in events:
        if isinstance(event, ConflictsChanged):
            return event.mending
    raise AssertionError("nobody told of it")


async def test_copies_that_differ_after_all_are_left_alone(quiet: "Shelf") -> None:
    cache = quiet.config.paths.cache
    places = [install(cache, repo, {"m-Q8_0.gguf": WEIGHTS}) for repo in ("one/m-GGUF", "two/m-GGUF")]
    found = await only(quiet, ConflictKind.DUPLICATE)
    (places[1] / "m-Q8_0.gguf").resolve().write_bytes(WEIGHTS[:-1] + b"!")
    with pytest.raises(UsageError, match="not the same"):
        await quiet.conflicts.resolve(found.id)
    assert len(inodes(*places)) == 2


async def test_one_model_under_two_names_keeps_one_and_its_profiles_follow(quiet: "Shelf") -> None:
    cache = quiet.config.paths.cache
    keep = install(cache, "one/m-GGUF", {"m-Q8_0.gguf": WEIGHTS})
    time.sleep(0.01)  # which of them has the plain name goes by when it came
    goes = install(cache, "two/m-GGUF", {"m-Q8_0.gguf": WEIGHTS})
    names = {item.name for item in await quiet.library.served()}
    (other,) = names - {"m"}
    await quiet.profiles.save(Profile("coder", f"builtin/{other}"))
    found = await only(quiet, ConflictKind.TWO_NAMES)
    assert "coder will use m" in found.remedy
    mending = await quiet.conflicts.resolve(found.id)
    assert {item.name for item in await quiet.library.served()} == {"m"}
    assert (await quiet.profiles.get("coder")).model == "builtin/m"
    assert keep.exists()
    assert not goes.exists()

    await quiet.conflicts.undo(mending.id)
    assert {item.name for item in await quiet.library.served()} == names
    assert (await quiet.profiles.get("coder")).model == f"builtin/{other}"
    assert (goes / "m-Q8_0.gguf").read_bytes() == WEIGHTS


async def test_of_two_commits_one_goes_and_what_the_other_uses_stays(quiet: "Shelf") -> None:
    cache = quiet.config.paths.cache
    install(cache, "one/m-GGUF", {"m-Q8_0.gguf": WEIGHTS})
    old = install(cache, "two/m-GGUF", {"m-Q8_0.gguf": WEIGHTS, "README.md": b"old"}, OLD, ref="v1")
    new = install(cache, "two/m-GGUF", {"m-Q4_0.gguf": b"others", "README.md": b"new"}, NEW)
    found = await only(quiet, ConflictKind.TWO_NAMES)
    mending = await quiet.conflicts.resolve(found.id)
    assert not old.exists()
    assert (new / "m-Q4_0.gguf").read_bytes() == b"others"
    assert "orphan" not in await kinds(quiet)
    await quiet.conflicts.undo(mending.id)
    assert (old / "m-Q8_0.gguf").read_bytes() == WEIGHTS
    assert (await quiet.library.get("two/m-GGUF@v1")).complete


async def test_more_context_than_a_model_was_made_for(quiet: "Shelf", small_gguf: Path) -> None:
    snapshot = quiet.config.paths.cache / "models--org--m-GGUF" / "snapshots" / NEW
    snapshot.mkdir(parents=True)
    (snapshot / small_gguf.name).hardlink_to(small_gguf)
    await quiet.providers.set_load_settings("builtin/m", LoadSettings(context=32_768, kv="q8_0"))
    found = await only(quiet, ConflictKind.MISMATCH)
    assert "32,768" in found.text
    assert "4,096" in found.text
    await quiet.conflicts.resolve(found.id)
    assert await quiet.providers.load_settings("builtin", "m") == LoadSettings(context=4096, kv="q8_0")
    assert "mismatch" not in await kinds(quiet)
    await quiet.conflicts.undo()
    assert await quiet.providers.load_settings("builtin", "m") == LoadSettings(context=32_768, kv="q8_0")


async def test_two_providers_at_one_address(quiet: "Shelf") -> None:
    await quiet.providers.add("openai-compatible", url="http://localhost:9/v1", provider="general")
    await quiet.providers.add("ollama", url="http://127.0.0.1:9", provider="mine")
    found = await only(quiet, ConflictKind.ONE_ADDRESS)
    mending = await quiet.conflicts.resolve(found.id)
    assert {item.id for item in await quiet.providers.list() if item.enabled} == {"builtin", "mine"}
    assert "one address" not in await kinds(quiet)
    await quiet.conflicts.undo(mending.id)
    assert {item.id for item in await quiet.providers.list() if item.enabled} == {"builtin", "general", "mine"}


async def test_what_nothing_uses_goes_into_the_trash_and_back(quiet: "Shelf") -> None:
    paths = quiet.config.paths
    snapshot = install(paths.cache, "org/m-GGUF", {"m-Q8_0.gguf": WEIGHTS})
    loose = snapshot.parent.parent / "blobs" / ("a" * 64)
    part = paths.parts / "models--org--gone" / f"{'b' * 64}.part"
    part.parent.mkdir(parents=True)
    for left in (loose, part, part.with_suffix(".json")):
        left.write_bytes(b"left")
        assert "orphan" not in await kinds(quiet)  # it may be on its way
    for left in (loose, part, part.with_suffix(".json")):
        os.utime(left, (1, 1))
    found = of(await quiet.conflicts.list(), ConflictKind.ORPHAN)
    assert sorted((item.freed, item.text) for item in found) == [
        (4, "1 file without a model of org/m-GGUF is used by nothing."),
        (8, "2 unfinished files of org/gone are used by nothing."),
    ]
    done = [await quiet.conflicts.resolve(item.id) for item in found]
    assert not any(left.exists() for left in (loose, part, part.with_suffix(".json")))
    assert "orphan" not in await kinds(quiet)
    for mending in done:
        await quiet.conflicts.undo(mending.id)
    assert loose.read_bytes() == part.read_bytes() == b"left"


async def test_a_full_disk_gets_room_from_the_trash_which_cannot_be_undone(quiet: "Shelf") -> None:
    quiet.config.set("library.low_disk_gb", 1e9)
    full = quiet.conflicts
    (found,) = of(await full.list(), ConflictKind.LOW_DISK)
    assert found.deed is None  # nothing that could go without asking
    with pytest.raises(UsageError, match="free where models are kept"):
        await full.resolve(found.id)

    loose = install(quiet.config.paths.cache, "org/m", {"m.gguf": b"x"}).parent.parent / "blobs" / ("a" * 64)
    loose.write_bytes(WEIGHTS)
    os.utime(loose, (1, 1))
    away = await full.resolve(of(await full.list(), ConflictKind.ORPHAN)[0].id)
    (found,) = of(await full.list(), ConflictKind.LOW_DISK)
    assert (found.undoable, found.freed) == (False, len(WEIGHTS))
    emptied = await full.resolve(found.id)
    assert full.trash.size() == 0
    for mending in (away, emptied):
        assert next(one for one in await full.mended() if one.id == mending.id).undo is None
        with pytest.raises(UsageError, match="cannot be taken back"):
            await full.undo(mending.id)


async def test_a_profile_that_lost_its_model_takes_the_nearest(quiet: "Shelf", small_gguf: Path) -> None:
    snapshot = quiet.config.paths.cache / "models--org--m-GGUF" / "snapshots" / NEW
    snapshot.mkdir(parents=True)
    (snapshot / small_gguf.name).hardlink_to(small_gguf)
    await quiet.profiles.save(Profile("coder", "builtin/gone"))
    found = await only(quiet, ConflictKind.PROFILE)
    assert found.severity == "wrong"
    assert "builtin/gone is gone" in found.why
    mending = await quiet.conflicts.resolve(found.id)
    assert (await quiet.profiles.get("coder")).model == "builtin/m"
    await quiet.conflicts.undo(mending.id)
    assert (await quiet.profiles.get("coder")).model == "builtin/gone"


async def test_what_is_gone_is_said_and_nobody_below_an_operator_resolves(quiet: "Shelf") -> None:
    with pytest.raises(NotFound, match="no conflict"):
        await quiet.conflicts.resolve("nonsense")
    with pytest.raises(NotFound, match="nothing to take back"):
        await quiet.conflicts.undo()
    with acting_as(Principal("guest", Role.VIEWER)), pytest.raises(RoleRequired):
        await quiet.conflicts.resolve("nonsense")
