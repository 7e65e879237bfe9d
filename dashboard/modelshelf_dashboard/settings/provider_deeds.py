"""What happens when a button of the section of the providers is pressed."""

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from modelshelf.errors import ModelshelfError, UsageError
from modelshelf.ids import split_served
from modelshelf.providers.spec import HealthStatus, LoadSettings
from modelshelf.providers.validation import clean_key
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.settings.adding import AddProvider
from modelshelf_dashboard.state_words import health_word
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

LOAD_LABELS = {
    "context": lambda: _("Context, in tokens"),
    "kv": lambda: _("Precision of the context's memory"),
    "gpu_layers": lambda: _("Layers on the graphics card, -1 for all"),
    "slots": lambda: _("Answers at the same time"),
    "idle_seconds": lambda: _("Unload after so many idle seconds, 0 for never"),
}


class ProviderDeeds:
    """Each deed runs in the background; what goes wrong becomes a notice."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog, adding: AddProvider) -> None:
        self._shelf = shelf
        self._session = session
        self._dialog = dialog
        self._adding = adding
        self.opened: Callable[[], object] = lambda: None
        registry, run, nav = shelf.providers, session.run, session.navigation
        self._deeds: dict[str, Callable[[str], object]] = {
            "add": lambda _which: adding.start(),
            "open": self._open,
            "edit": lambda which: adding.change(which),
            "key": lambda which: adding.change(which, focus="key"),
            "test": lambda which: run(self._test(which), what=f"test {which}"),
            "enable": lambda which: run(registry.enable(which), what="enable"),
            "disable": lambda which: run(registry.enable(which, False), what="disable"),
            "up": lambda which: run(self._move(which, -1), what="order"),
            "down": lambda which: run(self._move(which, 1), what="order"),
            "remove": self._ask_to_remove,
            "keys": self._ask_for_key,
            "try": lambda which: nav.param.update(chat=which, provider=which.partition("/")[0]),
            "load": lambda which: run(self._ask_how(which), what="load"),
            "unload": lambda which: run(registry.unload(which), what="unload"),
        }

    def _open(self, provider: str) -> None:
        self._session.navigation.provider = provider
        self.opened()

    def heard(self, message: dict[str, Any]) -> None:
        """A button of any part of the section."""
        if deed := self._deeds.get(str(message["do"])):
            deed(str(message.get("id", "")))

    async def _test(self, provider: str) -> None:
        seen = await self._shelf.providers.drafts.test(provider)
        health = await self._shelf.health.check(provider)
        name = (await self._shelf.providers.config(provider)).name
        good = seen.good and health.status is HealthStatus.WELL
        took = _("It answered in {n} ms.", n=f"{health.latency_ms:.0f}") if health.latency_ms is not None else ""
        self._session.notice(
            f"{name}: {health_word(health.status)}." if seen.good else seen.message,
            " ".join(part for part in (seen.told, took) if part) if seen.good else seen.remedy,
            tone="good" if good else "bad",
            id=f"test {provider}",
        )

    async def _move(self, provider: str, step: int) -> None:
        ids = [config.id for config in await self._shelf.providers.list() if config.kind != "builtin"]
        place = ids.index(provider)
        ids.insert(max(place + step, 0), ids.pop(place))
        await self._shelf.providers.reorder(ids)

    def _ask_to_remove(self, provider: str) -> None:
        item = self._shelf.providers_state.find(provider)
        if item is None:
            return
        lines = [_("Its models stay where they are; only Modelshelf forgets it.")]
        if any(key.origin == "vault" for key in item.keys):
            lines.append(_("Its key is deleted here. It stays valid at the provider."))
        self._dialog.listen(lambda answer: self._answered(answer, lambda: self._remove(provider)))
        self._dialog.ask(
            id=f"remove {provider}", title=_("Remove {name}?", name=item.name), lines=lines, word=_("Remove"),
            kind="trouble", help="llmSettings",
        )  # fmt: skip

    async def _remove(self, provider: str) -> None:
        await self._shelf.providers.remove(provider)
        self._dialog.close()
        if self._session.navigation.provider == provider:
            self._session.navigation.param.update(provider="", chat="")

    def _ask_for_key(self, provider: str) -> None:
        """Keys by model pattern: the present ones, and room for one more."""
        item = self._shelf.providers_state.find(provider)
        if item is None:
            return
        held = [key for key in item.keys if key.origin != "usual environment"]
        choices = [{"value": "", "label": _("none")}] + [
            {"value": key.id, "label": f"{key.pattern} · {key.env or '…' + key.last4}"} for key in held
        ]
        fields: list[dict[str, Any]] = [
            {"name": "pattern", "label": _("For which models, for example gpt-4*"), "value": "*"},
            {"name": "key", "label": _("New key"), "value": "", "kind": "password"},
            {"name": "env", "label": _("Or the environment variable that holds it"), "value": ""},
        ]
        if held:
            fields.append({"name": "drop", "label": _("Remove a key"), "value": "", "options": choices})
        lines = [_("A model takes the key whose pattern fits its name most closely. Keys are kept encrypted.")]
        self._dialog.listen(lambda answer: self._answered(answer, lambda: self._take_key(provider, answer)))
        self._dialog.ask(
            id=f"keys {provider}", title=_("Keys of {name}", name=item.name), lines=lines, fields=fields,
            word=_("Save"), help="providerKeys",
        )  # fmt: skip

    async def _take_key(self, provider: str, answer: Mapping[str, Any]) -> None:
        given: Mapping[str, str] = answer.get("fields", {})
        if drop := given.get("drop"):
            await self._shelf.providers.keys.remove(provider, drop)
        typed, env = given.get("key", "").strip(), given.get("env", "").strip()
        if typed or env:
            secret = clean_key(typed) if typed else None
            await self._shelf.providers.add_key(
                provider, secret=secret, env="" if typed else env, pattern=given.get("pattern", "*")
            )
        self._dialog.close()
        if typed or env:
            await self._test(provider)

    async def _ask_how(self, model: str) -> None:
        """Load settings, as far as the provider heeds them; without any it is loaded at once."""
        provider, name = split_served(model)
        item = self._shelf.providers_state.find(provider)
        options = item.load_options if item else ()
        asked = [option for option in LOAD_LABELS if option in options]
        if not asked:
            await self._shelf.providers.load(model)
            return
        kept = (await self._shelf.providers.load_settings(provider, name)).as_dict()
        fields = [
            {
                "name": option,
                "label": LOAD_LABELS[option](),
                "value": str(kept.get(option, "")),
                "hint": _("as the provider likes"),
                **({"options": [{"value": kv, "label": kv or "—"} for kv in _KV]} if option == "kv" else {}),
            }
            for option in asked
        ]
        self._dialog.listen(lambda answer: self._answered(answer, lambda: self._load(model, answer)))
        self._dialog.ask(
            id=f"load {model}", title=_("Load {model}", model=name), fields=fields, word=_("Load"), help="loadSettings",
            lines=[_("What is left empty is up to the provider. The choice is kept for the next time.")],
        )  # fmt: skip

    async def _load(self, model: str, answer: Mapping[str, Any]) -> None:
        given: Mapping[str, str] = answer.get("fields", {})
        told: dict[str, Any] = {}
        for option, value in given.items():
            if value.strip():
                told[option] = value if option == "kv" else _whole(LOAD_LABELS[option](), value)
        settings = LoadSettings(**told)
        await self._shelf.providers.set_load_settings(model, settings)
        self._dialog.close()
        self._session.notice(_("Loading {model} …", model=model), tone="good", id=f"load {model}")
        await self._shelf.providers.load(model, settings)
        self._session.notice(_("{model} is in memory.", model=model), tone="good", id=f"load {model}")

    def _answered(self, answer: Mapping[str, Any], work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if answer["do"] == "confirmed":
            self._session.run(self._confirmed(work), key="provider dialog", what=str(answer.get("id", "")))
        else:
            self._dialog.close()

    async def _confirmed(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it; what makes no sense is said in the dialog, where it can be mended."""
        try:
            await work()
        except UsageError as error:
            self._dialog.refuse(f"{error} {error.remedy}".strip())
        except ModelshelfError:
            self._dialog.close()
            raise


_KV = ("", "f16", "q8_0", "q4_0")


def _whole(label: str, text: str) -> int:
    try:
        return int(text.replace(",", "").replace(" ", ""))
    except ValueError:
        raise UsageError(f"“{label}” is a whole number.", remedy="Write digits only.") from None
