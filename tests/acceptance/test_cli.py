"""The command line as a person or a script uses it: a process of its own, a home of its own, no network."""

import json
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.terminal import Terminal, one_sentence

TINY = "samples/tiny-llama-GGUF"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A home that holds the sample model."""
    terminal = Terminal(tmp_path_factory.mktemp("stocked"))
    events = terminal.json("download", TINY)
    assert events[-1]["event"] == "done"
    return terminal


def test_search_finds_the_samples_with_a_score(terminal: Terminal) -> None:
    (answer,) = terminal.json("search", "tiny")
    rows = {row["repo"]: row for row in answer["rows"]}
    assert rows[TINY]["score"] > 0
    assert rows[TINY]["size"] > 0
    assert "gguf" in rows[TINY]["formats"]
    assert [source["status"] for source in answer["sources"]] == ["fresh"]
    assert TINY in terminal.run("search", "tiny").stdout


def test_download_tells_each_step_and_ends_with_checksums(stocked: Terminal) -> None:
    again = stocked.json("download", TINY)[-1]
    assert again["event"] == "done"
    assert again["model"] == f"samples:{TINY}"
    assert len(again["commit"]) == 40
    assert Path(again["path"]).is_dir()
    gguf = next(file for file in again["files"] if file["name"].endswith(".gguf"))
    assert len(gguf["sha256"]) == 64
    assert (Path(again["path"]) / gguf["name"]).stat().st_size == gguf["size"]


def test_a_person_is_told_where_the_model_is(tmp_path: Path) -> None:
    done = Terminal(tmp_path / "own").run("download", TINY)
    assert done.returncode == 0, done.stderr
    assert "is in the library" in done.stdout


def test_what_was_downloaded_is_listed_verified_and_scanned(stocked: Terminal) -> None:
    (models,) = stocked.json("list")
    model = next(item for item in models if item["repo"] == TINY)
    assert (model["complete"], model["verdict"], model["format"]) == (True, "pass", "gguf")
    assert {result["status"] for result in stocked.json("verify", TINY)} == {"ok"}
    (report,) = stocked.json("scan", model["path"])
    assert (report["verdict"], report["findings"]) == ("pass", [])


def test_chat_prints_the_answer_of_the_engine(stocked: Terminal) -> None:
    (reply,) = stocked.json("chat", "builtin/tiny-llama", "Once upon a time", "--temperature", "0")
    assert len(reply["text"].split()) >= 3
    assert reply["usage"]["completion_tokens"] > 0
    assert reply["timings"]["tokens_per_second"] > 0
    assert (
        stocked.run("chat", "builtin/tiny-llama", "Once upon a time", "--temperature", "0").stdout.strip()
        == reply["text"].strip()
    )


def test_fit_judges_a_model_and_a_file_alike(stocked: Terminal) -> None:
    (model,) = stocked.json("list")
    file = next(Path(model[0]["path"]).glob("*.gguf"))
    (here,) = stocked.json("fit", file)
    (there,) = stocked.json("fit", TINY)
    assert here["memory"] == there["memory"]
    parts = ("weights", "kv", "recurrent", "compute", "output")
    assert here["memory"]["total"] == sum(here["memory"][part] for part in parts)
    assert stocked.run("fit", file, "--min-score", "101").returncode == 2
    (longer,) = stocked.json("fit", file, "--ctx", "512")
    assert longer["memory"]["kv"] < here["memory"]["kv"]


def test_a_damaged_file_is_found(stocked: Terminal, tmp_path: Path) -> None:
    own = Terminal(tmp_path / "own")
    path = Path(own.json("download", TINY)[-1]["path"])
    blob = next(path.glob("*.gguf")).resolve()
    content = bytearray(blob.read_bytes())
    content[-5] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(content)
    results = own.json("verify", TINY, code=4)
    assert [result["path"] for result in results if result["status"] == "mismatch"] == [next(path.glob("*.gguf")).name]


def test_remove_frees_the_bytes(tmp_path: Path) -> None:
    own = Terminal(tmp_path / "own")
    own.json("download", TINY)
    (gone,) = own.json("remove", TINY)
    assert gone["freed"] > 0
    assert own.json("list") == [[]]
    assert own.run("remove", TINY, "--yes").returncode == 5


def test_a_malicious_pickle_ends_in_quarantine(terminal: Terminal) -> None:
    last = terminal.json("download", "samples/suspicious-pickle", code=4)[-1]
    assert (last["event"], last["status"]) == ("failed", "quarantined")
    assert last["remedy"]
    assert terminal.json("list") == [[]]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("download", "samples/no-such-model"), 5),
        (("show", "samples/no-such-model"), 5),
        (("download", "nonsense"), 2),
        (("download", "samples/gated-llama-GGUF"), 1),
        (("chat", "builtin/no-such-model", "hi"), 5),
        (("chat", "nowhere/model", "hi"), 5),
        (("chat", "tiny", "hi"), 2),
        (("remove", "samples/not-here", "--yes"), 5),
        (("verify", "samples/not-here"), 5),
        (("scan", "/no/such/file"), 5),
        (("fit", "/no/such/file.gguf"), 5),
        (("config", "set", "downloads.concurrent_jobs", "99"), 2),
        (("providers", "test", "nowhere"), 5),
    ],
)
def test_bad_input_is_one_sentence_and_the_right_exit_code(
    terminal: Terminal, arguments: tuple[str, ...], code: int
) -> None:
    done = terminal.run(*arguments)
    assert done.returncode == code, done.stderr
    one_sentence(done)


def test_a_truncated_gguf_is_explained(stocked: Terminal, tmp_path: Path) -> None:
    (models,) = stocked.json("list")
    whole = next(Path(models[0]["path"]).glob("*.gguf")).read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: len(whole) // 3])
    assert stocked.run("scan", cut).returncode == 4
    done = stocked.run("fit", tmp_path / "stub.gguf")
    assert done.returncode == 5
    (tmp_path / "stub.gguf").write_bytes(whole[:100])
    done = stocked.run("fit", tmp_path / "stub.gguf")
    assert done.returncode == 4
    one_sentence(done)


def test_a_corrupt_database_is_explained_and_kept(terminal: Terminal) -> None:
    (terminal.home / "modelshelf.db").write_bytes(b"not a database" * 1000)
    done = terminal.run("list")
    assert done.returncode == 1
    assert "modelshelf.db" in one_sentence(done)
    assert (terminal.home / "modelshelf.db").read_bytes() == b"not a database" * 1000
    assert terminal.run("doctor").returncode == 1


def test_a_corrupt_configuration_is_explained(terminal: Terminal) -> None:
    (terminal.home / "config.toml").write_text("[downloads\n")
    done = terminal.run("list")
    assert done.returncode == 2
    assert "config.toml" in one_sentence(done)


def test_a_folder_that_cannot_be_written_is_explained(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = terminal.run("download", TINY, HF_HOME=str(tmp_path / "file" / "hf"))
    assert done.returncode == 1
    assert str(tmp_path / "file") in one_sentence(done).replace("\n", "")


def test_json_errors_are_documents_too(terminal: Terminal) -> None:
    done = terminal.run("show", "samples/no-such-model", "--json")
    assert done.returncode == 5
    document = json.loads(done.stdout)
    assert document["code"] == "RepositoryNotFound"
    assert document["remedy"]


def test_the_self_test_walks_every_step(terminal: Terminal) -> None:
    file = terminal.folder / "report.html"
    *steps, end = terminal.json("test", "--report", file)
    journey = [step for step in steps if step["group"] == "journey"]
    assert [step["status"] for step in journey] == ["passed"] * 11, steps
    assert journey[-1]["name"] == "clean up"
    own = {step["name"]: step["status"] for step in steps if step["group"] == "builtin"}
    assert own == {"reachable": "passed", "key valid": "not run", "lists models": "passed", "answers": "not run"}
    assert end["event"] == "done"
    assert end["passed"]
    assert "Nothing is red; 2 did not run." in file.read_text("utf-8")


def test_doctor_and_its_bundle_hold_no_secret(terminal: Terminal, tmp_path: Path) -> None:
    canary = "hf_canaryCanaryCanary123456"
    done = terminal.run("doctor", "--bundle", "--json", HF_TOKEN=canary)
    report = json.loads(done.stdout)
    assert {check["name"] for check in report["checks"]} >= {"python", "home", "library", "database"}
    bundle = Path(report["bundle"])
    with zipfile.ZipFile(bundle) as opened:
        assert all(canary.encode() not in opened.read(name) for name in opened.namelist())
    assert canary not in done.stdout


def test_a_terminal_with_few_letters_and_a_file_that_is_no_text(terminal: Terminal) -> None:
    poor = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"}
    shown = terminal.run("show", TINY, **poor)
    assert shown.returncode == 0, shown.stderr
    assert "tiny-llama.Q8_0.gguf" in shown.stdout
    found = terminal.run("search", "“tiny”", "--json", PYTHONIOENCODING="ascii")
    assert json.loads(found.stdout)["text"] == "“tiny”"
    (terminal.folder / "noise").write_bytes(b"\xff\xfe\x00")
    refused = terminal.run("config", "import", "noise")
    assert refused.returncode == 2
    assert "UTF-8" in one_sentence(refused)


def test_a_search_that_nobody_answers_is_no_search_without_results(terminal: Terminal) -> None:
    hub = '[[sources]]\nname = "hf"\nkind = "huggingface"\nlabel = "Hub"\nurl = "https://127.0.0.1:9"\n'
    (terminal.home / "config.toml").write_text(hub)
    done = terminal.run("search", "tiny")
    assert done.returncode == 6
    assert "Nothing matches" not in done.stdout
    assert "https://127.0.0.1:9" in done.stdout
    assert terminal.json("search", "tiny", code=6)[0]["sources"][0]["status"] == "failed"


def test_a_report_that_cannot_be_written_is_explained(terminal: Terminal) -> None:
    done = terminal.run("test", "--report", terminal.folder / "none" / "report.json")
    assert done.returncode == 1
    assert "report.json cannot be written to" in one_sentence(done)


def test_a_download_stopped_by_hand_says_that_it_can_go_on(terminal: Terminal) -> None:
    slow = terminal.environment | {"MODELSHELF_DOWNLOADS__MAX_RATE_MB": "0.05"}
    command = [sys.executable, "-m", "modelshelf.cli", "download", TINY, "--json"]
    with subprocess.Popen(
        command,
        cwd=terminal.folder,
        env=slow,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # whoever runs the tests may ignore it
    ) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline())["status"] != "transferring":
            pass
        process.send_signal(signal.SIGINT)
        last = json.loads(process.stdout.read().splitlines()[-1])
    assert process.returncode == 130
    assert last["event"] == "failed"
    assert "goes on" in last["remedy"]
    assert terminal.json("download", TINY)[-1]["event"] == "done"
