"""Hooks: who may refuse, what a bad one can do, and where they are asked and told."""

import sys
import threading
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modelshelf.config import ConfigManager
from modelshelf.downloads.types import JobStatus
from modelshelf.errors import ConfigError, Vetoed
from modelshelf.hooks import ASKED, POINTS, TOLD, Hooks, Veto
from modelshelf.hooks.service import FAILED
from modelshelf.samples import CHAT_REPO
from modelshelf.shelf import open_shelf

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class Recorder:
    """Answers every point as it is told to, and keeps what it heard."""

    def __init__(self, *points: str, answer: Veto | None = None) -> None:
        self.points = frozenset(points or POINTS)
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self._answer = answer

    def __call__(self, point: str, about: Mapping[str, Any]) -> Veto | None:
        self.heard.append((point, dict(about)))
        return self._answer


class Slow:
    """Never comes to an end."""

    points = POINTS

    def __init__(self) -> None:
        self.released = threading.Event()

    def __call__(self, point: str, about: Mapping[str, Any]) -> None:
        self.released.wait()


class Asking:
    """A coroutine function."""

    points = ASKED

    async def __call__(self, point: str, about: Mapping[str, Any]) -> Veto | None:
        return Veto(f"{about['repo']} is not for us.")


class Broken:
    points = POINTS

    def __call__(self, point: str, about: Mapping[str, Any]) -> None:
        raise LookupError("its list is gone")


class Nonsense:
    points = POINTS

    def __call__(self, point: str, about: Mapping[str, Any]) -> None:
        about["files"].clear()
        return True  # type: ignore[return-value]


@pytest.fixture
def notes() -> list[tuple[str, str, str]]:
    return []


@pytest.fixture
def hooks(notes: list[tuple[str, str, str]]) -> Hooks:
    async def note(*told: str) -> None:
        notes.append((told[0], told[1], told[2]))

    return Hooks(note, seconds=0.2)


@pytest.mark.parametrize("point", sorted(ASKED))
async def test_a_hook_refuses_with_its_reason(hooks: Hooks, point: str) -> None:
    hooks.add("list", Asking())
    with pytest.raises(Vetoed, match=r"The hook list refuses: a/b is not for us\.") as caught:
        await hooks.ask(point, {"repo": "a/b"})
    assert caught.value.facts["hook"] == "list"
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(("hook", "why"), [(Broken(), "its list is gone"), (Nonsense(), "it answered bool")])
async def test_before_something_a_hook_that_fails_refuses_and_is_noted(
    hooks: Hooks, notes: list[tuple[str, str, str]], hook: Any, why: str
) -> None:
    hooks.add("bad", hook)
    about = {"files": ["one"]}
    with pytest.raises(Vetoed, match=f"(?s)The hook bad did not do its work.*{why}"):
        await hooks.ask("before_download", about)
    assert about == {"files": ["one"]}, "a hook has a copy"
    assert [(name, point) for name, point, _ in notes] == [("bad", "before_download")]


async def test_a_hook_that_hangs_refuses_when_its_time_is_over(hooks: Hooks) -> None:
    slow = Slow()
    hooks.add("slow", slow)
    with pytest.raises(Vetoed, match=r"it was not done within 0\.2 s"):
        await hooks.ask("before_deletion", {})
    slow.released.set()


@pytest.mark.parametrize("point", sorted(TOLD))
async def test_after_something_a_hook_that_fails_is_noted_and_the_others_hear(
    hooks: Hooks, notes: list[tuple[str, str, str]], point: str
) -> None:
    heard = Recorder(answer=Veto("too late"))
    hooks.add("bad", Broken())
    hooks.add("good", heard)
    await hooks.tell(point, {"repo": "a/b"})
    assert [found for found, _ in heard.heard] == [point]
    assert heard.heard[0][1] == {"by": "owner", "repo": "a/b"}
    assert notes == [("bad", point, "LookupError: its list is gone")]


async def test_a_hook_that_cannot_judge_asks_for_a_person(hooks: Hooks) -> None:
    hooks.add("bad", Broken())
    [(name, veto)] = await hooks.verdicts({"verdict": "pass"})
    assert (name, veto.verdict) == ("bad", "review")


@pytest.mark.parametrize("thing", [print, object(), type("Odd", (), {"points": {"noon"}, "__call__": print})()])
def test_what_is_no_hook_is_refused(hooks: Hooks, thing: Any) -> None:
    with pytest.raises(TypeError):
        hooks.add("odd", thing)


class OnlySmall:
    """A rule of a team, as the settings name it."""

    points = frozenset({"before_download"})

    def __call__(self, point: str, about: Mapping[str, Any]) -> Veto | None:
        return Veto("It is too large for us.") if about["total"] > 1000 else None


