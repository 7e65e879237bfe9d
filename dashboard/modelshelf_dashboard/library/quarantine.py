"""Quarantine: files that are held back, with what they could do in plain words."""

from typing import TYPE_CHECKING, Any

from modelshelf.errors import ModelshelfError
from modelshelf.vetting.quarantine import Held
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class Quarantine:
    """The table of files that are held back."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog) -> None:
        self._shelf = shelf
        self._session = session
        self._dialog = dialog
        self.table = Table(
            heard=self._heard,
            columns=[
                {
                    "key": "why",
                    "label": _("What it could do"),
                    "kind": "text",
                    "width": "minmax(200px,1.6fr)",
                    "wide": True,
                },
                {"key": "when", "label": _("Held since"), "kind": "text", "width": "110px", "wide": True},
            ],
            label=_("Quarantine"),
            heading=_("File"),
            topic="quarantine",
            opens=False,
        )
        session.follower.watch(shelf.models_state, ["quarantined"], self.ask)
        self.ask()

    def ask(self) -> None:
        """Read the quarantine anew."""
        self._session.run(self._read(), key="quarantine")

    async def _read(self) -> None:
        try:
            items = await self._shelf.vetting.quarantine.items()
        except ModelshelfError as error:
            self.table.trouble(str(error), error.remedy)
            return
        status = _n("{n} file is held back", "{n} files are held back", len(items))
        self.table.fill([_row(item) for item in items], status=status if items else "", empty=_empty())

    def _heard(self, message: dict[str, Any]) -> None:
        if message["do"] == "delete":
            item, file = str(message["id"]), str((message.get("context") or {}).get("file", ""))
            self._dialog.listen(lambda answer: self._answered(item, answer))
            self._dialog.ask(
                id=f"delete {item}",
                title=_("Delete {file}?", file=file),
                lines=[_("The file leaves this machine. The record that it was unsafe stays.")],
                word=_("Delete"),
                kind="trouble",
                help="quarantine",
            )

    def _answered(self, item: str, answer: dict[str, Any]) -> None:
        self._dialog.close()
        if answer["do"] == "confirmed":
            self._session.run(self._shelf.vetting.quarantine.delete(item), what="delete")


def _row(item: Held) -> dict[str, Any]:
    details = list(dict.fromkeys(finding.detail for finding in item.findings)) or [_("It did not pass.")]
    return {
        "id": item.id,
        "title": item.path.rpartition("/")[2],
        "sub": f"{item.repo} · {figures.size(item.size)}",
        "more": details[0],
        "chips": [{"text": _("blocked"), "tone": "bad"}],
        "cells": {
            "why": {"main": details[0], "sub": " ".join(details[1:3])},
            "when": {"main": figures.ago(item.at)},
        },
        "actions": [{"do": "delete", "word": _("Delete"), "kind": "trouble", "context": {"file": item.path}}],
    }


def _empty() -> dict[str, Any]:
    return {
        "text": _("Nothing is held back."),
        "remedy": _("Files that could run code or are not what they claim come here instead of into the library."),
    }
