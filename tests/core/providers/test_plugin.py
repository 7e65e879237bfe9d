"""The plug-in of docs/plugins.md, taken from there, installed and used as its author would."""

import asyncio
import base64
import hashlib
import json
import os
import re
import sys
import tomllib
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.acceptance.terminal import Terminal
from tests.engines.serving import serving

DOCUMENT = (Path(__file__).parents[3] / "docs" / "plugins.md").read_text("utf-8")
MOST_LINES = 40
KEY = "parrot-key"


def taken(language: str) -> str:
    """The one block of code in a language."""
    [block] = re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    return str(block)


def wheel(folder: Path, project: dict[str, Any], source: str) -> Path:
    """What a build of the two files gives."""
    name, version = project["name"].replace("-", "_"), project["version"]
    info = f"{name}-{version}.dist-info"
    doors = "".join(
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": doors,
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in files.items())
    made = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return made


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


async def run(*command: str, environment: dict[str, str], folder: Path) -> tuple[int, str, str]:
    """A child's exit code and what it said."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=folder, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await child.communicate()
    return child.returncode or 0, out.decode(), err.decode()


class Outsider:
    """A person with Modelshelf and the plug-in, each command in a process of its own."""

    def __init__(self, folder: Path, installed: Path) -> None:
        self.terminal = Terminal(folder)
        self.environment = self.terminal.environment | {"PYTHONPATH": str(installed), "PARROT_KEY": KEY}

    async def __call__(self, *arguments: str, code: int = 0) -> Any:
        done = await run(
            "-m", "modelshelf.cli", *arguments, "--json", environment=self.environment, folder=self.terminal.folder
        )
        assert done[0] == code, done
        return json.loads(done[1])


async def install(folder: Path, source: str) -> Path:
    """Install the plug-in into a folder of its own, without a network."""
    made = wheel(folder, tomllib.loads(taken("toml"))["project"], source)
    target = folder / "installed"
    command = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target), str(made))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    code, _, err = await run(*command, environment=environment, folder=folder)
    assert code == 0, err
    return target


@asynccontextmanager
async def parrot() -> AsyncIterator[str]:
    """The server that the plug-in is for."""

    async def birds(request: web.Request) -> web.Response:
        check(request)
        return web.json_response([{"name": "polly"}, {"name": 7}, "odd"])

    async def say(request: web.Request) -> web.StreamResponse:
        check(request)
        if request.match_info["bird"] != "polly":
            raise web.HTTPNotFound
        body = await request.json()
        words = body["heard"].split()
        response = web.StreamResponse()
        await response.prepare(request)
        for word in words:
            await response.write(json.dumps({"word": f"{word} "}).encode() + b"\n")
        await response.write(json.dumps({"end": "stop", "words": len(words)}).encode() + b"\n")
        return response

    def check(request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            raise web.HTTPUnauthorized

    app = web.Application()
    app.router.add_get("/birds", birds)
    app.router.add_post("/birds/{bird}", say)
    async with serving(app) as url:
        yield url


def test_it_is_as_short_as_it_says() -> None:
    assert len(taken("python").splitlines()) <= MOST_LINES


async def test_the_plug_in_of_the_document_serves(tmp_path: Path) -> None:
    outsider = Outsider(tmp_path / "person", await install(tmp_path, taken("python")))
    [kind] = await outsider("providers", "kinds", "parrot")
    assert (kind["kind"], kind["cloud"], kind["key"]) == ("parrot", False, "optional")
    assert kind["about"] == "Repeats what it hears, word by word."
    async with parrot() as url:
        refused = await outsider("providers", "add", "parrot", "--url", url, code=1)
        assert "key" in refused["error"]
        added = await outsider("providers", "add", "parrot", "--url", url, "--key-env", "PARROT_KEY")
        assert added["validation"]["message"] == "Parrot answers; it offers 1 model."
        reply = await outsider("chat", "parrot/polly", "who is a pretty bird")
        assert reply["text"] == "who is a pretty bird "
        assert reply["usage"]["completion_tokens"] == 5
        missing = await outsider("chat", "parrot/nobody", "hello", code=5)
        assert "nobody" in missing["error"]


async def test_a_plug_in_that_cannot_be_loaded_is_left_out(tmp_path: Path) -> None:
    outsider = Outsider(tmp_path / "person", await install(tmp_path, "import no_such_module_at_all\n"))
    kinds = {item["kind"] for item in await outsider("providers", "kinds")}
    assert "ollama" in kinds
    assert "parrot" not in kinds
