"""Status: how services, sources and providers are."""

from typing import TYPE_CHECKING, Any

from modelshelf_dashboard import figures
from modelshelf_dashboard.components.cards import Cards
from modelshelf_dashboard.session import TO_SETTINGS, Session
from modelshelf_dashboard.state_words import health_dot, health_word, service_word
from modelshelf_dashboard.texts import N_, _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf
    from modelshelf.state import ProviderState

_SERVICES = {"running": (N_("runs"), "well"), "failed": (N_("failed"), "bad"), "stopped": (N_("stopped"), "")}
_SOURCES = {
    "fresh": (N_("answers"), "well"),
    "stale": (N_("does not answer; kept answers are shown"), "slow"),
    "failed": (N_("does not answer"), "bad"),
    "off": (N_("switched off"), ""),
}


class Status:
    """Cards of providers, sources and services."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf = shelf
        self.cards = Cards()
        follow = session.follower
        follow.watch_items(shelf.providers_state, "providers", ["health", "enabled"], self.draw)
        follow.watch(shelf.models_state, ["sources"], self.draw)
        follow.watch(shelf.integration_state, ["status", "issues"], self.draw)
        self.draw()

    def draw(self) -> None:
        """Show how everything is now."""
        self.cards.cards = [self._providers(), self._sources(), self._services()]

    def _providers(self) -> dict[str, Any]:
        pairs = [
            {
                "name": item.name,
                "dot": health_dot(item.health.status) if item.enabled else "off",
                "value": self._standing(item) if item.enabled else _("switched off"),
            }
            for item in self._shelf.providers_state.providers
        ]
        go = {"do": TO_SETTINGS, "word": _("Providers"), "help": "providerHealth", "context": {"section": "providers"}}
        return {"id": "providers", "title": _("Providers"), "pairs": pairs, "actions": [go]}

    def _standing(self, item: "ProviderState") -> str:
        """How a provider is, how many models it has, and how many more would do well on it."""
        status = self._shelf.integration_state.status
        found = status.providers.get(item.id) if status is not None else None
        word = health_word(item.health.status)
        if found is None:
            return word
        more = found.available_for_download
        told = [word, _n("{n} model", "{n} models", found.local_models_count)]
        return " · ".join([*told, _n("{n} more fits", "{n} more fit", more)] if more else told)

    def _sources(self) -> dict[str, Any]:
        pairs = []
        for report in self._shelf.catalog.reports():
            word, dot = _SOURCES.get(report.status, (report.status, ""))
            told = _(word)
            if report.status == "stale" and report.as_of:
                told = f"{told} ({figures.ago(report.as_of)})"
            pairs.append({"name": report.label, "dot": dot or "off", "value": told})
        return {"id": "sources", "title": _("Sources"), "pairs": pairs}

    def _services(self) -> dict[str, Any]:
        """Those that do not run by name; of the others only how many: nobody wants to read what is well."""
        pairs, troubles = [], []
        services = self._shelf.services.values()
        for service in services:
            word, dot = _SERVICES.get(service.status, (service.status, ""))
            if service.status != "running":
                pairs.append({"name": service_word(service.name), "dot": dot or "off", "value": _(word)})
            if service.error:
                troubles.append(f"{service.error} {service.remedy}".strip())
        well = len(services) - len(pairs)
        pairs.append({"name": _n("{n} service", "{n} services", well), "dot": "well", "value": _("runs")})
        return {"id": "services", "title": _("Services"), "pairs": pairs, "text": " ".join(troubles)}
