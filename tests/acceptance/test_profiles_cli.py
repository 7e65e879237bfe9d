"""`modelshelf profiles` as a person or a script uses it, with the sample model and the real engine behind it."""

import tomllib
from pathlib import Path

import pytest

from tests.acceptance.terminal import Terminal, one_sentence

TINY = "builtin/tiny-llama"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A home that holds the sample model."""
    terminal = Terminal(tmp_path_factory.mktemp("stocked"))
    assert terminal.json("download", "samples/tiny-llama-GGUF")[-1]["event"] == "done"
    return terminal


def test_a_profile_is_made_listed_asked_and_removed(stocked: Terminal) -> None:
    prompt = stocked.folder / "prompt.txt"
    prompt.write_text("Tell a story.\nBe brief.", "utf-8")
    (made,) = stocked.json(
        "profiles", "save", "Teller", "--model", TINY, "--purpose", "writing", "--system", f"@{prompt}",
        "--temperature", "0", "--max-tokens", "6", "--stop", "THE END", "--fallback", "ollama/none",
        "--extra", '{"min_p": 0.05}',
    )  # fmt: skip
    assert made == {
        "name": "Teller", "model": TINY, "purpose": "writing", "system": "Tell a story.\nBe brief.",
        "parameters": {"temperature": 0.0, "max_tokens": 6, "stop": ["THE END"], "extra": {"min_p": 0.05}},
        "fallbacks": ["ollama/none"], "default": True,
    }  # fmt: skip
    (shown,) = stocked.json("profiles", "show", "teller")
    assert shown == made
    (listed,) = stocked.json("profiles")
    assert [(item["name"], item["status"], item["uses"]) for item in listed] == [("Teller", "ok", TINY)]
    assert "Teller" in stocked.run("profiles", "list").stdout

    (reply,) = stocked.json("chat", "@teller", "Once upon a time")
    assert (reply["provider"], reply["model"], reply["usage"]["completion_tokens"]) == ("builtin", "tiny-llama", 6)
    spoken = stocked.run("chat", "@writing", "Once upon a time")
    assert spoken.stdout.strip() == reply["text"].strip()
    assert spoken.stderr.strip() == TINY, "who answered, beside the answer"

    (changed,) = stocked.json("profiles", "save", "teller", "--unset", "stop", "--system", "", "--seed", "3")
    assert changed["parameters"] == {"temperature": 0.0, "max_tokens": 6, "seed": 3, "extra": {"min_p": 0.05}}
    assert (changed["name"], changed["system"], changed["model"]) == ("Teller", "", TINY)
    assert stocked.json("profiles", "remove", "teller") == [{"name": "Teller", "done": "removed"}]
    assert stocked.json("profiles") == [[]]


def test_a_model_that_is_gone_is_said_and_mended(stocked: Terminal) -> None:
    stocked.json("profiles", "save", "Coder", "--model", "builtin/tiny-llama-Q4_K_M", "--purpose", "coding")
    (state,) = stocked.json("profiles", "check", "coder", code=5)
    assert (state["status"], state["cause"], state["nearest"]) == ("broken", "missing", [TINY])
    told = stocked.run("profiles", "check")
    assert told.returncode == 5
    assert "is gone" in told.stdout
    assert TINY in told.stdout
    assert stocked.run("chat", "@coder", "hi").returncode == 5
    stocked.json("profiles", "save", "Coder", "--fallback", TINY)
    assert stocked.json("profiles", "check", "coder")[0]["status"] == "fallback"
    assert stocked.json("chat", "@coder", "hi", "--max-tokens", "2")[0]["model"] == "tiny-llama"
    (mended,) = stocked.json("profiles", "use-nearest", "coder")
    assert (mended["model"], mended["fallbacks"]) == (TINY, [])
    assert stocked.json("profiles", "check", "coder")[0]["status"] == "ok"
    stocked.json("profiles", "remove", "coder")


def test_a_provider_out_of_reach_is_told_apart_from_a_model_that_is_gone(terminal: Terminal) -> None:
    terminal.json("providers", "add", "ollama", "--id", "dead", "--url", "http://127.0.0.1:9", "--insist")
    terminal.json("profiles", "save", "Coder", "--model", "dead/qwen")
    (state,) = terminal.json("profiles", "check", "coder", code=6)
    assert (state["status"], state["cause"]) == ("broken", "down")
    assert "out of reach" in state["problem"]
    assert terminal.run("chat", "@coder", "hi").returncode == 6


def test_profiles_are_carried_to_another_home(terminal: Terminal, tmp_path: Path) -> None:
    terminal.json("profiles", "save", "One", "--model", TINY, "--system", "Line one.\nLine two.")
    terminal.json("profiles", "save", "Two", "--model", TINY)
    terminal.json("profiles", "default", "two")
    terminal.json("profiles", "rename", "one", "First")
    file = tmp_path / "profiles.toml"
    assert terminal.json("profiles", "export", file)[0]["profiles"] == 2
    text = terminal.run("profiles", "export").stdout
    assert text == file.read_text("utf-8")
    assert [item["name"] for item in tomllib.loads(text)["profiles"]] == ["First", "Two"]

    other = Terminal(tmp_path / "other")
    assert other.json("profiles", "import", file) == [
        {"added": ["First", "Two"], "changed": [], "kept": [], "same": []}
    ]
    assert other.run("profiles", "export").stdout == text
    other.json("profiles", "save", "two", "--temperature", "1")
    kept = other.run("profiles", "import", file)
    assert "left as they are: Two" in kept.stdout
    assert other.json("profiles", "import", file, "--replace")[0]["changed"] == ["Two"]
    assert other.run("profiles", "export").stdout == text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "nobody"), 5),
        (("remove", "nobody", "--yes"), 5),
        (("check", "nobody"), 5),
        (("use-nearest", "nobody"), 5),
        (("save", "New"), 2),
        (("save", "New", "--model", "tiny"), 2),
        (("save", "a/b", "--model", TINY), 2),
        (("save", "New", "--model", TINY, "--temperature", "9"), 2),
        (("save", "New", "--model", TINY, "--extra", "{"), 2),
        (("save", "New", "--model", TINY, "--extra", '{"api_key": "sk-1"}'), 2),
        (("save", "New", "--model", TINY, "--system", "@/no/such/file"), 5),
        (("save", "New", "--model", TINY, "--unset", "colour"), 2),
        (("import", "/no/such/file"), 5),
        (("export", "/no/such/folder/file"), 1),
    ],
)
def test_bad_input_is_one_sentence_and_the_right_exit_code(
    terminal: Terminal, arguments: tuple[str, ...], code: int
) -> None:
    done = terminal.run("profiles", *arguments)
    assert done.returncode == code, done.stderr
    assert "sk-1" not in one_sentence(done)
