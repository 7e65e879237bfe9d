"""Numbers: what the transfers of files took, in a sentence and in a table that folds away."""

from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.downloads.numbers import Summary
from modelshelf.store.tables import TransferRow
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

MOST = 10  # transfers that are listed; Python and the API have them all


class Numbers:
    """The table of one session."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf = shelf
        self._session = session
        figure = {"kind": "figure", "wide": True}
        self.table = Table(
            columns=[
                {"key": "size", "label": _("Fetched"), "kind": "figure", "width": "104px"},
                {"key": "time", "label": _("Time"), "width": "64px", **figure},
                {"key": "rate", "label": _("Speed"), "kind": "figure", "width": "86px"},
                {"key": "connections", "label": _("Connections"), "width": "86px", **figure},
                {"key": "retries", "label": _("Tries again"), "width": "80px", **figure},
                {"key": "host", "label": _("From"), "kind": "text", "width": "130px", "wide": True},
            ],
            label=_("What the last transfers took"),
            heading=_("File"),
            topic="downloadProcess",
            opens=False,
        )
        self.view = pn.Column(self.table, margin=(18, 0, 0, 0), sizing_mode="stretch_width", visible=False)

    def ask(self) -> None:
        """Read them anew."""
        self._session.run(self._read(), key="numbers")

    async def _read(self) -> None:
        found = await self._shelf.downloads.transfers(MOST)
        if not found:
            self.view.visible = False
            return
        summary = await self._shelf.downloads.summary()
        with pn.io.hold():
            self.table.fill([_row(row) for row in found], status=sentence(summary))
            self.view.visible = True


def sentence(summary: Summary) -> str:
    """All transfers together, in one line."""
    hosts = ", ".join(f"{host} {figures.size(count)}" for host, count in summary.hosts[:3])
    parts = [
        _n("{n} transfer", "{n} transfers", summary.transfers),
        _("{size} in {time}", size=figures.size(summary.received), time=figures.span(summary.seconds)),
        figures.rate(summary.rate),
        _n("{n} request tried again", "{n} requests tried again", summary.retries) if summary.retries else "",
        _("{size} fetched again", size=figures.size(summary.refetched)) if summary.refetched else "",
        _("from {names}", names=hosts) if hosts else "",
    ]
    return " · ".join(part for part in parts if part)


def _row(row: TransferRow) -> dict[str, Any]:
    again = _("{size} twice", size=figures.size(row.refetched)) if row.refetched else ""
    ended = "" if row.outcome == "done" else _("stopped") if row.outcome == "stopped" else _("failed")
    return {
        "id": str(row.id),
        "title": row.path.rpartition("/")[2],
        "sub": " · ".join(part for part in (row.repo, figures.ago(row.at), ended) if part),
        "more": f"{figures.size(row.received)} · {figures.rate(row.rate)}",
        "cells": {
            "size": {"main": figures.size(row.received), "sub": again},
            "time": {"main": figures.span(row.seconds)},
            "rate": {"main": figures.rate(row.rate) if row.received else figures.NONE},
            "connections": {"main": str(row.connections)},
            "retries": {"main": str(row.retries)},
            "host": {"main": row.host},
        },
    }
