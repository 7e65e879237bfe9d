"""ModelScope, as its REST API answers and as it misbehaves."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from modelshelf.catalog.sources.modelscope import ModelScopeSource
from modelshelf.config import SourceConfig
from modelshelf.downloads import JobStatus
from modelshelf.errors import GatedRepository, NotSignedIn, RepositoryNotFound, RevisionNotFound, Unreachable
from modelshelf.vault import Secret
from tests.core.catalog.conftest import Serve
from tests.core.sources.conftest import Place
from tests.core.sources.simulators import ModelScopeRepo, Site, gguf, send, sha256

WEIGHTS = gguf()
FILES = {"tiny-Q4_K_M.gguf": WEIGHTS, "README.md": b"# Tiny", "config.json": b"{}"}
FIELDS = {
    "downloads": 12,
    "likes": 3,
    "license": "Apache License 2.0",
    "tasks": ["text-generation"],
    "tags": ["GGUF"],
    "params": 5_000,
    "created_at": "2026-01-02T03:04:05Z",
    "last_modified": 1_772_000_000,
}


async def test_a_search_says_what_the_service_says(modelscope: Place) -> None:
    modelscope.site.repos["org/tiny-GGUF"] = ModelScopeRepo(FILES, fields=FIELDS)
    modelscope.site.repos["org/other"] = ModelScopeRepo(FILES)
    (row,) = (await modelscope.shelf.catalog.find("tiny")).rows
    assert (row.repo, row.source, row.downloads, row.likes) == ("org/tiny-GGUF", "here", 12, 3)
    assert (row.task, row.licence, row.formats, row.parameters) == (
        "text-generation",
        "apache-license-2.0",
        ("gguf",),
        5_000,
    )
    assert row.created is not None
    assert row.modified is not None


async def test_many_results_come_in_pages(modelscope: Place) -> None:
    for number in range(120):
        modelscope.site.repos[f"org/m{number:03}"] = ModelScopeRepo({})
    found = await modelscope.shelf.catalog.find("", limit=110)
    assert len({row.repo for row in found.rows}) == 110
    assert len(modelscope.site.asked("/openapi/v1/models?")) == 3


@pytest.mark.parametrize("page", [0, 2])
@pytest.mark.parametrize("names_commits", [True, False])
async def test_a_model_lands_with_the_published_sha256(modelscope: Place, names_commits: bool, page: int) -> None:
    modelscope.site.repos["org/tiny"] = ModelScopeRepo(FILES, fields=FIELDS)
    modelscope.site.names_commits, modelscope.site.page = names_commits, page
    detail = await modelscope.shelf.catalog.detail("here:org/tiny")
    assert (detail.readme, [file.path for file in detail.files]) == ("# Tiny", sorted(FILES))
    assert (detail.commit == "c" * 40) is names_commits
    job = await modelscope.fetch("here:org/tiny")
    assert job.status is JobStatus.DONE, job.error
    assert modelscope.landed(job) == {"tiny-Q4_K_M.gguf": sha256(WEIGHTS)}
    assert job.commit == detail.commit
    ref = modelscope.config.paths.cache / "models--org--tiny/refs/main"
    assert ref.read_text() == detail.commit


async def test_a_commit_without_a_name_is_found_again_until_the_model_changes(modelscope: Place) -> None:
    modelscope.site.repos["org/tiny"] = ModelScopeRepo(FILES)
    modelscope.site.names_commits = False
    commit = (await modelscope.shelf.catalog.detail("here:org/tiny")).commit
    # Two processes that did not make the plan, one of them too late.
    settings = SourceConfig(name="here", kind="modelscope", url=modelscope.url)
    first, second = (ModelScopeSource(settings, modelscope.config) for _ in range(2))
    assert "Revision=master" in (await first.locate("org/tiny", commit, "config.json")).url
    modelscope.site.repos["org/tiny"] = ModelScopeRepo({**FILES, "config.json": b"[]"})
    with pytest.raises(RevisionNotFound, match="changed since"):
        await second.locate("org/tiny", commit, "config.json")
    for source in (first, second):
        await source.aclose()


class Cdn(Site):
    async def answer(self, request: web.Request) -> web.StreamResponse:
        return send(request, WEIGHTS)


async def test_large_files_come_from_the_content_server_without_the_token(modelscope: Place, serve: Serve) -> None:
    cdn, site = Cdn(), modelscope.site
    async with serve(cdn) as url:
        site.cdn = url
        settings = {"name": "here", "kind": "modelscope", "url": modelscope.url, "hosts": [url], "token_env": "MS"}
        modelscope.config.set("sources", [settings])
        modelscope.config.environ["MS"] = site.token
        site.repos["org/tiny"] = ModelScopeRepo(FILES, private=True)
        job = await modelscope.fetch("here:org/tiny")
    assert job.status is JobStatus.DONE, job.error
    assert [token for _, _, token in cdn.seen] == [""]
    assert {token for _, path, token in site.seen if "org/tiny" in path} == {site.token}


async def test_a_private_model_needs_the_token_that_was_saved(modelscope: Place) -> None:
    modelscope.site.repos["org/secret"] = ModelScopeRepo(FILES, private=True)
    with pytest.raises(RepositoryNotFound):
        await modelscope.shelf.catalog.detail("here:org/secret")
    await modelscope.shelf.sources.save_token("here", Secret(modelscope.site.token))
    assert (await modelscope.shelf.catalog.detail("here:org/secret")).commit
    # Moved to another address the source gets no token any more.
    modelscope.config.set("sources", [{"name": "here", "kind": "modelscope", "url": modelscope.url + "/"}])
    assert (await modelscope.shelf.catalog.source("here").locate("org/secret", "c" * 40, "config.json")).headers
    other = modelscope.url.replace("127.0.0.1", "localhost")
    modelscope.config.set("sources", [{"name": "here", "kind": "modelscope", "url": other}])
    with pytest.raises(RepositoryNotFound):
        await modelscope.shelf.catalog.source("here").detail("org/secret")


@pytest.mark.parametrize("with_200", [True, False])
async def test_what_is_not_there_is_told_apart(modelscope: Place, with_200: bool) -> None:
    modelscope.site.refuses_with_200 = with_200
    modelscope.site.repos["org/tiny"] = ModelScopeRepo(FILES)
    with pytest.raises(RepositoryNotFound, match="org/none"):
        await modelscope.shelf.catalog.detail("here:org/none")
    for revision in ("v9", "d" * 40):
        with pytest.raises(RevisionNotFound, match=revision):
            await modelscope.shelf.catalog.detail(f"here:org/tiny@{revision}")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"Code": 401, "Message": "login"}, NotSignedIn),
        ({"Code": 403, "Message": "no"}, GatedRepository),
        ({"Code": 500, "Message": "oh"}, Unreachable),
        ([1], Unreachable),
        ("text", Unreachable),
        ({"success": True, "data": {"models": "no list"}}, None),
        ({"success": True, "data": {"models": [{"id": "../../etc"}, {"id": 5}, None]}}, None),
    ],
)
async def test_hostile_answers_are_one_sentence(modelscope: Place, said: Any, kind: type[Exception] | None) -> None:
    modelscope.site.instead["/openapi/"] = lambda _: web.json_response(said)
    source = modelscope.shelf.catalog.source("here")
    if kind is None:
        assert list(await source.search("x")) == []
        return
    with pytest.raises(kind) as caught:
        await source.search("x")
    assert getattr(caught.value, "remedy", "")


async def test_ten_thousand_files_and_names_that_escape(modelscope: Place) -> None:
    many = {f"part/{number:05}.json": b"{}" for number in range(10_000)}
    names = {"../../evil.gguf": WEIGHTS, "/etc/passwd": b"x", "a//b.json": b"x", "c\\d.json": b"x", "ok.gguf": WEIGHTS}
    modelscope.site.repos["org/many"] = ModelScopeRepo({**many, **names})
    modelscope.site.page = 500
    detail = await modelscope.shelf.catalog.detail("here:org/many")
    assert len(detail.files) == 10_001
    job = await modelscope.fetch("here:org/many")
    assert modelscope.landed(job) == {"ok.gguf": sha256(WEIGHTS)}


async def test_a_size_that_lies_and_other_bytes_land_nowhere(modelscope: Place) -> None:
    modelscope.site.repos["org/tiny"] = ModelScopeRepo(FILES)
    for other in (WEIGHTS + b"more", WEIGHTS[:-1] + b"\x01"):
        modelscope.site.instead["FilePath=tiny"] = lambda request, data=other: send(request, data)
        job = await modelscope.fetch("here:org/tiny")
        assert job.status is JobStatus.FAILED
        assert job.error
        assert job.remedy
        assert modelscope.nothing_landed()


async def test_a_redirect_to_plain_http_is_not_followed(modelscope: Place, tmp_path: Path) -> None:
    modelscope.site.repos["org/tiny"] = ModelScopeRepo(FILES)
    modelscope.site.instead["FilePath=tiny"] = lambda _: web.Response(
        status=302, headers={"Location": "http://example.org/tiny.gguf"}
    )
    job = await modelscope.fetch("here:org/tiny")
    assert (job.status, "https" in job.error) == (JobStatus.FAILED, True)
    assert modelscope.nothing_landed()
