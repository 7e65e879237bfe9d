"""How the list of all models comes about: begun from the page, its progress, its age, and what went wrong."""

from typing import TYPE_CHECKING, Any

from modelshelf.access import Role
from modelshelf.errors import RoleRequired
from modelshelf.events import SyncAsked
from modelshelf_dashboard import figures
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.catalog.sync.more import More
    from modelshelf.shelf import Shelf

OFFER = "more models"


class Listing:
    """What one session is told of it."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf = shelf
        self._session = session
        self.declined = False  # the offer to list more

    def begin(self) -> None:
        """Have every source listed, by the process that looks after the catalogue."""
        if self._may():
            self._shelf.events.publish(SyncAsked(full=False))

    def heard(self, what: str) -> bool:
        """Do what was pressed, if it is of these; False if not."""
        match what:
            case "list":
                self.begin()
            case "list-all" if self._may():
                self._session.run(self._shelf.catalog_sync.list_all(), key="listing")
            case "list-stop" if self._may():
                self._session.run(self._stop(), key="listing")
            case "list-all" | "list-stop":
                pass
            case _:
                return False
        return True

    async def _stop(self) -> None:
        if not await self._shelf.catalog_sync.halt():
            self._shelf.catalog_state.take("stopped", "", 0, "")  # who listed is gone

    def _may(self) -> bool:
        who = self._session.principal
        if who.role < Role.OPERATOR:
            needs = _("{name} is {role}; to list models needs {needed}.", name=who.name, role=who.role.label,
                      needed=Role.OPERATOR.label)  # fmt: skip
            self._session.complain(RoleRequired(needs), "listing")
            return False
        return True

    def notices(self) -> list[dict[str, Any]]:
        """What to say over the results; nothing while there is a list and all is well."""
        state = self._shelf.catalog_state
        if state.busy and not self._said(state.error):
            stop = None if state.status in {"stopping", "building"} else _stop()
            return [_notice("good", _going_on(state), "" if state.generation else _meanwhile(), stop)]
        if state.status == "failed" and state.error:
            kept = _("The list of before is still in use.") if state.generation else ""
            return [_notice("warn", state.error, kept, _begin(_("Try again")))]
        if state.loaded and not state.generation:
            text = _("There is no list of all models yet.")
            return [_notice("good", text, _("Sources are asked as you type."), _begin(_("List models")))]
        if state.more is not None and not self.declined:
            text, remedy = _offered(state.more)
            offer = {"do": "list-all", "word": _("List all models"), "help": "modelList"}
            return [{**_notice("good", text, remedy, offer), "id": OFFER, "lasting": False}]
        return []

    def _said(self, error: str) -> bool:
        """Whether a source says the same of itself right below: once is enough."""
        state, sources = self._shelf.catalog_state, self._shelf.models_state.sources
        return state.status == "waiting" and any(report.error == error for report in sources)

    def age(self) -> dict[str, Any]:
        """How old the list is, for the foot of the filters."""
        state = self._shelf.catalog_state
        if not state.generation:
            return {}
        text = _("List of {n} models, {ago}", n=f"{state.rows:,}", ago=figures.ago(state.made))
        if state.busy:
            return {"text": text}
        offer = {"do": "list-all", "word": _("List all models"), "help": "modelList"}
        return {"text": text, "actions": [_begin(_("Bring up to date")), *([offer] if state.more is not None else [])]}


def _going_on(state: Any) -> str:
    match state.status:
        case "asked":
            return _("Listing begins in a moment.")
        case "stopping":
            return _("Listing stops; the next time it goes on from there.")
        case "building":
            return _("All models are being put in order.")
        case "waiting":
            return _("Listing {source} waits: {why}", source=state.source, why=state.error)
        case _:
            return _("Listing {source}: {n} models so far.", source=state.source, n=f"{state.found:,}")


def _meanwhile() -> str:
    return _("Until then sources are asked as you type.")


def _offered(rest: "More") -> tuple[str, str]:
    """What else there is to list, and what it would take."""
    if not rest.models:
        text = _("The {n} most downloaded models of {source} are listed.", n=f"{rest.listed:,}", source=rest.label)
        return text, _("All others can be searched too, once they are listed.")
    text = _("{n} of some {all} models of {source} are listed.", n=f"{rest.listed:,}", source=rest.label,
             all=figures.number(rest.models))  # fmt: skip
    minutes = f"{rest.seconds / 60:,.0f}"
    takes = _("The others take {requests} requests and {n} minutes.", requests=f"{rest.requests:,}", n=minutes)
    if rest.received:
        takes = _("The others take {requests} requests, {size} and {n} minutes.", requests=f"{rest.requests:,}",
                  size=figures.size(rest.received), n=minutes)  # fmt: skip
    return text, takes


def _stop() -> dict[str, Any]:
    return {"do": "list-stop", "word": _("Stop"), "help": "modelList"}


def _begin(word: str) -> dict[str, Any]:
    return {"do": "list", "word": word, "help": "modelList"}


def _notice(tone: str, text: str, remedy: str, action: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"id": "listing", "tone": tone, "text": text, "remedy": remedy, "action": action, "lasting": True}
