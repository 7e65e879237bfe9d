"""How the list of all models comes about: begun from the page, its progress, its age, and what went wrong."""

from typing import TYPE_CHECKING, Any

from modelshelf.access import Role
from modelshelf.errors import RoleRequired
from modelshelf.events import SyncAsked
from modelshelf_dashboard import figures
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class Listing:
    """What one session is told of it."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf = shelf
        self._session = session

    def begin(self) -> None:
        """Have every source listed, by the process that looks after the catalogue."""
        who = self._session.principal
        if who.role < Role.OPERATOR:
            needs = _("{name} is {role}; to list models needs {needed}.", name=who.name, role=who.role.label,
                      needed=Role.OPERATOR.label)  # fmt: skip
            self._session.complain(RoleRequired(needs), "listing")
            return
        self._shelf.events.publish(SyncAsked(full=False))

    def notices(self) -> list[dict[str, Any]]:
        """What to say over the results; nothing while there is a list and all is well."""
        state = self._shelf.catalog_state
        if state.busy and not self._said(state.error):
            return [_notice("good", _going_on(state), "" if state.generation else _meanwhile())]
        if state.status == "failed" and state.error:
            kept = _("The list of before is still in use.") if state.generation else ""
            return [_notice("warn", state.error, kept, _begin(_("Try again")))]
        if state.loaded and not state.generation:
            text = _("There is no list of all models yet.")
            return [_notice("good", text, _("Sources are asked as you type."), _begin(_("List all models")))]
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
        return {"text": text} if state.busy else {"text": text, "action": _begin(_("Bring up to date"))}


def _going_on(state: Any) -> str:
    match state.status:
        case "asked":
            return _("Listing begins in a moment.")
        case "building":
            return _("All models are being put in order.")
        case "waiting":
            return _("Listing {source} waits: {why}", source=state.source, why=state.error)
        case _:
            return _("Listing {source}: {n} models so far.", source=state.source, n=f"{state.found:,}")


def _meanwhile() -> str:
    return _("Until then sources are asked as you type.")


def _begin(word: str) -> dict[str, Any]:
    return {"do": "list", "word": word, "help": "modelList"}


def _notice(tone: str, text: str, remedy: str, action: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"id": "listing", "tone": tone, "text": text, "remedy": remedy, "action": action, "lasting": True}
