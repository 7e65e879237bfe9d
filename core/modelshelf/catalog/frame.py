"""A search's answer as a pandas table."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from modelshelf.catalog.types import RepoCard, SearchAnswer
from modelshelf.errors import UsageError

TYPES = {
    "id": "string",
    "source": "string",
    "repo": "string",
    "author": "string",
    "task": "string",
    "library": "string",
    "format": "string",
    "quantisations": "string",
    "size": "Int64",
    "parameters": "Int64",
    "context": "Int64",
    "architecture": "string",
    "licence": "string",
    "downloads": "Int64",
    "likes": "Int64",
    "gated": "boolean",
    "created": "datetime64[us, UTC]",
    "modified": "datetime64[us, UTC]",
    "commit": "string",
}


def to_frame(answer: SearchAnswer) -> pd.DataFrame:
    """One row a repository, sizes in bytes; what a source does not say is missing, not zero."""
    frame = of_cards(answer.rows)
    frame.attrs["sources"] = answer.sources
    return frame


def of_cards(cards: Iterable[RepoCard]) -> pd.DataFrame:
    """Cards as a table, a row for each."""
    rows = [
        {
            **{name: getattr(card, name, None) for name in TYPES},
            "id": str(card.id),
            "author": card.id.author,
            "format": ", ".join(card.formats) or None,
            "quantisations": ", ".join(card.quantisations) or None,
        }
        for card in cards
    ]
    return pd.DataFrame(rows, columns=pd.Index(list(TYPES))).astype(TYPES)


def whole(file: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    """The catalogue as it lies in a generation; texts and lists stay in Arrow, which keeps them small.

    Raises:
        UsageError: there is no such column.
    """
    known = pq.read_schema(file).names
    if odd := [name for name in columns or () if name not in known]:
        raise UsageError(f"The catalogue has no column “{odd[0]}”.", remedy=f"Its columns: {', '.join(known)}.")
    return pd.read_parquet(file, columns=list(columns) if columns else None, dtype_backend="pyarrow")
