"""The section of the profiles on a whole shelf, pressed as a browser presses it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelshelf.access import OWNER, Principal, Role
from modelshelf.config import ConfigManager
from modelshelf.errors import UsageError
from modelshelf.providers.profile_spec import Cause, Parameters, Profile, ProfileState, ProfileStatus
from modelshelf.shelf import Shelf, open_shelf
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.piece import Piece
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.settings import profile_form as form
from modelshelf_dashboard.settings.profiles import SHOWN, Profiles
from modelshelf_dashboard.settings.try_it import TryIt
from modelshelf_dashboard.state_words import profile_dot, profile_word
from tests.conftest import LoopRunner
from tests.engines.ollama import OllamaSimulator

MODEL = "ollama/tiny-llama:latest"


@pytest.fixture
def ollama(loop: LoopRunner) -> OllamaSimulator:
    simulator = OllamaSimulator()
    simulator.add("tiny-llama")
    return loop.enter(simulator.serve())


@pytest.fixture
def shelf(loop: LoopRunner, config: ConfigManager, ollama: OllamaSimulator) -> Shelf:
    config.environ["OLLAMA_HOST"] = ollama.url
    config.set("providers.health_seconds", 1)
    return loop.enter(open_shelf(config=config))


@pytest.fixture
def sessions() -> Iterator[Callable[[Principal], Session]]:
    made: list[Session] = []

    def make(who: Principal = OWNER) -> Session:
        made.append(Session(None, who))
        made[-1].begin()
        return made[-1]

    yield make
    for session in made:
        session.close()


class Section:
    """A session's view with its dialog, and what one does with them."""

    def __init__(self, shelf: Shelf, session: Session) -> None:
        self.shelf, self.session, self.dialog = shelf, session, Dialog()
        self.view = Profiles(shelf, session, self.dialog)
        self.told: list[dict[str, Any]] = []
        session.tell = self.told.append

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["id"]: row for row in self.view.table.rows}

    def words(self, name: str) -> list[str]:
        return [action["word"] for action in self.rows[name]["actions"]]

    async def press(self, do: str, which: str = "") -> None:
        await _hear(self.view.table, do=do, id=which, context={})

    async def answer(self, **told: Any) -> None:
        """Confirm the dialog with its values, some of them changed."""
        question = self.dialog.question
        values = {item["name"]: item.get("value") for item in question.get("fields", ())}
        values = {name: "" if value is None else value for name, value in values.items()}
        await _hear(self.dialog, do="confirmed", id=question["id"], fields=values | told)

    def wrong(self) -> dict[str, str]:
        return {item["name"]: item["error"] for item in self.dialog.question.get("fields", ()) if item.get("error")}


async def _hear(piece: Piece, **message: Any) -> None:
    await piece._handle_msg(message)


async def until(true: Callable[[], Any]) -> Any:
    async with asyncio.timeout(20):
        while not (found := true()):
            await asyncio.sleep(0.01)
    return found


async def ready(shelf: Shelf) -> None:
    """Wait until the Ollama of this machine was looked at."""

    def listed() -> bool:
        found = shelf.providers_state.find("ollama")
        return bool(found and found.models)

    await until(listed)


