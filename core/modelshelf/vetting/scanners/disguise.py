"""Whether bytes that claim to be something else would run as a pickle, by the more forgiving of the unpicklers."""

import re
import warnings
from collections.abc import Callable, Mapping

from modelshelf.vetting.scanners.actions import ACTIONS, Action, constant, run, take_global
from modelshelf.vetting.scanners.machine import Machine, Reached, Refused, Thing
from modelshelf.vetting.scanners.opcodes import MAX_OPCODES, PickleError
from modelshelf.vetting.spec import Content

# An unpickler would have gone on where these rules stop, or would have been harmed by going on.
_HARM_ANYWAY = frozenset({"PICKLE_EXPANSION", "PICKLE_NESTING"})
_HARM_AFTER_A_NAME = frozenset(
    {"PICKLE_TOO_LONG", "PICKLE_CALL", "PICKLE_BUILD", "PICKLE_FILL", "PICKLE_PERSISTENT", "PICKLE_PROTO"}
)


def _text(encoding: str) -> Action:
    """STRING and UNICODE of the text protocol with their escapes resolved."""

    def act(machine: Machine, argument: bytes | None) -> None:
        raw = argument or b""
        if encoding == "unicode_escape" and len(raw) >= 2 and raw[:1] == raw[-1:] and raw[:1] in b"'\"":
            raw = raw[1:-1]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # an escape that is none stays as it is
                machine.push(Thing("text", raw.decode(encoding) if b"\\" in raw else raw.decode("latin-1")))
        except UnicodeDecodeError:
            raise Refused("PICKLE_BROKEN", "holds a text with broken escapes") from None

    return act


def _long(machine: Machine, argument: bytes | None) -> None:
    try:
        int((argument or b"").removesuffix(b"L"))
    except ValueError:
        raise Refused("PICKLE_BROKEN", "holds a number that is none") from None
    machine.push(Thing("number", "0"))


def _index(use: Callable[[Machine, int], None], *, text: bool) -> Action:
    def act(machine: Machine, argument: bytes | None) -> None:
        try:
            index = int(argument or b"") if text else int.from_bytes(argument or b"", "little")
        except ValueError:
            raise Refused("PICKLE_MEMO", "numbers its memo by something that is no number") from None
        use(machine, index)

    return act


def _remember(machine: Machine, index: int) -> None:
    machine.memo[index] = machine.top()


def _protocol(machine: Machine, argument: bytes | None) -> None:
    if (argument or b"\0")[0] > 5:
        raise Refused("PICKLE_BROKEN", "claims a protocol that no unpickler knows")


def _newobj_ex(machine: Machine, argument: bytes | None) -> None:
    _named, arguments, callable_ = machine.pop(), machine.pop(), machine.pop()
    machine.call(callable_, arguments)


def _object(machine: Machine, argument: bytes | None) -> None:
    items = machine.since_mark()
    if not items or items[0].kind != "import":
        raise Refused("PICKLE_STACK", "makes an object of nothing")
    raise Reached


def _instance(machine: Machine, argument: bytes | None) -> None:
    machine.since_mark()
    take_global(machine, argument)
    raise Reached


# What the strict machine refuses outright, as an unpickler would do it.
_ACTIONS: Mapping[str, Action] = {
    **ACTIONS,
    "EXT1": constant("import"),
    "EXT2": constant("import"),
    "EXT4": constant("import"),
    "PERSID": constant("stored"),
    "NEXT_BUFFER": constant("bytes"),
    "READONLY_BUFFER": lambda machine, _: machine.push(machine.pop()),
    "OBJ": _object,
    "INST": _instance,
    "NEWOBJ_EX": _newobj_ex,
    "PROTO": _protocol,
    "FRAME": lambda machine, _: None,
    "STRING": _text("unicode_escape"),
    "UNICODE": _text("raw_unicode_escape"),
    "INT": _long,
    "LONG": _long,
    "PUT": _index(_remember, text=True),
    "BINPUT": _index(_remember, text=False),
    "LONG_BINPUT": _index(_remember, text=False),
    "GET": _index(Machine.recall, text=True),
}


# Without one of these bytes nothing is named, called or filled: values are put on the stack, that is all.
_DEEDS = re.compile(rb"[ciPQRbtldaeus2ox\x81-\x87\x90-\x93]")
_LOOK = 65_536
_CHUNK = 4 << 20
TENSOR_OPCODES = 20_000


def looks_pickled(content: Content, *, tensor: bool = False) -> bool:
    """Whether an unpickler would get anywhere with these bytes: to a call, or to a STOP at the very end.

    Data that merely end early as a pickle, as any bytes may by chance, do nothing when loaded; what follows them is
    looked at as well. The bytes of a `tensor`, which no loader unpickles, are taken for a pickle only where they name
    something, and that soon: among many tensors some begin with bytes that go a few steps.
    """
    if content.size > 512 and not _does_anything(content):
        return False
    place = 0
    for _ in range(6):
        machine = Machine(content, place, TENSOR_OPCODES if tensor else MAX_OPCODES, lenient=True)
        try:
            place = run(machine, _ACTIONS).end
        except Reached:
            return machine.names > 0 or not tensor
        except PickleError:
            return False
        except Refused as refused:
            known = machine.names > 0 and refused.rule in _HARM_AFTER_A_NAME
            return known or (refused.rule in _HARM_ANYWAY and not tensor)
        if place >= content.size:
            return machine.names > 0 or not tensor
    return False


def _does_anything(content: Content) -> bool:
    if _DEEDS.search(content.read(0, _LOOK)):
        return True
    return any(_DEEDS.search(content.read(place, _CHUNK)) for place in range(_LOOK, content.size, _CHUNK))
