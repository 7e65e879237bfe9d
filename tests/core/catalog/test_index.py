"""The catalogue as the rest asks it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelshelf.catalog import stock
from modelshelf.catalog.columns.__main__ import make
from modelshelf.catalog.index import CatalogIndex
from modelshelf.catalog.types import RepoCard
from modelshelf.discovery import Drift
from modelshelf.errors import NotFound, StoreError, UsageError

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=400)
BASE = "org/base"
MODELS = [
    RepoCard("samples", BASE, downloads=900, formats=("safetensors",), size=2 * 10**9, created=LONG_AGO),
    RepoCard(
        "samples", "org/base-GGUF", downloads=500, formats=("gguf",), quantisations=("Q4_K_M",), size=10**9,
        architecture="llama", tags=(f"base_model:{BASE}", f"base_model:quantized:{BASE}"), created=NOW,
    ),
    RepoCard(
        "samples", "else/base-AWQ", downloads=50, formats=("safetensors",), tags=(f"base_model:quantized:{BASE}",)
    ),
    RepoCard("samples", "else/tuned", downloads=70, tags=(f"base_model:finetune:{BASE}",), task="text-generation"),
    RepoCard("samples", "else/both", downloads=7, tags=("base_model:merge:else/tuned", "base_model:merge:far/away")),
]  # fmt: skip


def publish(folder: Path, cards: list[RepoCard]) -> None:
    """Make a catalogue of these models here and now."""
    file = folder.parent / "stock.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    stock.write(cards, file)
    made = make(folder, {"samples": [str(file)]})
    assert made["rows"] == len(cards)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[CatalogIndex]:
    """An index without a catalogue yet."""
    made = CatalogIndex(tmp_path / "catalog")
    yield made
    made.close()


async def test_newer_generations_are_followed_and_old_ones_let_go(index: CatalogIndex) -> None:
    assert not await index.available()
    with pytest.raises(NotFound, match="There is no catalogue yet"):
        await index.page("a")
    await asyncio.to_thread(publish, index.folder, MODELS[:2])
    assert (await index.page("")).total == 2
    first = (await index.status()).generation
    await index.warm()
    await asyncio.to_thread(publish, index.folder, MODELS)
    page = await index.page("base", sort="-downloads", limit=2, facets=["format"])
    assert [row.card.repo for row in page.rows] == ["else/base-AWQ", "org/base-GGUF"]
    assert (page.total, dict(page.facets["format"])) == (3, {"safetensors": 2, "gguf": 1})
    status = await index.status()
    assert (status.rows, status.sources) == (5, ("samples",))
    await asyncio.to_thread(publish, index.folder, MODELS[:1])
    assert not (index.folder / first).exists()


async def test_names_completions_and_tables(index: CatalogIndex, tmp_path: Path) -> None:
    await asyncio.to_thread(publish, index.folder, MODELS)
    found = await index.rows(["org/BASE", "samples:else/both", "other:else/both", "no/thing"])
    assert {name: row.card.repo for name, row in found.items()} == {"org/BASE": BASE, "samples:else/both": "else/both"}
    assert await index.complete("author:e") == ["author:else"]
    assert await index.complete("-format:safe") == ["-format:safetensors"]
    assert await index.complete("quant:q4_k_") == ["quant:Q4_K_M"]
    assert await index.complete("Quantisation:q4_k_") == ["quant:Q4_K_M"]
    assert await index.complete("llama ") == []
    frame = await index.to_frame(["id", "downloads", "tags"])
    assert frame["id"].tolist()[0] == BASE
    assert frame["downloads"].sum() == 1527
    with pytest.raises(UsageError, match="The catalogue has no column “colour”"):
        await index.to_frame(["colour"])
    with pytest.raises(UsageError, match="A page begins at 0"):
        await index.page("", offset=-1)
    await index.export(tmp_path / "out.parquet")
    assert stock.take(tmp_path / "out.parquet", tmp_path / "again.parquet").rows == 5


async def test_a_broken_catalogue_says_how_to_mend_it(index: CatalogIndex) -> None:
    await asyncio.to_thread(publish, index.folder, MODELS)
    folder = index.folder / (await index.status()).generation
    index.close()
    (folder / "combined.npy").write_bytes(b"no column")
    with pytest.raises(StoreError, match="is broken") as caught:
        await index.page("")
    assert "modelshelf catalog sync" in caught.value.remedy


async def test_the_shelf_searches_ranks_and_relates(shelf: "Shelf") -> None:
    """One shelf for all of it: to open one takes longer than the rest."""
    await asyncio.to_thread(publish, shelf.config.paths.catalog, MODELS)
    frame = await shelf.catalog.search("base", sort="likes")
    assert set(frame["repo"]) == {BASE, "org/base-GGUF", "else/base-AWQ"}
    assert (frame.attrs["total"], frame.attrs["suggestion"]) == (3, "")
    assert len(await shelf.catalog.to_frame()) == 5
    await shelf.compatibility.machine()
    page = await shelf.catalog.index.page("is:fits", sort="compatibility")
    assert [row.card.repo for row in page.rows] == ["org/base-GGUF"]
    assert (await shelf.catalog.index.page("is:installed")).total == 0
    assert (await shelf.catalog.index.page("provider:builtin")).total == 1
    with pytest.raises(UsageError, match="No provider nobody runs models on this machine"):
        await shelf.catalog.index.page("provider:nobody")

    told = await shelf.catalog.index.counts(
        "base size:<2GB", ["size:<4GB", "is:fits", "is:gated", "provider:nobody", "format:gguf", "provider:builtin"]
    )
    assert told == {
        "size:<4GB": 2, "is:fits": 1, "is:gated": 0, "provider:nobody": 0, "format:gguf": 1, "provider:builtin": 1,
    }  # fmt: skip
    with pytest.raises(UsageError, match="“base” is no filter"):
        await shelf.catalog.index.counts("", ["base"])

    found = await shelf.discovery.relatives(BASE)
    assert found.counts == {"finetune": 1, "quantized": 2}
    assert [row.card.repo for row in found.derived["quantized"]] == ["org/base-GGUF", "else/base-AWQ"]
    assert {name: [row.card.repo for row in rows] for name, rows in found.formats.items()} == {
        "gguf": ["org/base-GGUF"], "safetensors": ["else/base-AWQ"],
    }  # fmt: skip
    found = await shelf.discovery.relatives("org/base-GGUF")
    assert [row.card.repo for row in found.base] == [BASE]
    assert {name: len(rows) for name, rows in found.formats.items()} == {"safetensors": 2}
    found = await shelf.discovery.relatives("else/both")
    assert ([row.card.repo for row in found.base], found.named) == (["else/tuned"], ("far/away",))
    with pytest.raises(NotFound, match="The catalogue has no no/thing"):
        await shelf.discovery.relatives("no/thing")

    await shelf.discovery.favour("else/tuned")
    await shelf.discovery.favour(f"samples:{BASE}")
    await shelf.discovery.visited("else/both")
    rows = await shelf.discovery.collection("favourites")
    assert [row.card.repo for row in rows] == [BASE, "else/tuned"]
    await shelf.discovery.unfavour("else/tuned")
    assert await shelf.discovery.favourites() == [f"samples:{BASE}"]
    assert [row.card.repo for row in await shelf.discovery.collection("recent")] == ["else/both"]
    assert [row.card.repo for row in await shelf.discovery.collection("new")] == ["org/base-GGUF"]
    assert await shelf.discovery.collection("installed") == ()
    with pytest.raises(UsageError, match="There is no collection “old”"):
        await shelf.discovery.collection("old")

    await shelf.discovery.save(" my  search ", "base format:gguf", "likes")
    (kept,) = await shelf.discovery.searches()
    assert (kept.name, kept.query, kept.sort, kept.fresh) == ("my search", "base format:gguf", "likes", 0)
    assert await shelf.discovery.fresh(kept.query, NOW - timedelta(days=1)) == 1
    await shelf.discovery.looked("my search")
    await shelf.discovery.forget("my search")
    with pytest.raises(NotFound, match="You keep no search “my search”"):
        await shelf.discovery.forget("my search")
    with pytest.raises(UsageError, match="is no filter"):
        await shelf.discovery.save("odd", "nothing:here")


async def test_installed_models_are_held_against_the_catalogue(shelf: "Shelf") -> None:
    from modelshelf.discovery.service import _drift

    assert await shelf.library.models() == ()
    await asyncio.to_thread(publish, shelf.config.paths.catalog, [replace(MODELS[0], commit="b" * 40), MODELS[1]])
    rows = await shelf.catalog.index.rows([BASE, "org/base-GGUF"])
    from modelshelf.library.types import InstalledModel

    def installed(repo: str, commit: str) -> InstalledModel:
        return InstalledModel(repo, commit, Path(), (), source="samples")

    assert _drift(installed(BASE, "a" * 40), rows[BASE], set()).status == "newer"
    assert _drift(installed(BASE, "b" * 40), rows[BASE], set()).status == "newest"
    assert _drift(installed("x/y", "a" * 40), rows["org/base-GGUF"], set()).status == "unknown"
    assert _drift(installed("x/y", "a" * 40), None, {"samples"}) == Drift("x/y", "a" * 40, "gone", "samples")
    assert _drift(installed("x/y", "a" * 40), None, set()).status == "unknown"
    assert await shelf.discovery.drift() == ()
