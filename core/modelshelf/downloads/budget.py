"""Budgets: hours of the day, bytes per day and month, and a connection that is paid by the byte."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from modelshelf.config import DownloadsConfig
from modelshelf.hours import Hours, first_moment, parse_hours, within

_ROUNDS = 8  # how often one reason may follow another before the answer to "until when" is given up


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings allow: `daily`, `monthly` and `small` in bytes, 0 for no limit.

    `metered` is no | nothing | small.
    """

    hours: tuple[Hours, ...] = ()
    daily: int = 0
    monthly: int = 0
    metered: str = "no"
    small: int = 0

    @classmethod
    def of(cls, settings: DownloadsConfig) -> "Rules":
        """The rules in the settings."""
        return cls(
            parse_hours(settings.hours),
            int(settings.daily_gb * 1e9),
            int(settings.monthly_gb * 1e9),
            settings.metered,
            int(settings.metered_mb * 1e6),
        )


@dataclass(frozen=True, slots=True)
class Used:
    """The bytes that were fetched on a local day and in its month."""

    day: date
    today: int = 0
    month: int = 0

    def on(self, day: date) -> tuple[int, int]:
        """What counts on a day: of another day or month nothing is spent yet."""
        same_month = (day.year, day.month) == (self.day.year, self.day.month)
        return self.today if day == self.day else 0, self.month if same_month else 0


@dataclass(frozen=True, slots=True)
class Closed:
    """Why nothing more than `allowed` bytes at a time may be fetched, and until when (UTC; None: nobody knows)."""

    reason: str
    until: datetime | None
    allowed: int = 0

    def detail(self, zone: tzinfo | None = None) -> str:
        """What a job that waits says: `budget: …`."""
        if self.until is None:
            return f"budget: {self.reason}."
        return f"budget: {self.reason}; it goes on at {self.until.astimezone(zone):%Y-%m-%d %H:%M}."


def closed(rules: Rules, moment: datetime, used: Used, zone: tzinfo | None = None) -> Closed | None:
    """What keeps downloads from going on at a moment; None if nothing does. `zone` None is that of this machine."""
    first = _reason(rules, moment, used, zone)
    if first is None:
        return None
    until = first.until
    for _ in range(_ROUNDS):
        if until is None or (after := _reason(rules, until, used, zone)) is None:
            break
        if after.allowed:  # only a metered connection is left, which lets small jobs through
            break
        until = after.until
    return Closed(first.reason, until, first.allowed)


def _reason(rules: Rules, moment: datetime, used: Used, zone: tzinfo | None) -> Closed | None:
    local = moment.astimezone(zone)
    today, month = used.on(local.date())
    if not within(rules.hours, local):
        spans = ", ".join(map(str, rules.hours))
        return Closed(f"only at {spans}", first_moment(moment, zone, lambda at: within(rules.hours, at)))
    if rules.monthly and month >= rules.monthly:
        return Closed(f"the {rules.monthly / 1e9:g} GB of this month are used up", _from(_next_month(local), zone))
    if rules.daily and today >= rules.daily:
        return Closed(f"the {rules.daily / 1e9:g} GB of this day are used up", _from(local.date() + timedelta(1), zone))
    if rules.metered == "nothing":
        return Closed("the connection is metered (downloads.metered)", None)
    if rules.metered == "small":
        size = f"{rules.small / 1e6:g} MB"
        return Closed(f"the connection is metered, and more than {size} are missing", None, rules.small)
    return None


def _next_month(moment: datetime) -> date:
    return (moment.date().replace(day=1) + timedelta(32)).replace(day=1)


def _from(day: date, zone: tzinfo | None) -> datetime | None:
    """The first minute of a local day, in UTC; some days begin at 01:00, because a clock skips their first hour."""
    near = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=16)
    return first_moment(near, zone, lambda at: at.date() >= day)
