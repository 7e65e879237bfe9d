"""What if: one model on one provider with other settings, or on another machine, answered at every move of a slider."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modelshelf.compat.types import Compatibility, Settings
from modelshelf.errors import ModelshelfError
from modelshelf_dashboard import fits
from modelshelf_dashboard.components.what_if import WhatIf
from modelshelf_dashboard.session import Session
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.compat.asking import WhatIf as Supposed
    from modelshelf.compat.machine import Machine
    from modelshelf.shelf import Shelf

SHORTEST, LONGEST = 512, 131_072  # tokens of context where the model names no limit of its own
KVS = ("f16", "q8_0", "q4_0")
MOST_SLOTS = 8
HERE = "0"


class Supposing:
    """The sliders of one session. `applied` is called when settings were taken over."""

    def __init__(
        self, shelf: "Shelf", session: Session, *, folded: bool = True, applied: Callable[[], None] = lambda: None
    ) -> None:
        self._shelf = shelf
        self._session = session
        self._applied = applied
        self._what_if: Supposed | None = None
        self._start = Settings()
        self._machines: dict[str, Machine] = {}
        self._before: int | None = None
        self._title = ""
        self._latest: Compatibility | None = None
        self._usable = False
        self.piece = WhatIf(heard=self._heard, folded=folded)

    async def load(self, model: str, provider: str, title: str = "") -> None:
        """Be ready for a model on a provider; nothing is offered where settings change nothing.

        Raises:
            ModelshelfError: the model cannot be read.
        """
        self.clear()
        what_if = await self._shelf.compatibility.what_if(model, provider)
        now = what_if.answer()
        if now.score is None or now.settings is None:
            return
        self._start = now.settings  # those it would really be loaded with, if not all that is asked for fits
        self._what_if, self._before, self._title, self._latest = what_if, now.score, title, now
        self._machines = {str(i): one for i, one in enumerate(await self._shelf.compatibility.machines())}
        self.piece.param.update(offer=self._offer(what_if), answer=self._told(now, HERE), title=title)

    def clear(self) -> None:
        """Offer nothing."""
        self._what_if = None
        self.piece.offer = {}

    def _offer(self, what_if: "Supposed") -> dict[str, Any]:
        settings = self._start
        contexts = steps(what_if.context_limit, settings.context)
        return {
            "contexts": contexts,
            "kvs": [*KVS] if settings.kv in KVS else [settings.kv, *KVS],
            "slots_most": max(MOST_SLOTS, settings.slots),
            "machines": [{"value": key, "label": self._name(key)} for key in self._machines],
            "context": settings.context if settings.context in contexts else contexts[-1],
            "kv": settings.kv,
            "slots": settings.slots,
            "machine": HERE,
        }

    def _name(self, key: str) -> str:
        return _("This machine") if key == HERE else self._machines[key].name

    def _heard(self, message: dict[str, Any]) -> None:
        if self._what_if is None:
            return
        match message["do"]:
            case "try":
                self.piece.tell(n=_whole(message.get("n"), 0), answer=self._try(self._what_if, message))
            case "machine":
                self._session.run(self._suppose(str(message.get("text", ""))[:200]), key="machine")
            case "use" if self._latest is not None and self._usable:
                self._session.run(self._use(self._latest), what="use these settings")

    def _try(self, what_if: "Supposed", message: dict[str, Any]) -> dict[str, Any]:
        machine = str(message.get("machine", HERE))
        machine = machine if machine in self._machines else HERE
        chosen = self._settings(message)
        self._latest = what_if.answer(chosen, None if machine == HERE else self._machines[machine])
        return self._told(self._latest, machine)

    def _settings(self, message: dict[str, Any]) -> Settings:
        """What the sliders say, held to what they can say."""
        kv = str(message.get("kv", ""))
        now = self._start
        return replace(
            now,
            context=min(max(_whole(message.get("context"), now.context), 1), 1 << 30),
            kv=kv if kv in KVS else now.kv,
            slots=min(max(_whole(message.get("slots"), now.slots), 1), 1024),
        )

    def _told(self, found: Compatibility, machine: str) -> dict[str, Any]:
        use = {"do": "use", "word": _("Use these settings"), "help": "whatIf", "off": False, "why": ""}
        if machine != HERE:
            use |= {"off": True, "why": _("Only for this machine.")}
        elif found.score == 0:
            use |= {"off": True, "why": _("It would not run so.")}
        self._usable = not use["off"]
        changed = machine != HERE or found.settings != self._start
        return {**fits.told(found, self._title), "before": self._before, "changed": changed, "use": use}

    async def _suppose(self, text: str) -> None:
        if text.strip().lower().endswith(".json"):  # a file of the server: that is for its command line
            self.piece.tell(wrong=_("Describe it in words here, for example: 24 GB card."))
            return
        try:
            machine = await self._shelf.compatibility.named_machine(text)
        except ModelshelfError as error:
            self.piece.tell(wrong=f"{error} {error.remedy}")
            return
        key = next((key for key, one in self._machines.items() if one == machine), str(len(self._machines)))
        self._machines[key] = machine
        self.piece.tell(machine={"value": key, "label": self._name(key)})

    async def _use(self, answer: Compatibility) -> None:
        done = await self._shelf.compatibility.apply_settings(answer)
        self._session.notice(done, tone="good", id="what if")
        self._applied()


def steps(limit: int | None, now: int) -> list[int]:
    """The contexts to choose from: powers of two up to the model's own limit, that limit, and what is set now."""
    most = limit or max(LONGEST, now)
    powers = [1 << power for power in range(SHORTEST.bit_length() - 1, most.bit_length()) if 1 << power <= most]
    return sorted({*powers, most, min(now, most)})


def _whole(value: object, otherwise: int) -> int:
    return int(value) if isinstance(value, int | float) else otherwise
