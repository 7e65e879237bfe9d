"""Feeds the header: how many providers are well, how many downloads run, what is news."""

from typing import TYPE_CHECKING, Any

from modelshelf.providers.spec import HealthStatus
from modelshelf_dashboard.components.top_bar import TopBar
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class Header:
    """Watches the state on behalf of the bar at the top."""

    def __init__(self, shelf: "Shelf", session: Session, bar: TopBar) -> None:
        self._shelf = shelf
        self._session = session
        self._bar = bar
        bar.listen(self._heard)
        session.follower.watch_items(shelf.providers_state, "providers", ["enabled", "health"], self._providers)
        session.follower.watch(shelf.downloads_state, ["open", "news"], self._downloads)
        self._providers()
        self._downloads()

    def _providers(self) -> None:
        state = self._shelf.providers_state
        enabled = [item for item in state.providers if item.enabled]
        if not enabled:
            return
        text = _n("{well} of {n} provider well", "{well} of {n} providers well", len(enabled), well=state.well)
        troubled = any(item.health.status in {HealthStatus.DOWN, HealthStatus.REFUSED} for item in enabled)
        tone = "well" if state.well == len(enabled) else "bad" if troubled else "slow"
        self._bar.providers = {"tone": tone, "text": text}

    def _downloads(self) -> None:
        state = self._shelf.downloads_state
        self._bar.param.update(active=state.open, news=state.news.count)

    def _heard(self, message: dict[str, Any]) -> None:
        nav = self._session.navigation
        match message["do"]:
            case "providers":
                nav.navigate_to_llm_settings(section="status", chat="")
            case "downloads":
                nav.navigate_to_model_library(view="downloads", model="")
            case "home":
                nav.navigate_to_model_library(view="discover", q="", filters=[], model="")
