"""Several models of Discover at once: what they need is told first, then they are fetched as one batch."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from modelshelf.catalog.types import RepoCard
from modelshelf.downloads.types import DownloadPlan, Order, Survey
from modelshelf.errors import ModelshelfError
from modelshelf_dashboard import figures
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.library.beforehand import in_plan
from modelshelf_dashboard.library.rows import latest, licence_word
from modelshelf_dashboard.session import MOST_COMPARED, Session
from modelshelf_dashboard.texts import _, _n
from modelshelf_dashboard.transfers import Transfers

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

ASK = "download picked"
FEWEST = 2  # models that can be compared
NAMED = 12  # models that a question lists one by one


class DownloadPicks:
    """The bar over the ticked rows of a list of repositories, and what it does."""

    def __init__(
        self,
        shelf: "Shelf",
        session: Session,
        transfers: Transfers,
        dialog: Dialog,
        table: Table,
        found: Callable[[], Sequence[RepoCard]],
    ) -> None:
        self._shelf, self._session, self._transfers, self._dialog = shelf, session, transfers, dialog
        self._table, self._found = table, found
        table.picks = True
        table.param.watch(self._tell, ["picked", "rows"])

    def _tell(self, *_events: Any) -> None:
        chosen = [card for card in self._found() if str(card.id) in self._table.picked]
        free = [card for card in chosen if self._free(card)]
        text = _n("{n} model chosen", "{n} models chosen", len(chosen))
        if len(free) < len(chosen):
            rest = len(chosen) - len(free)
            text += ", " + _n("{n} of them is here or on its way", "{n} of them are here or on their way", rest)
        word = _offer(len(free), sum(card.size or 0 for card in free))
        actions = [{"do": "download-picked", "word": word, "kind": "primary"}] if free else []
        if FEWEST <= len(chosen) <= MOST_COMPARED:
            actions.append({"do": "compare-picked", "word": _("Compare side by side"), "help": "compareFits"})
        self._table.bar = {"text": text, "actions": actions} if chosen else {}

    def _free(self, card: RepoCard) -> bool:
        job = latest(self._shelf.downloads_state.jobs, card.repo)
        return not self._shelf.models_state.has(card.repo) and not (job is not None and job.active)

    def ask(self) -> None:
        """Say what the ticked ones need, and ask."""
        chosen = [card for card in self._found() if str(card.id) in self._table.picked and self._free(card)]
        if chosen:
            title = _n("Download {n} model?", "Download {n} models?", len(chosen))
            self._dialog.listen(lambda _answer: self._give_up())
            self._dialog.ask(id=ASK, title=title, lines=[_("Looking at what they need.")], help="batchSelection")
            self._session.run(self._survey(chosen, title), what=ASK, key=ASK)

    def _give_up(self) -> None:
        self._session.stop(ASK)
        self._dialog.close()

    async def _survey(self, chosen: Sequence[RepoCard], title: str) -> None:
        try:
            orders = [Order(card.id, await self._files(str(card.id))) for card in chosen]
            survey = await self._shelf.downloads.survey(orders)
        except ModelshelfError as error:
            self._dialog.ask(id=ASK, title=title, lines=[], error=f"{error} {error.remedy}")
            return
        self._dialog.ask(
            id=ASK, title=title, lines=[*lines_of(survey), _("Looking into the files …")], help="batchSelection"
        )
        looked = await in_plan(self._shelf, survey.plans[:NAMED])
        may = bool(survey.plans) and survey.fits_disk
        self._dialog.listen(lambda answer: self._answered(survey, answer))
        self._dialog.ask(
            id=ASK,
            title=title,
            lines=[*lines_of(survey), *looked],
            word=_offer(len(survey.plans), survey.missing) if may else "",
            help="batchSelection",
            error="" if survey.fits_disk else _("There is not enough room. Free some, or choose fewer."),
        )

    async def _files(self, model: str) -> tuple[str, ...]:
        """What Download would fetch; where that cannot be said, the plan says why."""
        try:
            return await self._transfers.best(model)
        except ModelshelfError:
            return ()

    def _answered(self, survey: Survey, answer: dict[str, Any]) -> None:
        self._dialog.close()
        if answer["do"] == "confirmed":
            self._session.run(self._start(survey), what=ASK)

    async def _start(self, survey: Survey) -> None:
        jobs = await self._shelf.downloads.start_batch(survey.orders)
        self._table.picked = []
        left = [f"{item.order.name.name}: {item.error} {item.remedy}".strip() for item in survey.refused]
        self._session.notice(
            _n("{n} download has begun.", "{n} downloads have begun.", len(jobs)),
            " ".join([_("Left out:"), *left]) if left else "",
            tone="warn" if left else "good",
            id=ASK,
        )


def lines_of(survey: Survey) -> list[str]:
    """What a batch needs, before it is begun: sizes, every disk, licences, gates, and what cannot be had."""
    lines = [_("{size} to fetch.", size=figures.size(survey.missing))] if survey.plans else []
    for disk in survey.disks:
        words = _("needs {need}, {free} are free", need=figures.size(disk.needed), free=figures.size(disk.free))
        lines.append(f"{disk.label} ({disk.folder}): {words}." + ("" if disk.fits else " " + _("Not enough.")))
    licences = Counter(licence_word(plan.licence) for plan in survey.plans)
    if licences:
        told = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in licences.most_common())
        lines.append(_("Licences: {names}.", names=told))
    gated = [_name(plan) for plan in survey.plans if plan.gated]
    if gated:
        lines.append(_("Gated, and open to you: {names}.", names=", ".join(gated)))
    lines += [f"{_name(plan)}: {_size(plan)}" for plan in survey.plans[:NAMED]]
    if (more := len(survey.plans) - NAMED) > 0:
        lines.append(_n("and {n} more", "and {n} more", more))
    return lines + [
        _("Left out: {name}. {why}", name=item.order.name.name, why=f"{item.error} {item.remedy}".strip())
        for item in survey.refused
    ]


def _size(plan: DownloadPlan) -> str:
    size = figures.size(plan.missing)
    return size if plan.missing else _("nothing to fetch, all of it is here")


def _name(plan: DownloadPlan) -> str:
    return plan.repo.partition("/")[2] or plan.repo


def _offer(count: int, size: int) -> str:
    if not size:
        return _n("Download {n} model", "Download {n} models", count)
    return _n("Download {n} model, {size}", "Download {n} models, {size}", count, size=figures.size(size))
