"""One browser session: where it is, what it does, and what must be let go when it ends."""

import asyncio
import logging
import re
import weakref
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

import panel as pn
import param
from bokeh.document import Document

from modelshelf.access import OWNER, Principal, acting_as
from modelshelf.errors import ModelshelfError
from modelshelf.ids import ModelId
from modelshelf_dashboard.follow import Follower
from modelshelf_dashboard.texts import _

log = logging.getLogger(__name__)

TO_LIBRARY = "navigate-to-model-library"
TO_SETTINGS = "navigate-to-llm-settings"
MOST_COMPARED = 4
LAST_PAGE = 100_000
_WORD = re.compile(r"""(?:[^\s"]|"[^"]*")+""")  # as the query language divides words
LIBRARY_VIEWS = ("discover", "installed", "compare", "downloads", "quarantine")
ORDERS = (
    "downloads", "compatibility", "likes", "trending", "modified", "created", "-size", "size", "params", "context"
)  # fmt: skip
COLLECTIONS = ("recommended", "favourites", "recent", "new", "unseen")
SETTINGS_VIEWS = ("providers", "profiles", "accounts", "machine", "status")


class Navigation(param.Parameterized):
    """Where a session is. All of it stands in the address, so that any view can be sent to a colleague."""

    tab: "param.Selector[str]" = param.Selector(
        default="library", objects=["library", "settings"], doc="the tab that is shown"
    )
    view: "param.Selector[str]" = param.Selector(
        default="discover", objects=list(LIBRARY_VIEWS), doc="the view of the library"
    )
    section: "param.Selector[str]" = param.Selector(
        default="providers", objects=list(SETTINGS_VIEWS), doc="the section of the settings"
    )
    q = param.String(default="", doc="the words of the search")
    filters = param.List(default=[], item_type=str, doc="tokens of the query language")
    sort: "param.Selector[str]" = param.Selector(
        default="downloads", objects=list(ORDERS), doc="the order of a list from the catalogue"
    )
    page = param.Integer(default=0, bounds=(0, None), doc="the page of the results, from 0")
    collection: "param.Selector[str]" = param.Selector(
        default="", objects=["", *COLLECTIONS], doc="a collection that is shown in place of a search"
    )
    compare = param.List(default=[], item_type=str, doc="models that are compared side by side, `source:org/name`")
    model = param.String(default="", doc="the model whose drawer is open, `source:org/name`")
    by = param.String(default="", doc="the provider whose answer the drawer shows; empty: the built-in engine's")
    provider = param.String(default="", doc="the provider whose models are shown")
    chat = param.String(default="", doc="the model one talks to, `provider/name`")
    beside = param.String(default="", doc="a second model that is asked the same, `provider/name`")

    focus = param.Integer(default=0, bounds=(0, None), doc="raised by who wants the first row of what is shown next")

    _names: ClassVar[dict[str, tuple[str, ...]]] = {
        "library": ("view", "q", "filters", "sort", "page", "collection", "compare", "model", "by"),
        "settings": ("section", "provider", "chat", "beside"),
    }

    def address(self) -> str:
        """What stands after the path; empty for the start."""
        told: dict[str, str] = {} if self.tab == "library" else {"tab": self.tab}
        for name in self._names[self.tab]:
            value = getattr(self, name)
            if value and value != self.param[name].default:
                told[name] = " ".join(value) if isinstance(value, list) else value
        return "?" + urlencode(told, safe=":,/") if told else ""

    def read(self, address: str) -> None:
        """Go where an address says, in one update; what makes no sense in it is left out."""
        told = dict(parse_qsl(address.lstrip("?")))
        tab = "settings" if told.get("tab") == "settings" else "library"
        update: dict[str, Any] = {"tab": tab}
        for name in self._names[tab]:
            update[name] = self._allowed(name, told.get(name, ""))
        self.param.update(**update)

    def navigate_to_model_library(self, **context: Any) -> None:
        """Show the library; the context names what to show there: `view`, `q`, `filters`, `model` and so on.

        With `focus` the first of the models that are found gets the keyboard.
        """
        self._go("library", context)

    def navigate_to_llm_settings(self, **context: Any) -> None:
        """Show the settings; the context names what to show there (`section`, `provider`, `chat`)."""
        self._go("settings", context)

    def _go(self, tab: str, context: Mapping[str, Any]) -> None:
        known = {name: self._allowed(name, value) for name, value in context.items() if name in self._names[tab]}
        if context.get("focus"):
            known["focus"] = self.focus + 1
        self.param.update(tab=tab, **known)

    def _allowed(self, name: str, value: Any) -> Any:
        if name in {"filters", "compare"}:
            listed = _WORD.findall(value) if isinstance(value, str) else [str(item) for item in value or ()]
            return _models(listed)[:MOST_COMPARED] if name == "compare" else listed
        if name == "page":
            said = str(value)
            return min(int(said[:9]), LAST_PAGE) if said.isdecimal() else 0
        kind = self.param[name]
        if isinstance(kind, param.Selector):
            return value if value in kind.objects else kind.default
        return str(value or "")[:500]


