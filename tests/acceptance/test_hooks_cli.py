"""Hooks and webhooks from the command line."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.acceptance.terminal import SOURCES, Terminal

TINY = "samples/tiny-llama-GGUF"
RULES = """
from modelshelf.hooks import Veto

class Never:
    points = frozenset({"before_download"})
    def __call__(self, point, about):
        return Veto(f"{about['repo']} is not for us.")
"""


class Receiver(BaseHTTPRequestHandler):
    """Takes every message, and keeps it."""

    came: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "own")


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    came: list[tuple[dict[str, str], bytes]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Own", (Receiver,), {"came": came}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/deep", came
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_command_that_ends_a_download_tells_a_webhook_signed(
    terminal: Terminal, receiver: tuple[str, list[tuple[dict[str, str], bytes]]]
) -> None:
    url, came = receiver
    hook = f'[[hooks.webhooks]]\nname = "ci"\nurl = "{url}"\nevents = ["done"]\n'
    (terminal.home / "config.toml").write_text(SOURCES + hook)
    assert terminal.run("hooks", "sign", "ci", stdin="a shared secret\n").returncode == 0
    assert "took it and answered 204" in terminal.run("hooks", "test", "ci").stdout
    assert terminal.run("download", TINY).returncode == 0
    assert [json.loads(body)["type"] for _, body in came] == ["test", "job.done"]
    assert all(headers["webhook-signature"].startswith("v1,") for headers, _ in came)
    listed = terminal.json("hooks", "list")[0]
    assert [(m["event"], m["status"], m["attempts"]) for m in listed["messages"]] == [("job.done", "delivered", 1)]
    assert listed["webhooks"][0]["signed"]
    assert "deep" not in json.dumps(listed)
    assert terminal.run("hooks", "test", "other").returncode == 5


def test_a_rule_that_the_settings_name_leaves_with_4(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "team_rules.py").write_text(RULES)
    (terminal.home / "config.toml").write_text(SOURCES + '[hooks]\nuse = ["team_rules:Never", "team_rules:Missing"]\n')
    path = f"{tmp_path}:{terminal.environment.get('PYTHONPATH', '')}"
    done = terminal.run("download", TINY, PYTHONPATH=path)
    assert done.returncode == 4
    listed = terminal.run("hooks", "list", PYTHONPATH=path)
    assert listed.returncode == 1, "one of them cannot be used"
    assert "team_rules:Missing" in listed.stdout
    (terminal.home / "config.toml").write_text(SOURCES + '[hooks]\nuse = ["team_rules:Never"]\n')
    done = terminal.run("download", TINY, PYTHONPATH=path)
    assert done.returncode == 4
    assert f"The hook team_rules:Never refuses: {TINY} is not for us." in done.stderr
