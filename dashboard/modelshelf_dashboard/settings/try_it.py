"""Try it: a conversation with one model, streamed, with a stop button."""

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from modelshelf.errors import ModelshelfError
from modelshelf.ids import split_served
from modelshelf.providers.spec import ChatChunk, ChatMessage
from modelshelf_dashboard.components.chat import Chat
from modelshelf_dashboard.follow import PUSH_SECONDS
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


class TryIt:
    """Follows `navigation.chat`. What was said lives in the session and nowhere else."""

    def __init__(self, shelf: "Shelf", session: Session) -> None:
        self._shelf = shelf
        self._session = session
        self._said: list[ChatMessage] = []
        self.chat = Chat(heard=self._heard)
        session.navigation.param.watch(self._open, ["chat"])
        session.follower.watch(shelf.providers_state, ["providers"], self._name)
        self._open()

    def _open(self, *_events: object) -> None:
        self._session.stop("chat")
        self._said = []
        self.chat.param.update(turns=[], live="", busy=False)
        self._name()

    def _name(self) -> None:
        provider, _slash, name = self._session.navigation.chat.partition("/")
        known = self._shelf.providers_state.find(provider)
        self.chat.param.update(title=name, subtitle=known.name if known else provider)

    def _heard(self, message: dict[str, Any]) -> None:
        match message["do"]:
            case "send" if not self.chat.busy:
                self._send(str(message["text"]))
            case "stop":
                self._session.stop("chat")
            case "clear":
                self._said = []
                self.chat.turns = []

    def _send(self, text: str) -> None:
        self._said = [*self._said, ChatMessage("user", text)]
        waiting = _("Loading the model into memory …")
        turns = [*self.chat.turns, {"role": "user", "text": text}]
        self.chat.param.update(turns=turns, live="", busy=True, waiting=waiting)
        self._session.run(self._answer(self._session.navigation.chat), key="chat")

    async def _answer(self, model: str) -> None:
        said, note, tone = "", _("stopped"), ""
        try:
            split_served(model)
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
        return said, _figures(last)

    def _close_turn(self, said: str, note: str, tone: str) -> None:
        if not self.chat.busy:
            return
        if said and not tone:
            self._said = [*self._said, ChatMessage("assistant", said)]
        else:
            self._said = self._said[:-1]
        turn = {"role": "assistant", "text": said or "…", "note": note, "tone": tone}
        self.chat.param.update(turns=[*self.chat.turns, turn], busy=False, live="")


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
