"""Accounts: who one is at the Hugging Face Hub, and signing in with a token."""

from typing import TYPE_CHECKING, Any

from modelshelf.errors import ModelshelfError
from modelshelf.providers.validation import clean_key
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.cards import Cards
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.catalog.types import HfAccount
    from modelshelf.shelf import Shelf

HUB = "Hugging Face"


class Accounts:
    """One card for the Hub. It is asked when the section is shown, not before."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog) -> None:
        self._shelf = shelf
        self._session = session
        self._dialog = dialog
        self.cards = Cards(heard=self._heard)
        session.navigation.param.watch(lambda *_events: self._shown(), ["section", "tab"])
        self._shown()

    def _shown(self) -> None:
        nav = self._session.navigation
        if nav.tab == "settings" and nav.section == "accounts":
            self._session.run(self._look(), key="account", what="account")

    async def _look(self) -> None:
        try:
            account = await self._shelf.huggingface.account()
        except ModelshelfError as error:
            again = {"do": "again", "word": _("Try again"), "help": "hubAccount"}
            sign_in = {"do": "in", "word": _("Sign in"), "help": "hubAccount"}
            self.cards.cards = [
                {"id": "hub", "title": HUB, "lead": str(error), "text": error.remedy, "actions": [again, sign_in]}
            ]
        else:
            self.cards.cards = [_card(account)]

    def _heard(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "in":
                self._ask()
            case "out":
                self._session.run(self._sign_out(), what="sign out")
            case "again":
                self._shown()

    def _ask(self) -> None:
        self._dialog.listen(self._answered)
        self._dialog.ask(
            id="hub token",
            title=_("Sign in to Hugging Face"),
            lines=[
                _("Make a token with read access at huggingface.co/settings/tokens and paste it here."),
                _("It is kept encrypted, and sent to the Hub only."),
            ],
            fields=[{"name": "token", "kind": "password", "label": _("Token"), "hint": "hf_…"}],
            word=_("Sign in"),
            help="hubAccount",
        )

    def _answered(self, answer: dict[str, Any]) -> None:
        if answer["do"] == "confirmed":
            self._session.run(self._sign_in(str(answer["fields"].get("token", ""))), key="sign in", what="sign in")
        else:
            self._session.stop("sign in")
            self._dialog.close()

    async def _sign_in(self, token: str) -> None:
        self._dialog.wait(_("Asking the Hub …"))
        try:
            account = await self._shelf.huggingface.sign_in(clean_key(token))
        except ModelshelfError as error:
            self._dialog.refuse(f"{error} {error.remedy}".strip(), "token")
            return
        self._dialog.close()
        self._session.notice(_("Signed in as {name}.", name=account.name), tone="good", id="account")
        await self._look()

    async def _sign_out(self) -> None:
        await self._shelf.huggingface.sign_out()
        await self._look()


def _card(account: "HfAccount | None") -> dict[str, Any]:
    sign_in = {"do": "in", "word": _("Sign in"), "kind": "primary", "help": "hubAccount"}
    if account is None:
        lead = _("Nobody is signed in. Open models need no account; gated ones want to know who asks.")
        return {"id": "hub", "title": HUB, "lead": lead, "actions": [sign_in]}
    gated = {True: _("yes, where the publisher let you in"), False: _("no"), None: _("not said")}[account.gated]
    pairs = [
        {"name": _("Signed in as"), "value": account.name},
        {"name": _("Token from"), "value": _("saved here") if account.origin == "vault" else account.origin},
        {"name": _("Permission"), "value": account.permission or figures.NONE},
        {"name": _("Opens gated models"), "value": gated},
    ]
    if account.orgs:
        pairs.append({"name": _("Organisations"), "value": ", ".join(account.orgs[:10])})
    if account.expires:
        pairs.append({"name": _("Valid until"), "value": "", "when": figures.iso(account.expires)})
    actions = [{"do": "in", "word": _("Use another token"), "help": "hubAccount"}]
    if account.origin == "vault":
        actions.append({"do": "out", "word": _("Sign out"), "help": "hubAccount"})
    return {"id": "hub", "title": HUB, "pairs": pairs, "actions": actions}
