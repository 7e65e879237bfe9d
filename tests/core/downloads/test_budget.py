"""Budgets: hours of the day in any zone, bytes of the day and month, a metered connection, and jobs that wait."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.config import ConfigManager
from modelshelf.downloads import JobStatus
from modelshelf.downloads.budget import Closed, Rules, Used, closed
from modelshelf.errors import ConfigError
from modelshelf.hours import Hours, first_moment, parse_hours, within
from modelshelf.samples import Faults, SampleHub
from tests.core.downloads.conftest import World, a_world, noise, use

MIB = 2**20
NIGHT = parse_hours("22:00-06:00")
# Clocks that skip and repeat an hour, one that does so at midnight, one by half an hour, one at an odd offset.
ZONES = [ZoneInfo(name) for name in (
    "Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC",
)]  # fmt: skip

moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
minutes = st.integers(0, 1439)
spans = st.lists(st.builds(Hours, minutes, minutes), min_size=1, max_size=3).map(tuple)
zones = st.sampled_from(ZONES)


def at(zone: ZoneInfo, *parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=zone, fold=fold)  # type: ignore[misc,arg-type]


@given(spans)
def test_what_is_written_is_read_again(hours: tuple[Hours, ...]) -> None:
    assert parse_hours(", ".join(map(str, hours))) == hours


@pytest.mark.parametrize("text", ["22-6", "25:00-1:00", "10:60-11:00", "10:00", "24:00-06:00", "10:00-24:30", "x", "-"])
def test_what_is_no_span_is_refused(text: str, config: ConfigManager) -> None:
    with pytest.raises(ConfigError, match="22:00-06:00"):
        config.set("downloads.hours", text)
    assert config.get("downloads.hours") == ""


def test_the_end_of_the_day_may_be_written() -> None:
    assert parse_hours("18:00-24:00, 00:00-06:00")[0].hold(1439)
    assert not parse_hours("18:00-24:00")[0].hold(0)


@settings(max_examples=150, deadline=None)
@given(hours=spans, moment=moments, zone=zones)
def test_downloads_go_on_at_the_first_minute_of_the_hours_by_the_clock_on_the_wall(
    hours: tuple[Hours, ...], moment: datetime, zone: ZoneInfo
) -> None:
    found = closed(Rules(hours=hours), moment, Used(moment.date()), zone)
    assert (found is None) == within(hours, moment.astimezone(zone))
    if found is None:
        return
    assert found.until is not None
    assert moment < found.until <= moment + timedelta(hours=26)
    assert within(hours, found.until.astimezone(zone))
    minute = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while minute < found.until:
        assert not within(hours, minute.astimezone(zone))
        minute += timedelta(minutes=7)
    assert not within(hours, (found.until - timedelta(minutes=1)).astimezone(zone))


def test_hours_over_midnight() -> None:
    berlin = ZONES[0]
    assert closed(Rules(NIGHT), at(berlin, 2026, 7, 1, 23, 30), Used(date(2026, 7, 1)), berlin) is None
    assert closed(Rules(NIGHT), at(berlin, 2026, 7, 1, 5, 59), Used(date(2026, 7, 1)), berlin) is None
    found = closed(Rules(NIGHT), at(berlin, 2026, 7, 1, 6, 0), Used(date(2026, 7, 1)), berlin)
    assert found == Closed("only at 22:00-06:00", at(berlin, 2026, 7, 1, 22, 0))
    assert found is not None
    assert found.detail(berlin) == "budget: only at 22:00-06:00; it goes on at 2026-07-01 22:00."


def test_an_hour_that_the_clock_skips_begins_after_it() -> None:
    berlin = ZONES[0]  # 2026-03-29: 02:00 becomes 03:00
    rules = Rules(parse_hours("02:30-04:00"))
    found = closed(rules, at(berlin, 2026, 3, 29, 1, 0), Used(date(2026, 3, 29)), berlin)
    assert found is not None
    assert found.until == at(berlin, 2026, 3, 29, 3, 0)


def test_an_hour_that_the_clock_repeats_counts_twice() -> None:
    berlin = ZONES[0]  # 2026-10-25: 03:00 becomes 02:00
    rules = Rules(parse_hours("02:00-02:30"))
    for fold in (0, 1):
        moment = at(berlin, 2026, 10, 25, 2, 10, fold=fold)
        assert closed(rules, moment, Used(date(2026, 10, 25)), berlin) is None
    between = closed(rules, at(berlin, 2026, 10, 25, 2, 40), Used(date(2026, 10, 25)), berlin)
    assert between is not None
    assert between.until == at(berlin, 2026, 10, 25, 2, 0, fold=1).astimezone(UTC)


@settings(max_examples=100, deadline=None)
@given(moment=moments, zone=zones, monthly=st.booleans())
def test_a_spent_budget_is_new_with_the_next_day_or_month(moment: datetime, zone: ZoneInfo, monthly: bool) -> None:
    local = moment.astimezone(zone)
    rules = Rules(monthly=10) if monthly else Rules(daily=10)
    used = Used(local.date(), 10, 10)
    found = closed(rules, moment, used, zone)
    assert found is not None
    assert found.until is not None
    assert closed(rules, found.until, used, zone) is None
    last = (found.until - timedelta(minutes=1)).astimezone(zone)
    assert closed(rules, last, used, zone) is not None
    assert closed(rules, moment, Used(local.date(), 9, 9), zone) is None


def test_reasons_that_follow_each_other_are_told_as_one_wait() -> None:
    utc = ZONES[-1]
    rules = Rules(NIGHT, daily=10)
    # The day's bytes are used up; at midnight they are new, and the hours are open.
    found = closed(rules, at(utc, 2026, 5, 1, 23, 0), Used(date(2026, 5, 1), 10, 10), utc)
    assert found is not None
    assert found.until == at(utc, 2026, 5, 2, 0, 0)
    # Used up in the morning: the hours end before midnight comes, and open again at ten, when the day is still spent.
    found = closed(rules, at(utc, 2026, 5, 1, 7, 0), Used(date(2026, 5, 1), 10, 10), utc)
    assert found is not None
    assert found.until == at(utc, 2026, 5, 2, 0, 0)


def test_no_hours_within_days_is_not_known() -> None:
    assert first_moment(datetime(2026, 1, 1, tzinfo=UTC), None, lambda _: False, days=0.1) is None


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


async def test_a_job_waits_for_its_hours_and_then_goes_on(empty_hub: SampleHub, config: ConfigManager) -> None:
    use(empty_hub, config)
    config.set("downloads.hours", "22:00-06:00")
    await empty_hub.add("org/m", {"a.gguf": noise(1000)})
    clock = Clock(datetime(2026, 5, 1, 12, 0, tzinfo=UTC))
    async with a_world(empty_hub, config, clock=clock, zone=UTC) as world:
        job = await world.downloads.start("org/m")
        waits = await world.reached(job, lambda step: step.status is JobStatus.WAITING)
        assert waits.detail == "budget: only at 22:00-06:00; it goes on at 2026-05-01 22:00."
        assert waits.until == datetime(2026, 5, 1, 22, 0, tzinfo=UTC)
        assert world.sent() == 0
        clock.moment = datetime(2026, 5, 1, 22, 0, tzinfo=UTC)
        done = await world.ended(job)
        assert (done.status, done.detail, done.until) == (JobStatus.DONE, "", None)


async def test_the_end_of_the_hours_stops_a_job_that_runs(empty_hub: SampleHub, config: ConfigManager) -> None:
    use(empty_hub, config)
    config.set("downloads.hours", "22:00-06:00")
    await empty_hub.add("org/m", {"a.gguf": noise(20 * MIB)})
    empty_hub.faults = Faults(rate=4 * MIB)
    clock = Clock(datetime(2026, 5, 1, 5, 59, tzinfo=UTC))
    async with a_world(empty_hub, config, clock=clock, zone=UTC) as world:
        job = await world.downloads.start("org/m")
        await world.reached(job, lambda step: step.done > 2 * MIB)
        clock.moment = datetime(2026, 5, 1, 6, 0, tzinfo=UTC)
        waits = await world.reached(job, lambda step: step.status is JobStatus.WAITING)
        assert waits.detail.startswith("budget: only at")
        assert waits.done >= 2 * MIB
        # While it waits, it holds no place among those that run, and can be paused and cancelled like any other.
        await world.downloads.pause(job)
        assert (await world.downloads.job(job)).status is JobStatus.PAUSED
        await world.downloads.resume(job)
        await world.reached(job, lambda step: step.status is JobStatus.WAITING)
        empty_hub.faults = Faults()
        mark = len(empty_hub.requests)
        config.set("downloads.hours", "")
        assert (await world.ended(job)).status is JobStatus.DONE
        assert world.sent(mark) < 19 * MIB


async def test_bytes_of_a_day_are_counted_and_kept(empty_hub: SampleHub, config: ConfigManager) -> None:
    use(empty_hub, config)
    config.set("downloads.daily_gb", 0.001)
    await empty_hub.add("org/m", {"a.gguf": noise(1_200_000)})
    await empty_hub.add("org/n", {"b.gguf": noise(1_000, 2)})
    clock = Clock(datetime(2026, 5, 1, 12, 0, tzinfo=UTC))
    async with a_world(empty_hub, config, clock=clock, zone=UTC) as world:
        await world.fetch("org/m")
        used = await world.downloads.allowance.look()
        assert used.today == used.month == 1_200_000
    async with a_world(empty_hub, config, clock=clock, zone=UTC) as world:
        job = await world.downloads.start("org/n")
        waits = await world.reached(job, lambda step: step.status is JobStatus.WAITING)
        assert waits.detail == "budget: the 0.001 GB of this day are used up; it goes on at 2026-05-02 00:00."
        clock.moment = datetime(2026, 5, 2, tzinfo=UTC)
        assert (await world.ended(job)).status is JobStatus.DONE


async def test_while_metered_small_downloads_go_on_and_large_ones_wait(world: World) -> None:
    world.config.set("downloads.metered", "small")
    world.config.set("downloads.metered_mb", 1)
    await world.hub.add("org/large", {"a.gguf": noise(2 * MIB)})
    await world.hub.add("org/small", {"a.gguf": noise(1000, 2)})
    large = await world.downloads.start("org/large", priority=5)
    waits = await world.reached(large, lambda step: step.status is JobStatus.WAITING)
    assert waits.detail == "budget: the connection is metered, and more than 1 MB are missing."
    assert waits.until is None
    assert (await world.fetch("org/small")).status is JobStatus.DONE
    world.config.set("downloads.metered", "nothing")
    await world.reached(large, lambda step: "metered (downloads.metered)" in step.detail)
    world.config.set("downloads.metered", "no")
    assert (await world.ended(large)).status is JobStatus.DONE


async def test_a_job_obeys_its_own_limit(world: World) -> None:
    await world.hub.add("org/m", {"a.gguf": noise(4 * MIB)})
    world.config.set("downloads.max_job_rate_mb", 2)
    job = await world.downloads.start("org/m")
    step = await world.reached(job, lambda step: step.done > MIB)
    assert step.status is JobStatus.TRANSFERRING
    await world.downloads.limit(job, 1e9)
    done = await world.ended(job)
    assert done.rate_limit == 1e9
    assert done.fetched == 4 * MIB
