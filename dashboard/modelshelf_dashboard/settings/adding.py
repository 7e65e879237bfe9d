"""Adding and changing a provider: the kinds, the fields of the chosen one, its test, and the saving."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from modelshelf.compat.engines import engine
from modelshelf.errors import ModelshelfError
from modelshelf.providers.drafts import Draft, NotValidated
from modelshelf.providers.spec import FieldKind, KeyUse, ProviderConfig, ProviderFactory
from modelshelf.providers.validation import Outcome, Validation, clean_key
from modelshelf.registration.planning import TAKES
from modelshelf.registration.types import SETTING, Policy
from modelshelf_dashboard.components.provider_form import ProviderForm
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

_OWN = frozenset({"name", "url", "key", "key_env", "plain_http"})


class AddProvider:
    """The form with what is behind it; `saved(id)` is told of a provider that was added or changed."""

    def __init__(self, shelf: "Shelf", session: Session, saved: Callable[[str], object]) -> None:
        self._shelf = shelf
        self._session = session
        self._saved = saved
        self._kind = ""
        self._existing = ""
        self.form = ProviderForm(heard=self._heard)

    def start(self) -> None:
        """Choose what to add."""
        self._existing = ""
        self.form.param.update(open=True, form={}, verdict={}, busy="")
        self._session.run(self._list_kinds(), key="kinds", what="kinds")

    def change(self, provider: str, focus: str = "") -> None:
        """Change a provider, beginning in the field `focus`."""
        self._session.run(self._fill_in(provider, focus), key="form", what="form")

    async def _list_kinds(self) -> None:
        registry = self._shelf.providers
        plugged = {kind: item for kind, item in registry.kinds().items() if kind != "builtin"}
        cloud = await registry.cloud_kinds()
        known = [_kind(kind, item, _("Servers and services")) for kind, item in plugged.items()]
        services = [_kind(kind, item, _("Cloud services")) for kind, item in cloud.items()]
        self.form.kinds = [*known, *services]
        found = [
            {
                "kind": item.kind,
                "label": f"{item.label} {item.version}".strip(),
                "name": item.label,
                "about": item.url,
                "url": item.url,
                "group": _("Found on this machine"),
            }
            for item in await registry.discover()
        ]
        if found:
            self.form.kinds = [*found, *known, *services]

    async def _fill_in(self, provider: str, focus: str) -> None:
        config = await self._shelf.providers.config(provider)
        factory = self._shelf.providers.kind(config.kind)
        if factory is None:
            return
        self._kind, self._existing = config.kind, provider
        keys = await self._shelf.providers.keys_of(provider)
        held = next((key for key in keys if key.present), None)
        told = _("It has one: …{last}. Leave this empty to keep it.", last=held.last4) if held else ""
        form = _form(_("Change {name}", name=config.name), factory, config, key_help=told)
        self.form.param.update(open=True, form={**form, "focus": focus}, verdict={}, busy="")

    def _heard(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "choose":
                self._choose(str(message["kind"]), str(message.get("url", "")))
            case "back":
                self.start()
            case "test" | "ping" as do:
                self._session.run(self._test(message["values"], ping=do == "ping"), key="form", what="test")
            case "save" | "insist" as do:
                self._session.run(self._save(message["values"], insist=do == "insist"), key="form", what="save")
            case "dismissed":
                self._session.stop("form")
                self.form.param.update(open=False, form={}, verdict={}, busy="")

    def _choose(self, kind: str, url: str) -> None:
        factory = self._shelf.providers.kind(kind)
        if factory is None:
            return
        self._kind, self._existing = kind, ""
        usual = next((name for name in factory.env_names if self._shelf.providers.keys.named(name)), "")
        told = _("Found in {name}: leave this empty to use it.", name=usual) if usual else ""
        here = next((item for item in self.form.kinds if url and item.get("url") == url), {})
        config = ProviderConfig("", kind, str(here.get("name", "")), url)
        form = _form(_("Add {name}", name=factory.label), factory, config, key_help=told)
        self.form.param.update(form={**form, "back": True}, verdict={}, busy="")

    async def _test(self, values: Mapping[str, Any], *, ping: bool) -> None:
        self.form.param.update(busy=_("Testing …"), verdict={})
        try:
            seen = await self._shelf.providers.drafts.try_out(self._draft(values), ping=ping)
            self.form.verdict = _verdict(seen)
        except ModelshelfError as error:
            self.form.verdict = {"tone": "bad", "text": str(error), "remedy": error.remedy}
        finally:
            self.form.busy = ""

    async def _save(self, values: Mapping[str, Any], *, insist: bool) -> None:
        self.form.param.update(busy=_("Saving …") if insist else _("Testing …"), verdict={})
        try:
            saved = await self._shelf.providers.drafts.save(self._draft(values), insist=insist)
        except NotValidated as error:
            self.form.verdict = _verdict(error.validation, insist=True)
        except ModelshelfError as error:
            self.form.verdict = {"tone": "bad", "text": str(error), "remedy": error.remedy}
        else:
            self.form.param.update(open=False, form={})
            self._saved(saved.provider.id)
            seen = saved.validation
            told = seen.message if seen else _("It was not tested.")
            self._session.notice(_("{name} is saved.", name=saved.provider.name), told, tone="good", id="saved")
        finally:
            self.form.busy = ""

    def _draft(self, values: Mapping[str, Any]) -> Draft:
        typed = str(values.get("key", ""))
        factory = self._shelf.providers.kind(self._kind)
        settings = {
            field.key: _value(field.kind, values.get(field.key)) for field in (factory.fields if factory else ())
        }
        settings = {name: value for name, value in settings.items() if value not in (None, "", [])}
        if values.get(SETTING):
            settings[SETTING] = str(values[SETTING])
        if values.get("plain_http"):
            settings["plain_http"] = True
        return Draft(
            self._kind,
            url=str(values.get("url", "")).strip(),
            name=str(values.get("name", "")),
            provider=self._existing,
            settings=settings,
            key=clean_key(typed) if typed.strip() else None,
            key_env=str(values.get("key_env", "")).strip() if not typed.strip() else "",
            existing=bool(self._existing),
        )


def _form(title: str, factory: ProviderFactory, config: ProviderConfig, *, key_help: str) -> dict[str, Any]:
    """What the form of a kind asks for."""
    fields: list[dict[str, Any]] = [
        {"name": "name", "label": _("Name"), "kind": "text", "value": config.name, "hint": factory.label},
        {
            "name": "url",
            "label": _("Address"),
            "kind": "text",
            "value": config.url or factory.default_url,
            "hint": "http://127.0.0.1:8000",
        },
    ]
    if factory.key_use is not KeyUse.NONE:
        wanted = _("Key") if factory.key_use is KeyUse.REQUIRED else _("Key, if it wants one")
        kept = _("It is kept encrypted and never shown again.")
        fields.append({"name": "key", "label": wanted, "kind": "secret", "value": "", "help": key_help or kept})
    fields += [
        {
            "name": field.key,
            "label": field.label,
            "kind": field.kind.value,
            "value": config.settings.get(field.key, field.default),
            "help": field.help,
            "options": ["", *field.choices],
            "more": True,
        }
        for field in factory.fields
    ]
    if factory.key_use is not KeyUse.NONE:
        variable = _("Or the environment variable that holds the key")
        told = _("Its value is read when it is needed and copied nowhere.")
        fields.append({"name": "key_env", "label": variable, "kind": "text", "value": "", "help": told, "more": True})
    if factory.abilities & TAKES or engine(factory.kind):
        fields.append(_policy(config))
    fields.append(
        {
            "name": "plain_http",
            "label": _("Allow http to another machine"),
            "kind": "switch",
            "value": config.settings.get("plain_http", False),
            "help": _("Nothing is encrypted then, the key included: only for a network you trust."),
            "more": True,
        }
    )
    return {"title": title, "about": factory.about, "fields": fields}


def _policy(config: ProviderConfig) -> dict[str, Any]:
    """When this provider is given models of the library."""
    labels = {
        "": _("By itself where nothing is copied, else when I ask"),
        Policy.AUTOMATIC.value: _("By itself, even if that copies the file"),
        Policy.ASK.value: _("Only when I ask"),
        Policy.NEVER.value: _("Never by itself"),
    }
    return {
        "name": SETTING,
        "label": _("Models that land in the library"),
        "kind": "choice",
        "value": config.settings.get(SETTING, ""),
        "help": _("Whether this provider is given them: where they can be used is in a model's details."),
        "options": list(labels),
        "labels": labels,
        "more": True,
    }


def _kind(kind: str, factory: ProviderFactory, group: str) -> dict[str, Any]:
    about = factory.about or factory.default_url
    return {"kind": kind, "label": factory.label, "about": about, "group": group}


def _value(kind: FieldKind, value: Any) -> Any:
    if kind is FieldKind.NUMBER:
        try:
            return float(value) if value not in (None, "") else None
        except ValueError:
            return value  # the registry says what is wrong with it
    if kind is FieldKind.NAMES:
        return [name.strip() for name in value or [] if name.strip()]
    return value


def _verdict(seen: Validation, *, insist: bool = False) -> dict[str, Any]:
    tone = "good" if seen.good else "warn" if seen.outcome is Outcome.UNPROVEN else "bad"
    unproven = seen.outcome is Outcome.UNPROVEN
    remedy = seen.remedy or seen.told
    return {"tone": tone, "text": seen.message, "remedy": remedy, "ping": unproven, "insist": insist}
