"""The library as a pandas table."""

from collections.abc import Sequence

import pandas as pd

from modelshelf.library.types import InstalledModel

TYPES = {
    "id": "string",
    "repo": "string",
    "commit": "string",
    "source": "string",
    "format": "string",
    "quantisation": "string",
    "size": "Int64",
    "files": "Int64",
    "refs": "string",
    "modified": "datetime64[us, UTC]",
    "complete": "boolean",
    "managed": "boolean",
    "verdict": "string",
    "damaged": "string",
    "served_name": "string",
    "path": "string",
}


def to_frame(models: Sequence[InstalledModel]) -> pd.DataFrame:
    """One row a commit, sizes in bytes."""
    rows = [
        {
            **{name: getattr(model, name, None) for name in TYPES},
            "id": str(model.id),
            "files": len(model.files),
            "refs": ", ".join(model.refs) or None,
            "damaged": ", ".join(model.damaged) or None,
            "path": str(model.snapshot),
        }
        for model in models
    ]
    return pd.DataFrame(rows, columns=pd.Index(list(TYPES))).astype(TYPES)
