"""What happens when a button of the section of the profiles is pressed."""

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from modelshelf.errors import ModelshelfError
from modelshelf.providers.profile_spec import Profile
from modelshelf.providers.profiles import MARK
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.settings import profile_form as form
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

TOPIC = "profiles"
FILE = "profiles.toml"


class ProfileDeeds:
    """Each deed runs in the background. What is wrong with a form is said in the form, all else becomes a notice."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog) -> None:
        self._shelf = shelf
        self._session = session
        self._dialog = dialog
        profiles, nav = shelf.profiles, session.navigation
        self._deeds: dict[str, Callable[[str], object]] = {
            "add": lambda _which: self._ask(Profile("", "")),
            "edit": self._edit,
            "try": lambda which: nav.param.update(chat=MARK + which),
            "use": lambda which: session.run(profiles.use_nearest(which), what=f"use {which}"),
            "default": lambda which: session.run(profiles.set_default(which), what="default"),
            "remove": self._ask_to_remove,
            "export": lambda _which: session.run(self._export(), what="export"),
            "import": lambda _which: self._ask_for_text(),
        }

    def heard(self, message: dict[str, Any]) -> None:
        """A button of any part of the section."""
        if deed := self._deeds.get(str(message["do"])):
            deed(str(message.get("id", "")))

    def _edit(self, name: str) -> None:
        known = {item.name: item for item in self._shelf.profiles_state.profiles}
        if name in known:
            self._ask(known[name])

    def _ask(self, profile: Profile) -> None:
        """Make a profile, or change the one that has a name."""
        state = self._shelf.profiles_state
        fields = form.fields(profile, form.models(self._shelf.providers_state), form.purposes(state.profiles))
        title = _("Change {name}", name=profile.name) if profile.name else _("New profile")
        remove = {"do": "remove", "word": _("Remove"), "kind": "trouble"}
        self._form(
            lambda told: self._save(profile.name, told), remove=lambda: self._ask_to_remove(profile.name),
            id=f"profile {profile.name}", title=title, fields=fields, word=_("Save"),
            actions=[remove] if profile.name else [],
        )  # fmt: skip

    async def _save(self, before: str, told: Mapping[str, Any]) -> None:
        profiles, wanted = self._shelf.profiles, form.read(told)
        if before and before != wanted.name:
            await profiles.rename(before, wanted.name)
        await profiles.save(wanted, new=not before)
        nav = self._session.navigation
        if before and nav.chat == MARK + before != MARK + wanted.name:
            nav.chat = MARK + wanted.name

    def _ask_to_remove(self, name: str) -> None:
        self._form(
            lambda _told: self._remove(name),
            id=f"remove {name}", title=_("Remove {name}?", name=name), word=_("Remove"), kind="trouble",
            lines=[_("Its prompt and settings are gone then. Its model stays where it is.")],
        )  # fmt: skip

    async def _remove(self, name: str) -> None:
        await self._shelf.profiles.remove(name)
        if self._session.navigation.chat == MARK + name:
            self._session.navigation.chat = ""

    async def _export(self) -> None:
        text = await self._shelf.profiles.export()
        field = {
            "name": "text", "label": _("The profiles as text"), "kind": "textarea", "rows": 14, "value": text,
            "readonly": True, "save": FILE,
        }  # fmt: skip
        self._dialog.listen(lambda _answer: self._dialog.close())
        self._dialog.ask(id="export", title=_("Export profiles"), fields=[field], help=TOPIC)

    def _ask_for_text(self) -> None:
        fields = [
            {
                "name": "text", "label": _("The text of an export"), "kind": "textarea", "rows": 10, "file": ".toml",
                "help": _("All of it is taken, or nothing if something in it makes no sense."),
            },
            {"name": "replace", "label": _("Change profiles that are here and differ"), "kind": "checkbox"},
        ]  # fmt: skip
        self._form(self._import, id="import", title=_("Import profiles"), fields=fields, word=_("Import"))

    async def _import(self, told: Mapping[str, Any]) -> None:
        report = await self._shelf.profiles.import_(str(told.get("text", "")), bool(told.get("replace")))
        changed = len(report.added) + len(report.changed)
        left = len(report.kept) + len(report.same)
        self._session.notice(
            _n("{n} profile is imported.", "{n} profiles are imported.", changed),
            _n("{n} is left as it was.", "{n} are left as they were.", left) if left else "",
            tone="good",
            id="import",
        )

    def _form(
        self,
        work: Callable[[Mapping[str, Any]], Coroutine[Any, Any, None]],
        *,
        remove: Callable[[], None] = lambda: None,
        **question: Any,
    ) -> None:
        """Ask; do the work when it is confirmed; close when that went well."""

        def answered(answer: Mapping[str, Any]) -> None:
            match answer["do"]:
                case "confirmed":
                    self._session.run(self._done(work(answer.get("fields", {}))), key="form", what=str(question["id"]))
                case "remove":
                    remove()
                case _:
                    self._dialog.close()

        self._dialog.listen(answered)
        self._dialog.ask(help=TOPIC, **question)

    async def _done(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ModelshelfError as error:
            field = "text" if self._dialog.question.get("id") == "import" else str(error.facts.get("field", ""))
            self._dialog.refuse(f"{error.message} {error.remedy}", field)
        else:
            self._dialog.close()
