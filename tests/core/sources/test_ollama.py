"""Models of a registry: manifests, tokens, and what a registry may say that is not so."""

import json
from typing import Any

import pytest
from aiohttp import web

from modelshelf.catalog.sources.ollama import OllamaSource
from modelshelf.config import SourceConfig
from modelshelf.downloads import JobStatus
from modelshelf.errors import (
    ChecksumMismatch,
    FileNotInRepository,
    FormatError,
    ModelshelfError,
    NotSignedIn,
    RepositoryNotFound,
    RevisionNotFound,
    Unreachable,
    UsageError,
)
from modelshelf.ids import ModelId
from modelshelf.vault import Secret
from tests.core.catalog.conftest import Serve
from tests.core.sources.conftest import Place
from tests.core.sources.simulators import Site, gguf, send, sha256

WEIGHTS = gguf()
TEMPLATE, PARAMS, LICENCE = b"{{ .Prompt }}", b'{"stop": ["<|eot|>"]}', b"Be kind."
LAYERS = (("model", WEIGHTS), ("template", TEMPLATE), ("license", LICENCE), ("license", b"Two."), ("params", PARAMS))
NAME = "tiny-1.2B-Q8_0.gguf"


async def test_addresses_are_read_as_ollama_reads_them(registry: Place) -> None:
    for address, name in (
        ("library/llama3.2:1b", ModelId("library/llama3.2", "here", "1b")),
        ("llama3.2", ModelId("library/llama3.2", "here")),
        ("me/my-model:latest", ModelId("me/my-model", "here")),
        ("a/b@sha256:" + "0" * 64, ModelId("a/b", "here", "0" * 64)),
    ):
        assert await registry.shelf.catalog.named(f"ollama://{address}") == name
    for address in ("", "../../etc", "a/b:../c", "h.example/a/b", "a@md5:1"):
        with pytest.raises(UsageError) as caught:
            await registry.shelf.catalog.named(f"ollama://{address}")
        assert caught.value.remedy
    assert not registry.site.seen


async def test_a_model_lands_with_the_digest_as_its_sha256(registry: Place) -> None:
    manifest = registry.site.push("library/tiny:1b", *LAYERS)
    job = await registry.fetch("ollama://tiny:1b", "*")
    assert job.status is JobStatus.DONE, job.error
    assert registry.landed(job) == {
        NAME: sha256(WEIGHTS),
        "LICENSE.txt": sha256(LICENCE),
        "LICENSE-2.txt": sha256(b"Two."),
        "params.json": sha256(PARAMS),
        "template.txt": sha256(TEMPLATE),
        "ollama.json": sha256(registry.site.blobs["sha256:" + sha256(json.dumps(CONFIG).encode())]),
    }
    assert job.commit == sha256(manifest)[:40]
    assert (registry.config.paths.cache / "models--library--tiny/refs/1b").read_text() == job.commit
    model = await registry.shelf.library.get("library/tiny")
    assert (model.complete, model.verdict, model.quantisation) == (True, "pass", "Q8_0")


CONFIG: dict[str, Any] = {
    "model_format": "gguf",
    "model_family": "llama",
    "model_type": "1.2B",
    "file_type": "Q8_0",
    "architecture": "amd64",
    "os": "linux",
}


async def test_by_default_the_weights_alone_are_fetched(registry: Place) -> None:
    registry.site.push("library/tiny:latest", *LAYERS)
    job = await registry.fetch("ollama://tiny")
    assert registry.landed(job) == {NAME: sha256(WEIGHTS)}
    assert (registry.config.paths.cache / "models--library--tiny/refs/main").read_text() == job.commit


async def test_a_plan_outlives_its_process_and_its_tag(registry: Place) -> None:
    registry.site.push("library/tiny:latest", *LAYERS)
    commit = (await registry.shelf.catalog.detail("here:library/tiny")).commit
    registry.site.push("library/tiny:latest", ("model", gguf("other")))
    settings = SourceConfig(name="here", kind="ollama", url=registry.url)
    source = OllamaSource(settings, registry.config)
    location = await source.locate("library/tiny", commit, NAME)
    assert location.url == f"{registry.url}/v2/library/tiny/blobs/sha256:{sha256(WEIGHTS)}"
    await source.aclose()


async def test_a_manifest_is_had_by_its_digest(registry: Place) -> None:
    manifest = registry.site.push("library/tiny:latest", *LAYERS)
    detail = await registry.shelf.catalog.detail(f"here:library/tiny@{sha256(manifest)}")
    assert detail.commit == sha256(manifest)[:40]
    # Once as a manifest, then as Ollama's registry has it.
    assert len(registry.site.asked(sha256(manifest))) == 2
    with pytest.raises(RevisionNotFound):
        await registry.shelf.catalog.detail(f"here:library/tiny@{'0' * 64}")
    with pytest.raises(RevisionNotFound):
        await registry.shelf.catalog.detail(f"here:library/tiny@{'0' * 40}")


