"""Small catalogues of made-up models, and the slow way to search them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import strategies as st

from modelshelf.catalog import stock
from modelshelf.catalog.columns.build import build
from modelshelf.catalog.columns.mapped import Mapped, Row
from modelshelf.catalog.columns.pages import Catalogue, Sort
from modelshelf.catalog.query import Check, Query, abilities_of
from modelshelf.catalog.types import RepoCard
from modelshelf.catalog.words import is_in

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
PARTS = ("llama", "Llama3", "qwen", "mistral", "7b", "70b", "a", "b2", "instruct", "GGUF", "x", "3", "tiny")
OTHERS = ("模型", "Café", "ÉCOLE", "😀", "نموذج", "Straße")
AUTHORS = ("meta", "Qwen", "a", "tiny-org", "meta-llama", "Ünï")
NUMBERS = {"downloads": "downloads", "likes": "likes", "trending": "trending", "size": "size", "params": "parameters"}
NUMBERS |= {"context": "context"}

amount = st.none() | st.sampled_from([0, 1, 5, 6, 4096, 10**9, 7 * 10**9, 2**40]) | st.integers(0, 2**50)
moment = st.none() | st.integers(0, 900).map(lambda days: NOW - timedelta(days=days, hours=1))
text = st.none() | st.sampled_from(["mit", "apache-2.0", "other", "text-generation", "sentence-similarity", "peft"])
name = st.builds(
    lambda author, parts: f"{author}/{'-'.join(parts)}",
    st.sampled_from(AUTHORS),
    st.lists(st.sampled_from([*PARTS, *OTHERS]), min_size=1, max_size=3),
)
cards = st.builds(
    RepoCard,
    source=st.just("hub"),
    repo=name,
    commit=st.none() | st.sampled_from(["a" * 40, "b" * 40]),
    task=text,
    library=text | st.sampled_from(["sentence-transformers", "mlx"]),
    licence=text,
    tags=st.lists(
        st.sampled_from(["conversational", "Merge", "sentence-transformers", "base_model:adapter:a/b"]), unique=True
    ).map(tuple),
    formats=st.sampled_from([(), ("gguf",), ("gguf", "safetensors"), ("safetensors",), ("onnx",)]),
    quantisations=st.lists(st.sampled_from(["Q4_0", "Q4_K_M", "Q8_0", "AWQ"]), unique=True).map(
        lambda q: tuple(sorted(q))
    ),
    downloads=amount,
    likes=amount,
    trending=amount,
    gated=st.booleans(),
    private=st.booleans(),
    created=moment,
    modified=moment,
    parameters=amount,
    size=amount,
    context=amount,
    architecture=st.none() | st.sampled_from(["llama", "qwen2"]),
)
catalogues = st.lists(cards, max_size=40, unique_by=lambda card: card.repo)
filters = st.sampled_from(
    [
        *(
            "task:text-generation",
            "task:chat",
            "license:mit,apache-2.0",
            "license:commercial",
            "library:peft",
            "is:gated",
        ),
        *(
            "format:gguf",
            "format:onnx,gguf",
            "quant:Q4_K",
            "quant:Q8_0,AWQ",
            "author:meta",
            "author:QWEN,a",
            "author:ünï,meta",
            "tag:merge",
        ),
        *("size:<8GB", "size:1GB..8GB", "params:7B", "params:>=5", "ctx:4k", "ctx:<=6", "likes:>5", "downloads:..5"),
        *("updated:<30d", "updated:>1y", "created:<1y", "created:10d..100d", "source:hub"),
        *(
            "is:gated",
            "tag:merge",
            "source:x",
            "ability:embed",
            "ability:chat,vision",
            "is:installed",
            "is:installed,gated",
            "provider:builtin",
        ),
    ]
)
OTHER_WORDS = ("é", "ïnstruct", "😀", "型", "cole", "CAFÉ", "نم", "STRASSE", "ünï/")
words = st.sampled_from([*PARTS, "lam", "lama3", "ll", "meta/ll", "7", "tiny-org", "--", "*", "wen", *OTHER_WORDS])
queries = st.builds(
    lambda found, sought, minus: " ".join([*(m + f for m, f in zip(minus, found, strict=False)), *sought]),
    st.lists(filters, max_size=3),
    st.lists(words, max_size=2) | st.lists(words.map(lambda word: f"-{word}"), max_size=1),
    st.lists(st.sampled_from(["", "", "-"]), min_size=3, max_size=3),
)
sorts = st.sampled_from([sign + key for sign in ("", "-") for key in (*NUMBERS, "created", "modified")]).map(Sort.parse)


def catalogue(folder: Path, *sources: Sequence[RepoCard]) -> Catalogue:
    """A generation of these models, a list for each source."""
    files = {}
    for number, models in enumerate(sources):
        file = folder / f"{number}.parquet"
        stock.write(models, file)
        files[models[0].source if models else "hub"] = [file]
    (folder / "generation").mkdir()
    build(folder / "generation", files)
    return Catalogue(Mapped(folder / "generation"))


def matching(rows: Iterable[Row], query: Query, checks: Mapping[str, Check]) -> list[Row]:
    """The slow way: every row, one after another."""
    return [
        row
        for row in rows
        if all(is_in(word, row.card.repo) for word in query.words) and query.matches(row.card, checks)
    ]


def ordered(rows: Iterable[Row], sort: Sort) -> list[Row]:
    """By the measure of a card; of equals the earlier row first, in ascending order the later one."""
    rows = sorted(rows, key=lambda row: row.number)
    known = [row for row in rows if measured(row.card, sort.key) is not None]
    unknown = [row for row in rows if measured(row.card, sort.key) is None]
    known.sort(key=lambda row: -(measured(row.card, sort.key) or 0))
    return [*(reversed(known) if sort.ascending else known), *unknown]


def measured(card: RepoCard, key: str) -> float | None:
    """A measure as a number."""
    if key in {"created", "modified"}:
        found: datetime | None = getattr(card, key)
        return found.timestamp() if found else None
    value: int | None = getattr(card, NUMBERS[key])
    return value


def facet(rows: Iterable[Row], query: Query, name: str, checks: Mapping[str, Check]) -> dict[str, int]:
    """A facet counted the slow way, without its own filters."""
    kept = tuple(one for one in query.filters if one.key != name or one.negated)
    counts: dict[str, int] = {}
    for row in matching(rows, replace(query, filters=kept), checks):
        card = row.card
        said = {"task": (card.task,), "library": (card.library,), "license": (card.licence,), "format": card.formats}
        said |= {"ability": tuple(abilities_of(card)), "quant": card.quantisations, "source": (card.source,)}
        for value in said[name]:
            if value:
                counts[value] = counts.get(value, 0) + 1
    return counts
