"""The symbolic machine that pickles run on: values without substance, and what may be done with them."""

import re
from dataclasses import dataclass, field

from modelshelf.vetting.scanners import allowed
from modelshelf.vetting.scanners.opcodes import MAX_OPCODES
from modelshelf.vetting.spec import Content

MAX_MEMO = 5_000_000
MAX_WEIGHT = 200_000_000
MAX_NESTING = 2000
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")

Name = tuple[str, str]


class Refused(Exception):
    """The pickle does something that is not allowed."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule, self.detail = rule, detail


class Reached(Exception):
    """A lenient machine got to a call: the bytes are a pickle that does something."""


@dataclass(slots=True, eq=False)
class Thing:
    """A symbolic value. kind: mark, text, bytes, number, none, import, made, list, dict, set, tuple, stored."""

    kind: str
    text: str = ""
    name: Name | None = None
    items: list["Thing"] = field(default_factory=list)
    weight: int = 1  # how many values it would unfold to
    depth: int = 1

    def holds(self, *things: "Thing") -> None:
        """Note that it contains these."""
        for thing in things:
            self.weight += thing.weight
            self.depth = max(self.depth, thing.depth + 1)
        if self.weight > MAX_WEIGHT:
            raise Refused("PICKLE_EXPANSION", "unfolds to more values than any memory holds")
        if self.depth > MAX_NESTING:
            raise Refused("PICKLE_NESTING", f"nests more than {MAX_NESTING:,} deep")


@dataclass(slots=True)
class Outcome:
    """What running one pickle showed: where it ended, and the storages of tensors it refers to."""

    end: int = 0
    storages: dict[str, tuple[Name, int]] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    first: bytes | None = None  # the first argument, to recognise torch's magic number


class Machine:
    """Executes one pickle symbolically."""

    def __init__(self, content: Content, start: int = 0, budget: int = MAX_OPCODES, *, lenient: bool = False) -> None:
        self.content = content
        self.lenient = lenient  # every name is let in: is this a pickle at all?
        self.start = start
        self.budget = budget
        self.stack: list[Thing] = []
        self.memo: dict[int, Thing] = {}
        self.names = 0
        self.outcome = Outcome()
        self.at = start
        self.count = 0

    def push(self, thing: Thing) -> None:
        """Put a value on the stack."""
        self.stack.append(thing)

    def pop(self) -> Thing:
        """Take the topmost value; a mark is none."""
        if not self.stack or self.stack[-1].kind == "mark":
            raise Refused("PICKLE_STACK", "takes a value from an empty stack")
        return self.stack.pop()

    def top(self) -> Thing:
        """Look at the topmost value."""
        thing = self.pop()
        self.stack.append(thing)
        return thing

    def since_mark(self) -> list[Thing]:
        """Take everything down to the last mark, and the mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place].kind == "mark":
                found = self.stack[place + 1 :]
                del self.stack[place:]
                return found
        raise Refused("PICKLE_STACK", "looks for a mark that is not there")

    def remember(self, index: int) -> None:
        """Store the topmost value in the memo."""
        if index > MAX_MEMO:
            raise Refused("PICKLE_MEMO", f"remembers under the number {index:,}")
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        """Put a value of the memo on the stack."""
        if index not in self.memo:
            raise Refused("PICKLE_MEMO", f"recalls number {index:,}, which was never stored")
        self.push(self.memo[index])

    def imported(self, name: Name) -> None:
        """Put a name on the stack, if it is on a list."""
        if self.lenient:
            self.names += 1
            if not _DOTTED.fullmatch(name[0]) or not _DOTTED.fullmatch(name[1]):
                raise Refused("PICKLE_STACK", "names nothing that could be a name")
        elif name not in allowed.CALLED and name not in allowed.NAMED:
            harm = allowed.HARM.get(name[0].partition(".")[0], "is not on the list of harmless names")
            raise Refused("PICKLE_IMPORT", f"names {name[0][:80]}.{name[1][:80]}, which {harm}")
        self.push(Thing("import", name=name))

    def call(self, callable_: Thing, arguments: Thing) -> None:
        """Put what a call would make on the stack, if the call is harmless."""
        if self.lenient and callable_.kind == "import":
            raise Reached
        if callable_.kind != "import" or callable_.name not in allowed.CALLED:
            what = ".".join(callable_.name) if callable_.name else f"a {callable_.kind}"
            raise Refused("PICKLE_CALL", f"calls {what}, which is no allowed function")
        if arguments.kind != "tuple":
            raise Refused("PICKLE_CALL", f"calls {'.'.join(callable_.name)} with something that is no tuple")
        check_call(callable_.name, arguments.items)
        made = Thing("made", name=callable_.name, items=arguments.items)
        made.holds(arguments)
        self.push(made)

    def container(self, kind: str, items: list[Thing]) -> None:
        """Put a container on the stack; of a dict, the keys are kept."""
        thing = Thing(kind)
        thing.holds(*items)
        thing.items = items[::2] if kind == "dict" else items
        self.push(thing)

    def append(self, items: list[Thing]) -> None:
        """Append to the list on top."""
        target = self.top()
        if target.kind != "list" and not (target.kind == "made" and target.name in allowed.APPEND):
            raise Refused("PICKLE_FILL", f"appends to a {target.kind}")
        target.holds(*items)
        target.items.extend(items)

    def setitem(self, items: list[Thing]) -> None:
        """Set keys and values, which alternate, in the dict on top."""
        target = self.top()
        if target.kind != "dict" and not (target.kind == "made" and target.name in allowed.SETITEM):
            raise Refused("PICKLE_FILL", f"sets items of a {target.kind}")
        if len(items) % 2:
            raise Refused("PICKLE_STACK", "sets a key without a value")
        target.holds(*items)
        target.items.extend(items[::2])

    def additems(self) -> None:
        """Add to the set on top."""
        items = self.since_mark()
        target = self.top()
        if target.kind != "set":
            raise Refused("PICKLE_FILL", f"adds to a {target.kind}")
        target.holds(*items)

    def build(self) -> None:
        """Set the state of the object on top."""
        state = self.pop()
        target = self.top()
        if self.lenient and target.kind == "import":
            raise Reached
        if target.kind != "made" or target.name not in allowed.BUILD:
            what = ".".join(target.name) if target.name else f"a {target.kind}"
            raise Refused("PICKLE_BUILD", f"sets the state of {what}")
        if state.kind not in {"dict", "tuple", "made"} or (state.kind == "made" and state.name not in allowed.SETITEM):
            raise Refused("PICKLE_BUILD", f"sets a state that is a {state.kind}")
        if state.kind == "tuple" and not target.name[0].startswith("numpy"):
            # Others take a tuple for two states, of which the second sets any attribute.
            raise Refused("PICKLE_BUILD", "sets attributes by a pair of states")
        for key in state.items if state.kind == "dict" else ():
            if key.kind != "text" or key.text.startswith("__"):
                raise Refused("PICKLE_BUILD", f"sets the attribute {key.text[:40] or key.kind}")
        target.holds(state)

    def persistent(self) -> None:
        """Refer to the storage of a tensor."""
        pid = self.pop()
        items = pid.items
        if self.lenient:
            self.push(Thing("stored"))
            return
        good = pid.kind == "tuple" and len(items) in {5, 6} and items[0].kind == "text" and items[0].text == "storage"
        if not good or items[1].kind != "import" or items[1].name not in allowed.STORAGES:
            raise Refused("PICKLE_PERSISTENT", "refers to something outside that is no tensor storage")
        if items[2].kind != "text" or items[4].kind != "number":
            raise Refused("PICKLE_PERSISTENT", "refers to a storage by something that is no name and size")
        self.outcome.storages[items[2].text] = (items[1].name or ("", ""), int(items[4].text or 0))
        self.push(Thing("stored"))