async def test_a_registry_that_demands_a_token_names_where_it_is(registry: Place) -> None:
    site = registry.site
    site.push("library/tiny:latest", *LAYERS)
    site.demands, site.realm = True, f"{registry.url}/token"
    await registry.shelf.sources.save_token("here", Secret("mine"))
    job = await registry.fetch("ollama://tiny")
    assert job.status is JobStatus.DONE, job.error
    assert site.issued == 1
    (asked,) = [(path, token) for _, path, token in site.seen if path.startswith("/token")]
    assert asked == ("/token?service=registry&scope=repository:library/tiny:pull", "mine")
    assert {token for _, path, token in site.seen if "/blobs/" in path} == {"short-1"}


async def test_a_process_that_goes_on_gets_a_token_of_its_own(registry: Place) -> None:
    site = registry.site
    site.push("library/tiny:latest", *LAYERS)
    site.demands, site.realm = True, f"{registry.url}/token"
    commit = (await registry.shelf.catalog.detail("here:library/tiny")).commit
    other = OllamaSource(SourceConfig(name="here", kind="ollama", url=registry.url), registry.config)
    location = await other.locate("library/tiny", commit, NAME)
    assert (location.headers, location.renewable) == ({"Authorization": "Bearer short-2"}, True)
    site.valid.clear()
    assert (await other.locate("library/tiny", commit, NAME)).headers == {"Authorization": "Bearer short-3"}
    await other.aclose()


