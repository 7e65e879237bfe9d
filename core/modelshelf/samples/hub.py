"""A small HTTPS hub on loopback that speaks as the Hugging Face Hub does: offline demo, self-test, tests.

Two origins, as in the real Hub: one with the API and the resolver, and a content server to which large files are
redirected with a signed address. Both use a certificate of the hub's own authority.
"""

import asyncio
import secrets
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web
from filelock import FileLock

from modelshelf.samples.accounts import ACCOUNTS, Account
from modelshelf.samples.certificates import Certificates, certificates
from modelshelf.samples.faults import Faults, Switchboard
from modelshelf.samples.log import HubRequest, note
from modelshelf.samples.repository import FIRST_DAY, Gate, HubFile, HubRepo, hub_file, make_commit
from modelshelf.samples.routes import Routes

REMEMBERED = 20_000


class SampleHub:
    """The hub. Start it on a running loop; it ends with `stop`.

    `repos` are by name, `accounts` by token.

    `folder` keeps the certificates and the sample models, which are made at the first start. `port` 0 takes a free one.
    `samples=False` starts it empty, for tests that bring their own repositories; `page` models are on a page of a list
    at most.
    """

    name = "samples"

    def __init__(
        self, folder: Path, *, faults: Faults | None = None, port: int = 0, samples: bool = True, page: int = 20
    ) -> None:
        self.folder = folder
        self.page = page
        self.requests: deque[HubRequest] = deque(maxlen=REMEMBERED)
        self.active = 0
        self.peak = 0
        self.repos: dict[str, HubRepo] = {}
        self.accounts: dict[str, Account] = dict(ACCOUNTS)
        self.signatures: dict[str, tuple[HubFile, int]] = {}
        self._samples = samples
        self._port = port
        self._switchboard = Switchboard(faults or Faults())
        self._certificates: Certificates | None = None
        self._client_context: ssl.SSLContext | None = None
        self._runner: web.AppRunner | None = None
        self._origins: dict[str, str] = {}

    @property
    def faults(self) -> Faults:
        """What goes wrong; set it to change that and to count anew."""
        return self._switchboard.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._switchboard = Switchboard(faults)

    @property
    def switchboard(self) -> Switchboard:
        """The faults in force and their counts."""
        return self._switchboard

    @property
    def url(self) -> str:
        """The endpoint, as HF_ENDPOINT wants it: `https://127.0.0.1:port`."""
        return self._origins["api"]

    @property
    def cdn_url(self) -> str:
        """The origin that large files are redirected to."""
        return self._origins["cdn"]

    @property
    def hosts(self) -> frozenset[str]:
        """The origins that redirects may lead to, for `Location.hosts`."""
        return frozenset({self.cdn_url})

    @property
    def ca_file(self) -> Path:
        """The authority's certificate, as SSL_CERT_FILE wants it."""
        return self._made.ca

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The context for clients that trusts this hub alone; one per hub, so that connections can be kept by it."""
        if self._client_context is None:
            self._client_context = self._made.client_context()
        return self._client_context

    @property
    def _made(self) -> Certificates:
        if self._certificates is None:
            raise RuntimeError("the sample hub has not been started")
        return self._certificates

    async def start(self) -> None:
        """Make what is missing and listen.

        Raises:
            OSError: the folder cannot be written, or the port is taken.
        """
        self._client_context = None
        self._certificates, built = await asyncio.to_thread(self._prepare)
        self.repos = {**built, **self.repos}
        app = web.Application(middlewares=[self._record])
        app.add_routes(Routes(self).table())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handle_signals=False)
        await self._runner.setup()
        context = self._made.server_context()
        try:
            await self._listen("api", self._port, context)
            await self._listen("cdn", 0, context)
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close the ports and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            self._origins = {}

    async def add(
        self,
        repo: str,
        files: Mapping[str, bytes | Path],
        *,
        gated: Gate | bool = False,
        private: bool = False,
        tags: tuple[str, ...] = (),
        security: Mapping[str, str] | None = None,
        xet: Mapping[str, str] | None = None,
        date: str = FIRST_DAY,
        **fields: Any,
    ) -> HubRepo:
        """Publish a repository, or a new commit of one; a Path is served from where it lies, not copied.

        `security` gives the scanners' verdicts by path, `xet` the hashes of what is in the Xet store; `fields` are
        further fields of `HubRepo` (task, library, card, downloads …). Returns the repository with the new commit as
        its head.
        """
        verdicts, hashes = security or {}, xet or {}

        def hashed(path: str) -> HubFile:
            return hub_file(path, files[path], security=verdicts.get(path, "safe"), xet=hashes.get(path, ""))

        made = await asyncio.to_thread(lambda: {path: hashed(path) for path in files})
        old = self.repos.get(repo)
        commit = make_commit(made, old.head.id if old else "", date)
        gate: Gate = "auto" if gated is True else gated
        if old is None:
            self.repos[repo] = HubRepo(repo, (commit,), gated=gate, private=private, tags=tags, **fields)
        else:
            fields |= {"tags": tags} if tags else {}
            self.repos[repo] = replace(old.with_commit(commit), gated=gate, private=private, **fields)
        return self.repos[repo]

    def remove(self, repo: str) -> None:
        """Take a repository away, as a publisher may."""
        self.repos.pop(repo, None)

    def sign(self, file: HubFile) -> str:
        """A signed address of a file at the content server."""
        signature = secrets.token_hex(16)
        if len(self.signatures) >= REMEMBERED:
            del self.signatures[next(iter(self.signatures))]
        self.signatures[signature] = (file, 0)
        return f"{self.cdn_url}/content/{file.sha256}?signature={signature}"

    async def plain_url(self) -> str:
        """The origin of a listener without TLS, which only notes that somebody came."""
        if "plain" not in self._origins:
            await self._listen("plain", 0, None)
        return self._origins["plain"]

    def place(self, request: web.Request) -> str:
        """Which of the origins a request came to: api | cdn | plain."""
        port = f":{(request.transport.get_extra_info('sockname') if request.transport else ('', 0))[1]}"
        return next((name for name, origin in self._origins.items() if origin.endswith(port)), "api")

    def _prepare(self) -> tuple[Certificates, dict[str, HubRepo]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock"):
            made = certificates(self.folder / "tls")
            if not self._samples:
                return made, {}
            from modelshelf.samples.shipped import repositories

            return made, {repo.id: repo for repo in repositories(self.folder / "models")}

    async def _listen(self, name: str, port: int, context: ssl.SSLContext | None) -> None:
        assert self._runner is not None  # noqa: S101 - start() has just made it
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=context, reuse_address=True)
        await site.start()
        taken = {int(origin.rpartition(":")[2]) for origin in self._origins.values()}
        ports = [address[1] for address in self._runner.addresses if address[1] not in taken]
        self._origins[name] = f"{'https' if context else 'http'}://127.0.0.1:{ports[0]}"

    @web.middleware
    async def _record(self, request: web.Request, handler: Any) -> web.StreamResponse:
        entry = note(request, self.place(request))
        self.requests.append(entry)
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            response: web.StreamResponse = await handler(request)
        finally:
            self.active -= 1
        entry.status = response.status
        return response