def check_call(name: Name, arguments: list[Thing]) -> None:
    """What matters of the arguments of the few functions that could be led astray."""
    if name == ("_codecs", "encode"):
        if len(arguments) != 2 or arguments[1].kind != "text" or arguments[1].text not in {"latin1", "latin-1"}:
            raise Refused("PICKLE_CALL", "encodes by something else than latin1")
    elif name == ("torch._tensor", "_rebuild_from_type_v2"):
        if not arguments or arguments[0].name not in allowed.CALLED or arguments[0].kind != "import":
            raise Refused("PICKLE_CALL", "rebuilds by a function that is not on the list")
    elif name[1] in {"bytes", "bytearray"} and arguments and not _is_bytes(arguments[0]):
        raise Refused("PICKLE_CALL", f"makes {name[1]} of a size instead of bytes")
    elif name[1] == "_reconstruct":
        _check_array(arguments)
    elif name == ("fractions", "Fraction"):
        _check_fraction(arguments)
    elif name[1] == "scalar" and (not arguments or arguments[0].name != ("numpy", "dtype")):
        raise Refused("PICKLE_CALL", "makes a scalar of an unknown type")
    elif name == ("collections", "defaultdict") and arguments and arguments[0].kind not in {"none", "import"}:
        raise Refused("PICKLE_CALL", "makes a defaultdict with an unusual default")


def _check_fraction(arguments: list[Thing]) -> None:
    if any(item.kind not in {"number", "text"} or "e" in item.text.lower() for item in arguments):
        raise Refused("PICKLE_CALL", "makes a fraction of something else than two numbers")


def _check_array(arguments: list[Thing]) -> None:
    """A pickler makes an array without room, and gives it its shape and its bytes as its state."""
    empty = len(arguments) == 3 and arguments[1].kind == "tuple" and [i.text for i in arguments[1].items] == ["0"]
    if not empty or arguments[0].name not in allowed.ARRAY_TYPES:
        raise Refused("PICKLE_CALL", "makes an array of another kind or size than picklers do")


def _is_bytes(thing: Thing) -> bool:
    return thing.kind in {"bytes", "text"} or (thing.kind == "made" and thing.name == ("_codecs", "encode"))
