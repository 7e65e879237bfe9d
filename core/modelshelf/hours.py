"""Hours of the day: `22:00-06:00, 12:00-13:30`, in local time, over midnight, right on days when clocks change."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

_SPAN = re.compile(r"^(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})$")
_MINUTE = timedelta(minutes=1)
_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """From `start` to before `end`, in minutes after midnight; an `end` not after `start` is on the next day."""

    start: int
    end: int

    def hold(self, minute: int) -> bool:
        """Whether this minute of the day is within."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def __str__(self) -> str:
        return f"{self.start // 60:02}:{self.start % 60:02}-{self.end // 60:02}:{self.end % 60:02}"


def parse_hours(text: str) -> tuple[Hours, ...]:
    """The spans in a text, none for an empty one.

    Raises:
        ValueError: a part is no span of hours; the message says how to write one.
    """
    return tuple(_span(part.strip()) for part in text.split(",") if part.strip())


def within(hours: tuple[Hours, ...], moment: datetime) -> bool:
    """Whether a local moment is within any of them; always, if there are none."""
    minute = moment.hour * 60 + moment.minute
    return not hours or any(span.hold(minute) for span in hours)


def first_moment(
    after: datetime, zone: tzinfo | None, wanted: Callable[[datetime], bool], days: float = 3.0
) -> datetime | None:
    """The first whole minute after a moment whose local time is wanted, in UTC; None if none is within so many days.

    Every minute is looked at by the clock on the wall, so that an hour that a clock skips or repeats comes out right.
    `zone` None is that of this machine.
    """
    moment = after.astimezone(UTC).replace(second=0, microsecond=0)
    for _ in range(int(days * _DAY)):
        moment += _MINUTE
        if wanted(moment.astimezone(zone)):
            return moment
    return None


def _span(text: str) -> Hours:
    found = _SPAN.match(text)
    if found:
        first, minute, last, end = map(int, found.groups())
        if first < 24 and minute < 60 and end < 60 and last * 60 + end <= _DAY:
            return Hours(first * 60 + minute, last * 60 + end)
    raise ValueError(f"“{text}” is no span of hours; write 22:00-06:00")
