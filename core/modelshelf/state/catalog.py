"""The catalogue as views see it: which generation is in use, and how listing goes on."""

import param

BUSY = frozenset({"asked", "asking", "waiting", "building", "stopping"})


class CatalogState(param.Parameterized):
    """One for a process; `status` is empty, asked, or as `SyncChanged` says it."""

    generation = param.String(default="", doc="the generation in use, empty for none")
    rows = param.Integer(default=0, bounds=(0, None), doc="models in it")
    made = param.Parameter(default=None, doc="when it was made, a datetime in UTC")
    loaded = param.Boolean(default=False, doc="whether it is known if there is one")
    status = param.String(default="", doc="asked | asking | waiting | building | stopping | stopped | done | failed")
    source = param.String(default="", doc="the source that is listed now")
    found = param.Integer(default=0, bounds=(0, None), doc="models that it has told so far")
    more = param.Parameter(default=None, doc="`catalog.sync.more.More`: what else there is to list; None for nothing")
    error = param.String(default="", doc="why it waits, or why some source could not be listed")

    @property
    def busy(self) -> bool:
        """Whether sources are being listed."""
        return self.status in BUSY

    def begin(self, status: str) -> None:
        """Somebody asked for it."""
        if not self.busy:
            self.param.update(status=status, source="", found=0, error="")

    def stop(self) -> None:
        """Somebody wants it to stop."""
        if self.busy:
            self.status = "stopping"

    def take(self, status: str, source: str, found: int, error: str) -> None:
        """How it goes on; what failed in a round is told to its end."""
        failed = self.error if self.status == "failed" or status in {"building", "done", "stopped"} else ""
        if self.status == "stopping" and status in {"asking", "waiting", "building"}:
            status = "stopping"
        if status == "done" and not source and failed:
            status = "failed"
        self.param.update(status=status, source=source or self.source, found=found, error=error or failed)
