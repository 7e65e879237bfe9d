"""A search's answer as a pandas table."""

import pandas as pd

from modelshelf.catalog.types import SearchAnswer

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
    rows = [
        {
            **{name: getattr(card, name, None) for name in TYPES},
            "id": str(card.id),
            "author": card.id.author,
            "format": ", ".join(card.formats) or None,
            "quantisations": ", ".join(card.quantisations) or None,
        }
        for card in answer.rows
    ]
    frame = pd.DataFrame(rows, columns=pd.Index(list(TYPES))).astype(TYPES)
    frame.attrs["sources"] = answer.sources
    return frame
