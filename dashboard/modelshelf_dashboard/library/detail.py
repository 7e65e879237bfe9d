"""The drawer of a model: loads what is known of it, step by step, and offers what can be done now."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modelshelf.catalog.types import RepoAccess, RepoCard, RepoDetail
from modelshelf.compat.types import RankedFile
from modelshelf.errors import ModelshelfError
from modelshelf.ids import ModelId
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.drawer import Drawer
from modelshelf_dashboard.library import explain, rows
from modelshelf_dashboard.library.around import Around
from modelshelf_dashboard.library.beforehand import Beforehand
from modelshelf_dashboard.library.fixing import Fixing
from modelshelf_dashboard.library.judged import Judged
from modelshelf_dashboard.library.supposing import Supposing
from modelshelf_dashboard.library.where import Where
from modelshelf_dashboard.session import MOST_COMPARED, TO_SETTINGS, Session
from modelshelf_dashboard.texts import _
from modelshelf_dashboard.transfers import Transfers, best_files

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class Detail:
    """Follows `navigation.model` and `by`. `changed` is called when a setting that fits depend on was changed."""

    def __init__(
        self, shelf: "Shelf", session: Session, transfers: Transfers, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._shelf = shelf
        self._session = session
        self._transfers = transfers
        self._changed = changed
        self._fixing = Fixing(shelf, session, transfers, self.settle)
        self._model = ""
        self._detail: RepoDetail | None = None
        self._ranked: tuple[RankedFile, ...] = ()
        self._parts: dict[str, Any] = {}
        self.what_if = Supposing(shelf, session, applied=self.settle)
        self.judged = Judged(shelf, session, self.what_if, show=self._judge_shown)
        self.beforehand = Beforehand(shelf, session, show=self._act)
        self.where = Where(shelf, session, show=self._act)
        self.around = Around(shelf, session, self._add)
        self.drawer = Drawer(heard=self._heard, what_if=self.what_if.piece)
        session.navigation.param.watch(self._open, ["model"])
        session.navigation.param.watch(lambda *_events: self.judged.choose(), ["by"])
        follow = session.follower
        follow.watch(shelf.models_state, ["installed"], self._act)
        follow.watch(shelf.providers_state, ["providers"], self._act)
        follow.watch_items(shelf.providers_state, "providers", ["models"], self._act)
        follow.watch_items(shelf.downloads_state, "jobs", ["status"], self._act)
        self._open()

    def _open(self, *_events: object) -> None:
        self._model = self._session.navigation.model
        self._detail, self._ranked, self._parts = None, (), {}
        self.around.favourite = False
        self._access: RepoAccess = "unknown"
        self.judged.forget()
        if self._model:
            self.drawer.param.update(state="loading", shown={"title": self._model.rpartition("/")[2]}, note={})
            self._session.run(self._load(self._model), key="detail")
        else:
            self._session.stop("detail")
            self._session.stop("around")

    async def _load(self, model: str) -> None:
        if (served := self.judged.served(model)) is not None:
            self._parts = {**explain.served_heading(*served), "pending": True}
            self._show()
            await self.judged.ask(model)
            return
        if not model.isascii():
            await self._load_listed(model)
            return
        try:
            self._detail = await self._shelf.catalog.detail(model)
        except ModelshelfError as error:
            await self._load_installed(model, error)
            return
        card = self._detail.card
        self._parts = {**explain.heading(card), "pending": True}
        if card.gated:
            self._parts["notes"] = [explain.gate(card, hub=self._is_hub(card.source, public=True))]
        self._show()
        if card.gated and self._is_hub(card.source):
            await self._ask_access(card)
        self._session.run(self.around.look(self._detail), key="around")
        try:
            self._ranked = await self._shelf.compatibility.rank(self._detail)
        except ModelshelfError as error:
            self._parts["notes"] = [*self._parts.get("notes", []), _note(error)]
        await self.judged.ask(str(card.id))
        await self.where.look(model)
        await self.beforehand.look(model, best_files(self._ranked))

    async def _ask_access(self, card: RepoCard) -> None:
        """How far the publisher is with us; what cannot be found out changes nothing."""
        try:
            self._access = await self._shelf.huggingface.access(card.repo)
        except ModelshelfError:
            return
        self._parts["notes"] = [explain.gate(card, hub=self._is_hub(card.source, public=True), access=self._access)]
        self._show()

    async def _load_listed(self, model: str) -> None:
        """A name in another script: the list alone knows it."""
        card = await self._from_list(model)
        if card is None:
            self.drawer.param.update(state="error", note={"text": _("The list has no such model."), "remedy": ""})
            return
        text = _("No hub has names in other scripts: it can be found here, but not fetched.")
        note = {"tone": "warn", "text": text, "lines": [_("It came with a list that somebody brought in.")]}
        lists = await self.around.relatives(model)
        self._parts = {**explain.heading(card), "notes": [note], "lists": lists}
        self._show()

    async def _load_installed(self, model: str, error: ModelshelfError) -> None:
        """The source does not tell: what is installed, or stands in the list of all models, can still be explained."""
        installed = await self._shelf.library.find(model)
        if installed is None and (card := await self._from_list(model)) is not None:
            note = _note(error)
            self._parts = {**explain.heading(card), "notes": [note], "lists": await self.around.relatives(model)}
            self._show()
            return
        if installed is None:
            again = {"do": "again", "word": _("Try again"), "help": "sources"}
            note = {"text": str(error), "remedy": error.remedy, "action": again}
            self.drawer.param.update(state="error", note=note)
            return
        name = ModelId.parse(model)
        sub = " · ".join([name.author, figures.size(installed.size), installed.commit[:7]])
        self._parts = {"title": name.name, "sub": sub, "notes": [_note(error)], "pending": True}
        self._show()
        await self.judged.ask(str(installed.id))
        await self.where.look(model)

    async def _from_list(self, model: str) -> RepoCard | None:
        """What the catalogue knows of a model whose source does not tell."""
        try:
            found = await self._shelf.catalog.index.rows([model])
        except ModelshelfError:
            return None
        return found[model].card if model in found else None

    def _judge_shown(self, parts: dict[str, Any], trouble: ModelshelfError | None) -> None:
        if trouble is not None:
            self._parts["notes"] = [*self._parts.get("notes", []), _note(trouble)]
        self._parts |= parts
        self._show()

    def _add(self, parts: dict[str, Any]) -> None:
        if self._detail is not None:
            self._parts |= parts
            self._show()

    def settle(self) -> None:
        """A setting was changed: everything that depends on it is looked at anew."""
        self._changed()
        if self._model:
            self._session.run(self._load(self._model), key="detail")

    def _act(self) -> None:
        if self._parts:
            self._show()

    def _show(self) -> None:
        job = rows.latest(self._shelf.downloads_state.jobs, self._repo())
        standing = rows.Standing(self._shelf.models_state.has(self._repo()), job)
        free = not standing.installed and not (job and job.active) and self._detail is not None
        closed = self._detail is not None and self._detail.card.gated and self._access != "granted"
        offer = free and not closed
        before = self.beforehand.parts(self._model)
        notes = [*self._parts.get("notes", []), *([before["note"]] if "note" in before else [])]
        shown = {
            **self._parts,
            **self.where.parts(self._model),
            "notes": notes,
            "shield": before.get("shield"),
            "files": explain.files(self._ranked, offer=offer),
            "actions": [*self._actions(standing, offer=offer), *self._marks()],
        }
        self.drawer.param.update(state="ready", shown=shown, note={})

    def _actions(self, standing: rows.Standing, *, offer: bool) -> list[dict[str, Any]]:
        if standing.installed:
            return [*self._try(), {"do": "installed", "word": _("Show in Installed"), "help": "storageManagement"}]
        if offer and self._detail is not None:
            kind = "" if self.beforehand.warns(self._model) else "primary"
            get = {"do": "download", "word": self._offer(self._detail), "kind": kind, "help": "downloadProcess"}
            return [{**get, "context": {"files": list(best_files(self._ranked))}}]
        if standing.job is not None and standing.job.active and self._detail is not None:
            action = rows.action(self._detail.card, None, standing)
            return [
                action,
                {"do": "cancel", "word": _("Cancel"), "context": action["context"], "help": "downloadProcess"},
            ]
        return []

    def _marks(self) -> list[dict[str, Any]]:
        """What one may do with any model that a source tells of."""
        if self._detail is None:
            return []
        word = _("No favourite any more") if self.around.favourite else _("Keep as favourite")
        keep = {"do": "favour", "word": word, "help": "keptSearches"}
        return [keep, {"do": "compare", "word": _("Compare"), "help": "compareFits"}]

    def _offer(self, detail: RepoDetail) -> str:
        """Download in words: which file and how large, as soon as the best one is known."""
        best = self._ranked[0] if self._ranked else None
        if best is None and self._parts.get("pending") and len(detail.card.quantisations) > 1:
            return _("Download")
        what = (best.quantisation if best and len(self._ranked) > 1 else "") or ""
        size = figures.size(best.size if best else explain.total(detail))
        return " ".join(part for part in (_("Download"), what, "·", size) if part)

    def _try(self) -> list[dict[str, Any]]:
        for provider in self._shelf.providers_state.providers:
            for served in provider.models:
                if served.repo == self._repo():
                    context = {"section": "providers", "provider": provider.id, "chat": served.id}
                    word = {"do": TO_SETTINGS, "word": _("Try it"), "kind": "primary", "help": "tryIt"}
                    return [{**word, "context": context}]
        return []

    def _heard(self, message: dict[str, Any]) -> None:
        context = message.get("context") or {}
        match message["do"]:
            case "download" | "get":
                self._transfers.start(self._model, tuple(str(file) for file in context.get("files", ())))
            case "pause" | "resume" | "cancel":
                self._transfers.do({"do": message["do"], "id": context.get("job", "")})
            case "installed" | "quarantine" as view:
                self._session.navigation.param.update(view=view, model="", by="")
            case "shield":
                self.beforehand.open(self._model)
            case "fix":
                self._fixing.make(self._model, *self.judged.fix(context))
            case "use" | "unuse" as deed:
                self.where.do(deed, context)
            case "provider":
                self._session.navigation.by = str(message.get("id", ""))
            case "explain":
                self.drawer.tell(explained=self.judged.explained(str(message.get("id", ""))))
            case "again":
                self._open()
            case "go" | "favour" | "compare" as deed:
                self._turn_to(deed, str(message.get("id", "")))

    def _turn_to(self, deed: str, other: str) -> None:
        nav = self._session.navigation
        match deed:
            case "go" if other:
                nav.param.update(model=other, by="")
            case "favour":
                self._session.run(self.around.favour(self._model), key="favour")
            case "compare":
                others = [one for one in nav.compare if one != self._model]
                nav.param.update(compare=[*others, self._model][-MOST_COMPARED:], view="compare", model="", by="")

    def _repo(self) -> str:
        return self._model.partition(":")[2] or self._model

    def _is_hub(self, source: str, *, public: bool = False) -> bool:
        """Whether a source speaks the Hub's protocol, or, `public`, is Hugging Face's own."""
        kinds = {settings.name: settings for settings in self._shelf.config.config.sources}
        found = kinds.get(source)
        return found is not None and found.kind == "huggingface" and not (public and found.url)


def _note(error: ModelshelfError) -> dict[str, Any]:
    return {"tone": "warn", "text": str(error), "lines": [error.remedy]}
