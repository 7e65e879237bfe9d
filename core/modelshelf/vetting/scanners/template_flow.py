"""Which texts in a chat template were put together from parts: with such a text no item may be named."""

import re
from collections.abc import Iterator
from typing import Any

from modelshelf.vetting.rules import words
from modelshelf.vetting.scanners.template_growth import targets

INNARDS = re.compile(
    r"(?:gi|cr|ag|tb|f|im|func|co)_(?:frame|code|globals|locals|builtins|back|next|func|self|class)|mro"
)
_TOKENS = re.compile(r"\w*_tokens?$")
# Methods and filters that give back a part of a text, never a new one made of pieces.
_PARTS = words("strip lstrip rstrip split rsplit get lower upper trim first last string keys list items")


_FILLING = words("append insert extend update setdefault add")


class Flow:
    """Follows, in one tree, which variables hold texts that were put together."""

    def __init__(self, tree: Any, nodes: Any) -> None:
        self.tree, self.nodes = tree, nodes
        # A macro may be handed to a macro: its parameters are called under their own names.
        self.parameters = {argument.name for macro in tree.find_all(nodes.Macro) for argument in macro.args}
        self.built = self._built()

    def is_plain(self, node: Any) -> bool:
        """Whether an item's name is a number, a harmless text or a piece of the data, not put together from parts."""
        nodes = self.nodes
        if isinstance(node, nodes.Const):
            hidden = isinstance(node.value, str) and ("__" in node.value or node.value.startswith("_"))
            return not hidden and not (isinstance(node.value, str) and INNARDS.fullmatch(node.value))
        if isinstance(node, nodes.Name):
            return node.name not in self.built and not _TOKENS.match(node.name)
        if isinstance(node, nodes.Getattr):
            return f".{node.attr}" not in self.built and self._is_plain_piece(node.node)
        if isinstance(node, nodes.Getitem):
            return not isinstance(node.arg, nodes.Slice) and self._is_plain_piece(node.node)
        if isinstance(node, nodes.Filter):
            return node.name in {"length", "count", "int", "float", "abs", "round"} or (
                node.name in _PARTS and node.node is not None and self.is_plain(node.node)
            )
        if isinstance(node, nodes.Call):
            target = node.node
            return isinstance(target, nodes.Getattr) and target.attr in _PARTS and self.is_plain(target.node)
        if isinstance(node, nodes.CondExpr):
            return self.is_plain(node.expr1) and (node.expr2 is None or self.is_plain(node.expr2))
        if isinstance(node, nodes.Or | nodes.And):
            return self.is_plain(node.left) and self.is_plain(node.right)
        return self._is_number(node)

    def _is_plain_piece(self, node: Any) -> bool:
        return not isinstance(node, self.nodes.List | self.nodes.Dict | self.nodes.Tuple) and self.is_plain(node)

    def _is_number(self, node: Any) -> bool:
        nodes = self.nodes
        if isinstance(node, nodes.Sub | nodes.FloorDiv | nodes.Div | nodes.Neg | nodes.Pos):
            return True  # no text allows these
        if isinstance(node, nodes.Mod):
            return not self._is_text(node.left)
        if isinstance(node, nodes.Add | nodes.Mul):
            sides = (node.left, node.right)
            number = any(self._is_whole(side) for side in sides)
            return number and all(self.is_plain(side) for side in sides) and not any(map(self._is_text, sides))
        return isinstance(node, nodes.Compare | nodes.Not)

    def _is_whole(self, node: Any) -> bool:
        if isinstance(node, self.nodes.Const):
            return isinstance(node.value, int | float)
        if isinstance(node, self.nodes.Getattr):
            return node.attr in {"index", "index0", "length", "revindex", "revindex0"}
        return self._is_number(node) or (
            isinstance(node, self.nodes.Filter) and node.name in {"length", "count", "int"}
        )

    def _is_text(self, node: Any) -> bool:
        return isinstance(node, self.nodes.Const) and isinstance(node.value, str)

    def _built(self) -> set[str]:
        """The variables that somewhere receive a text put together from parts; found anew until no more are found."""
        self.built = set()
        given = list(self.given())
        while True:
            found = {name for names, value in given if value is None or not self._is_harmless(value) for name in names}
            if found <= self.built:
                return self.built
            self.built = self.built | found

    def given(self) -> Iterator[tuple[list[str], Any]]:
        """Every place where variables receive a value: their names, and the value or None for a rendered text."""
        nodes = self.nodes
        macros = {macro.name: macro for macro in self.tree.find_all(nodes.Macro)}
        for node in self.tree.find_all((nodes.Assign, nodes.AssignBlock, nodes.For, nodes.With, nodes.Call)):
            if isinstance(node, nodes.Assign):
                yield list(targets(node.target)), node.node
            elif isinstance(node, nodes.AssignBlock):
                yield list(targets(node.target)), None
            elif isinstance(node, nodes.For):
                yield list(targets(node.target)), node.iter
            elif isinstance(node, nodes.With):
                yield from (
                    ([*targets(target)], value) for target, value in zip(node.targets, node.values, strict=True)
                )
            elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
                yield from self._handed(node, macros.get(node.node.name))
            elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr in _FILLING:
                yield from ((list(_holder(node.node.node)), value) for value in node.args)
            elif isinstance(node, nodes.Call) and node.dyn_args is not None:
                yield sorted(self.parameters), node.dyn_args

    def _handed(self, call: Any, macro: Any) -> Iterator[tuple[list[str], Any]]:
        if call.node.name == "namespace":
            yield from (([f".{keyword.key}"], keyword.value) for keyword in call.kwargs)
        elif macro is not None:
            yield from (([argument.name], value) for argument, value in zip(macro.args, call.args, strict=False))
            yield from (([keyword.key], keyword.value) for keyword in call.kwargs)
        elif call.node.name in self.parameters:
            yield from ((sorted(self.parameters), value) for value in call.args)

    def _is_harmless(self, node: Any) -> bool:
        """Whether no text that this evaluates to was put together from parts."""
        nodes = self.nodes
        if isinstance(node, nodes.List | nodes.Tuple):
            return all(self._is_harmless(item) for item in node.items)
        if isinstance(node, nodes.Or | nodes.And | nodes.CondExpr):
            return all(self._is_harmless(part) for part in node.iter_child_nodes(exclude=("test",)))
        if isinstance(node, nodes.Add) and isinstance(node.left, nodes.List) | isinstance(node.right, nodes.List):
            return self._is_harmless(node.left) and self._is_harmless(node.right)
        if isinstance(node, nodes.Dict):
            return all(self._is_harmless(pair.key) and self._is_harmless(pair.value) for pair in node.items)
        if isinstance(node, nodes.Call):
            target = node.node
            if isinstance(target, nodes.Name):
                return target.name in {"range", "namespace"} or (
                    target.name == "dict" and all(self._is_harmless(keyword.value) for keyword in node.kwargs)
                )
            return (
                isinstance(target, nodes.Getattr) and target.attr in _PARTS | {"values"} and self.is_plain(target.node)
            )
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
            return self._is_harmless(node.node)
        if isinstance(node, nodes.Filter):
            kept = {"dictsort", "sort", "selectattr", "rejectattr", "select", "reject", "unique", "reverse", "batch"}
            return self.is_plain(node) or (node.name in kept and isinstance(node.node, nodes.Name | nodes.Getattr))
        return self.is_plain(node)


def _holder(node: Any) -> Iterator[str]:
    """The variable that holds a list or an object that a method fills."""
    kind = type(node).__name__
    if kind in {"Name", "NSRef"}:
        yield from targets(node)
    elif kind == "Getattr":
        yield f".{node.attr}"
        yield from _holder(node.node)
    elif kind == "Getitem":
        yield from _holder(node.node)
