"""ModelScope, a registry and a web host, as their answers are on the wire, with their quirks and what may go wrong."""

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.core.vetting import ggufs

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
Seen = list[tuple[str, str, str]]


def gguf(seed: str = "tiny", padding: int = 0) -> bytes:
    """A GGUF file that the scanner passes."""
    keys = [("general.architecture", ggufs.STRING, "llama"), ("general.name", ggufs.STRING, seed)]
    return ggufs.build(keys, [("token_embd.weight", ggufs.F32_TENSOR, (32, 4 + padding))])


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def send(request: web.Request, data: bytes, **headers: str) -> web.Response:
    """The bytes, or the part of them that is asked for."""
    head = {"ETag": f'"{sha256(data)[:16]}"', **headers}
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    if match is None:
        return web.Response(body=data, headers=head)
    first, last = int(match[1]), int(match[2] or len(data) - 1)
    last = min(last, len(data) - 1)
    if first > last:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
    head["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return web.Response(status=206, body=data[first : last + 1], headers=head)


class Site:
    """What every simulator has: a note of each request with its token, and an answer in place of its own."""

    def __init__(self) -> None:
        self.seen: Seen = []
        self.instead: dict[str, web.Response | Any] = {}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seen.append((request.method, request.path_qs, token))
        for part, answer in self.instead.items():
            if part in request.path_qs:
                found = answer(request) if callable(answer) else answer
                return await found if asyncio.iscoroutine(found) else found
        return await self.answer(request)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError

    def asked(self, part: str) -> list[str]:
        """The paths asked that hold this."""
        return [path for _, path, _ in self.seen if part in path]


@dataclass
class ModelScopeRepo:
    files: dict[str, bytes]
    commit: str = "c" * 40
    private: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)


class ModelScope(Site):
    """`names_commits=False`: the service leaves the commit's id empty, as it often does. `page`: 0 pages nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.repos: dict[str, ModelScopeRepo] = {}
        self.names_commits = True
        self.page = 0
        self.cdn = ""
        self.token = "ms-secret"
        self.refuses_with_200 = False

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path == "/openapi/v1/models":
            return self._search(request)
        if path.startswith("/cdn/"):
            return send(request, next(data for data in self._all() if sha256(data) == path.removeprefix("/cdn/")))
        _, _, tail = path.partition("/models/")
        repo = self.repos.get("/".join(tail.split("/")[:2]))
        signed = request.cookies.get("m_session_id") == self.token or self.token in request.headers.get(
            "Authorization", ""
        )
        if repo is None or (repo.private and not signed):
            return self._missing("Model not found")
        if path.startswith("/openapi/"):
            return self._said({"id": "/".join(tail.split("/")[:2]), **repo.fields})
        if request.query.get("Revision") not in ("master", repo.commit):
            return self._missing("the revision does not exist")
        if path.endswith("/repo/files"):
            return self._list(request, repo)
        return self._send(request, repo)

    def _all(self) -> list[bytes]:
        return [data for repo in self.repos.values() for data in repo.files.values()]

    def _search(self, request: web.Request) -> web.Response:
        words = request.query.get("search", "").lower()
        found = [name for name, repo in sorted(self.repos.items()) if words in name.lower() and not repo.private]
        size, number = int(request.query["page_size"]), int(request.query["page_number"])
        rows = [{"id": name, **self.repos[name].fields} for name in found[(number - 1) * size : number * size]]
        return self._said({"models": rows, "total_count": len(found), "page_number": number, "page_size": size})

    def _list(self, request: web.Request, repo: ModelScopeRepo) -> web.Response:
        rows: list[dict[str, Any]] = [{"Path": "sub", "Name": "sub", "Type": "tree", "Size": 0, "Sha256": ""}]
        rows += [
            {"Path": path, "Name": path, "Type": "blob", "Size": len(data), "Sha256": sha256(data), "IsLFS": True}
            for path, data in repo.files.items()
        ]
        latest = {"Id": repo.commit if self.names_commits else "", "ShortId": repo.commit[:8]}
        said: dict[str, Any] = {"Files": rows, "LatestCommitter": latest}
        if self.page:
            number = int(request.query["PageNumber"])
            said |= {"Files": rows[(number - 1) * self.page : number * self.page], "TotalCount": len(rows)}
        return web.json_response({"Code": 200, "Data": said, "Message": "success", "Success": True})

    def _send(self, request: web.Request, repo: ModelScopeRepo) -> web.StreamResponse:
        data = repo.files.get(request.query.get("FilePath", ""))
        if data is None:
            return self._missing("file not found")
        if self.cdn and len(data) > 200:
            raise web.HTTPFound(f"{self.cdn}/cdn/{sha256(data)}")
        return send(request, data)

    def _missing(self, message: str) -> web.Response:
        said = {"Code": 10010205001, "Message": message, "Success": False, "success": False}
        return web.json_response(said, status=200 if self.refuses_with_200 else 404)

    def _said(self, data: object) -> web.Response:
        return web.json_response({"success": True, "request_id": "1", "data": data})


class Registry(Site):
    """A registry. `demands`: it wants a token of `realm` for everything but the realm itself."""

    def __init__(self) -> None:
        super().__init__()
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[str, bytes] = {}
        self.demands = False
        self.realm = ""
        self.cdn = ""
        self.issued = 0
        self.valid = ["short-x"]

    def push(self, name: str, *layers: tuple[str, bytes], config: Mapping[str, Any] | bytes | None = None) -> bytes:
        """Publish `library/name:tag`; the manifest."""
        described = config if isinstance(config, bytes) else json.dumps(config or CONFIG).encode()
        rows = [{"mediaType": f"application/vnd.ollama.image.{kind}", **self.blob(data)} for kind, data in layers]
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **self.blob(described)},
                "layers": rows,
            }
        ).encode()
        self.tags[name] = manifest
        self.blobs[f"sha256:{sha256(manifest)}"] = manifest
        return manifest

    def blob(self, data: bytes) -> dict[str, Any]:
        digest = f"sha256:{sha256(data)}"
        self.blobs[digest] = data
        return {"digest": digest, "size": len(data)}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            self.issued += 1
            self.valid.append(f"short-{self.issued}")
            return web.json_response({"token": f"short-{self.issued}", "expires_in": 300})
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.path.startswith("/cdn/"):
            return send(request, self.blobs[request.path.removeprefix("/cdn/")])
        if self.demands and token not in self.valid:
            challenge = f'Bearer realm="{self.realm}",service="registry",scope="repository:library/tiny:pull"'
            return web.json_response({"errors": []}, status=401, headers={"WWW-Authenticate": challenge})
        repo, kind, reference = request.path.removeprefix("/v2/").rsplit("/", 2)
        if kind == "manifests" and (found := self.tags.get(f"{repo}:{reference}")):
            return web.Response(body=found, content_type="application/vnd.docker.distribution.manifest.v2+json")
        if kind == "blobs" and (found := self.blobs.get(reference)):
            if self.cdn:
                raise web.HTTPTemporaryRedirect(f"{self.cdn}/cdn/{reference}")
            return send(request, found)
        return web.json_response({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, status=404)


CONFIG = {
    "model_format": "gguf",
    "model_family": "llama",
    "model_type": "1.2B",
    "file_type": "Q8_0",
    "architecture": "amd64",
    "os": "linux",
}


class Host(Site):
    """A web host with files."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        data = self.files.get(request.path)
        return web.Response(status=404) if data is None else send(request, data)
