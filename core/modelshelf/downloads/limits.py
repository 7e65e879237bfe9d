"""What a job may take from the network: its rate beside that of all jobs, and the budget of this home."""

from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING

from modelshelf.config import ConfigManager
from modelshelf.downloads import traffic
from modelshelf.downloads.budget import Closed, Rules, Used, closed
from modelshelf.downloads.jobs import OPEN_GATE, Gate
from modelshelf.downloads.pace import RateLimit
from modelshelf.store import Store

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService


class JobLimit(RateLimit):
    """The limit of one job, which takes from that of all jobs too; counts what came.

    Rates in bytes per second: `own` is the job's, `fallback` what the settings say for jobs without one; 0 is none.
    """

    def __init__(self, shared: RateLimit, own: float = 0.0) -> None:
        super().__init__()
        self.own = own
        self.fallback = 0.0
        self.fetched = 0
        self._shared = shared

    async def take(self, count: int) -> None:
        """Wait until `count` more bytes may have come."""
        self.fetched += count
        self.rate = self.own or self.fallback
        await self._shared.take(count)
        await super().take(count)


class Allowance:
    """The budget as this process sees it. `clock` and `zone` (None: this machine's) say what time it is."""

    def __init__(
        self,
        config: ConfigManager,
        store: Store,
        catalog: "CatalogService",
        clock: Callable[[], datetime] | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        self._config, self._store, self._catalog = config, store, catalog
        self.clock = clock or _now
        self.zone = zone
        self._used = Used(self.day)

    @property
    def used(self) -> Used:
        """What was fetched today and this month, as last seen."""
        return self._used

    def learn(self, used: Used) -> None:
        """Take in what is used up by now."""
        self._used = used

    async def look(self) -> Used:
        """What was fetched today and this month, by every process of this home."""
        self._used = await self._store.read(traffic.used, self.day)
        return self._used

    @property
    def day(self) -> date:
        """Today, as the calendar of this machine has it."""
        return self.clock().astimezone(self.zone).date()

    @property
    def limited(self) -> bool:
        """Whether the settings hold any budget at all."""
        rules = Rules.of(self._config.config.downloads)
        return bool(rules.hours or rules.daily or rules.monthly) or rules.metered != "no"

    def closed(self) -> Closed | None:
        """What keeps downloads from going on now."""
        return closed(Rules.of(self._config.config.downloads), self.clock(), self._used, self.zone)

    async def gate(self) -> Gate:
        """Which jobs may go on now. Sources that are not reached over a network cost nothing."""
        if not self.limited:
            return OPEN_GATE
        await self.look()
        found = self.closed()
        if found is None:
            return OPEN_GATE
        return Gate(found.allowed, found.detail(self.zone), found.until, self.free())

    def free(self) -> frozenset[str]:
        """The names of the sources that cost nothing to read."""
        names = [report.source for report in self._catalog.reports() if report.status != "off"]
        return frozenset(name for name in names if self.costs_nothing(name))

    def costs_nothing(self, source: str) -> bool:
        """Whether reading from a source is no traffic."""
        try:
            return not self._catalog.source(source).remote
        except LookupError:  # it is configured no more: its job will say so
            return True


def _now() -> datetime:
    return datetime.now(UTC)
