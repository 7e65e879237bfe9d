"""The queue, lock files and bundles in a terminal."""

from pathlib import Path

from tests.acceptance.terminal import Terminal

TINY = "samples/tiny-llama-GGUF"


def test_one_machine_is_made_like_another(tmp_path: Path) -> None:
    here, there = Terminal(tmp_path / "here"), Terminal(tmp_path / "there")
    lock, bundle = tmp_path / "modelshelf.lock", tmp_path / "models.tar"
    here.json("download", TINY)
    (written,) = here.json("lock", "--to", lock)
    assert len(written["models"]) == 1
    here.json("bundle", "export", TINY, "--to", bundle)
    (current,) = here.json("outdated")
    assert [item["status"] for item in current] == ["current"]
    assert here.run("rollback", TINY).returncode == 2

    compared, last = there.json("sync", lock, "--check", code=4)
    assert (compared["event"], compared["same"], last["event"]) == ("compared", False, "failed")
    assert there.json("sync", lock, "--from", bundle)[-1] == {"event": "done", "same": True, "errors": []}
    text = there.run("sync", lock, "--prune", "--yes")
    assert (text.returncode, text.stdout.splitlines()[-1]) == (0, "This machine matches the lock file.")


def test_the_queue_is_steered_and_worked_off(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    (plan,) = terminal.json("download", TINY, "--dry-run")
    assert (plan["licence"], plan["gated"], plan["resumable"], plan["fits_disk"]) == ("apache-2.0", False, True, True)
    assert terminal.json("queue", "list") == [[]]
    assert terminal.json("queue", "run") == []
    shown = terminal.at_a_terminal("download", TINY, columns=120)
    assert "licence apache-2.0, open" in shown
    assert shown.index("licence") < shown.index("is in the library")
    ((past,),) = terminal.json("queue", "history")
    assert (past["status"], past["fetched"]) == ("done", plan["total"])
    assert past["mean_rate"] > 0
    assert terminal.run("queue", "move", past["id"], "--first").returncode == 2
    assert terminal.json("queue", "clear") == [{"cleared": 1}]
