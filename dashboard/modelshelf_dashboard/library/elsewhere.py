"""Elsewhere on this machine: what other programs keep, adopted with a press, and given back where it lies twice."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.access import Role
from modelshelf.adoption.types import Comparing, Duplicate, Elsewhere, Inode, Shared, Standing
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.checkup import Checkup
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.library.deciding import why_not
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

TOPIC = "elsewhere"
SHOWN = 100
UNFOLDED = 8  # with more rows the section begins folded
COPY, FOLDER = "copy", "folder"
_TWICE, _SHARED = "twice ", "shared "


class OtherStores:
    """The section below what is installed; it is there only when other programs keep something."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog) -> None:
        self._shelf, self._session, self._dialog = shelf, session, dialog
        self._open: bool | None = None
        self._busy: dict[str, str] = {}
        self.head = Checkup(heard=self._heard)
        self.head.words = {**self.head.words, "label": _("Elsewhere on this machine")}
        self.table = Table(
            heard=self._heard,
            columns=[
                {"key": "size", "label": _("Size"), "kind": "figure", "width": "96px"},
                {"key": "state", "label": _("In the library"), "kind": "text prose", "width": "220px", "wide": True},
            ],
            label=_("What other programs keep"),
            heading=_("Model"),
            topic=TOPIC,
            opens=False,
        )
        self.view = pn.Column(self.head, self.table, margin=0, sizing_mode="stretch_width")
        session.follower.watch(shelf.models_state, ["elsewhere", "comparing"], self._draw)
        session.navigation.param.watch(lambda *_events: self._look(), ["view"])
        self._draw()

    def _look(self) -> None:
        """Whoever comes here sees what is there now; what is new is told by an event."""
        if self._session.navigation.view == "installed":
            self._session.run(self._shelf.adoption.look(), key="stores")

    def _draw(self) -> None:
        state = self._shelf.models_state
        found = state.elsewhere
        rows = self._rows(found)
        is_open = len(rows) <= UNFOLDED if self._open is None else self._open
        self.head.shown = self._told(found, state.comparing, is_open and bool(rows), len(rows)) if found.stores else {}
        self.table.visible = is_open and bool(rows)
        left = len(rows) - SHOWN
        count = _n("{n} model", "{n} models", len(found.models))
        more = count + " · " + _("and {n} more: `modelshelf stores models` lists them", n=f"{left:,}")
        self.table.fill(rows[:SHOWN], status=more if left > 0 else count, empty={})

    def _told(self, found: Elsewhere, comparing: Comparing, is_open: bool, rows: int) -> dict[str, Any]:
        sizes: dict[str, tuple[int, int]] = {}
        for store in found.stores:
            count, size = sizes.get(store.label, (0, 0))
            sizes[store.label] = count + store.models, size + store.size
        each = [
            _n("{store}: {n} model, {size}", "{store}: {n} models, {size}", n, store=label, size=figures.size(size))
            for label, (n, size) in sizes.items()
        ]
        fold = {"do": "fold", "word": _("Hide") if is_open else _("Show"), "help": TOPIC}
        freed = sum(one.freed for one in found.duplicates)
        text = _("Elsewhere on this machine")
        if freed:
            text = _("Elsewhere on this machine: {size} lie twice", size=figures.size(freed))
        why = why_not(self._session, Role.ADMIN)
        add = {"do": "add", "word": _("Add a folder"), "help": TOPIC, "why": why}
        told = {"text": text, "sub": " · ".join(each), "actions": [add, *([fold] if rows else [])]}
        return {**told, **_progress(comparing), "troubles": _problems(found)}

    def _rows(self, found: Elsewhere) -> list[dict[str, Any]]:
        names: dict[Inode, Standing] = {}
        for one in found.models:
            for file in one.model.files:
                names.setdefault(file.inode, one)
        twice = [self._twice(one, names.get(one.give.inode) or names.get(one.keep.inode)) for one in found.duplicates]
        return [*twice, *map(self._model, found.models), *map(self._shared, found.shared)]

    def _twice(self, one: Duplicate, named: Standing | None) -> dict[str, Any]:
        who = {"library": _("the library")}
        holders = list(dict.fromkeys(who.get(name, name) for name in (*one.keep.holders, *one.give.holders)))
        word = _("Give back {size}", size=figures.size(one.freed)) if one.freed else _("Give back")
        why = why_not(self._session, Role.ADMIN) or ("" if one.freed else one.why)
        title = named.model.name if named else one.give.places[0].name
        sub = _("the same bytes twice: {stores}", stores=_listed(holders))
        action = {"do": "give", "word": word, "why": why, "label": f"{word}: {title}"}
        return self._row(_TWICE + one.id, title, sub, one.size, "" if one.freed else one.why, action)

    def _model(self, one: Standing) -> dict[str, Any]:
        state = {"linked": _("the same file, no copy"), "same": _("has a second copy")}.get(one.library, "")
        if not state:
            state = _("being compared") if one.comparing else _("not yet; a link takes no space")
        sub = one.label
        if one.same_as:
            sub = _("{store} · same as in {others}", store=one.label, others=", ".join(one.same_as))
        why = why_not(self._session, Role.OPERATOR)
        adopt = {"do": "adopt", "word": _("Adopt"), "why": why, "label": _("Adopt: {model}", model=one.model.name)}
        return self._row(one.model.id, one.model.name, sub, one.model.size, state, None if one.library else adopt)

    def _shared(self, one: Shared) -> dict[str, Any]:
        word = _("Make separate")
        action = {"do": "separate", "word": word, "why": why_not(self._session, Role.ADMIN)}
        sub = _("given back: it shares its bytes · {folder}", folder=str(one.place.parent))
        return self._row(f"{_SHARED}{one.place}", one.place.name, sub, one.size, "", action)

    def _row(
        self, id_: str, title: str, sub: str, size: int, state: str, action: dict[str, Any] | None
    ) -> dict[str, Any]:
        doing = self._busy.get(id_)
        return {
            "id": id_,
            "title": title,
            "sub": sub,
            "more": " · ".join(part for part in (figures.size(size), state) if part),
            "chips": [{"text": doing, "tone": ""}] if doing else [],
            "cells": {"size": {"main": figures.size(size)}, "state": {"main": state}},
            "actions": [action] if action and not doing else [],
        }

    def _heard(self, message: dict[str, Any]) -> None:
        id_ = str(message.get("id", ""))
        match message["do"]:
            case "fold":
                self._open = not self.table.visible
                self._draw()
            case "add":
                self._ask_folder()
            case "adopt":
                self._session.run(self._ask_adopt(id_), what="adopt")
            case "give":
                self._ask_give(id_)
            case "separate":
                self._do(id_, _("being copied"), lambda: self._separate(id_.removeprefix(_SHARED)))

    async def _ask_adopt(self, id_: str) -> None:
        """Only where it is no plain link there is something to ask."""
        plan = await self._shelf.adoption.plan(id_)
        if plan.way != "symlink":
            self._do(id_, _("being verified and scanned"), lambda: self._adopt(id_, copy=False))
            return
        size = figures.size(plan.copy)
        lines = [
            _("It lies on another disk, or belongs to another account: its bytes cannot be shared."),
            _("The library will lead to it, which takes no space. If it is deleted there, the library loses it."),
        ]
        field = {"name": COPY, "kind": "checkbox", "label": _("Copy it instead, which takes {size}", size=size)}
        self._question(
            {"id": f"adopt {id_}", "title": _("Adopt {model}?", model=id_.partition(":")[2]), "lines": lines,
             "word": _("Adopt"), "fields": [{**field, "value": False}]},
            lambda fields: self._do(
                id_, _("being verified and scanned"), lambda: self._adopt(id_, copy=bool(fields.get(COPY)))
            ),
        )  # fmt: skip

    def _ask_folder(self) -> None:
        field = {"name": FOLDER, "kind": "text", "label": _("Folder"), "value": "", "hint": "/data/models"}
        lines = [_("A folder of this machine with models in it, however it is laid out. Nothing is changed there.")]
        question = {"id": "add folder", "title": _("Add a folder"), "lines": lines, "word": _("Look there")}
        self._question(
            {**question, "fields": [field]},
            lambda fields: self._do("", "", lambda: self._add(str(fields.get(FOLDER) or ""))),
        )

    def _ask_give(self, id_: str) -> None:
        found = self._shelf.models_state.elsewhere.duplicates
        one = next((one for one in found if _TWICE + one.id == id_), None)
        if one is None:
            return
        size = figures.size(one.freed)
        lines = [
            _("This stays: {place}", place=str(one.keep.places[0])),
            _("This becomes another name for the same bytes: {places}", places=", ".join(map(str, one.give.places))),
            _("Both are read anew before. Both programs go on as they did, and it can be taken back."),
        ]
        self._question(
            {"id": id_, "title": _("Give back {size}?", size=size), "lines": lines,
             "word": _("Give back {size}", size=size)},
            lambda _fields: self._do(id_, _("being read anew"), lambda: self._give(one)),
        )  # fmt: skip

    def _question(self, question: dict[str, Any], work: Callable[[Mapping[str, Any]], None]) -> None:
        def answered(answer: dict[str, Any]) -> None:
            self._dialog.close()
            if answer["do"] == "confirmed":
                work(answer.get("fields") or {})

        self._dialog.listen(answered)
        self._dialog.ask(help=TOPIC, **question)

    def _do(self, id_: str, doing: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it, and say so in its row until it is done."""

        async def run() -> None:
            try:
                await work()
            finally:
                self._busy.pop(id_, None)
                self._draw()

        self._busy[id_] = doing
        self._draw()
        self._session.run(run(), what=id_)

    async def _adopt(self, id_: str, *, copy: bool) -> None:
        done = await self._shelf.adoption.adopt(id_, copy=copy)
        if done.status == "done":
            ways = {
                "hard link": _("no copy"),
                "reflink": _("no copy"),
                "symlink": _("a link to it"),
                "copy": _("a copy"),
            }
            how = ", ".join(sorted({ways.get(file.how, _("no copy")) for file in done.files}))
            self._session.notice(_("{model} is in the library: {how}.", model=done.repo, how=how), tone="good", id=id_)
        else:
            self._session.notice(done.error, done.remedy, id=id_)

    async def _add(self, path: str) -> None:
        await self._shelf.adoption.add_folder(path.strip())
        self._session.notice(_("{folder} is looked at from now on.", folder=path.strip()), tone="good", id="folder")

    async def _give(self, one: Duplicate) -> None:
        done = await self._shelf.adoption.give_back(one.id)
        text = _("{size} are free again.", size=figures.size(done.freed))
        self._session.notice(text, _("“Make separate” takes it back."), tone="good", id="give back")

    async def _separate(self, place: str) -> None:
        size = await self._shelf.adoption.separate(place)
        text = _("The file has bytes of its own again, {size}.", size=figures.size(size))
        self._session.notice(text, tone="good", id="separate")


def _listed(names: Sequence[str]) -> str:
    """Names as people list them."""
    if len(names) < 2:
        return "".join(names)
    return _("{names} and {last}", names=", ".join(names[:-1]), last=names[-1])


def _progress(comparing: Comparing) -> dict[str, Any]:
    """How far the comparison is, if one is going on."""
    if not comparing.total:
        return {}
    told = _("{done} of {total} compared", done=figures.size(comparing.done), total=figures.size(comparing.total))
    if comparing.why:
        told = _("The comparison waits until the downloads are done.")
    return {"done": comparing.done, "total": comparing.total, "told": told}


def _problems(found: Elsewhere) -> list[dict[str, Any]]:
    return [
        {"id": "", "title": store.label, "word": _("something was passed over"), "text": store.problem, "tone": "warn"}
        for store in found.stores
        if store.problem
    ]
