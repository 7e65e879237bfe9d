"""Pickles: each must run on the symbolic machine, and what follows the last one must be what torch writes there."""

from collections.abc import Iterator

from modelshelf.vetting.content import Slice
from modelshelf.vetting.scanners.actions import run
from modelshelf.vetting.scanners.machine import Machine, Name, Outcome, Refused
from modelshelf.vetting.scanners.opcodes import KEPT, MAX_OPCODES, PickleError
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

MAX_PICKLES = 64
TORCH_MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
TORCH_PICKLES = 5  # magic number, protocol, machine, object, keys of the storages

_BYTES = {"Double": 8, "Float": 4, "Long": 8, "Int": 4, "Half": 2, "BFloat16": 2, "Short": 2, "QInt32": 4}
_BYTES |= {"ComplexFloat": 8, "ComplexDouble": 16}


class PickleScanner:
    """Pickles by themselves, several in a row, and the old torch format: five of them and the tensors' bytes."""

    formats = frozenset({"pickle"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Find what a pickle could do besides building data."""
        outcomes: list[Outcome] = []
        place, budget = 0, MAX_OPCODES
        while place < content.size:
            if len(outcomes) == TORCH_PICKLES and outcomes[0].first == TORCH_MAGIC:
                yield from _storages(content, place, outcomes)
                return
            if len(outcomes) == MAX_PICKLES:
                yield Finding("PICKLE_STACKED", _where(content, place), f"more than {MAX_PICKLES} pickles in one file")
                return
            machine = Machine(content, place, budget)
            try:
                outcome = run(machine)
            except Refused as refused:
                yield Finding(refused.rule, _where(content, machine.at), f"The pickle {refused.detail}.")
                return
            except PickleError as error:
                rule = "PICKLE_TRAILING" if outcomes and machine.count < 2 else "PICKLE_BROKEN"
                yield Finding(rule, _where(content, place), str(error))
                return
            budget -= machine.count
            outcomes.append(outcome)
            place = outcome.end


def scan_start(content: Content, start: int) -> Iterator[Finding]:
    """As `PickleScanner`, of the first `start` bytes: up to the fifth pickle, or to where the bytes end."""
    window, place, budget = Slice(content, 0, start, content.name), 0, MAX_OPCODES
    for _ in range(TORCH_PICKLES):
        if place >= start:
            return
        machine = Machine(window, place, budget)
        try:
            place = run(machine).end
        except Refused as refused:
            yield Finding(refused.rule, _where(content, machine.at), f"The pickle {refused.detail}.")
            return
        except PickleError as error:
            # At the end of what is here it may well go on.
            if machine.at < start - KEPT and start < content.size:
                yield Finding("PICKLE_BROKEN", _where(content, place), str(error))
            return
        budget -= machine.count


def _where(content: Content, place: int) -> str:
    return f"{content.name} at byte {place:,}"


def _storages(content: Content, place: int, outcomes: list[Outcome]) -> Iterator[Finding]:
    """Check that the rest of the file is the storages: each a count and that many values."""
    stored = outcomes[3].storages
    for key in outcomes[4].keys:
        type_, values = stored.get(key, (("", ""), -1))
        count = int.from_bytes(content.read(place, 8), "little", signed=True)
        if count != values or count < 0:
            yield Finding("TORCH_STORAGE", _where(content, place), "A storage is not as long as its tensor says.")
            return
        place += 8 + count * _value_bytes(type_)
    if place != content.size:
        yield Finding(
            "PICKLE_TRAILING", _where(content, place), "The file goes on, or ends, elsewhere than its tensors."
        )


def _value_bytes(type_: Name) -> int:
    return _BYTES.get(type_[1].removesuffix("Storage"), 1)
