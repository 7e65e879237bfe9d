"""Try it: a conversation with one model, streamed, with a stop button."""

import time
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import panel as pn

from modelshelf.errors import ModelshelfError
from modelshelf.providers.profiles import MARK
from modelshelf.providers.spec import ChatChunk, ChatMessage
from modelshelf_dashboard.components.chat import Chat
from modelshelf_dashboard.follow import PUSH_SECONDS
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.settings.provider_rows import talks
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

MOST_OFFERED = 200
# One below the other where there is no room for two.
SIDE_BY_SIDE = ":host{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));gap:0}"


class Conversation:
    """What was said with one model, and the piece that shows it. It lives in the session and nowhere else."""

    def __init__(self, shelf: "Shelf", session: Session, key: str, heard: Callable[[dict[str, Any]], None]) -> None:
        self._shelf = shelf
        self._session = session
        self._key = key
        self._said: list[ChatMessage] = []
        self.model = ""
        self.chat = Chat(heard=heard)

    def open(self, model: str) -> None:
        """Begin afresh with a model, or, with none, end."""
        self.stop()
        self._said = []
        self.model = model
        self.chat.param.update(turns=[], live="", busy=False)
        self.name()

    def name(self) -> None:
        """Say who one talks to."""
        if self.model.startswith(MARK):
            self.chat.param.update(title=self.model, subtitle=_("a profile, with its prompt and settings"))
            return
        provider, _slash, name = self.model.partition("/")
        known = self._shelf.providers_state.find(provider)
        self.chat.param.update(title=name, subtitle=known.name if known else provider)

    def clear(self) -> None:
        """Forget what was said."""
        self._said = []
        self.chat.turns = []

    def stop(self) -> None:
        """End an answer that is on its way."""
        self._session.stop(self._key)

    def send(self, text: str) -> None:
        """Ask."""
        if self.chat.busy:
            return
        self._said = [*self._said, ChatMessage("user", text)]
        waiting = _("Loading the model into memory …")
        turns = [*self.chat.turns, {"role": "user", "text": text}]
        self.chat.param.update(turns=turns, live="", busy=True, waiting=waiting)
        self._session.run(self._answer(self.model), key=self._key)

    async def _answer(self, model: str) -> None:
        said, note, tone = "", _("stopped"), ""
        try:
            async with aclosing(self._shelf.chat_stream(model, self._said)) as chunks:
                said, note = await self._stream(chunks)
        except ModelshelfError as error:
            said, note, tone = str(error), error.remedy, "bad"
        finally:
            # A stop cancels this task: what came until then is part of the conversation.
            self._close_turn(said or self.chat.live, note, tone)

    async def _stream(self, chunks: Any) -> tuple[str, str]:
        said, last, pushed = "", ChatChunk(), 0.0
        async for chunk in chunks:
            said += chunk.text
            last = chunk if chunk.finish else last
            if chunk.text and time.monotonic() - pushed >= PUSH_SECONDS:
                self.chat.live, pushed = said, time.monotonic()
        told = _figures(last)
        return said, f"{last.model} · {told}" if self.model.startswith(MARK) else told

    def _close_turn(self, said: str, note: str, tone: str) -> None:
        if not self.chat.busy:
            return
        if said and not tone:
            self._said = [*self._said, ChatMessage("assistant", said)]
        else:
            self._said = self._said[:-1]
        turn = {"role": "assistant", "text": said or "…", "note": note, "tone": tone}
        self.chat.param.update(turns=[*self.chat.turns, turn], busy=False, live="")


class TryIt:
    """Follows `navigation.chat` and, for a second model that is asked the same, `navigation.beside`."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf = shelf
        self._session = session
        self.first = Conversation(shelf, session, "chat", self._heard)
        self.second = Conversation(shelf, session, "beside", self._heard_beside)
        self.second.chat.mute = True
        self.view = pn.Column(
            self.first.chat, self.second.chat, margin=0, sizing_mode="stretch_width", stylesheets=[SIDE_BY_SIDE]
        )
        nav = session.navigation
        nav.param.watch(lambda _event: self._open(), ["chat"])
        nav.param.watch(lambda _event: self._open_beside(), ["beside"])
        session.follower.watch_items(shelf.providers_state, "providers", ["models", "enabled"], self._name)
        self._open()
        self._open_beside()

    def _open(self) -> None:
        nav = self._session.navigation
        self.first.open(nav.chat)
        if not nav.chat and nav.beside:
            nav.beside = ""

    def _open_beside(self) -> None:
        beside = self._session.navigation.beside
        self.second.open(beside)
        self.first.clear()
        with pn.io.hold():
            self.second.chat.visible = bool(beside)
            self.first.chat.param.update(beside=beside, half=bool(beside))
            self.second.chat.half = bool(beside)

    def _name(self) -> None:
        self.first.name()
        self.second.name()
        found = [
            {"value": model.id, "label": f"{model.name} · {item.name}"}
            for item in self._shelf.providers_state.providers
            if item.enabled
            for model in item.models[:MOST_OFFERED]
            if talks(model, item)
        ]
        self.first.chat.others = found

    def _heard(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "send":
                both = (self.first, self.second) if self.second.model else (self.first,)
                if not any(one.chat.busy for one in both):
                    for one in both:
                        one.send(str(message["text"]))
            case "stop":
                self.first.stop()
                self.second.stop()
            case "clear":
                self.first.clear()
                self.second.clear()
            case "beside":
                self._session.navigation.beside = str(message.get("model", ""))

    def _heard_beside(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "alone":
                self._session.navigation.beside = ""
            case "stop":
                self.second.stop()


def _figures(last: ChatChunk) -> str:
    usage, timings = last.usage or {}, last.timings or {}
    told = []
    if "completion_tokens" in usage:
        told.append(_("{n} tokens", n=usage["completion_tokens"]))
    if speed := timings.get("tokens_per_second"):
        told.append(_("{n} tokens/s", n=f"{speed:,.0f}"))
    if (first := timings.get("seconds_to_first_token")) is not None:
        told.append(
            _("first after {n} ms", n=f"{first * 1000:.0f}") if first < 1 else _("first after {n} s", n=f"{first:.1f}")
        )
    if last.finish == "length":
        told.append(_("cut at the limit"))
    return " · ".join(told)
