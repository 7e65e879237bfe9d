"""What is wrong, the worst first, each with what mends it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from modelshelf.integration.status import FAILING, IntegrationStatus
from modelshelf.providers.rows import BUILTIN
from modelshelf.providers.spec import HealthStatus, ProviderConfig

if TYPE_CHECKING:
    from modelshelf.catalog import CatalogService
    from modelshelf.catalog.types import SourceReport
    from modelshelf.integration.status import IntegrationService, ProviderStatus
    from modelshelf.library import ModelLibrary
    from modelshelf.library.types import InstalledModel
    from modelshelf.providers import HealthMonitor, ProviderRegistry
    from modelshelf.vetting import VettingService

WRONG, WARNING, ADVICE = "wrong", "warning", "advice"
SEVERITIES = (WRONG, WARNING, ADVICE)


@dataclass(frozen=True, slots=True)
class Action:
    """What mends an issue.

    do: restart (a service) | key | test | enable (a provider) | download (a model) | find (models for a provider) |
    source (ask it again) | installed | quarantine (look there). `context` names what it is done with.
    """

    do: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong: severity is wrong | warning | advice; `id` stays the same as long as it is the same."""

    id: str
    severity: str
    text: str
    remedy: str = ""
    action: Action | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class Failing(Protocol):
    """A service as the shelf tells of it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def error(self) -> str: ...  # noqa: D102
    @property
    def remedy(self) -> str: ...  # noqa: D102


class Troubles:
    """Gathers what is wrong from what services know already; nobody is asked for it."""

    def __init__(
        self,
        services: Callable[[], Iterable[Failing]],
        integration: "IntegrationService",
        catalog: "CatalogService",
        library: "ModelLibrary",
        vetting: "VettingService",
        providers: "ProviderRegistry",
        health: "HealthMonitor",
    ) -> None:
        self._services = services
        self._integration = integration
        self._catalog = catalog
        self._library = library
        self._vetting = vetting
        self._providers = providers
        self._health = health

    async def issues(self) -> tuple[Issue, ...]:
        """Everything that is wrong now, the worst first."""
        status = await self._integration.glance()
        found = [_service(item) for item in self._services() if item.status == "failed"]
        found += await self._of_providers(status)
        found += [_source(report) for report in self._catalog.reports() if report.status == "failed"]
        found += [_damaged(model) for model in await self._library.models() if model.damaged]
        if held := len(await self._vetting.quarantine.items()):
            found.append(_held(held))
        return tuple(sorted(found, key=lambda issue: SEVERITIES.index(issue.severity)))

    async def _of_providers(self, status: IntegrationStatus) -> list[Issue]:
        known = await self._providers.list()
        if known and not any(config.enabled for config in known):
            return [_all_off()]
        enabled = [config for config in known if config.enabled]
        found = [await self._of_provider(config, status.providers.get(config.id)) for config in enabled]
        return [issue for issue in found if issue]

    async def _of_provider(self, config: ProviderConfig, status: "ProviderStatus | None") -> Issue | None:
        about = {"provider": config.id}
        if await self._providers.lacks_key(config):
            text = f"{config.name} needs a key."
            return Issue(f"key {config.id}", WRONG, text, "Without one it answers nothing.", Action("key", about))
        look, listed = self._health.latest.get(config.id), self._health.listed.get(config.id)
        if look is not None and look.status in FAILING:
            refused = look.status is HealthStatus.REFUSED
            text = f"{config.name} {'refuses us' if refused else 'does not answer'}."
            told = " ".join(part for part in (look.detail, look.remedy) if part)
            return Issue(f"provider {config.id}", WRONG, text, told, Action("key" if refused else "test", about))
        if listed is not None and listed.error and config.id != BUILTIN.id:
            return Issue(f"models {config.id}", WARNING, f"{config.name}: {listed.error}", "", Action("test", about))
        if status is not None and status.status == "needs_models":
            return _empty(config, self._integration.best.get(config.id, ""))
        return None


def _service(item: Failing) -> Issue:
    text = item.error or f"The service “{item.name}” failed."
    return Issue(f"service {item.name}", WRONG, text, item.remedy, Action("restart", {"service": item.name}))


def _all_off() -> Issue:
    text = "Every provider is switched off, so that nothing can answer."
    remedy = "The built-in engine runs on this machine and needs nothing else."
    return Issue("providers off", WRONG, text, remedy, Action("enable", {"provider": BUILTIN.id}))


def _empty(config: ProviderConfig, best: str) -> Issue:
    text = f"{config.name} is well, but has no models."
    if best:
        remedy = f"{best} would do well on it."
        return Issue(f"empty {config.id}", WARNING, text, remedy, Action("download", {"model": best}))
    remedy = "A model that fits shows up there once it is downloaded."
    return Issue(f"empty {config.id}", WARNING, text, remedy, Action("find", {"provider": config.id}))


def _source(report: "SourceReport") -> Issue:
    text = f"{report.label} does not answer." if not report.error else f"{report.label}: {report.error}"
    remedy = report.remedy or "The other sources go on."
    return Issue(f"source {report.source}", WARNING, text, remedy, Action("source", {"source": report.source}))


def _damaged(model: "InstalledModel") -> Issue:
    text = f"{model.repo} is damaged: {', '.join(model.damaged[:3])} holds other bytes than published."
    remedy = "It is not offered to any engine. Remove it and download it again."
    return Issue(f"damaged {model.id}", WRONG, text, remedy, Action("installed", {"model": str(model.id)}))


def _held(count: int) -> Issue:
    text = "1 file is held in quarantine." if count == 1 else f"{count} files are held in quarantine."
    return Issue("quarantine", ADVICE, text, "Look at why, and delete what you do not need.", Action("quarantine"))
