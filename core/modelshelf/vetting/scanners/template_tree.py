"""The syntax tree of a chat template: known parts only, nothing that reaches into objects or never ends."""

import re
from collections.abc import Callable
from math import isfinite
from typing import TYPE_CHECKING, Any

from modelshelf.vetting.rules import words
from modelshelf.vetting.scanners.template_flow import INNARDS, Flow
from modelshelf.vetting.scanners.template_growth import MAX_SIZE, ROUNDS, SAME_LOOPS, Growth, targets

if TYPE_CHECKING:
    from jinja2 import nodes

MAX_INTEGER = 1_000_000
MAX_REPEAT = 10_000
MAX_RANGE = 100_000
MAX_TURNS = 1_000_000  # of nested loops over constant ranges

_NODES = words(
    "Template Output TemplateData Const Name NSRef Getattr Getitem Slice Call Filter Test If For Macro Assign "
    "AssignBlock CondExpr Compare Operand And Or Not Add Sub Mul Div FloorDiv Mod Neg Pos Concat List Tuple "
    "Dict Pair Keyword FilterBlock CallBlock With Scope Break Continue ExprStmt"
)
_FILTERS = words(
    "abs batch capitalize count d default dictsort e escape first float format from_json fromjson groupby "
    "indent int items join last length list lower map max min reject rejectattr replace reverse round safe "
    "select selectattr slice sort string striptags sum title tojson trim truncate unique upper urlencode "
    "wordcount"
)
_BY_ATTRIBUTE = words("groupby map max min reject rejectattr select selectattr sort sum unique join")
_TESTS = words(
    "boolean callable defined divisibleby eq equalto escaped even false filter float ge greaterthan gt in "
    "integer iterable le lessthan lower lt mapping ne none number odd sameas sequence string true undefined "
    "upper == != > >= < <="
)
_FUNCTIONS = words("raise_exception strftime_now range namespace dict caller now")
_METHODS = words(
    "append capitalize changed copy count cycle endswith extend find format get index insert isalnum isalpha "
    "isdecimal isdigit islower isnumeric isspace isupper items join keys lower lstrip partition pop "
    "removeprefix removesuffix replace rfind rindex rpartition rsplit rstrip setdefault split splitlines "
    "startswith strip swapcase title update upper values"
)
_FORBIDDEN_NAMES = words(
    "self super varargs kwargs cycler joiner lipsum request config url_for get_flashed_messages g session application"
)
_FIELD = re.compile(r"\{[^{}]*[.\[!]")
_WIDTH = re.compile(r"%[^a-zA-Z%]*\d{4}|\{[^{}]*:[^{}]*\d{4}")


class Unsafe(Exception):
    """The template does something that no chat template needs."""


