"""The self-test of a shelf: the journey of a sample, the person's own providers, what could be better, a report."""

import asyncio
import json
import logging
import os
import platform
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf import __version__
from modelshelf.access import AccessService, Role, require
from modelshelf.config import ConfigManager
from modelshelf.errors import UsageError
from modelshelf.integration import own
from modelshelf.integration.own import Wish
from modelshelf.integration.selftest import IntegrationTest
from modelshelf.integration.steps import Report, Step

if TYPE_CHECKING:
    from modelshelf.integration.advice import Adviser
    from modelshelf.providers import HealthMonitor, ProviderRegistry

log = logging.getLogger(__name__)

FILE = "selftest.json"
PROVIDER_SECONDS = 10.0


class SelfTest:
    """Runs one self-test at a time and keeps the last report in the home."""

    def __init__(
        self,
        config: ConfigManager,
        access: AccessService,
        providers: "ProviderRegistry",
        health: "HealthMonitor",
        adviser: "Adviser",
    ) -> None:
        self.access = access
        self._config = config
        self._providers, self._health, self._adviser = providers, health, adviser
        self._running = False

    @property
    def running(self) -> bool:
        """Whether one runs in this process."""
        return self._running

    @property
    def file(self) -> Path:
        """Where the last report is kept."""
        return self._config.home / FILE

    @require(Role.OPERATOR, "selftest.run")
    async def allowed(self, wish: Wish) -> None:
        """See that who asks may run one with these wishes.

        Raises:
            RoleRequired: it needs the role of an operator: it loads models, and may cost money.
            UsageError: one runs already.
        """
        if self._running:
            raise UsageError("A self-test runs already.", remedy="Wait for its end.")

    async def run(
        self, wish: Wish | None = None, *, test: IntegrationTest | None = None
    ) -> AsyncGenerator[Step | Report, None]:
        """Each step as it ends: the journey of the sample, then the person's own providers; the report comes last.

        Raises:
            As `allowed`.
        """
        wish = wish or Wish()
        await self.allowed(wish)
        self._running = True
        started, clock, steps = datetime.now(UTC), time.perf_counter(), list[Step]()
        try:
            journey = (test or IntegrationTest(self._config.environ)).run()
            async with aclosing(journey):
                async for step in journey:
                    steps.append(step)
                    yield step
            async with aclosing(own.look(self._providers, self._health, wish, seconds=PROVIDER_SECONDS)) as looks:
                async for step in looks:
                    steps.append(step)
                    yield step
            seconds = time.perf_counter() - clock
            advice = await self._adviser.advise()
            report = Report(__version__, machine(), started, seconds, tuple(steps), advice)
            await asyncio.to_thread(self._keep, report)
            yield report
        finally:
            self._running = False

    async def last(self) -> Report | None:
        """The report of the last self-test of this home; None if there was none."""
        return await asyncio.to_thread(read, self.file)

    def _keep(self, report: Report) -> None:
        try:
            with tempfile.NamedTemporaryFile("w", dir=self.file.parent, prefix=".selftest-", delete=False) as fresh:
                json.dump(report.as_dict(), fresh)
            Path(fresh.name).replace(self.file)
        except OSError as error:
            log.warning("the report of the self-test was not kept: %s", error)


async def hermetic(environ: Mapping[str, str]) -> AsyncGenerator[Step | Report, None]:
    """The journey of the sample alone, with its report, which is not kept: nothing of this home is touched."""
    started, clock, steps = datetime.now(UTC), time.perf_counter(), list[Step]()
    async with aclosing(IntegrationTest(environ).run()) as journey:
        async for step in journey:
            steps.append(step)
            yield step
    yield Report(__version__, machine(), started, time.perf_counter() - clock, tuple(steps))


def read(file: Path) -> Report | None:
    """The report in a file; None if there is none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return Report.from_dict(json.loads(file.read_text("utf-8")))
    return None


def machine() -> str:
    """What the test ran on, in a line."""
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} processors"
