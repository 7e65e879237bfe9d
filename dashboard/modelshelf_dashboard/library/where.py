"""Where an installed model can be used: each provider with what it has of it, what giving it would cost, or why not."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modelshelf.errors import ModelshelfError
from modelshelf.library.types import InstalledModel
from modelshelf.providers.rows import BUILTIN
from modelshelf.providers.taking import Way
from modelshelf.registration import Breaks, Offer, Plan, Registration, Status
from modelshelf_dashboard import figures
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import N_, _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

WAYS = {
    Way.PATH: N_("by its path"),
    Way.HARD_LINK: N_("by hard link"),
    Way.REFLINK: N_("by shared bytes (reflink)"),
    Way.SYMLINK: N_("by symbolic link"),
    Way.THERE: N_("with bytes of its own"),
    Way.UPLOAD: N_("by upload"),
}
TOPIC = "registration"
_FIRST = {"bad": 0, "warn": 1}  # what is wrong leads


class Where:
    """The section of one drawer. `show` is called when it has become another one."""

    def __init__(self, shelf: "Shelf", session: Session, show: Callable[[], None]) -> None:
        self._shelf, self._session, self._show = shelf, session, show
        self._model = ""
        self._plan: Plan | None = None
        self._busy: set[tuple[str, str]] = set()
        follow = session.follower
        follow.watch(shelf.models_state, ["registrations", "installed"], self._again)
        follow.watch_items(shelf.providers_state, "providers", ["enabled", "health", "models"], self._again)

    async def look(self, model: str) -> None:
        """Ask the providers how they would take a model, if it is installed."""
        if model != self._model:
            self._model, self._plan, self._busy = model, None, set()
        installed = self._installed()
        try:
            self._plan = await self._shelf.registration.plan(installed) if installed is not None else None
        except ModelshelfError:  # it left in this moment: the drawer tells that anyway
            self._plan = None
        self._show()

    def parts(self, model: str) -> dict[str, Any]:
        """What the drawer shows of it; nothing for what is not installed."""
        if model != self._model or self._plan is None:
            return {}
        several = len({offer.path for offer in self._plan.offers}) > 1
        rows = [self._row(offer, several=several) for offer in self._plan.offers]
        commands = [{"name": name, "text": text} for name, text in self._plan.commands.items()]
        rows.sort(key=lambda row: _FIRST.get(row["tone"], len(_FIRST)))
        return {"where": rows, "commands": commands}

    def do(self, deed: str, context: dict[str, Any]) -> None:
        """What a button of the section says: `use` or `unuse`."""
        provider, path = str(context.get("provider", "")), str(context.get("path", ""))
        work = self._use(provider, path) if deed == "use" else self._unuse(str(context.get("registration", "")))
        self._busy.add((provider, path))
        self._show()
        self._session.run(self._done(work, (provider, path)), what="registration")

    async def _done(self, work: Any, at: tuple[str, str]) -> None:
        try:
            await work
        finally:
            self._busy.discard(at)
            await self.look(self._model)

    async def _use(self, provider: str, path: str) -> None:
        installed = self._installed()
        if installed is not None:
            name = f"{installed.repo}@{installed.commit}/{path}" if path else installed
            await self._shelf.registration.register(name, provider)

    async def _unuse(self, registration: str) -> None:
        await self._shelf.registration.undo(registration)

    def _again(self) -> None:
        """Show at once what is known of the registrations; to ask every provider anew takes longer."""
        if not self._model:
            return
        if self._plan is not None:
            now = {item.id: item for item in self._shelf.models_state.registrations}
            self._plan = replace(self._plan, offers=tuple(_renewed(offer, now) for offer in self._plan.offers))
            self._show()
        self._session.run(self.look(self._model), key="where")

    def _installed(self) -> InstalledModel | None:
        repo = (self._model.partition(":")[2] or self._model).partition("@")[0]
        found = [one for one in self._shelf.models_state.installed if one.repo == repo]
        return next((one for one in found if one.complete), found[0] if found else None)

    def _row(self, offer: Offer, *, several: bool) -> dict[str, Any]:
        item, at = offer.registration, (offer.provider, offer.path)
        tone, sub = _standing(offer)
        row: dict[str, Any] = {"title": offer.label, "sub": sub, "tone": tone}
        if several:
            row["file"] = offer.path
        if item is not None and item.status is Status.TO_START:
            row["command"] = item.command
        if at in self._busy or (item is not None and item.status is Status.REGISTERING):
            row["sub"] = _("Working on it …")
        elif action := _action(offer, item):
            row["action"] = {**action, "help": TOPIC}
        return row


def lost_with(breaks: Breaks) -> list[str]:
    """What else goes with a model, a line each."""
    names = sorted({f"{item.provider} ({item.name})" for item in breaks.registrations})
    taken = [_("It is taken back from: {names}.", names=", ".join(names))] if names else []
    profiles = ", ".join(f"@{name}" for name in breaks.profiles)
    return [*taken, *([_("These profiles lose their model: {names}.", names=profiles)] if profiles else [])]


def _renewed(offer: Offer, now: Mapping[str, Registration]) -> Offer:
    """The offer with its registration as it is now."""
    found = now.get(offer.registration.id) if offer.registration is not None else None
    return offer if found is None else replace(offer, registration=found)


def _standing(offer: Offer) -> tuple[str, str]:
    """How it stands with a provider, in a tone and a sentence."""
    item = offer.registration
    if item is not None and item.status not in {Status.UNDONE, Status.REGISTERING}:
        return _told(item, offer)
    if not offer.possible:
        return "", " ".join(part for part in (offer.taking.refused, offer.taking.remedy) if part)
    if item is not None and item.status is Status.UNDONE:
        return "", _("Taken back; it is not given again by itself.")
    return "", offer.why or _("It would be given to it {way}.", way=_(WAYS[offer.taking.way]))


def _told(item: Registration, offer: Offer) -> tuple[str, str]:
    if item.status is Status.REGISTERED:
        if item.provider == BUILTIN.id:
            return "good", _("Served as {name} · no copy", name=item.name)
        if not item.given:
            return "good", _("It had it already, as {name}", name=item.name)
        way = _(WAYS[Way(item.way)]) if item.way in set(Way) else item.way
        cost = _("{size} copied", size=figures.size(item.copied)) if item.copied else _("no copy")
        return "good", _("Registered {way} as {name} · {cost}", way=way, name=item.name, cost=cost)
    if item.status is Status.TO_START:
        return "", _("It serves the model that it is started with. Start it so:")
    if item.status is Status.WAITING:
        later = _("It is taken back when it answers.") if item.wish == "undo" else _("It is done when it answers.")
        return "warn", f"{item.error or offer.label} {later}"
    return "bad", " ".join(part for part in (item.error, item.remedy) if part)


def _action(offer: Offer, item: Registration | None) -> dict[str, Any]:
    """The one next step."""
    context = {"provider": offer.provider, "path": offer.path, "registration": item.id if item else ""}
    named = {"context": context, "label": ""}
    if item is not None and item.status in {Status.REGISTERED, Status.WAITING, Status.TO_START}:
        if offer.provider == BUILTIN.id or item.wish == "undo":
            return {}
        label = _("Undo: {provider}", provider=offer.label)
        return {"do": "unuse", "word": _("Undo"), **named, "label": label}
    if item is not None and item.status is Status.GONE and not offer.possible:
        return {"do": "unuse", "word": _("Undo"), **named, "label": _("Undo: {provider}", provider=offer.label)}
    if not offer.possible or offer.provider == BUILTIN.id:
        return {}
    copies = offer.taking.copies
    word = _("Register (copies {size})", size=figures.size(copies)) if copies else _("Register")
    if item is not None and item.status in {Status.FAILED, Status.GONE}:
        word = _("Register again")
    return {"do": "use", "word": word, **named, "label": f"{word}: {offer.label}"}
