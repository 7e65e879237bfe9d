"""What a chat template could make without end: texts that double, loops over the same data, macros that branch."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from modelshelf.vetting.rules import words

MAX_SIZE = 100_000_000  # letters of a text, by what the template itself holds
ROUNDS = 64
SAME_LOOPS = 3  # loops in each other over the same data

_NUMBERS = words("length count int float abs round")
_GROWING = words("replace")


class Growth:
    """Follows, in one tree, how variables are made of each other."""

    def __init__(self, tree: Any, nodes: Any) -> None:
        self.tree, self.nodes = tree, nodes
        self.macros = {macro.name: macro for macro in tree.find_all(nodes.Macro)}

    def doubles(self) -> bool:
        """Whether a namespace, which outlives a loop's turn, is made of itself more than once."""
        edges: dict[str, dict[str, int]] = {}
        for assign in self.tree.find_all(self.nodes.Assign):
            made_of: dict[str, int] = {}
            for name in self._mentions(assign.node):
                made_of[name] = made_of.get(name, 0) + 1
            for target in targets(assign.target):
                before = edges.setdefault(target, {})
                edges[target] = {n: max(before.get(n, 0), made_of.get(n, 0)) for n in before.keys() | made_of.keys()}
        for name in [name for name in edges if name.startswith(".")]:
            circle = _reachable(name, edges) & {other for other in edges if name in _reachable(other, edges)}
            if name in circle and sum(edges[one].get(other, 0) for one in circle for other in circle) > len(circle):
                return True
        return False

    def _mentions(self, node: Any) -> Iterator[str]:
        """The variables whose texts become parts of this one, as often as they do."""
        nodes = self.nodes
        if isinstance(node, nodes.Name):
            yield node.name
        elif isinstance(node, nodes.Getattr):
            yield f".{node.attr}"
        elif isinstance(node, nodes.CondExpr | nodes.Or | nodes.And):
            # One of them, not all.
            parts = [node.expr1, node.expr2] if isinstance(node, nodes.CondExpr) else [node.left, node.right]
            found = [list(self._mentions(part)) for part in parts if part is not None]
            yield from max(found, key=len, default=[])
        elif isinstance(node, nodes.Compare | nodes.Not | nodes.Test | nodes.Sub | nodes.FloorDiv):
            return
        elif isinstance(node, nodes.Getitem):
            # Pieces of a whole are together no longer than it.
            return
        elif isinstance(node, nodes.Filter):
            if node.name not in _NUMBERS:
                yield from self._filtered(node, node.name, node.node, node.args)
        elif isinstance(node, nodes.Call):
            base = node.node.node if isinstance(node.node, nodes.Getattr) else None
            yield from self._filtered(node, getattr(node.node, "attr", ""), base, node.args)
        else:
            for child in node.iter_child_nodes():
                yield from self._mentions(child)

    def _filtered(self, node: Any, name: str, base: Any, arguments: Sequence[Any]) -> Iterator[str]:
        if base is not None:
            yield from self._mentions(base)
            if name in _GROWING and not self._shrinks(arguments):
                yield from self._mentions(base)
        for child in [*arguments, *(keyword.value for keyword in node.kwargs)]:
            yield from self._mentions(child)

    def _shrinks(self, arguments: Sequence[Any]) -> bool:
        texts = [argument.value for argument in arguments[:2] if isinstance(argument, self.nodes.Const)]
        return len(texts) == 2 and all(isinstance(text, str) for text in texts) and 0 < len(texts[0]) >= len(texts[1])

    def branches(self) -> bool:
        """Whether macros that call themselves do so twice without going down into the data."""
        calls = {name: [c for c in macro.find_all(self.nodes.Call) if self._called(c) in self.macros]
                 for name, macro in self.macros.items()}  # fmt: skip
        graph = {name: {self._called(call): 1 for call in found} for name, found in calls.items()}
        counted = self._counted()
        for name in self.macros:
            circle = _reachable(name, graph) & {other for other in graph if name in _reachable(other, graph)}
            blind = [
                call
                for one in circle
                for call in calls[one]
                if self._called(call) in circle
                and all(self._counts(argument, counted) for argument in [*call.args, *(k.value for k in call.kwargs)])
            ]
            if len(blind) > 1:
                return True
        return False

    def _counted(self) -> frozenset[str]:
        """The names that never hold a piece of the data: parameters, and what is computed of them.

        A macro may go down into data by calling itself, as data have no circles; a count may go on for ever.
        """
        nodes = self.nodes
        counted = {argument.name for macro in self.macros.values() for argument in macro.args}
        counted -= {name for loop in self.tree.find_all(nodes.For) for name in targets(loop.target)}
        given: dict[str, list[Any]] = {}
        for assign in self.tree.find_all(nodes.Assign):
            for name in targets(assign.target):
                given.setdefault(name, []).append(assign.node)
        while True:
            more = {name for name, values in given.items() if all(self._counts(v, counted) for v in values)} - counted
            fewer = {name for name in counted & given.keys() if not all(self._counts(v, counted) for v in given[name])}
            if not more - fewer and not fewer:
                return frozenset(counted)
            counted = (counted | more) - fewer
            given = {name: values for name, values in given.items() if name not in fewer}

    def _counts(self, node: Any, counted: Iterable[str]) -> bool:
        nodes = self.nodes
        if isinstance(node, nodes.Const):
            return True
        if isinstance(node, nodes.Name):
            return node.name in counted
        plain = nodes.Add | nodes.Sub | nodes.Mul | nodes.FloorDiv | nodes.Neg | nodes.Concat | nodes.CondExpr
        return isinstance(node, plain) and all(self._counts(child, counted) for child in node.iter_child_nodes())

    def _called(self, call: Any) -> str:
        named = isinstance(call, self.nodes.Call) and isinstance(call.node, self.nodes.Name)
        return str(call.node.name) if named else ""


def targets(target: Any) -> Iterator[str]:
    """The variables that an assignment or a loop fills; those of namespaces begin with a dot."""
    if hasattr(target, "items"):
        for item in target.items:
            yield from targets(item)
    elif type(target).__name__ == "Name":
        yield target.name
    elif type(target).__name__ == "NSRef":
        yield f".{target.attr}"


def _reachable(start: str, edges: dict[str, dict[str, int]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for other in edges.get(waiting.pop(), {}):
            if other not in found and other in edges:
                found.add(other)
                waiting.append(other)
    return found
