"""How a provider did over a time: availability and response, from the looks at it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from modelshelf.providers.spec import Health, HealthStatus

ANSWERED = frozenset({HealthStatus.WELL, HealthStatus.SLOW})
MOST_POINTS = 60


@dataclass(frozen=True, slots=True)
class Pulse:
    """`availability` from 0 to 1 and `median_ms` of its answers, None before the first; `points` oldest first.

    A point is a slice of the time: the slowest answer in it in ms, -1 where it did not answer, None without a look.
    """

    availability: float | None = None
    median_ms: float | None = None
    points: tuple[float | None, ...] = ()


def pulse(looks: Sequence[Health], now: datetime, span: timedelta = timedelta(hours=1)) -> Pulse:
    """The pulse over the `span` before `now`."""
    recent = [look for look in looks if look.at > now - span and look.status is not HealthStatus.UNKNOWN]
    if not recent:
        return Pulse()
    answered = [look.latency_ms for look in recent if look.status in ANSWERED and look.latency_ms is not None]
    good = sum(look.status in ANSWERED for look in recent)
    points: list[float | None] = [None] * MOST_POINTS
    for look in recent:
        place = min(int((look.at - (now - span)) / span * MOST_POINTS), MOST_POINTS - 1)
        before = points[place]
        failed = look.status not in ANSWERED or before == -1
        points[place] = -1 if failed else max(before or 0.0, look.latency_ms or 0.0)
    return Pulse(good / len(recent), median(answered) if answered else None, tuple(points))
