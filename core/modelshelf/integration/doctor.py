"""What is wrong and how to mend it, found by trying."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from modelshelf.config import ConfigManager
from modelshelf.downloads.plan import Places, readable
from modelshelf.downloads.types import JobStatus
from modelshelf.errors import ModelshelfError
from modelshelf.hooks.service import FAILED as HOOK_FAILED
from modelshelf.integration.check import NOTE, WELL, WRONG, Check
from modelshelf.integration.places import on_disk, orphans
from modelshelf.integration.surroundings import around, python
from modelshelf.store.tables import JobRow, now

if TYPE_CHECKING:
    from modelshelf.catalog.index import IndexStatus
    from modelshelf.shelf import Shelf
    from modelshelf.vault import VaultStatus

LEFT_OUT = frozenset({"health", "downloads", "catalog sync", "state", "hooks"})
OLD_CATALOGUE = timedelta(days=7)
RECENT = timedelta(days=7)
HUNG = timedelta(minutes=10)
LOOKED_AT = 1000
# A job of these may go on, or be tried again: its part files are still of use.
_KEPT = frozenset(JobStatus) - {JobStatus.DONE, JobStatus.CANCELLED}
_WORKED_ON = ("planning", "transferring", "verifying", "vetting", "landing", "registering")


async def diagnose(config: ConfigManager | None = None) -> list[Check]:
    """Try everything that must work here, and say what does not."""
    try:
        settings: ConfigManager = config if config is not None else await asyncio.to_thread(ConfigManager)
    except ModelshelfError as error:
        return [python(), Check("settings", WRONG, error.message, error.remedy)]
    checks = [*await around(settings), *await asyncio.to_thread(on_disk, settings)]
    return checks + await _opened(settings)


async def _opened(config: ConfigManager) -> list[Check]:
    from modelshelf.shelf import open_shelf

    async with open_shelf(config=config, without=LEFT_OUT) as shelf:
        failed = [service for service in shelf.services.values() if service.status == "failed"]
        checks = [Check(service.name, WRONG, service.error, service.remedy) for service in failed]
        if shelf.services["store"].status == "failed":
            return checks
        return checks + await examine(shelf)


async def examine(shelf: "Shelf") -> list[Check]:
    """What an open shelf can say of itself: secrets, sources, providers, jobs, hooks, the catalogue."""
    checks: list[Check] = []
    if shelf.services["vault"].status == "running":
        checks.append(_secrets(await shelf.vault.status()))
    answer = await shelf.catalog.find("", limit=1)
    checks += [_source(report) for report in answer.sources]
    checks.append(_catalogue(await shelf.catalog.index.status(), shelf.config.config.catalog.sync))
    checks += await _providers(shelf)
    checks += await _jobs(shelf)
    return checks + await _hooks(shelf)


def _secrets(status: "VaultStatus") -> Check:
    if status.state == "empty":
        return Check("secrets", WELL, "none saved")
    if status.state == "well":
        return Check("secrets", WELL, f"{status.secrets} saved, the master key is in {status.place}")
    if status.state == "closed":
        return Check("secrets", WRONG, status.error, status.remedy)
    return Check("secrets", WRONG, f"damaged: {', '.join(status.damaged)}", "Save them anew.")


def _source(report: Any) -> Check:
    """A source that is down is a note, not a fault: the others go on."""
    if report.status == "failed":
        return Check(f"source {report.source}", NOTE, report.error, report.remedy)
    return Check(f"source {report.source}", WELL, f"{report.label}: {report.status}")


def _catalogue(status: "IndexStatus", sync: str) -> Check:
    if status.error:
        return Check("catalogue", WRONG, status.error, "`modelshelf catalog sync` makes it anew; a served page does.")
    if not status.generation or status.made is None:
        remedy = "" if sync == "off" else "`modelshelf catalog sync` makes it; until then sources are asked."
        return Check("catalogue", WELL if sync == "off" else NOTE, "There is no list of all models yet.", remedy)
    age = datetime.now(UTC) - status.made
    told = f"{status.rows:,} models, {age.days} days old"
    if age > OLD_CATALOGUE:
        return Check("catalogue", NOTE, f"{told}.", "`modelshelf catalog sync` brings it up to date.")
    return Check("catalogue", WELL, told)


async def _providers(shelf: "Shelf") -> list[Check]:
    enabled = [provider.id for provider in await shelf.providers.list() if provider.enabled]
    looks = await asyncio.gather(*(shelf.health.check(provider) for provider in enabled))
    return [_provider(provider, look) for provider, look in zip(enabled, looks, strict=True)]


def _provider(provider: str, look: Any) -> Check:
    status = {"well": WELL, "slow": NOTE}.get(look.status.value, WRONG if provider == "builtin" else NOTE)
    return Check(f"provider {provider}", status, f"{look.status.value} {look.detail}".strip(), look.remedy)


async def _jobs(shelf: "Shelf") -> list[Check]:
    rows = await shelf.store.read(_open_jobs)
    places = Places(shelf.config.paths.cache, shelf.config.paths.parts)

    def look() -> Check:
        expected = frozenset(places.part(plan, file) for plan in readable(rows) for file in plan.files)
        return orphans(places.parts, expected)

    return [*_leases(rows), await asyncio.to_thread(look)]


def _open_jobs(session: Session) -> Sequence[JobRow]:
    return session.scalars(select(JobRow).where(JobRow.status.in_(sorted(_KEPT)))).all()


def _leases(rows: Sequence[JobRow]) -> Iterator[Check]:
    late = [row for row in rows if row.status in _WORKED_ON and row.lease_until and row.lease_until < now() - HUNG]
    if late:
        yield Check(
            "downloads",
            NOTE,
            f"{len(late)} were left by a process that is gone, for example of {late[0].repo}.",
            "They go on by themselves when Modelshelf runs: `modelshelf serve` or `modelshelf queue`.",
        )
    else:
        yield Check("downloads", WELL, "none was left behind")


async def _hooks(shelf: "Shelf") -> list[Check]:
    hooks = await shelf.hooks.listed()
    broken = [
        Check("hooks", WRONG, f"{hook.name} cannot be loaded: {hook.error}.", "Mend it, or add it to hooks.off.")
        for hook in hooks
        if hook.error
    ]
    webhooks = [Check("webhooks", WRONG, hook.problem) for hook in shelf.hooks.webhooks() if hook.problem]
    return [*broken, *_failed_hooks(await shelf.access.audit(LOOKED_AT)), *webhooks, *await _messages(shelf)]


def _failed_hooks(entries: Sequence[dict[str, Any]]) -> Iterator[Check]:
    since = now() - RECENT
    failed = [entry for entry in entries if entry["action"] == HOOK_FAILED and entry["at"] > since]
    if failed:
        names = ", ".join(sorted({entry["target"] for entry in failed}))
        detail = f"{len(failed)} times within a week ({names}): {failed[0]['detail']}."
        yield Check("hooks that failed", NOTE, detail, "Mend the hook, or add it to hooks.off in the settings.")


async def _messages(shelf: "Shelf") -> list[Check]:
    lost = [one for one in await shelf.hooks.deliveries(LOOKED_AT) if one.status == "given up"]
    if not lost:
        return []
    remedy = "Mend what receives them; `modelshelf hooks retry` sends those of the last day again."
    return [Check("messages", NOTE, f"{len(lost)} did not reach {lost[0].webhook}: {lost[0].answer}", remedy)]
