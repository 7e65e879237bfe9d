"""Secrets that must never be seen again once they were told, and the eye that looks for them."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil
from aiohttp import web

from tests.dashboard.serving import Browser
from tests.engines.compatible import CompatibleSimulator, problem


@dataclass(frozen=True)
class Canaries:
    """One secret for each way in which a person hands one over."""

    provider: str = "sk-canary-provider-Q7zr41Vx90aB"  # typed into a form
    variable: str = "sk-canary-variable-M3kd82Lw57cD"  # in the environment, by its usual name
    token: str = "hf_canarytokenT5np63Jy28eF"  # pasted to sign in
    odd: str = 'canary "odd" & /percent%\\n\u00e4'  # with everything that some form of writing changes
    master: str = base64.b64encode(bytes(range(60, 92))).decode()  # the master key

    def forms(self) -> Iterator[tuple[str, bytes]]:
        """Each as it may be written somewhere."""
        for name, value in vars(self).items():
            data = value.encode()
            escaped = json.dumps(value)[1:-1].encode()
            packed = base64.b64encode(data).rstrip(b"="), base64.urlsafe_b64encode(data).rstrip(b"=")
            for form in {data, escaped, *packed, data.hex().encode(), quote(value).encode(), data[::-1]}:
                yield name, form
        raw = base64.urlsafe_b64decode(self.master.replace("+", "-").replace("/", "_"))
        yield "master", raw
        yield "master", raw.hex().encode()
        yield "master", base64.urlsafe_b64encode(raw).rstrip(b"=")


@dataclass
class Watch:
    """Looks at everything that comes out, and counts it: a test that looked at nothing proves nothing."""

    canaries: Canaries = field(default_factory=Canaries)
    looked: int = 0

    def look(self, where: str, what: object) -> None:
        """Fail if a canary is in it."""
        text = what if isinstance(what, bytes) else str(what).encode("utf-8", "surrogatepass")
        self.looked += len(text)
        for name, form in self.canaries.forms():
            assert form not in text, f"the secret “{name}” is in {where}"

    def look_at_files(self, folder: Path) -> None:
        """Every file below a folder, names included."""
        for file in sorted(folder.rglob("*")):
            self.look(f"the name {file}", file.name)
            if file.is_file() and not file.is_symlink():
                self.look(str(file), file.read_bytes())

    def look_at_children(self, pid: int) -> int:
        """What everyone on the machine, or at least of the account, can see of a process's children; how many."""
        children = psutil.Process(pid).children(recursive=True)
        for child in children:
            self.look(f"the arguments of {child.name()}", Path(f"/proc/{child.pid}/cmdline").read_bytes())
            self.look(f"the environment of {child.name()}", Path(f"/proc/{child.pid}/environ").read_bytes())
        return len(children)


class Quoting(CompatibleSimulator):
    """A service that quotes the key which it refuses, as some do."""

    def wrong_key(self) -> web.Response:
        told = self.headers[-1].get("Authorization", "")
        return problem(401, f"Incorrect API key provided: {told}.", "invalid_request_error", "invalid_api_key")


async def document(browser: Browser, address: str) -> str:
    """What a page's session holds, as a browser gets it over the websocket."""
    seen = await browser.get(address)
    assert seen.status == 200, seen.text
    token = seen.text.partition('"token":"')[2].partition('"')[0]
    said: list[str] = [seen.text]
    async with browser.websocket(token) as socket:
        for frame in ('{"msgid": "1", "msgtype": "PULL-DOC-REQ"}', "{}", "{}"):
            await socket.send_str(frame)
        # A message is a header, metadata and content, each a frame of its own.
        while not any("PULL-DOC-REPLY" in frame for frame in said[-3:-2]):
            message = await socket.receive(timeout=30)
            said.append(message.data if isinstance(message.data, str) else repr(message.data))
    return "\n".join(said)