async def test_one_is_made_changed_renamed_and_removed(shelf: Shelf, sessions: Any) -> None:
    section = Section(shelf, sessions())
    await until(lambda: section.view.table.state == "empty")
    assert section.view.table.note["action"]["word"] == "New profile"
    await ready(shelf)
    await section.press("add")
    options = next(item for item in section.dialog.question["fields"] if item["name"] == "model")["options"]
    assert {"value": MODEL, "label": MODEL, "group": "Ollama"} in options
    await section.answer(
        name="My coder", purpose="coding", model=MODEL, system="Be brief.", temperature="0,2", max_tokens="64",
        fallbacks=["builtin/tiny-llama"], stop="END\n", extra='{"think": false}',
    )  # fmt: skip
    await until(lambda: section.rows)
    assert section.dialog.question == {}
    asked = Parameters(0.2, max_tokens=64, stop=("END",), extra={"think": False})
    made = Profile("My coder", MODEL, "coding", asked, "Be brief.", ("builtin/tiny-llama",), True)
    assert await shelf.profiles.list() == (made,)
    await until(lambda: section.rows["My coder"]["cells"]["state"]["main"] == "well")
    row = section.rows["My coder"]
    assert row["sub"] == "with a prompt · temperature 0.2 · 1 fallback"
    assert row["cells"]["purpose"] == {"main": "coding", "sub": "default"}
    assert section.words("My coder") == ["Try it", "Its model", "Edit"]

    await section.press("edit", "My coder")
    assert section.dialog.question["title"] == "Change My coder"
    await section.answer(name="Coder", temperature="")
    await until(lambda: "Coder" in section.rows and not section.dialog.question)
    (changed,) = await shelf.profiles.list()
    assert (changed.name, changed.parameters.temperature, changed.system) == ("Coder", None, "Be brief.")

    await section.press("edit", "Coder")
    await _hear(section.dialog, do="remove", id=section.dialog.question["id"], fields={})
    assert section.dialog.question["title"] == "Remove Coder?"
    await _hear(section.dialog, do="dismissed", id=section.dialog.question["id"])
    assert section.dialog.question == {}
    await section.press("remove", "Coder")
    await section.answer()
    await until(lambda: section.view.table.state == "empty")
    assert await shelf.profiles.list() == ()


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "TAKEN"}, "name"),
        ({"model": ""}, "model"),
        ({"purpose": "two words"}, "purpose"),
        ({"temperature": "9"}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"seed": "1.5"}, "seed"),
        ({"extra": "{"}, "extra"),
        ({"extra": '{"api_key": "sk-1"}'}, "extra"),
        ({"fallbacks": ["tiny"]}, "fallbacks"),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_lost(
    shelf: Shelf, sessions: Any, told: dict[str, Any], field: str
) -> None:
    await shelf.profiles.save(Profile("Taken", MODEL))
    section = Section(shelf, sessions())
    await section.press("add")
    await section.answer(**({"name": "New", "model": MODEL, "system": "Long work."} | told))
    wrong = await until(section.wrong)
    assert set(wrong) == {field}
    assert wrong[field].endswith(".")
    assert section.dialog.question["id"] == "profile ", "the same question: what was typed stays"
    assert [item.name for item in await shelf.profiles.list()] == ["Taken"]


async def test_trouble_stands_first_and_its_button_mends_it(
    shelf: Shelf, sessions: Any, ollama: OllamaSimulator
) -> None:
    await ready(shelf)
    await shelf.profiles.save(Profile("Well", MODEL))
    await shelf.profiles.save(Profile("Fallen", "ollama/lost", fallbacks=(MODEL,)))
    await shelf.profiles.save(Profile("Lost", "ollama/tiny-llama-q8_0"))
    section = Section(shelf, sessions())
    await until(lambda: len(section.view.trouble.items) == 2)
    lost, fallen = section.view.trouble.items
    assert (lost["id"], lost["tone"], lost["action"]["word"]) == ("Lost", "bad", "Use it")
    assert "ollama/tiny-llama-q8_0 is gone" in lost["text"]
    assert lost["remedy"] == f"The nearest is {MODEL}."
    assert fallen["tone"] == "warn"
    assert f"{MODEL} answers instead." in fallen["remedy"]
    assert section.rows["Fallen"]["cells"]["model"]["sub"] == f"{MODEL} answers"
    assert section.words("Lost") == ["Edit", "Make default"]
    await _hear(section.view.trouble, do="use", id="Lost")
    await until(lambda: [item["id"] for item in section.view.trouble.items] == ["Fallen"])
    assert (await shelf.profiles.get("Lost")).model == MODEL
    await section.press("default", "Lost")
    await until(lambda: section.rows["Lost"]["cells"]["purpose"]["sub"] == "default")
    del ollama.models["tiny-llama:latest"]
    await until(lambda: len(section.view.trouble.items) == 3)
    assert section.view.trouble.items[0]["action"]["word"] == "Choose another"


async def test_of_many_troubles_the_first_are_told(shelf: Shelf, sessions: Any) -> None:
    for number in range(SHOWN + 3):
        await shelf.profiles.save(Profile(f"p{number}", f"nobody/{number}"))
    section = Section(shelf, sessions())
    await until(lambda: section.view.trouble.items[-1:] and "3 more" in section.view.trouble.items[-1]["text"])
    assert len(section.view.trouble.items) == SHOWN + 1
    section.view.search.text = "p3"
    assert set(section.rows) == {"p3"}
    section.view.search.text = "nothing like it"
    assert section.view.table.note["text"] == "No profile has such a name or model."


