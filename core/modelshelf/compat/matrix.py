"""Scores as a table."""

from collections.abc import Mapping, Sequence

import pandas as pd

from modelshelf.compat.types import Compatibility


def frame_of(
    answers: Mapping[tuple[str, str], Compatibility], models: Sequence[str], providers: Sequence[str]
) -> pd.DataFrame:
    """Scores of models (rows) with providers (columns), NaN where there is none; `attrs["answers"]` has the answers."""
    scores = [[answers[model, provider].score for provider in providers] for model in models]
    index, columns = pd.Index(models, name="model"), pd.Index(providers, name="provider")
    frame = pd.DataFrame(scores, index=index, columns=columns, dtype="float64")
    frame.attrs["answers"] = dict(answers)
    return frame
