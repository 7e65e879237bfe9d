"""What each pickle opcode does on the symbolic machine, and how a pickle runs on it."""

from collections.abc import Callable, Mapping

from modelshelf.vetting.scanners.machine import Machine, Outcome, Refused, Thing
from modelshelf.vetting.scanners.opcodes import MAX_OPCODES, decode

Action = Callable[[Machine, bytes | None], None]


def constant(kind: str) -> Action:
    """Put a value of this kind on the stack."""
    return lambda machine, argument: machine.push(Thing(kind))


def _text(machine: Machine, argument: bytes | None) -> None:
    # An argument that was passed over is longer than any name: it counts as text without content.
    try:
        text = "" if argument is None else argument.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise Refused("PICKLE_BROKEN", "holds a text that is not UTF-8") from None
    machine.push(Thing("text", text))


def _old_text(machine: Machine, argument: bytes | None) -> None:
    machine.push(Thing("text", "" if argument is None else argument.decode("latin-1")))


def _line_text(machine: Machine, argument: bytes | None) -> None:
    """STRING and UNICODE of the text protocol: escapes are not resolved, names are never written with any."""
    raw = (argument or b"").decode("latin-1")
    if len(raw) >= 2 and raw[0] == raw[-1] and raw[0] in "'\"":
        raw = raw[1:-1]
    machine.push(Thing("text", raw if "\\" not in raw else "\0escaped"))


def _number(machine: Machine, argument: bytes | None) -> None:
    raw = argument or b""
    if machine.outcome.first is None:
        machine.outcome.first = raw
    machine.push(Thing("number", str(int.from_bytes(raw, "little")) if len(raw) <= 8 else "0"))


def _line_number(machine: Machine, argument: bytes | None) -> None:
    digits = (argument or b"").removesuffix(b"L")
    if len(digits) > 4000:
        raise Refused("PICKLE_BROKEN", "holds a number of thousands of digits")
    try:
        value = int(digits)
    except ValueError:
        raise Refused("PICKLE_BROKEN", "holds a number that is none") from None
    machine.push(Thing("number", str(value)))


def _line_float(machine: Machine, argument: bytes | None) -> None:
    try:
        float(argument or b"")
    except ValueError:
        raise Refused("PICKLE_BROKEN", "holds a number that is none") from None
    machine.push(Thing("number", "0"))


def _index(argument: bytes | None, *, text: bool) -> int:
    raw = argument or b""
    if not text:
        return int.from_bytes(raw, "little")
    # Written otherwise than a pickler would, two readers could take it for two numbers.
    if not raw.isdigit() or len(raw) > 9 or (raw[:1] == b"0" and raw != b"0"):
        raise Refused("PICKLE_MEMO", "numbers its memo in an unusual way")
    return int(raw)


def _protocol(machine: Machine, argument: bytes | None) -> None:
    if machine.count > 1:
        raise Refused("PICKLE_PROTO", "changes its protocol in the midst")
    if (argument or b"\0")[0] > 5:
        raise Refused("PICKLE_PROTO", f"claims protocol {(argument or bytes(1))[0]}")


def _frame(machine: Machine, argument: bytes | None) -> None:
    if machine.at + 9 + int.from_bytes(argument or b"", "little") > machine.content.size:
        raise Refused("PICKLE_BROKEN", "has a frame beyond the end")


def take_global(machine: Machine, argument: bytes | None) -> None:
    """Put the named thing on the stack: module and name, a line each."""
    module, _, name = (argument or b"").decode("utf-8", "replace").partition("\n")
    machine.imported((module, name))


def _stack_global(machine: Machine, argument: bytes | None) -> None:
    name, module = machine.pop(), machine.pop()
    if name.kind != "text" or module.kind != "text":
        raise Refused("PICKLE_IMPORT", "names something by values that are no texts")
    machine.imported((module.text, name.text))


def _pop(machine: Machine, argument: bytes | None) -> None:
    if not machine.stack:
        raise Refused("PICKLE_STACK", "takes a value from an empty stack")
    machine.stack.pop()


def _pop_mark(machine: Machine, argument: bytes | None) -> None:
    machine.since_mark()


def _reduce(machine: Machine, argument: bytes | None) -> None:
    arguments, callable_ = machine.pop(), machine.pop()
    if arguments.kind != "tuple":
        raise Refused("PICKLE_CALL", "calls something with arguments that are no tuple")
    machine.call(callable_, arguments)