def _models(names: list[str]) -> list[str]:
    """Those that name a model, each once: an address is written by anybody."""
    return [name for name in dict.fromkeys(names) if ModelId.valid(name)]


class Session:
    """What the views of one session share. `close` lets go of everything; nothing of it outlives the page."""

    alive: ClassVar["weakref.WeakSet[Session]"] = weakref.WeakSet()  # tests count what is left

    def __init__(
        self,
        doc: Document | None,
        principal: Principal = OWNER,
        *,
        events: str = "",
        ready: "asyncio.Task[None] | None" = None,
    ) -> None:
        self._ready = ready
        self.doc = doc
        self.principal = principal
        self.events = events
        self.navigation = Navigation()
        self.follower = Follower(doc)
        self.tell: Callable[[dict[str, Any]], None] = lambda _notice: None
        self._tasks: set[asyncio.Task[None]] = set()
        self._latest: dict[str, asyncio.Task[None]] = {}
        self._at_end: list[Callable[[], None]] = []
        self._waiting: list[tuple[Coroutine[Any, Any, Any], str, str]] | None = []
        self._closed = False
        Session.alive.add(self)

    def begin(self) -> None:
        """Watch and work from now on; called in the loop, once the page is made."""
        waiting, self._waiting = self._waiting or [], None
        self.follower.begin()
        for work, what, key in waiting:
            self.run(work, what=what, key=key)

    async def begin_later(self) -> None:
        """As `begin`, for the document's next tick: plain callbacks are run in a thread, beside the loop."""
        self.begin()

    def run(self, work: Coroutine[Any, Any, Any], *, what: str = "", key: str = "") -> None:
        """Do something in the background, for the session's principal, until the session ends.

        An error becomes a notice in plain words. Work of the same `key` that still runs is given up: the latest wins.
        """
        if self._closed:
            work.close()
            return
        if self._waiting is not None:
            self._waiting.append((work, what, key))
            return
        if key and (before := self._latest.get(key)):
            before.cancel()
        task = asyncio.get_running_loop().create_task(self._guard(work, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _task: work.close())  # it never began if the task was given up at once
        if key:
            self._latest[key] = task

    def stop(self, key: str) -> None:
        """Give up the work of this key."""
        if task := self._latest.pop(key, None):
            task.cancel()

    def at_end(self, do: Callable[[], None]) -> None:
        """Call this when the session ends."""
        self._at_end.append(do)

    def notice(self, text: str, remedy: str = "", *, tone: str = "bad", id: str = "", action: Any = None) -> None:  # noqa: A002
        """Tell the person something; a later notice of the same id takes its place."""
        self.tell({"id": id or text, "tone": tone, "text": text, "remedy": remedy, "action": action})

    def complain(self, error: ModelshelfError, what: str = "") -> None:
        """Tell the person what went wrong and what to do."""
        self.notice(str(error), error.remedy, id=what or error.code)

    def close(self) -> None:
        """End: tasks are cancelled, shared state is let go."""
        self._closed = True
        for work, _what, _key in self._waiting or ():
            work.close()
        self._waiting = None
        self.follower.close()
        for task in self._tasks:
            task.cancel()
        for do in self._at_end:
            do()
        self._at_end, self._latest = [], {}
        self.tell = lambda _notice: None

    async def _guard(self, work: Coroutine[Any, Any, Any], what: str) -> None:
        try:
            if self._ready is not None:
                await asyncio.shield(self._ready)
            with acting_as(self.principal):
                await work
        except ModelshelfError as error:
            self.complain(error, what)
        except Exception:  # the last door before the person at the page
            log.exception("work for a page failed")
            self.notice(
                _("Something went wrong that should not have."),
                _("Try again; the log of the server holds the details."),
                id="unexpected",
            )


def open_session(
    principal: Principal, *, events: str = "", ready: "asyncio.Task[None] | None" = None, drawn: bool = True
) -> Session:
    """The session of the page that is being made; it closes with it. Its work begins when `ready` is done.

    Without a server nobody says when the page is there: what is not `drawn` yet calls `begin` itself.
    """
    doc = pn.state.curdoc
    session = Session(doc, principal, events=events, ready=ready)
    if doc is not None and doc.session_context is not None:
        doc.on_session_destroyed(lambda _context: session.close())
        doc.add_next_tick_callback(session.begin_later)
    elif drawn:
        session.begin()
    return session
