"""The addresses of the sample hub and what each answers, errors and headers as the real Hub has them."""

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiohttp import web

from modelshelf.samples import answers
from modelshelf.samples.accounts import Account
from modelshelf.samples.delivery import Delivery
from modelshelf.samples.faults import Place
from modelshelf.samples.log import ENTRY
from modelshelf.samples.repository import Commit, HubFile, HubRepo

if TYPE_CHECKING:
    from modelshelf.samples.hub import SampleHub


class Refused(Exception):
    """An error answer in the Hub's form."""

    def __init__(self, status: int, message: str, code: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items() if value}

    def response(self) -> web.Response:
        """What goes over the wire."""
        headers = {"X-Error-Message": self.message, **self.headers}
        if self.code:
            headers["X-Error-Code"] = self.code
        return web.json_response({"error": self.message}, status=self.status, headers=headers)


class Routes:
    """The handlers, on the state of a hub."""

    def __init__(self, hub: "SampleHub") -> None:
        self._hub = hub

    def table(self) -> list[web.RouteDef]:
        """Every address."""
        repo = "{org}/{name}"
        return [
            web.get("/api/whoami-v2", self._guarded("api", self.whoami)),
            web.get("/api/models", self._guarded("api", self.search)),
            web.get(f"/api/models/{repo}", self._guarded("api", self.model)),
            web.get(f"/api/models/{repo}/revision/{{revision}}", self._guarded("api", self.model)),
            web.get(f"/api/models/{repo}/auth-check", self._guarded("api", self.access)),
            web.get(f"/api/models/{repo}/refs", self._guarded("api", self.refs)),
            web.get(f"/api/models/{repo}/commits/{{revision}}", self._guarded("api", self.commits)),
            web.get(f"/api/models/{repo}/tree/{{revision}}", self._guarded("api", self.tree)),
            web.get(f"/api/models/{repo}/tree/{{revision}}/{{folder:.*}}", self._guarded("api", self.tree)),
            web.post(f"/api/models/{repo}/paths-info/{{revision}}", self._guarded("api", self.paths)),
            web.get(f"/api/resolve-cache/models/{repo}/{{revision}}/{{path:.+}}", self._guarded("api", self.small)),
            web.get(f"/{repo}/resolve/{{revision}}/{{path:.+}}", self._guarded("resolve", self.resolve)),
            web.get("/content/{sha256}", self._guarded("cdn", self.content)),
            web.route("*", "/{rest:.*}", self._guarded("api", self.nothing)),
        ]

    def _guarded(self, place: Place, handler: Any) -> Any:
        async def answer(request: web.Request) -> web.StreamResponse:
            entry, faults = request[ENTRY], self._hub.faults
            if entry.place == "plain":
                return web.Response(status=418, text="plain http is not meant to be used\n")
            entry.place = place
            if faults.latency:
                await asyncio.sleep(faults.latency)
            if faults.cdn_down if place == "cdn" else faults.api_down:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=503)
            try:
                self._stumble(place)
                response: web.StreamResponse = await handler(request)
            except Refused as refused:
                response = refused.response()
            return response

        return answer

    def _stumble(self, place: Place) -> None:
        board = self._hub.switchboard
        faults = board.faults
        if faults.status and faults.status_on == place and board.take("status", faults.status_times):
            told = {"Retry_After": faults.retry_after, "RateLimit": faults.ratelimit}
            raise Refused(faults.status, "The sample hub was told to fail.", **told)

    async def whoami(self, request: web.Request) -> web.StreamResponse:
        """Who the token belongs to."""
        account = self._account(request)
        if account is None:
            raise Refused(401, "Invalid credentials in Authorization header")
        return web.json_response(account.whoami())

    async def access(self, request: web.Request) -> web.StreamResponse:
        """Whether the files of a repository are open to who asks."""
        repo, _ = self._found(request)
        self._let_in(request, repo)
        return web.json_response({})

    async def search(self, request: web.Request) -> web.StreamResponse:
        """A page of the list; the Link header leads to the next."""
        self._account(request)
        query = {key: request.query.getall(key) for key in request.query}
        hits = await asyncio.to_thread(answers.found, list(self._hub.repos.values()), query)
        wanted = _number(request.query.get("limit"), 1000)
        start, size = _number(request.query.get("cursor"), 0), min(wanted, self._hub.page)
        fields = query.get("expand") or (answers.SEARCH_FIELDS if "full" not in query else answers.DETAIL_FIELDS)
        page = [answers.model(repo, repo.head, fields) for repo in hits[start : start + size]]
        headers = {}
        end, board = start + size, self._hub.switchboard
        if start and board.take("repeat", board.faults.repeat):
            end = start
        if end < len(hits) or board.faults.endless:
            following = request.url.update_query(cursor=str(end if end < len(hits) else 0), again=_again(request))
            headers["Link"] = f'<{self._hub.url}{following.raw_path_qs}>; rel="next"'
        return web.json_response(page, headers=headers)

    async def model(self, request: web.Request) -> web.StreamResponse:
        """One repository at a commit."""
        repo, commit = self._found(request)
        fields = request.query.getall("expand", []) or answers.DETAIL_FIELDS
        blobs, security = _on(request, "blobs"), _on(request, "securityStatus")
        return web.json_response(answers.model(repo, commit, fields, blobs=blobs, security=security))

    async def refs(self, request: web.Request) -> web.StreamResponse:
        """The branches: one."""
        repo, _ = self._found(request)
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.head.id}
        return web.json_response({"branches": [main], "converts": [], "tags": []})

    async def commits(self, request: web.Request) -> web.StreamResponse:
        """The commits that lead to a revision, the newest first, page by page."""
        repo, commit = self._found(request)
        told = answers.commits(repo.commits[: repo.commits.index(commit) + 1])
        start, size = _number(request.query.get("p"), 0), max(_number(request.query.get("limit"), 50), 1)
        headers = {"X-Total-Count": str(len(told))}
        if (start + 1) * size < len(told):
            following = request.url.update_query(p=str(start + 1))
            headers["Link"] = f'<{self._hub.url}{following.raw_path_qs}>; rel="next"'
        return web.json_response(told[start * size : (start + 1) * size], headers=headers)

    async def tree(self, request: web.Request) -> web.StreamResponse:
        """What lies in a folder of a commit."""
        _, commit = self._found(request)
        recursive, expand = _on(request, "recursive"), _on(request, "expand")
        entries = answers.tree(commit, request.match_info.get("folder", ""), recursive=recursive, expand=expand)
        if entries is None:
            raise Refused(404, "Entry not found", "EntryNotFound")
        start, size = _number(request.query.get("cursor"), 0), _number(request.query.get("limit"), 1000)
        headers = {"X-Repo-Commit": commit.id}
        if start + size < len(entries):
            following = request.url.update_query(cursor=str(start + size))
            headers["Link"] = f'<{self._hub.url}{following.raw_path_qs}>; rel="next"'
        return web.json_response(entries[start : start + size], headers=headers)

    async def paths(self, request: web.Request) -> web.StreamResponse:
        """The named files of a commit."""
        _, commit = self._found(request)
        asked: Any = await (request.json() if request.content_type == "application/json" else request.post())
        names = asked.getall("paths", []) if hasattr(asked, "getall") else asked["paths"]
        expand = str(asked.get("expand", "")).lower() == "true"
        found = [commit.files[path] for path in names if path in commit.files]
        return web.json_response([answers.file_entry(file, commit, expand=expand) for file in found])

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        """Where the bytes of a file are: large ones at the content server, small ones in the cache of this one."""
        repo, commit, file = self._file(request)
        headers = {
            "X-Repo-Commit": commit.id,
            "X-Linked-Size": str(file.size),
            "X-Linked-Etag": f'"{file.etag}"',
            "ETag": f'"{file.etag}"',
            "Accept-Ranges": "bytes",
        }
        if file.xet:
            told = f'<{self._hub.url}/api/models/{repo.id}/xet-read-token/{commit.id}>; rel="xet-auth"'
            headers |= {"X-Xet-Hash": file.xet, "Link": told}
        if not file.lfs:
            where = f"/api/resolve-cache/models/{repo.id}/{commit.id}/{quote(file.path)}"
            return web.Response(status=307, headers={**headers, "Location": where})
        where = self._hub.sign(file)
        board = self._hub.switchboard
        if request.method == "GET" and board.take("plain_redirect", board.faults.plain_redirect):
            where = where.replace(self._hub.cdn_url, await self._hub.plain_url())
        return web.Response(status=302, headers={**headers, "Location": where})

    async def small(self, request: web.Request) -> web.StreamResponse:
        """The bytes of a small file."""
        _, commit, file = self._file(request)
        return await self._deliver(request, file, {"X-Repo-Commit": commit.id}, spoilt=False)

    async def content(self, request: web.Request) -> web.StreamResponse:
        """The bytes of a large file, for who holds a signature that is still good."""
        if "Authorization" in request.headers:
            raise Refused(400, "Only one auth mechanism allowed: the signature, not the Authorization header.")
        signature = request.query.get("signature", "")
        file, uses = self._hub.signatures.get(signature, (None, 0))
        limit = self._hub.faults.signature_uses
        if file is None or file.sha256 != request.match_info["sha256"] or (limit and uses >= limit):
            raise Refused(403, "The signature is wrong or has expired.")
        self._hub.signatures[signature] = (file, uses + 1)
        return await self._deliver(request, file, {}, spoilt=True)

    async def nothing(self, _: web.Request) -> web.StreamResponse:
        """Any other address."""
        raise Refused(404, "Sorry, we can't find the page you are looking for.")

    async def _deliver(
        self, request: web.Request, file: HubFile, headers: dict[str, str], *, spoilt: bool
    ) -> web.StreamResponse:
        delivery = Delivery(request, file, self._hub.switchboard, spoilt=spoilt)
        try:
            return await delivery.answer(headers)
        finally:
            request[ENTRY].sent = delivery.sent

    def _account(self, request: web.Request) -> Account | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer" or token not in self._hub.accounts or self._hub.faults.revoked:
            raise Refused(401, "Invalid credentials in Authorization header")
        return self._hub.accounts[token]

    def _found(self, request: web.Request) -> tuple[HubRepo, Commit]:
        account = self._account(request)
        repo = self._hub.repos.get(f"{request.match_info['org']}/{request.match_info['name']}")
        if repo is None or (repo.private and (account is None or account.access != "granted")):
            if account is None:
                raise Refused(401, "Invalid username or password.", "RepoNotFound")
            raise Refused(404, "Repository not found", "RepoNotFound")
        revision = request.match_info.get("revision", "main")
        commit = repo.commit(revision)
        if commit is None:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return repo, commit

    def _file(self, request: web.Request) -> tuple[HubRepo, Commit, HubFile]:
        repo, commit = self._found(request)
        self._let_in(request, repo)
        file = commit.files.get(request.match_info["path"])
        if file is None:
            raise Refused(404, "Entry not found", "EntryNotFound", X_Repo_Commit=commit.id)
        return repo, commit, file

    def _let_in(self, request: web.Request, repo: HubRepo) -> None:
        account = self._account(request)
        if not repo.gated:
            return
        if account is None:
            wanted = "You must have access to it and be authenticated to access it. Please log in."
            raise Refused(401, f"Access to model {repo.id} is restricted. {wanted}", "GatedRepo")
        if refusal := account.refusal(repo.id, self._hub.url):
            raise Refused(403, refusal, "GatedRepo")


def _again(request: web.Request) -> str:
    """A cursor is never the same as an earlier one."""
    return str(_number(request.query.get("again"), 0) + 1)


def _on(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in {"true", "1"}


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdigit() else otherwise