def _newobj_ex(machine: Machine, argument: bytes | None) -> None:
    named, arguments, callable_ = machine.pop(), machine.pop(), machine.pop()
    if named.kind != "dict" or named.items:
        raise Refused("PICKLE_CALL", "makes an object with named arguments")
    machine.call(callable_, arguments)


def _tuple(count: int) -> Action:
    def act(machine: Machine, argument: bytes | None) -> None:
        items = [machine.pop() for _ in range(count)]
        machine.container("tuple", items[::-1])

    return act


def _from_mark(kind: str) -> Action:
    return lambda machine, _: machine.container(kind, machine.since_mark())


def _refuse(what: str) -> Action:
    def act(machine: Machine, argument: bytes | None) -> None:
        raise Refused("PICKLE_OPCODE", what)

    return act


ACTIONS: Mapping[str, Action] = {
    "PROTO": _protocol,
    "FRAME": _frame,
    "MARK": constant("mark"),
    "NONE": constant("none"),
    "NEWTRUE": constant("flag"),
    "NEWFALSE": constant("flag"),
    "BININT": _number,
    "BININT1": _number,
    "BININT2": _number,
    "LONG1": _number,
    "LONG4": _number,
    "BINFLOAT": constant("number"),
    "INT": _line_number,
    "LONG": _line_number,
    "FLOAT": _line_float,
    "STRING": _line_text,
    "UNICODE": _line_text,
    "BINSTRING": _old_text,
    "SHORT_BINSTRING": _old_text,
    "BINUNICODE": _text,
    "SHORT_BINUNICODE": _text,
    "BINUNICODE8": _text,
    "BINBYTES": constant("bytes"),
    "SHORT_BINBYTES": constant("bytes"),
    "BINBYTES8": constant("bytes"),
    "BYTEARRAY8": constant("bytes"),
    "EMPTY_LIST": constant("list"),
    "EMPTY_DICT": constant("dict"),
    "EMPTY_SET": constant("set"),
    "EMPTY_TUPLE": constant("tuple"),
    "TUPLE": _from_mark("tuple"),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "LIST": _from_mark("list"),
    "DICT": _from_mark("dict"),
    "FROZENSET": _from_mark("frozenset"),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.setitem([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.setitem(machine.since_mark()),
    "ADDITEMS": lambda machine, _: machine.additems(),
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "DUP": lambda machine, _: machine.push(machine.top()),
    "MEMOIZE": lambda machine, _: machine.remember(len(machine.memo)),
    "PUT": lambda machine, argument: machine.remember(_index(argument, text=True)),
    "BINPUT": lambda machine, argument: machine.remember(_index(argument, text=False)),
    "LONG_BINPUT": lambda machine, argument: machine.remember(_index(argument, text=False)),
    "GET": lambda machine, argument: machine.recall(_index(argument, text=True)),
    "BINGET": lambda machine, argument: machine.recall(_index(argument, text=False)),
    "LONG_BINGET": lambda machine, argument: machine.recall(_index(argument, text=False)),
    "GLOBAL": take_global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _newobj_ex,
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.persistent(),
    "PERSID": _refuse("refers to something outside by a text"),
    "INST": _refuse("makes an object by INST, which old attacks use and no pickler writes now"),
    "OBJ": _refuse("makes an object by OBJ, which old attacks use and no pickler writes now"),
    "EXT1": _refuse("names something by a number of the extension registry"),
    "EXT2": _refuse("names something by a number of the extension registry"),
    "EXT4": _refuse("names something by a number of the extension registry"),
    "NEXT_BUFFER": _refuse("takes data from outside the file"),
    "READONLY_BUFFER": _refuse("takes data from outside the file"),
}


def run(machine: Machine, actions: Mapping[str, Action] = ACTIONS) -> Outcome:
    """Run the pickle to its STOP.

    Raises:
        Refused: something that is not allowed.
        PickleError: the bytes do not run.
    """
    for name, argument, at in decode(machine.content, machine.start):
        machine.at = at
        machine.count += 1
        if machine.count > machine.budget:
            raise Refused("PICKLE_TOO_LONG", f"has more than {MAX_OPCODES:,} opcodes")
        if name != "STOP":
            actions[name](machine, argument)
    left = machine.pop()
    if machine.stack:
        raise Refused("PICKLE_STACK", "leaves values behind, which no pickler writes")
    if left.kind == "list" and all(item.kind == "text" for item in left.items):
        machine.outcome.keys = tuple(item.text for item in left.items)
    machine.outcome.end = machine.at + 1
    return machine.outcome