class TreeChecker:
    """Walks one tree; raises Unsafe at the first thing that is not allowed."""

    def __init__(self, tree: "nodes.Template") -> None:
        from jinja2 import nodes

        self.nodes = nodes
        self.tree = tree
        self.macros = {macro.name for macro in tree.find_all(nodes.Macro)}
        self.flow = Flow(tree, nodes)
        self.sizes: dict[str, int] = {}

    def check(self) -> None:
        """Raise Unsafe if anything in the tree is not allowed."""
        self._measure()
        growth = Growth(self.tree, self.nodes)
        if growth.doubles():
            raise Unsafe("doubles a text again and again")
        if growth.branches():
            raise Unsafe("has macros that call themselves twice each time")
        waiting: list[tuple[Any, int, tuple[str, ...]]] = [(self.tree, 1, ())]
        while waiting:
            node, turns, loops = waiting.pop()
            kind = type(node).__name__
            if kind not in _NODES:
                raise Unsafe(f"uses {kind.lower()}, which no chat template needs")
            if check := _CHECKS.get(kind):
                check(self, node)
            if kind == "For":
                turns *= max(self._size(node.iter), 1)
                loops = (*loops, repr(node.iter))
                if turns > MAX_TURNS or loops.count(loops[-1]) >= SAME_LOOPS:
                    raise Unsafe("loops for longer than anyone can wait")
            if kind == "Output" and turns * max(map(self._size, node.nodes), default=0) > MAX_SIZE:
                raise Unsafe("writes more than anyone can hold")
            waiting.extend((child, turns, loops) for child in node.iter_child_nodes())

    def _name(self, node: Any) -> None:
        if node.name in _FORBIDDEN_NAMES or (node.name.startswith("__") and node.ctx == "load"):
            raise Unsafe(f"uses {node.name}")

    def _constant(self, node: Any) -> None:
        if isinstance(node.value, int) and abs(node.value) > MAX_INTEGER:
            raise Unsafe("holds an enormous number")
        if isinstance(node.value, float) and not isfinite(node.value):
            raise Unsafe("holds an infinite number")
        if isinstance(node.value, str) and _WIDTH.search(node.value):
            raise Unsafe("formats to an enormous width")

    def _attribute(self, node: Any) -> None:
        if node.attr.startswith("_") or INNARDS.fullmatch(node.attr):
            raise Unsafe(f"reaches for .{node.attr[:60]}")

    def _item(self, node: Any) -> None:
        if not isinstance(node.arg, self.nodes.Slice) and not self.flow.is_plain(node.arg):
            raise Unsafe("reaches for an item whose name it puts together or hides")

    def _call(self, node: Any) -> None:
        target = node.node
        if any(keyword.key.startswith("_") for keyword in node.kwargs):
            raise Unsafe("names an argument as Python names its innards")
        if self._is_macro_of_a_list(target):
            return
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise Unsafe("calls with arguments that it computes")
        if isinstance(target, self.nodes.Name):
            if target.name not in _FUNCTIONS | self.macros | self.flow.parameters:
                raise Unsafe(f"calls {target.name[:60]}")
            if target.name == "range":
                self._range(node)
        elif isinstance(target, self.nodes.Getattr):
            if target.attr not in _METHODS:
                raise Unsafe(f"calls .{target.attr[:60]}")
            if target.attr == "format":
                self._format(target.node)
        else:
            raise Unsafe("calls something that it computes")

    def _is_macro_of_a_list(self, target: Any) -> bool:
        """Whether a call is of an item of a list that holds macros of this template and nothing else."""
        nodes = self.nodes
        if not isinstance(target, nodes.Getitem) or not isinstance(target.node, nodes.Name):
            return False
        name = target.node.name
        given = [value for names, value in self.flow.given() if name in names]
        return bool(given) and all(value is not None and self._holds_macros(value, name) for value in given)

    def _holds_macros(self, value: Any, name: str) -> bool:
        nodes = self.nodes
        if isinstance(value, nodes.Add):
            return self._holds_macros(value.left, name) and self._holds_macros(value.right, name)
        if isinstance(value, nodes.List):
            return all(isinstance(item, nodes.Name) and item.name in self.macros for item in value.items)
        return isinstance(value, nodes.Name) and value.name == name

    def _filter(self, node: Any) -> None:
        if node.name not in _FILTERS:
            raise Unsafe(f"uses the filter {node.name[:60]}")
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise Unsafe("filters with arguments that it computes")
        if node.name == "format":
            self._format(node.node)
        if node.name in _BY_ATTRIBUTE:
            self._by_attribute(node)

    def _test(self, node: Any) -> None:
        if node.name not in _TESTS:
            raise Unsafe(f"uses the test {node.name[:60]}")

    def _multiply(self, node: Any) -> None:
        for side in (node.left, node.right):
            if isinstance(side, self.nodes.Const) and isinstance(side.value, int) and side.value > MAX_REPEAT:
                raise Unsafe("repeats something enormously often")
            if isinstance(side, self.nodes.Mul):
                raise Unsafe("multiplies again and again")

    def _macro(self, node: Any) -> None:
        for statement in node.body:
            if isinstance(statement, self.nodes.Output | self.nodes.Assign) and self._calls(statement, node.name):
                raise Unsafe(f"calls {node.name[:60]} from within itself without end")

    def _calls(self, node: Any, name: str) -> bool:
        for child in node.iter_child_nodes():
            if isinstance(child, self.nodes.CondExpr):
                continue
            target = child.node if isinstance(child, self.nodes.Call) else None
            if (isinstance(target, self.nodes.Name) and target.name == name) or self._calls(child, name):
                return True
        return False

    def _range(self, node: Any) -> None:
        for argument in node.args:
            if any(argument.find_all(self.nodes.Mul)) or isinstance(argument, self.nodes.Mul):
                raise Unsafe("counts over a computed range")
            if self._size(argument) > MAX_RANGE:
                raise Unsafe("counts further than any sandbox allows")

    def _measure(self) -> None:
        """Note how large the numbers and texts can be that are assigned to variables."""
        assigns = list(self.tree.find_all(self.nodes.Assign))
        for _ in range(ROUNDS):
            before = dict(self.sizes)
            for assign in assigns:
                size = self._size(assign.node)
                if size > MAX_SIZE:
                    raise Unsafe("puts an enormous text or number together")
                for name in targets(assign.target):
                    self.sizes[name] = max(size, self.sizes.get(name, 1))
            if self.sizes == before:
                return

    def _size(self, node: Any) -> int:
        """How often a loop over this, or over a range up to it, can turn; what the data decide counts as once."""
        nodes = self.nodes
        if isinstance(node, nodes.Const):
            value = node.value
            return abs(value) if isinstance(value, int) else len(value) if isinstance(value, str) else 1
        if isinstance(node, nodes.Name):
            return self.sizes.get(node.name, 1)
        if isinstance(node, nodes.Getattr):
            return self.sizes.get(f".{node.attr}", 1)
        if isinstance(node, nodes.Add | nodes.Concat):
            return min(sum(map(self._size, node.iter_child_nodes())), MAX_SIZE + 1)
        if isinstance(node, nodes.Mul):
            return min(max(self._size(node.left), 1) * max(self._size(node.right), 1), MAX_SIZE + 1)
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "range":
            return max(map(self._size, node.args), default=1)
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
            return self._size(node.node.node)
        if isinstance(node, nodes.Filter) and node.node is not None:
            return self._size(node.node)
        return len(node.items) if isinstance(node, nodes.List | nodes.Tuple) else 1

    def _format(self, node: Any) -> None:
        if not isinstance(node, self.nodes.Const) or not isinstance(node.value, str) or _FIELD.search(node.value):
            raise Unsafe("formats a text whose fields reach into objects")

    def _by_attribute(self, node: Any) -> None:
        named = {keyword.key: keyword.value for keyword in node.kwargs}
        texts = [*node.args, *named.values()] if node.name != "join" else [*node.args[1:], *named.values()]
        if node.name in {"map", "select", "reject"} and node.args:
            first = node.args[0]
            allowed = _FILTERS if node.name == "map" else _TESTS
            if not isinstance(first, self.nodes.Const) or first.value not in allowed - {"map", "format"}:
                raise Unsafe(f"uses {node.name} with something unusual")
        for text in texts[:1] if node.name not in {"map", "join"} else texts:
            if not isinstance(text, self.nodes.Const):
                if text in node.args[:1] or text is named.get("attribute"):
                    raise Unsafe(f"uses {node.name} with a name that it puts together")
            elif isinstance(text.value, str) and any(
                part.startswith("_") or INNARDS.fullmatch(part) for part in text.value.split(".")
            ):
                raise Unsafe(f"reaches for .{text.value[:60]}")


_CHECKS: dict[str, Callable[[TreeChecker, Any], None]] = {
    "Name": TreeChecker._name,
    "NSRef": TreeChecker._attribute,
    "Const": TreeChecker._constant,
    "Getattr": TreeChecker._attribute,
    "Getitem": TreeChecker._item,
    "Call": TreeChecker._call,
    "Filter": TreeChecker._filter,
    "Test": TreeChecker._test,
    "Mul": TreeChecker._multiply,
    "Macro": TreeChecker._macro,
}