async def test_the_settings_name_hooks_and_switch_them_off(config: ConfigManager) -> None:
    here = f"{__name__}:OnlySmall"
    config.set("hooks.use", [here])
    async with open_shelf(config=config, without={"health", "catalog sync"}) as shelf:
        with pytest.raises(Vetoed, match="too large"):
            await shelf.downloads.start(CHAT_REPO)
        assert await shelf.downloads.jobs() == ()
        config.set("hooks.off", [here])
        assert await shelf.downloads.start(CHAT_REPO)
        config.set("hooks.off", ["*"])
        assert await shelf.hooks.listed() == ()


@pytest.mark.parametrize("place", ["no_such_module:Thing", "os:system", f"{__name__}:Missing"])
async def test_a_hook_that_cannot_be_loaded_lets_nothing_begin(config: ConfigManager, place: str) -> None:
    config.set("hooks.use", [place])
    async with open_shelf(config=config, without={"health", "catalog sync"}) as shelf:
        with pytest.raises(Vetoed, match="cannot be loaded") as caught:
            await shelf.downloads.start(CHAT_REPO)
        assert "hooks.off" in caught.value.remedy
        assert [entry["target"] for entry in await shelf.access.audit() if entry["action"] == FAILED] == [place]


async def test_nobody_names_programs_to_run_from_the_page(shelf: "Shelf") -> None:
    with pytest.raises(ConfigError, match="programs"):
        await shelf.configure("hooks.use", ["os:system"])


async def fetch(shelf: "Shelf") -> JobStatus:
    job = await shelf.downloads.start(CHAT_REPO)
    async with aclosing(shelf.downloads.follow(job)) as steps:
        async for step in steps:
            last = step.status
    return last


async def test_every_point_of_a_download_and_a_deletion_is_heard_in_order(shelf: "Shelf") -> None:
    heard = Recorder()
    shelf.hooks.add("all", heard)
    assert await fetch(shelf) is JobStatus.DONE
    with shelf.events.subscribe():
        await shelf.library.remove(CHAT_REPO)
    points = [point for point, _ in heard.heard]
    others = {"after_download", "before_registration", "after_registration"}
    assert [point for point in points if point not in others] == [
        "before_download", "after_verdict", "before_deletion", "after_deletion",
    ]  # fmt: skip
    about = dict(heard.heard)
    assert about["before_download"]["model"].startswith(f"samples:{CHAT_REPO}@")
    assert about["after_verdict"]["verdict"] == "pass"
    assert about["after_deletion"]["freed"] > 1_000_000


@pytest.mark.parametrize(("verdict", "ends"), [("review", JobStatus.REVIEW), ("block", JobStatus.QUARANTINED)])
async def test_a_hook_makes_a_verdict_stricter(shelf: "Shelf", verdict: str, ends: JobStatus) -> None:
    shelf.hooks.add("strict", Recorder("after_verdict", answer=Veto("Nobody has tried it yet.", verdict)))
    assert await fetch(shelf) is ends
    assert await shelf.library.find(CHAT_REPO) is None


async def test_a_hook_keeps_a_model_from_being_registered(shelf: "Shelf") -> None:
    refusing = Recorder("before_registration", answer=Veto("Not on this machine."))
    shelf.hooks.add("refusing", refusing)
    assert await fetch(shelf) is JobStatus.DONE
    [made] = await shelf.registration.register(CHAT_REPO)
    assert "Not on this machine." in made.error
    assert refusing.heard[0][1]["provider"] == "builtin"
    assert refusing.heard[0][1]["repo"] == CHAT_REPO


async def test_a_hook_keeps_a_model_from_being_deleted(shelf: "Shelf") -> None:
    assert await fetch(shelf) is JobStatus.DONE
    shelf.hooks.add("keep", Recorder("before_deletion", answer=Veto("The demo needs it.")))
    with pytest.raises(Vetoed, match="The demo needs it"):
        await shelf.library.remove(CHAT_REPO)
    assert await shelf.library.find(CHAT_REPO)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The worked example of the documentation, where Python finds it."""
    text = (Path(__file__).parents[3] / "docs" / "hooks.md").read_text("utf-8")
    folder = tmp_path / "team"
    folder.mkdir()
    (folder / "team_rules.py").write_text(text.split("```python\n")[1].split("```")[0])
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "team_rules", raising=False)
    return folder


async def test_the_example_of_the_documentation_works_by_an_entry_point(shelf: "Shelf", example: Path) -> None:
    about = example / "team-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: team\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[modelshelf.hooks]\nteam-rules = team_rules:TeamRules\n")
    assert [hook.name for hook in await shelf.hooks.listed()] == ["team-rules"]
    with pytest.raises(Vetoed, match="we use Apache and MIT only"):
        await shelf.hooks.ask("before_download", {"repo": "a/b", "licence": "gpl-3.0"})
    await shelf.hooks.ask("before_download", {"repo": "a/b", "licence": "mit"})
    assert await fetch(shelf) is JobStatus.DONE
    with pytest.raises(Vetoed, match="The demo needs it"):
        await shelf.library.remove(CHAT_REPO)