async def test_a_viewer_reads_and_tries_only(shelf: Shelf, sessions: Any) -> None:
    await ready(shelf)
    await shelf.profiles.save(Profile("Coder", MODEL))
    await shelf.profiles.save(Profile("Lost", "ollama/lost"))
    section = Section(shelf, sessions(Principal("vera", Role.VIEWER)))
    await until(lambda: section.view.trouble.items)
    assert section.words("Coder") == ["Try it", "Its model"]
    assert section.view.search.action == {}
    assert section.view.trouble.items[0]["action"] is None
    assert [action["word"] for action in section.view.carry.cards[0]["actions"]] == ["Export"]
    await section.press("default", "Lost")
    await until(lambda: section.told)
    assert "needs operator" in section.told[0]["text"]


async def test_profiles_are_carried_as_text(shelf: Shelf, sessions: Any) -> None:
    await shelf.profiles.save(Profile("Coder", MODEL, system="Be brief."))
    section = Section(shelf, sessions())
    await section.press("export")
    (field,) = (await until(lambda: section.dialog.question))["fields"]
    assert (field["save"], field["readonly"]) == ("profiles.toml", True)
    text = field["value"]
    await _hear(section.dialog, do="dismissed", id="export")
    await shelf.profiles.remove("Coder")
    await section.press("import")
    await section.answer(text="[[")
    assert set(await until(section.wrong)) == {"text"}
    await section.answer(text=text, replace=False)
    await until(lambda: section.told)
    assert section.told[0]["text"] == "1 profile is imported."
    assert (await shelf.profiles.get("coder")).system == "Be brief."


async def test_one_is_tried_by_its_name_and_who_answered_is_told(shelf: Shelf, sessions: Any) -> None:
    await ready(shelf)
    await shelf.profiles.save(Profile("Coder", "ollama/lost", fallbacks=(MODEL,)))
    section = Section(shelf, sessions())
    talk = TryIt(shelf, section.session)
    await section.press("try", "Coder")
    assert section.session.navigation.chat == "@Coder"
    assert talk.first.chat.title == "@Coder"
    await _hear(talk.first.chat, do="send", text="hello")
    turn = await until(lambda: [item for item in talk.first.chat.turns if item["role"] == "assistant"])
    assert turn[0]["text"].startswith("word0")
    assert turn[0]["note"].startswith(f"{MODEL} · ")
    await section.press("remove", "Coder")
    await section.answer()
    await until(lambda: not section.session.navigation.chat)


def test_a_form_gives_back_what_it_was_filled_in_with() -> None:
    asked = Parameters(0.0, 0.9, 100, 7, ("a", "b"), {"think": False, "deep": {"n": [1, 2.5]}})
    profile = Profile("Coder", MODEL, "coding", asked, "Be\nbrief.", ("a/b", "c/d"), True)
    told = {item["name"]: item["value"] for item in form.fields(profile, [], form.purposes([profile]))}
    assert form.read(told) == profile
    told["stop"] = "a\r\n\r\nb"  # as browsers send lines
    assert form.read(told).parameters.stop == ("a", "b")
    with pytest.raises(UsageError):
        form.read({})


def test_every_state_has_its_word_and_dot() -> None:
    for status in ProfileStatus:
        how = ProfileState("a", status, "b/c")
        assert profile_word(how)
        assert profile_dot(how) in {"well", "slow", "bad"}
    assert profile_word(ProfileState("a", ProfileStatus.OK, "b/c", cause=Cause.DEPRECATED)) == "well for now"
    assert profile_word(None)
    assert profile_dot(None) == "off"


def test_the_dialog_keeps_its_question_when_it_refuses_and_waits() -> None:
    dialog = Dialog()
    dialog.refuse("Nothing is asked.")
    assert dialog.question == {}
    dialog.ask(id="a", title="A", fields=[{"name": "one", "label": "One"}], word="Save")
    dialog.refuse("It is wrong.", "one")
    assert (dialog.question["fields"][0]["error"], dialog.question["error"]) == ("It is wrong.", "")
    dialog.refuse("All is wrong.", "unknown")
    assert (dialog.question["fields"][0]["error"], dialog.question["error"]) == ("", "All is wrong.")
    dialog.wait("Saving …")
    assert (dialog.question["busy"], dialog.question["error"]) == ("Saving …", "")


def test_the_docs_name_every_command() -> None:
    text = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text("utf-8")
    for command in ("save", "show", "remove", "rename", "default", "check", "use-nearest", "export", "import"):
        assert f"profiles {command}" in text, command
