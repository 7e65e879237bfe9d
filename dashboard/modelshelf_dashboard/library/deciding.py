"""Decisions about files: release, accept, refuse, delete. Each asks first, and says what it means."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from modelshelf.access import Role
from modelshelf.downloads.types import Job
from modelshelf.errors import ModelshelfError
from modelshelf.vetting.quarantine import Held
from modelshelf_dashboard.components.dialog import Dialog
from modelshelf_dashboard.library.verdict_words import from_policy
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _, _n

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

REASON = "reason"
GO_ON = "go_on"
Work = Callable[[dict[str, Any]], Coroutine[Any, Any, None]]


class Deciding:
    """The questions of one session. `done` is called after a decision, so that what is shown can be read anew."""

    def __init__(self, shelf: "Shelf", session: Session, dialog: Dialog, done: Callable[[], None]) -> None:
        self._shelf, self._session, self._dialog, self.done = shelf, session, dialog, done

    def why_not(self, role: Role) -> str:
        """Why the person may not, empty if they may."""
        return why_not(self._session, role)

    def release(self, held: Held) -> None:
        """Ask for the reason to let a held file go."""
        reason = _field(
            _("Why it is harmless"), _("One sentence. It is kept in the record, with your name and the time.")
        )
        go_on = {
            "name": GO_ON,
            "kind": "checkbox",
            "label": _("Go on with the download when nothing more of it is held"),
            "value": True,
        }
        self._ask(
            f"release {held.id}",
            _("Release {file}?", file=_name(held.path)),
            [
                _("These very bytes will pass from now on, although this was found in them: {why}", why=held.why),
                _("They are hashed once more before; if they are not those that were held, they stay."),
                _("Nothing here loads the file. Whoever loads it later runs what is in it."),
            ],
            word=_("Release"),
            fields=[reason, go_on],
            work=lambda fields: self._release(held, fields),
        )

    async def _release(self, held: Held, fields: dict[str, Any]) -> None:
        await self._shelf.vetting.quarantine.release(held.id, str(fields.get(REASON, "")))
        items = await self._shelf.vetting.quarantine.items()
        left = [item for item in items if (item.repo, item.commit) == (held.repo, held.commit)]
        if left:
            told = _n("{n} other file of {repo} is still held.", "{n} other files of {repo} are still held.", len(left),
                      repo=held.repo)  # fmt: skip
        elif fields.get(GO_ON, True):
            jobs = await self._shelf.downloads.jobs()
            files = next((job.files for job in jobs if (job.repo, job.commit) == (held.repo, held.commit)), ())
            await self._shelf.downloads.start(f"{held.source}:{held.repo}@{held.commit}", files)
            told = _("The download of {repo} goes on.", repo=held.repo)
        else:
            told = _("Download {repo} again to have it in the library.", repo=held.repo)
        self._session.notice(
            _("{file} is released.", file=_name(held.path)), told, tone="warn" if left else "good", id="release"
        )

    def delete(self, held: Held) -> None:
        """Ask before a held file is deleted."""
        self._ask(
            f"delete {held.id}",
            _("Delete {file}?", file=held.path),
            [_("The file leaves this machine. The record that it was unsafe stays.")],
            word=_("Delete"),
            fields=[],
            work=lambda _fields: self._delete(held),
        )

    async def _delete(self, held: Held) -> None:
        await self._shelf.vetting.quarantine.delete(held.id)

    def accept(self, job: Job) -> None:
        """Ask for the reason to let a download go on that waits for a decision."""
        found = doubts(job)
        files = sorted({one["file"] for one in found})
        self._ask(
            f"accept {job.id}",
            _("Accept {model}?", model=job.repo),
            [
                _n("{n} file needs a decision: {names}.", "{n} files need a decision: {names}.", len(files),
                   names=", ".join(files[:5])),
                *dict.fromkeys(one["detail"] for one in found[:5]),
                _("These very bytes will pass from now on, and the download goes on."),
            ],
            word=_("Accept"),
            fields=[_field(_("Why it is harmless"), _("One sentence. It is kept in the record."))],
            work=lambda fields: self._accept(job, fields),
            kind="primary",
        )  # fmt: skip

    async def _accept(self, job: Job, fields: dict[str, Any]) -> None:
        reason = str(fields.get(REASON, ""))
        for sha256, path in dict.fromkeys((one["sha256"], one["file"]) for one in doubts(job)):
            await self._shelf.vetting.accept(sha256, path, reason)
        await self._shelf.downloads.retry(job.id)
        self._session.notice(
            _("{model} is accepted.", model=job.repo), _("The download goes on."), tone="good", id="accept"
        )

    def refuse(self, job: Job) -> None:
        """Ask before a download that waits for a decision is ended."""
        self._ask(
            f"refuse {job.id}",
            _("Reject {model}?", model=job.repo),
            [_("What arrived of it is deleted. It can be downloaded again.")],
            word=_("Reject"),
            fields=[],
            work=lambda _fields: self._shelf.downloads.refuse(job.id),
        )

    def _ask(
        self,
        name: str,
        title: str,
        lines: list[str],
        *,
        word: str,
        fields: list[dict[str, Any]],
        work: Work,
        kind: str = "trouble",
    ) -> None:
        self._dialog.listen(lambda answer: self._answered(answer, work))
        self._dialog.ask(id=name, title=title, lines=lines, fields=fields, word=word, kind=kind, help="quarantine")

    def _answered(self, answer: dict[str, Any], work: Work) -> None:
        if answer["do"] != "confirmed":
            self._dialog.close()
            return
        self._dialog.wait(_("One moment …"))
        self._session.run(self._do(work, answer.get("fields") or {}), what="decide")

    async def _do(self, work: Work, fields: dict[str, Any]) -> None:
        """What cannot be done is said where it was asked, and the question stays open."""
        try:
            await work(fields)
        except ModelshelfError as error:
            self._dialog.refuse(f"{error} {error.remedy}".strip())
        else:
            self._dialog.close()
        self.done()


def why_not(session: Session, role: Role) -> str:
    """Why the person may not do what needs this role, empty if they may."""
    if session.principal.role >= role:
        return ""
    words = {Role.ADMIN: _("Only an administrator may do this."), Role.OPERATOR: _("Only an operator may do this.")}
    return words.get(role, _("You may not do this."))


def doubts(job: Job) -> list[dict[str, str]]:
    """What was found in the files of a job that waits for a decision: `{file, sha256, rule, where, detail}`."""
    found = job.result.get("findings")
    return [one for one in found if isinstance(one, dict) and "file" in one] if isinstance(found, list) else []


def policy_speaks(job: Job) -> bool:
    """Whether the policy wants the decision: then the file alone cannot be accepted."""
    return any(from_policy(one.get("rule", "")) for one in doubts(job))


def _field(label: str, about: str) -> dict[str, Any]:
    return {"name": REASON, "kind": "textarea", "rows": 2, "label": label, "help": about}


def _name(path: str) -> str:
    return path.rpartition("/")[2]
