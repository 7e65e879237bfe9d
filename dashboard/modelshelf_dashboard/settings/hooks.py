"""Hooks and webhooks on the page: which there are, whether they can be used, and a button that tests."""

from typing import TYPE_CHECKING, Any

from modelshelf.access import Role
from modelshelf.hooks.finding import Known
from modelshelf.hooks.webhooks import Webhook
from modelshelf_dashboard.components.checklist import Checklist
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class HooksView:
    """Only administrators see what there is: addresses and rules are nobody else's business."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf, self._session = shelf, session
        self._hooks: tuple[Known, ...] = ()
        self.list = Checklist(heard=self._heard, visible=False)
        if session.principal.role >= Role.ADMIN:
            session.run(self._read(), key="hooks")

    async def _read(self) -> None:
        self._hooks = tuple(await self._shelf.hooks.listed())
        self.draw()

    def draw(self) -> None:
        """Show what there is; nothing at all where there is none."""
        webhooks = self._shelf.hooks.webhooks()
        waiting = bool(webhooks)
        rows = [*map(_hook, self._hooks), *map(_webhook, webhooks)]
        broken = sum(row["tone"] == "bad" for row in rows)
        self.list.shown = {
            "title": _("Rules and messages of others"),
            "help": "hooks",
            "text": _n("{n} cannot be used", "{n} cannot be used", broken)
            if broken
            else _n("{n} hook or webhook", "{n} hooks and webhooks", len(rows)),
            "tone": "bad" if broken else "",
            "actions": [{"do": "retry", "word": _("Send waiting messages now")}] if waiting else [],
            "groups": [{"title": "", "rows": rows}] if rows else [],
        }
        self.list.visible = bool(rows)

    def _heard(self, message: dict[str, Any]) -> None:
        if message["do"] == "test":
            self._session.run(self._test(str(message["id"])), what=f"webhook {message['id']}")
        elif message["do"] == "retry":
            self._session.run(self._retry(), what="webhooks")

    async def _test(self, webhook: str) -> None:
        answer = await self._shelf.hooks.test(webhook)
        said = _("{name} took the message and answered {answer}.", name=webhook, answer=answer)
        self._session.notice(said, tone="good", id=f"webhook {webhook}")

    async def _retry(self) -> None:
        count = await self._shelf.hooks.retry()
        told = _n("{n} message is sent again.", "{n} messages are sent again.", count)
        self._session.notice(told, tone="good", id="webhooks")


def _hook(hook: Known) -> dict[str, Any]:
    return {
        "tone": "bad" if hook.error else "well",
        "word": _("broken") if hook.error else _("rule"),
        "name": hook.name,
        "text": ", ".join(sorted(hook.points)),
        "remedy": _("{error} Mend it, or add it to hooks.off.", error=hook.error) if hook.error else "",
    }


def _webhook(webhook: Webhook) -> dict[str, Any]:
    told = ", ".join(webhook.events) or _("every end of a download")
    signed = _("signed") if webhook.signed else _("not signed")
    row: dict[str, Any] = {
        "tone": "bad" if webhook.problem else "well",
        "word": _("broken") if webhook.problem else _("webhook"),
        "name": webhook.name,
        "text": f"{webhook.origin}: {told}, {signed}" if webhook.origin else told,
        "remedy": webhook.problem,
    }
    if not webhook.problem:
        row["action"] = {"do": "test", "id": webhook.name, "word": _("Test"), "help": "hooks"}
    return row
