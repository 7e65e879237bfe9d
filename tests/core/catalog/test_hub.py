from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from modelshelf.catalog import CatalogService
from modelshelf.catalog.sources.hub import HubSource
from modelshelf.catalog.sources.tokens import find_token
from modelshelf.catalog.types import RepoCard
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import GatedRepository, NotSignedIn, RepositoryNotFound, RevisionNotFound, Unreachable
from modelshelf.samples import READER_TOKEN, Faults, SampleHub
from modelshelf.vault import Secret
from tests.conftest import LoopRunner
from tests.core.catalog.conftest import Serve, source

GGUF = {"total": 8_000_000_000, "architecture": "llama", "context_length": 8192}


@pytest.fixture
def hub_source(loop: LoopRunner, config: ConfigManager, tiny_hub: SampleHub, trusted: None) -> HubSource:
    config.environ["HF_ENDPOINT"] = tiny_hub.url + "/"
    source = HubSource(SourceConfig(name="hf", kind="huggingface"), config)
    loop.stack.push_async_callback(source.aclose)
    return source


async def test_a_card_says_what_the_hub_says(hub_source: HubSource, tiny_hub: SampleHub) -> None:
    await tiny_hub.add(
        "org/llama-GGUF",
        {"llama-Q4_K_M.gguf": b"x" * 7, "llama-Q8_0.gguf": b"y" * 9, "README.md": b"# hello"},
        gated=True,
        tags=("gguf", "license:mit", "conversational"),
        task="text-generation",
        library="transformers",
        gguf=GGUF,
        downloads=12,
        likes=3,
    )
    (found,) = await hub_source.search("llama")
    detail = await hub_source.detail("org/llama-GGUF")
    said = {
        "source": "hf",
        "task": "text-generation",
        "library": "transformers",
        "licence": "mit",
        "formats": ("gguf",),
        "quantisations": ("Q4_K_M", "Q8_0"),
        "downloads": 12,
        "likes": 3,
        "gated": True,
        "private": False,
        "parameters": 8_000_000_000,
        "context": 8192,
        "architecture": "llama",
        "commit": detail.commit,
    }
    for card in (found, detail.card):
        assert {name: getattr(card, name) for name in said} == said
        assert card.modified is not None
    # Of several quantisations, the size is that of the one most people take.
    assert detail.card.size == 7
    assert {f.name for f in fields(RepoCard)} >= set(said)


async def test_files_come_with_their_published_hashes(hub_source: HubSource, tiny_hub: SampleHub) -> None:
    made = await tiny_hub.add("org/m", {"sub/m.gguf": b"x" * 7, "config.json": b"{}", "README.md": "# Grüße".encode()})
    detail = await hub_source.detail("org/m", "main")
    files = {file.path: file for file in detail.files}
    assert set(files) == {"sub/m.gguf", "config.json", "README.md"}
    assert (files["sub/m.gguf"].size, files["sub/m.gguf"].sha256) == (7, made.head.files["sub/m.gguf"].sha256)
    assert (files["config.json"].git_sha1, files["config.json"].sha256) == (made.head.files["config.json"].oid, None)
    assert detail.readme == "# Grüße"
    location = await hub_source.locate("org/m", detail.commit, "sub/m.gguf")
    assert location.url == f"{tiny_hub.url}/org/m/resolve/{detail.commit}/sub/m.gguf"
    assert location.ssl is not None


async def test_a_revision_is_what_was_asked_for(hub_source: HubSource, tiny_hub: SampleHub) -> None:
    old = await tiny_hub.add("org/m", {"a.gguf": b"1"})
    await tiny_hub.add("org/m", {"b.gguf": b"2"})
    assert [file.path for file in (await hub_source.detail("org/m", old.head.id)).files] == ["a.gguf"]
    assert [file.path for file in (await hub_source.detail("org/m")).files] == ["b.gguf"]
    with pytest.raises(RevisionNotFound, match="org/m"):
        await hub_source.detail("org/m", "no-such-branch")
    with pytest.raises(RepositoryNotFound, match="org/none"):
        await hub_source.detail("org/none")


async def test_commits_come_newest_first_and_two_are_told_apart_by_their_files(
    catalog: CatalogService, config: ConfigManager, tiny_hub: SampleHub, trusted: None
) -> None:
    config.set("sources", [source("hub", tiny_hub.url)])
    first = await tiny_hub.add("org/m", {"a.gguf": b"1", "b.txt": b"1", "c.txt": b"1"})
    await tiny_hub.add("org/m", {"a.gguf": b"2", "b.txt": b"1", "d.txt": b"1"}, date="2026-11-02T09:00:00.000Z")
    found = await catalog.history("hub:org/m", limit=1)
    assert found is not None
    assert (found.more, found.link) == (True, f"{tiny_hub.url}/org/m/commits/main")
    assert [(one.id, one.title, one.authors) for one in found.commits] == [
        (tiny_hub.repos["org/m"].head.id, "Change a.gguf, c.txt, d.txt", ("samples",))
    ]
    whole = await catalog.history("hub:org/m")
    assert whole is not None
    assert [one.title for one in whole.commits] == ["Change a.gguf, c.txt, d.txt", "Initial commit"]
    assert whole.commits[0].date == datetime(2026, 11, 2, 9, tzinfo=UTC)
    changes = await catalog.changes("hub:org/m", first.head.id)
    assert (changes.changed, changes.added, changes.removed) == (("a.gguf",), ("d.txt",), ("c.txt",))
    assert not await catalog.changes(f"hub:org/m@{first.head.id}", first.head.id)
    config.set("network.offline", True)
    with pytest.raises(Unreachable, match="is not asked while working offline"):
        await catalog.history("hub:org/m")