async def test_a_token_that_runs_out_in_mid_file_is_renewed(registry: Place) -> None:
    site = registry.site
    site.push("library/tiny:latest", *LAYERS)
    site.demands, site.realm = True, f"{registry.url}/token"

    async def once(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Range") is None and site.issued == 1:
            site.valid.clear()  # between the question whether it opens the blob, and its use
        answer: web.StreamResponse = await site.answer(request)
        return answer

    site.instead["/blobs/sha256:" + sha256(WEIGHTS)] = once
    job = await registry.fetch("ollama://tiny")
    assert job.status is JobStatus.DONE, job.error
    assert site.issued == 2


async def test_ones_own_token_stays_with_the_registry(registry: Place, serve: Serve) -> None:
    class Realm(Site):
        async def answer(self, request: web.Request) -> web.StreamResponse:
            return web.json_response({"access_token": "short-x"})

    realm, site = Realm(), registry.site
    site.push("library/tiny:latest", *LAYERS)
    async with serve(realm) as url:
        site.demands, site.realm = True, f"{url}/auth"
        await registry.shelf.sources.save_token("here", Secret("mine"))
        # A server names this private address, and no person does.
        with pytest.raises(Unreachable, match="not a public address"):
            await registry.shelf.catalog.detail("here:library/tiny")
        assert not realm.seen
        site.realm = url.replace("https://", "http://") + "/auth"
        with pytest.raises(Unreachable, match="not an https address"):
            await registry.shelf.catalog.detail("here:library/tiny")
        site.realm = f"{url}/auth"
        settings = {"name": "here", "kind": "ollama", "url": registry.url, "hosts": [url]}
        registry.config.set("sources", [settings])
        assert (await registry.shelf.catalog.detail("here:library/tiny")).files
        # The person declared this host as one of the source's, so it may know the token.
        assert [token for _, _, token in realm.seen] == ["mine"]


async def test_a_place_that_gives_no_token_is_one_sentence(registry: Place) -> None:
    registry.site.demands, registry.site.realm = True, f"{registry.url}/token"
    for said in (b"no json", b"[]", b'{"token": 5}', b'{"token": "a\\nb"}', b'{"token": ""}'):
        registry.site.instead["/token"] = lambda _, body=said: web.Response(body=body)
        with pytest.raises(Unreachable, match="token"):
            await registry.shelf.catalog.detail("here:library/tiny")


async def test_a_demand_that_nobody_can_meet_is_one_sentence(registry: Place) -> None:
    for challenge in ("", "Basic realm=x", "Bearer", 'Bearer realm="nowhere"'):
        head = {"WWW-Authenticate": challenge}
        registry.site.instead["/manifests/"] = lambda _, head=head: web.Response(status=401, headers=head)
        with pytest.raises((NotSignedIn, Unreachable)) as caught:
            await registry.shelf.catalog.detail("here:library/tiny")
        assert caught.value.remedy


def manifest_of(*layers: Any, config: Any = None) -> bytes:
    described = config or {"digest": "sha256:" + "0" * 64, "size": 2}
    return json.dumps({"config": described, "layers": list(layers)}).encode()


def layer(kind: str = "model", digest: Any = "sha256:" + "1" * 64, size: Any = 5) -> dict[str, Any]:
    return {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": digest, "size": size}


BAD_MANIFESTS: tuple[tuple[bytes, type[ModelshelfError]], ...] = (
    (b"<html>", Unreachable),
    (b"[]", Unreachable),
    (b"[" * 100_000, Unreachable),
    (manifest_of(), Unreachable),
    (manifest_of(*[layer()] * 10_000), Unreachable),
    (manifest_of(layer(digest="md5:0")), Unreachable),
    (manifest_of(layer(digest="sha256:../../etc")), Unreachable),
    (manifest_of(layer(digest="sha512:" + "1" * 128)), Unreachable),
    (manifest_of(layer(digest=None)), Unreachable),
    (manifest_of(layer(size=-1)), Unreachable),
    (manifest_of(layer(size=True)), Unreachable),
    (manifest_of(layer(size=2**50)), Unreachable),
    (manifest_of(layer(), config={"digest": "x"}), Unreachable),
    (manifest_of(layer(), config={"digest": "sha256:" + "0" * 64, "size": 10**9}), Unreachable),
    (manifest_of(layer("tensor; name=a")), FileNotInRepository),
)


async def test_hostile_manifests_are_one_sentence(registry: Place) -> None:
    for manifest, kind in BAD_MANIFESTS:
        registry.site.tags["library/tiny:latest"] = manifest
        with pytest.raises(kind) as caught:
            await registry.shelf.catalog.detail("here:library/tiny")
        assert caught.value.remedy
    assert registry.nothing_landed()


async def test_a_description_that_is_another_than_named_is_refused(registry: Place) -> None:
    registry.site.push("library/tiny:latest", *LAYERS)
    digest = "sha256:" + sha256(json.dumps(CONFIG).encode())
    registry.site.blobs[digest] = b'{"model_type": "../../evil"}'
    with pytest.raises(ChecksumMismatch):
        await registry.shelf.catalog.detail("here:library/tiny")
    registry.site.push("library/tiny:latest", *LAYERS, config=b"no json")
    with pytest.raises(FormatError):
        await registry.shelf.catalog.detail("here:library/tiny@latest")


async def test_a_description_cannot_name_files_elsewhere(registry: Place) -> None:
    config = {"model_type": "../../evil", "file_type": "a/b"}
    registry.site.push("library/tiny:latest", ("model", WEIGHTS), ("projector", b"x"), ("adapter", b"y"), config=config)
    detail = await registry.shelf.catalog.detail("here:library/tiny")
    assert [f.path for f in detail.files] == ["mmproj-tiny.gguf", "ollama.json", "tiny.adapter", "tiny.gguf"]


async def test_other_bytes_than_the_digest_says_land_nowhere(registry: Place) -> None:
    registry.site.push("library/tiny:latest", *LAYERS)
    registry.site.blobs["sha256:" + sha256(WEIGHTS)] = WEIGHTS[:-1] + b"\x01"
    job = await registry.fetch("ollama://tiny")
    assert (job.status, registry.nothing_landed()) == (JobStatus.FAILED, True)
    assert "other bytes" in job.error


async def test_redirects_keep_to_the_policy(registry: Place) -> None:
    site = registry.site
    site.push("library/tiny:latest", *LAYERS)
    await registry.shelf.catalog.detail("here:library/tiny")
    for target, word in (("http://example.org/x", "https"), ("https://169.254.169.254/x", "public address")):
        site.instead["/blobs/"] = lambda _, to=target: web.Response(status=307, headers={"Location": to})
        job = await registry.fetch("ollama://tiny")
        assert (job.status, word in job.error) == (JobStatus.FAILED, True), job.error
    site.instead["/blobs/"] = lambda request: send(request, WEIGHTS)
    assert (await registry.fetch("ollama://tiny")).status is JobStatus.DONE


async def test_what_is_not_there_and_what_cannot_be_searched(registry: Place) -> None:
    with pytest.raises(RepositoryNotFound, match="library/none:latest"):
        await registry.shelf.catalog.detail("here:library/none")
    found = await registry.shelf.catalog.find("tiny")
    assert (found.rows, len(registry.site.seen)) == ((), 1)


async def test_a_disk_that_keeps_nothing_is_no_trouble(registry: Place) -> None:
    (registry.config.home / "registry").write_text("in the way")
    registry.site.push("library/tiny:1b", *LAYERS)
    job = await registry.fetch("ollama://tiny:1b")
    assert registry.landed(job) == {NAME: sha256(WEIGHTS)}
