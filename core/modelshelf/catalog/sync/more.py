"""What a hub has beyond its most downloaded models, and what it would take to list it."""

from dataclasses import dataclass

from modelshelf.catalog.holdings import SourceState
from modelshelf.catalog.sync.asking import WHOLE
from modelshelf.catalog.sync.crawl import TOP

COUNTED = {"https://huggingface.co": 2_500_000}
"""Hubs of which it is known about how many models they have: none says so itself (November 2026)."""


@dataclass(frozen=True, slots=True)
class More:
    """Of a source the `listed` most downloaded models are known.

    `models` is about how many it has in all, 0 where nobody knows; then nothing is known of the others either.
    `requests` and `seconds` are what listing the others takes at the pace of the settings; `received` are the bytes,
    by those of the models listed so far, 0 where they were not counted.
    """

    source: str
    label: str
    listed: int
    models: int = 0
    requests: int = 0
    seconds: float = 0.0
    received: int = 0


def more(state: SourceState, label: str, source: str, endpoint: str, per_minute: int) -> More | None:
    """What there is beyond; None where all is listed, or was begun to be, or there is no more than that."""
    if state.full or state.crawling or not state.top or state.models < TOP:
        return None
    models = COUNTED.get(endpoint.rstrip("/"), 0)
    if not models:
        return More(source, label, state.models)
    rest = max(models - state.models, 0)
    requests = -(-rest // WHOLE)
    received = round(state.received / state.models * rest)
    return More(source, label, state.models, models, requests, requests * 60 / per_minute, received)