async def test_a_gated_repository_shows_its_files_but_not_their_bytes(
    hub_source: HubSource, tiny_hub: SampleHub, config: ConfigManager
) -> None:
    await tiny_hub.add("org/gated", {"a.gguf": b"1", "README.md": b"terms"}, gated="manual")
    detail = await hub_source.detail("org/gated")
    assert (detail.card.gated, detail.readme, len(detail.files)) == (True, None, 2)
    config.environ["HF_TOKEN"] = READER_TOKEN
    assert (await hub_source.detail("org/gated")).readme == "terms"
    assert (await hub_source.locate("org/gated", "main", "a.gguf")).headers == {
        "Authorization": f"Bearer {READER_TOKEN}"
    }


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (401, NotSignedIn, "wants a token"),
        (403, GatedRepository, "does not let"),
        (429, Unreachable, "asked too often"),
        (503, Unreachable, "error 503"),
    ],
)
async def test_refusals_are_told_apart(
    hub_source: HubSource, tiny_hub: SampleHub, status: int, kind: type[Exception], sentence: str
) -> None:
    tiny_hub.faults = Faults(status=status, status_on="api", status_times=9, retry_after="7")
    with pytest.raises(kind, match=sentence) as caught:
        await hub_source.detail("org/m")
    if status == 429:
        assert "7 seconds" in getattr(caught.value, "remedy", "")


async def test_a_mirror_that_knows_fewer_fields_is_asked_the_older_way(
    config: ConfigManager, serve: Serve, trusted: None
) -> None:
    async def answer(request: web.Request) -> web.Response:
        if "expand" in request.query:
            return web.json_response({"error": "unknown field"}, status=400)
        assert request.query["full"] == "true"
        return web.json_response([{"modelId": "org/m", "tags": ["gguf"]}])

    async with serve(answer) as url:
        source = HubSource(SourceConfig(name="mirror", kind="huggingface", url=url), config)
        assert [card.repo for card in await source.search("m \ud800")] == ["org/m"]
        await source.aclose()


async def test_a_mirror_that_passes_on_the_hubs_own_next_page_is_asked_for_it(
    config: ConfigManager, serve: Serve, trusted: None
) -> None:
    async def answer(request: web.Request) -> web.Response:
        if "/tree/" not in request.path:
            return web.json_response({"id": "org/m", "sha": "a" * 40})
        page = request.query.get("cursor", "first")
        following = "https://huggingface.co/api/models/org/m/tree/main?recursive=true&cursor=second"
        headers = {"Link": f'<{following}>; rel="next"'} if page == "first" else {}
        return web.json_response([{"type": "file", "path": f"{page}.gguf", "size": 1}], headers=headers)

    async with serve(answer) as url:
        source = HubSource(SourceConfig(name="mirror", kind="huggingface", url=url), config)
        assert [file.path for file in (await source.detail("org/m")).files] == ["first.gguf", "second.gguf"]
        await source.aclose()


async def test_an_untrusted_certificate_names_the_setting(config: ConfigManager, tiny_hub: SampleHub) -> None:
    source = HubSource(SourceConfig(name="hf", kind="huggingface", url=tiny_hub.url), config)
    with pytest.raises(Unreachable, match="not trusted") as caught:
        await source.search("x")
    assert "network.ca_file" in caught.value.remedy
    await source.aclose()


async def test_plain_http_is_not_asked(config: ConfigManager, tiny_hub: SampleHub) -> None:
    source = HubSource(SourceConfig(name="hf", kind="huggingface", url=await tiny_hub.plain_url()), config)
    with pytest.raises(Unreachable, match="https"):
        await source.search("x")
    assert not tiny_hub.requests
    await source.aclose()


def token(settings: SourceConfig, config: ConfigManager, saved: str = "") -> str | None:
    found = find_token(settings, config, Secret(saved) if saved else None)
    return found.secret.reveal() if found else None


def test_the_token_goes_where_huggingface_hub_would_send_it(config: ConfigManager, tmp_path: Path) -> None:
    public = SourceConfig(name="hf", kind="huggingface")
    other = SourceConfig(name="other", kind="huggingface", url="https://hub.example.org", token_env="OTHER")
    assert token(public, config) is None
    stored = tmp_path / ".cache" / "huggingface" / "token"
    stored.parent.mkdir(parents=True)
    stored.write_text("hf_stored\n")
    assert token(public, config) == "hf_stored"
    assert token(public, config, "hf_saved") == "hf_saved"
    config.environ["HF_TOKEN"] = "hf_env"
    assert token(public, config, "hf_saved") == "hf_env"
    # Another hub gets the token that was named for it, and no other.
    assert token(other, config) is None
    assert token(other, config, "hf_saved") == "hf_saved"
    config.environ["OTHER"] = "secret"
    assert token(other, config, "hf_saved") == "secret"
    assert token(public, config) == "hf_env"
    config.environ["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1"
    assert token(public, config) is None
