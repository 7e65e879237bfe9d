"""Looks at this machine, again and again, and knows those that are only thought of."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic

from modelshelf.compat.devices import Device, as_engine_sees, engine_devices
from modelshelf.compat.fit import BUILTIN
from modelshelf.compat.hardware import find_machine
from modelshelf.compat.machine import Machine
from modelshelf.compat.machines import find_named_machine, named_machines
from modelshelf.errors import UsageError

HOLDS_SECONDS = 5.0  # for how long a look holds
UNASKED_SECONDS = 0.5  # who lives longer looks without being asked; a short command that judges nothing need not


class MachineWatch:
    """This machine at most five seconds old; `kept` is the folder of machines that the person keeps.

    `looked` is called with every whole look, and whether it is the first, before anyone is told of it.
    """

    def __init__(self, kept: Path, looked: Callable[[Machine, bool], Awaitable[None]]) -> None:
        self.last: Machine | None = None  # as it was last seen, without waiting
        self._kept, self._looked = kept, looked
        self._seen = 0.0
        self._devices: tuple[Device, ...] = ()
        self._looking: asyncio.Task[Machine] | None = None
        self._unasked: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """See how much memory there is; the slower part, graphics cards and bandwidth, comes a little later."""
        self.last = await asyncio.to_thread(find_machine, bandwidth=False, gpus=False)
        self._unasked = asyncio.get_running_loop().call_later(UNASKED_SECONDS, self._begin)

    async def stop(self) -> None:
        """End the look."""
        if self._unasked is not None:
            self._unasked.cancel()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
            self._looking = None

    async def now(self) -> Machine:
        """This machine."""
        if self.last is None or not self._seen or monotonic() - self._seen > HOLDS_SECONDS:
            await asyncio.shield(self._begin())
        return self.last or await self._look()

    def seen_by(self, kind: str, machine: Machine) -> Machine:
        """This machine with the cards that an engine will use: what it does not say that it uses, it does not use."""
        if kind != BUILTIN or not machine.gpus:
            return machine
        return as_engine_sees(machine, self._devices) if self._devices else replace(machine, gpus=())

    def named(self, text: str) -> Machine:
        """A machine in words, or by the name of a kept one. Blocking.

        Raises:
            UsageError: the words say no machine; the remedy lists what can be said.
        """
        if text.strip().lower().endswith(".json"):
            raise UsageError("A file is not read here.", remedy=f"Put it into {self._kept} and say its name.")
        return find_named_machine(text, self._kept)

    def thought_of(self) -> tuple[Machine, ...]:
        """Those that the person keeps, and some that people often mean. Blocking."""
        found = []
        for name in named_machines(self._kept):
            with suppress(UsageError):  # somebody's file is broken: whoever names it is told
                found.append(self.named(name))
        return tuple(found)

    def _begin(self) -> asyncio.Task[Machine]:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return self._looking

    async def _look(self) -> Machine:
        machine = await asyncio.to_thread(find_machine)
        if machine.gpus and not self._devices:
            self._devices = await asyncio.to_thread(engine_devices)
        await self._looked(machine, not self._seen)
        self.last, self._seen = machine, monotonic()
        return machine
