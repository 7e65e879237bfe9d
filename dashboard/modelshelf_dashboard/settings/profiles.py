"""Profiles: models under names of one's own, trouble first, and the forms to make, change and carry them."""

from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.access import Role
from modelshelf.providers.profile_spec import Cause, Profile, ProfileState, ProfileStatus
from modelshelf.providers.profiles import MARK
from modelshelf_dashboard.components.cards import Cards
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.notices import Notices
from modelshelf_dashboard.components.search import Search
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.session import TO_LIBRARY, Session
from modelshelf_dashboard.settings.profile_deeds import ProfileDeeds
from modelshelf_dashboard.state_words import profile_dot, profile_word
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

TOPIC = "profiles"
SHOWN = 4  # notices
_GONE = frozenset({Cause.REMOVED, Cause.MISSING, Cause.RETIRED})


class Profiles:
    """The table of profiles; what is wrong with one stands above it, with what mends it."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog) -> None:
        self._shelf = shelf
        self._session = session
        self._may = session.principal.role >= Role.OPERATOR
        self.deeds = ProfileDeeds(shelf, session, dialog)
        add = {"do": "add", "word": _("New profile"), "kind": "primary", "help": TOPIC} if self._may else {}
        self.search = Search(label=_("Find a profile"), topic=TOPIC, action=add)
        self.search.listen(self.deeds.heard)
        self.trouble = Notices(heard=self.deeds.heard)
        self.table = self._make_table()
        self.carry = Cards(heard=self.deeds.heard)
        self.view = pn.Column(
            self.search, self.trouble, self.table, self.carry, margin=0, sizing_mode="stretch_width"
        )  # fmt: skip
        self.search.param.watch(lambda _event: self._draw(), ["text"])
        session.navigation.param.watch(lambda _event: self._draw(), ["chat"])
        session.follower.watch(shelf.profiles_state, ["profiles", "states", "loaded", "error"], self._draw)
        self._draw()

    def _make_table(self) -> Table:
        return Table(
            heard=self.deeds.heard,
            columns=[
                {"key": "purpose", "label": _("Purpose"), "kind": "text", "width": "100px", "wide": True},
                {"key": "model", "label": _("Model"), "kind": "text", "width": "minmax(150px,1.2fr)", "wide": True},
                {"key": "state", "label": _("State"), "kind": "text", "width": "120px"},
            ],
            label=_("Profiles"),
            heading=_("Profile"),
            topic=TOPIC,
            opens=False,
        )

    def _draw(self) -> None:
        state = self._shelf.profiles_state
        typed = self.search.text.lower().split()
        found = [item for item in state.profiles if _matches(item, typed)]
        with pn.io.hold():
            troubled = [told for item in state.profiles if (told := state.state(item.name)) and told.cause]
            self.trouble.items = _troubles(troubled, self._may)
            self.carry.cards = [_carry(self._may, some=bool(state.profiles))]
            self.table.chosen = self._session.navigation.chat.removeprefix(MARK)
            if state.error:
                self.table.trouble(state.error, "")
            elif state.loaded:
                status = _n("{n} profile", "{n} profiles", len(found)) + " · " + _("ask one as @ and its name")
                rows = [self._row(item, state.state(item.name)) for item in found]
                self.table.fill(rows, status=status, empty=_nothing(self._may) if not typed else _no_match())

    def _row(self, item: Profile, how: ProfileState | None) -> dict[str, Any]:
        uses = how.uses if how else ""
        instead = _("{model} answers", model=uses) if how and how.status is ProfileStatus.FALLBACK else ""
        return {
            "id": item.name,
            "title": item.name,
            "sub": _facts(item),
            "more": f"{item.purpose} · {item.model} · {profile_word(how)}",
            "dot": profile_dot(how),
            "cells": {
                "purpose": {"main": item.purpose, "sub": _("default") if item.default else ""},
                "model": {"main": item.model, "sub": instead},
                "state": {"main": profile_word(how), "tone": _tone(how)},
            },
            "actions": self._actions(item, how),
        }

    def _actions(self, item: Profile, how: ProfileState | None) -> list[dict[str, Any]]:
        answers = how is None or how.status is not ProfileStatus.BROKEN
        told: list[dict[str, Any]] = (
            [{"do": "try", "word": _("Try it"), "help": "tryIt"}] if answers and item.purpose != "embedding" else []
        )
        if how is None or how.cause not in _GONE:
            to = {"view": "discover", "model": item.model, "by": item.model.partition("/")[0]}
            told.append({"do": TO_LIBRARY, "word": _("Its model"), "help": "modelLibrary", "context": to})
        if self._may:
            told.append({"do": "edit", "word": _("Edit"), "help": TOPIC})
            if not item.default:
                told.append({"do": "default", "word": _("Make default"), "help": TOPIC})
        return told


def _facts(item: Profile) -> str:
    """What it says beside its model, in a line."""
    asked, fallbacks = item.parameters, len(item.fallbacks)
    told = [
        _("with a prompt") if item.system else "",
        _("temperature {n}", n=f"{asked.temperature:g}") if asked.temperature is not None else "",
        _n("{n} fallback", "{n} fallbacks", fallbacks) if fallbacks else "",
    ]
    return " · ".join(part for part in told if part) or _("as the provider likes")


def _troubles(found: list[ProfileState], may: bool) -> list[dict[str, Any]]:
    """The worst first; of many the first few, and how many more there are."""
    worst = sorted(found, key=lambda told: told.status is not ProfileStatus.BROKEN)
    items = [_trouble(told, may) for told in worst[:SHOWN]]
    if more := len(worst) - SHOWN:
        text = _n("{n} more profile has trouble.", "{n} more profiles have trouble.", more) if more > 0 else ""
        items += [{"id": "more", "tone": "warn", "text": text, "lasting": True}] if text else []
    return items


def _trouble(told: ProfileState, may: bool) -> dict[str, Any]:
    remedies = []
    if told.status is ProfileStatus.FALLBACK:
        remedies.append(_("{model} answers instead.", model=told.uses))
    if told.nearest:
        remedies.append(_("The nearest is {model}.", model=told.nearest[0]))
    action = {"do": "use", "word": _("Use it"), "help": TOPIC}
    if not told.nearest:
        action = {"do": "edit", "word": _("Choose another"), "help": TOPIC}
    return {
        "id": told.name,
        "tone": "bad" if told.status is ProfileStatus.BROKEN else "warn",
        "text": f"{told.name}: {told.problem}",
        "remedy": " ".join(remedies),
        "action": action if may else None,
        "lasting": True,
    }


def _tone(how: ProfileState | None) -> str:
    if how is None or how.cause is Cause.NONE:
        return ""
    return "bad" if how.status is ProfileStatus.BROKEN else "warn"


def _matches(item: Profile, typed: list[str]) -> bool:
    said = f"{item.name} {item.purpose} {' '.join(item.candidates)}".lower()
    return all(word in said for word in typed)


def _carry(may: bool, *, some: bool) -> dict[str, Any]:
    actions = [{"do": "export", "word": _("Export"), "help": TOPIC}] if some else []
    if may:
        actions.append({"do": "import", "word": _("Import"), "help": TOPIC})
    text = _("All profiles as a text, to keep or to carry to another machine. It holds no keys.")
    return {"id": "carry", "title": _("Export and import"), "text": text, "actions": actions}


def _nothing(may: bool) -> dict[str, Any]:
    remedy = _("A profile is a model under a name of yours, with a system prompt, its settings and fallbacks.")
    add = {"do": "add", "word": _("New profile"), "kind": "primary", "help": TOPIC}
    return {"text": _("There are no profiles yet."), "remedy": remedy} | ({"action": add} if may else {})


def _no_match() -> dict[str, Any]:
    return {"text": _("No profile has such a name or model."), "remedy": _("Use fewer or other words.")}
