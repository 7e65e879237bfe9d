"""The benchmark's own catalogue at 100,000 models: keystrokes find what a scan of all names finds."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import catalogue_data
from benchmarks.catalogue_queries import Keystroke, keystrokes
from modelshelf.catalog.columns.build import build
from modelshelf.catalog.columns.mapped import Mapped
from modelshelf.catalog.columns.pages import Catalogue, Sort
from modelshelf.catalog.query import parse

ROWS = 100_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalogue, pd.DataFrame]:
    """The catalogue, and the same models as a table in the order of its rows."""
    folder = tmp_path_factory.mktemp("large")
    catalogue_data.write(folder / "models.parquet", ROWS)
    (folder / "generation").mkdir()
    build(folder / "generation", {"hub": [folder / "models.parquet"]})
    frame = pd.read_parquet(folder / "generation" / "models.parquet", dtype_backend="pyarrow")
    frame["low"] = frame["id"].str.lower()
    return Catalogue(Mapped(folder / "generation")), frame


def scanned(frame: pd.DataFrame, key: Keystroke) -> pd.DataFrame:
    """Every row that a keystroke means."""
    found = frame
    for word in key.words:
        pattern = word if len(word) >= 3 else f"(?:^|[^a-z0-9]){word}"
        found = found[found["low"].str.contains(pattern)]
    for name, value in key.equal.items():
        held = found[name].map(lambda names, value=value: value in names) if name == "formats" else found[name] == value
        found = found[held.fillna(False).astype(bool)]
    for name, limit in key.below.items():
        found = found[(found[name] < limit).fillna(False)]
    for name, least in key.above.items():
        found = found[(found[name] > least).fillna(False)]
    return found


def test_keystrokes_find_what_a_scan_of_all_names_finds(large: tuple[Catalogue, pd.DataFrame]) -> None:
    catalogue, frame = large
    for key in keystrokes(catalogue.mapped, 40):
        expected = scanned(frame, key)
        page = catalogue.page(parse(key.text), sort=Sort(key.sort))
        assert page.total == len(expected), key.text
        ordered = expected.sort_values(key.sort, ascending=False, kind="stable", na_position="last")
        assert [row.number for row in page.rows] == ordered.index[:50].tolist(), key.text
        licences = expected if "license" not in key.equal else scanned(frame, _without_licence(key))
        assert dict(page.facets["license"]) == licences["license"].dropna().value_counts().to_dict(), key.text


def _without_licence(key: Keystroke) -> Keystroke:
    kept = {name: value for name, value in key.equal.items() if name != "license"}
    return Keystroke(key.words, key.sort, kept, key.below, key.above)


def test_pages_far_down_are_those_of_the_whole_order(large: tuple[Catalogue, pd.DataFrame]) -> None:
    catalogue, frame = large
    for sort in ("downloads", "likes", "-size", "-created"):
        key = sort.removeprefix("-")
        known = frame[frame[key].notna()].sort_values(key, ascending=False, kind="stable")
        order = [*(known.index[::-1] if sort.startswith("-") else known.index), *frame.index[frame[key].isna()]]
        for offset in (0, 60_001, 99_990):
            page = catalogue.page(parse(""), sort=Sort.parse(sort), offset=offset, limit=20, facets=())
            assert [row.number for row in page.rows] == order[offset : offset + 20], (sort, offset)


def test_an_answer_holds_no_more_than_its_page(large: tuple[Catalogue, pd.DataFrame]) -> None:
    catalogue, _ = large
    page = catalogue.page(parse(""), limit=10_000)
    assert page.total == ROWS
    assert len(page.rows) == 1000
    assert all(len(values) <= 100 for values in page.facets.values())
    assert catalogue.mapped.column("cell_table").shape[0] < ROWS // 2
    places = np.array([0, ROWS // 2, ROWS - 1])
    for order, place in catalogue.mapped.orders.values():
        assert place[order[places]].tolist() == places.tolist()
