"""Saved secrets and the account at the Hub, by the command line."""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from modelshelf.samples import READER_TOKEN, STRANGER_TOKEN, SampleHub
from tests.acceptance.terminal import Terminal, one_sentence


@pytest.fixture
def terminal(tmp_path: Path, hub: SampleHub) -> Terminal:
    """A home whose Hub is the sample hub."""
    terminal = Terminal(tmp_path / "own")
    (terminal.home / "config.toml").write_text('[[sources]]\nname = "hf"\nkind = "huggingface"\n')
    terminal.environment |= {"HF_ENDPOINT": hub.url, "SSL_CERT_FILE": str(hub.ca_file)}
    return terminal


async def told(terminal: Terminal, *arguments: str, code: int = 0, **more: Any) -> Any:
    """The one document that a command prints; the hub answers meanwhile."""
    done = await asyncio.to_thread(terminal.run, *arguments, "--json", **more)
    assert done.returncode == code, done.stdout + done.stderr
    assert READER_TOKEN not in done.stdout + done.stderr
    return json.loads(done.stdout)


async def test_sign_in_look_sign_out(terminal: Terminal) -> None:
    assert await told(terminal, "whoami", code=1) == {"signed_in": False}
    assert await told(terminal, "secrets", "status") == {
        "state": "empty", "source": "", "place": "", "master": "", "secrets": 0, "damaged": [], "rotated": None,
        "error": "", "remedy": "",
    }  # fmt: skip
    account = await told(terminal, "login", "--token-stdin", stdin=f"{READER_TOKEN}\n")
    assert (account["name"], account["orgs"], account["in_force"]) == ("reader", ["lab", "press"], "vault")
    (saved,) = await told(terminal, "secrets", "list")
    assert (saved["name"], saved["last4"]) == ("source/hf/token", READER_TOKEN[-4:])
    status = await told(terminal, "secrets", "status")
    assert (status["state"], status["source"], status["secrets"]) == ("well", "own file", 1)
    assert await told(terminal, "secrets", "rotate") == {"renewed": 1, "damaged": []}
    assert await told(terminal, "secrets", "rotate", "--master") == {"renewed": 1, "damaged": []}
    told_by = await told(terminal, "whoami", HF_TOKEN=STRANGER_TOKEN)
    assert (told_by["name"], told_by["origin"]) == ("stranger", "HF_TOKEN")
    assert await told(terminal, "logout") == {"forgotten": True}
    assert await told(terminal, "secrets", "list") == []


async def test_people_read_sentences(terminal: Terminal) -> None:
    shown = await asyncio.to_thread(
        terminal.at_a_terminal, "login", columns=120, asked="Token (nothing is shown): ", answer=READER_TOKEN
    )
    assert "Signed in as reader, member of lab, press" in shown
    assert READER_TOKEN not in shown  # what is typed is not shown
    for arguments, text in (
        (("whoami",), "saved here, until 2099-12-31"),
        (("secrets", "list"), "…ader"),
        (("secrets", "status"), "(own file)"),
        (("secrets", "rotate"), "1 secrets have a new key"),
        (("secrets", "delete", "source/hf/token"), "is forgotten"),
    ):
        done = await asyncio.to_thread(terminal.run, *arguments)
        assert text in done.stdout + done.stderr
        assert READER_TOKEN not in done.stdout + done.stderr


async def test_what_goes_wrong_is_one_sentence(terminal: Terminal, hub: SampleHub) -> None:
    for arguments, stdin, code, text in (
        (("login",), "", 2, "no terminal"),
        (("login", "--token-stdin"), "hf_canarywrongtoken", 1, "does not accept"),
        (("secrets", "rotate", "--key-stdin"), "x", 2, "--master"),
        (("secrets", "rotate", "--master", "--key-stdin"), "canary, no key", 2, "neither Base64"),
        (("secrets", "delete", "nobody"), "", 5, "nobody"),
    ):
        done = await asyncio.to_thread(terminal.run, *arguments, stdin=stdin)
        assert done.returncode == code, done.stderr
        assert text in one_sentence(done)
        assert "canary" not in done.stdout + done.stderr


async def test_a_master_key_of_the_environment(terminal: Terminal) -> None:
    first, second = secrets.token_hex(32), secrets.token_urlsafe(32)
    await told(terminal, "login", "--token-stdin", stdin=READER_TOKEN, MODELSHELF_MASTER_KEY=first)
    closed = await told(terminal, "secrets", "status", code=1)
    assert (closed["state"], closed["secrets"]) == ("closed", 1)
    assert "missing" in closed["error"]
    other = await told(terminal, "whoami", code=1, MODELSHELF_MASTER_KEY=second)
    assert other["code"] == "VaultError"
    assert second not in json.dumps(other)
    refused = await told(terminal, "secrets", "rotate", "--master", code=1, MODELSHELF_MASTER_KEY=first)
    assert "MODELSHELF_MASTER_KEY" in refused["error"]
    await told(terminal, "secrets", "rotate", "--master", "--key-stdin", stdin=second, MODELSHELF_MASTER_KEY=first)
    assert (await told(terminal, "whoami", MODELSHELF_MASTER_KEY=second))["name"] == "reader"
