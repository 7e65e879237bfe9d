"""Organisations, Parquet files at an address, registries and folders in one catalogue."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from modelshelf.catalog.holdings import Holdings
from modelshelf.catalog.sources.hub import HubSource
from modelshelf.catalog.sources.ollama import OllamaSource
from modelshelf.catalog.sources.parquet import ParquetSource
from modelshelf.catalog.sync.rounds import Round
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import Unreachable, UsageError
from modelshelf.samples import Faults, SampleHub
from tests.core.catalog.conftest import Serve


async def nothing() -> None:
    """Nobody searches while it is listed."""


def listing(source: Any, config: ConfigManager, told: list[str]) -> Round:
    known = Holdings(config.paths.catalog, source.name)
    return Round(source, known, 600_000, lambda status, found=0, error="": told.append(status), nothing, backoff=0.0)


def names(config: ConfigManager, source: str) -> set[str]:
    files = Holdings(config.paths.catalog, source).files()
    return {name for file in files for name in pq.read_table(file)["id"].to_pylist()}


async def test_of_a_hub_only_one_organisation(config: ConfigManager, tiny_hub: SampleHub, trusted: None) -> None:
    for name in ("mine/a", "mine/b", "other/a"):
        await tiny_hub.add(name, {"a-Q4_0.gguf": b"x"})
    source = HubSource(SourceConfig(name="mine", kind="huggingface", url=tiny_hub.url, owner="mine"), config)
    await listing(source, config, []).run(full=False, top_only=False)
    assert names(config, "mine") == {"mine/a", "mine/b"}
    assert [card.repo for card in await source.search("a")] == ["mine/a"]
    await source.aclose()


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(
    config: ConfigManager, tiny_hub: SampleHub, trusted: None
) -> None:
    await tiny_hub.add("mine/a", {"a-Q4_0.gguf": b"x"})
    source = HubSource(SourceConfig(name="hub", kind="huggingface", url=tiny_hub.url), config)

    class Large:
        sizes: tuple[int, ...] = ()

        async def listing(self, order: Any, cursor: str = "", *, size: int = 1000) -> Any:
            self.sizes += (size,)
            if size > 100:
                raise Unreachable("too large", large=True)
            return await source.listing(order, cursor, size=size)

    from modelshelf.catalog.sync.asking import Pages

    large = Large()
    page = await Pages(large, 600_000, lambda _: None, backoff=0.0).get("created")
    assert [card.repo for card in page.cards] == ["mine/a"]
    assert large.sizes == (1000, 100)
    await source.aclose()


async def test_a_parquet_file_at_an_address_is_listed_whole(
    config: ConfigManager, serve: Serve, trusted: None, tmp_path: Path
) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"id": ["org/a", "org/b"], "likes": [1, 2]}), out)
    answers = [out.getvalue(), b"no parquet"]

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=answers[0])

    async with serve(answer) as url:
        source = ParquetSource(SourceConfig(name="seed", kind="parquet", url=f"{url}/models.parquet"), config)
        told: list[str] = []
        await listing(source, config, told).run(full=False, top_only=False)
        assert names(config, "seed") == {"org/a", "org/b"}
        assert told == ["asking"]
        answers.pop(0)
        with pytest.raises(UsageError, match="is no Parquet file"):
            await listing(source, config, []).run(full=False, top_only=False)
        assert names(config, "seed") == {"org/a", "org/b"}
        assert await source.search("a") == ()
        await source.aclose()
    (tmp_path / "here.parquet").write_bytes(out.getvalue())
    source = ParquetSource(SourceConfig(name="disk", kind="parquet", path=str(tmp_path / "here.parquet")), config)
    await listing(source, config, []).run(full=False, top_only=False)
    assert names(config, "disk") == {"org/a", "org/b"}
    await source.aclose()


async def test_a_registry_that_tells_what_it_has_is_listed(config: ConfigManager, serve: Serve, trusted: None) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path != "/v2/_catalog":
            return web.json_response({}, status=404)
        if "last" in request.query:
            return web.json_response({"repositories": ["lab/b", "nonsense", 7]})
        link = {"Link": '</v2/_catalog?n=1000&last=lab/a>; rel="next"'}
        return web.json_response({"repositories": ["lab/a"]}, headers=link)

    async def silent(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=404)

    async with serve(answer) as url, serve(silent) as other:
        source = OllamaSource(SourceConfig(name="lab", kind="ollama", url=url), config)
        await listing(source, config, []).run(full=False, top_only=False)
        assert names(config, "lab") == {"lab/a", "lab/b"}
        await source.aclose()
        source = OllamaSource(SourceConfig(name="mute", kind="ollama", url=other), config)
        with pytest.raises(Unreachable, match="does not list what it has"):
            await listing(source, config, []).run(full=False, top_only=False)
        await source.aclose()


async def test_a_cursor_that_the_hub_forgot_begins_the_crawl_anew(
    config: ConfigManager, tiny_hub: SampleHub, trusted: None
) -> None:
    for number in range(30):
        await tiny_hub.add(f"org/m{number}", {"a-Q4_0.gguf": b"x"})
    source = HubSource(SourceConfig(name="hub", kind="huggingface", url=tiny_hub.url), config)
    known = Holdings(config.paths.catalog, "hub")
    old = f"{tiny_hub.url}/api/models?sort=createdAt&cursor=gone"
    known.save(replace(known.state(), crawling=True, cursor=old, top=True, began="2026-11-01T00:00:00+00:00"))
    tiny_hub.faults = Faults(status=400, status_times=1, status_on="api")
    await listing(source, config, []).run(full=False, top_only=False)
    assert len(names(config, "hub")) == 30
    assert not known.state().crawling
    await source.aclose()
