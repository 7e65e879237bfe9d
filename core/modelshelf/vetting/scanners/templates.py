"""Chat templates: a jinja2 syntax tree of known parts only. A template may write text, and nothing else."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from modelshelf.vetting.rules import words
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

if TYPE_CHECKING:
    from jinja2 import Environment, nodes

MAX_TEMPLATE = 1_000_000
MAX_INTEGER = 1_000_000
MAX_REPEAT = 10_000
MAX_TURNS = 1_000_000  # of nested loops over constant ranges

_NODES = words(
    "Template Output TemplateData Const Name NSRef Getattr Getitem Slice Call Filter Test If For Macro Assign "
    "AssignBlock CondExpr Compare Operand And Or Not Add Sub Mul Div FloorDiv Mod Neg Pos Concat List Tuple "
    "Dict Pair Keyword FilterBlock CallBlock With ScopedEvalContextModifier Scope Break Continue ExprStmt"
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
_FORBIDDEN_NAMES = words("self cycler joiner lipsum request config url_for get_flashed_messages g session application")
_INNARDS = re.compile(
    r"(?:gi|cr|ag|tb|f|im|func|co)_(?:frame|code|globals|locals|builtins|back|next|func|self|class)|mro"
)
_FIELD = re.compile(r"\{[^{}]*[.\[!]")
_WIDTH = re.compile(r"%[^a-zA-Z%]*\d{4}|\{[^{}]*:[^{}]*\d{4}")
_TOKENS = re.compile(r"\w*_tokens?$")
# Methods and filters that give back a part of a text, never a new one made of pieces.
_PARTS = words("strip lstrip rstrip split rsplit get lower upper trim first last string keys list items")


class Unsafe(Exception):
    """The template does something that no chat template needs."""


class TemplateScanner:
    """Stand-alone template files."""

    formats = frozenset({"jinja"})
    modules = ("jinja2.sandbox", "jinja2.ext")

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Check the whole file as one template."""
        data = content.read(0, MAX_TEMPLATE + 1)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            yield Finding("TEMPLATE_BROKEN", content.name, "The template is not UTF-8.")
            return
        yield from check_template(text, content.name)


def check_template(text: str, where: str) -> Iterator[Finding]:
    """Find what a template could do besides writing text."""
    from jinja2 import TemplateSyntaxError

    if len(text) > MAX_TEMPLATE:
        yield Finding("TEMPLATE_TOO_LONG", where, f"The template has more than {MAX_TEMPLATE:,} characters.")
        return
    try:
        tree = _environment().parse(text)
        _Checker(tree).check()
    except TemplateSyntaxError as error:
        yield Finding("TEMPLATE_BROKEN", f"{where}, line {error.lineno}", f"It is no template: {error.message}.")
    except RecursionError:
        yield Finding("TEMPLATE_NESTING", where, "The template nests too deeply.")
    except Unsafe as unsafe:
        yield Finding("TEMPLATE_UNSAFE", where, f"The template {unsafe}.")


@cache
def _environment() -> "Environment":
    from jinja2 import nodes
    from jinja2.ext import Extension, LoopControlExtension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks what the model says; it changes nothing."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    return ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[LoopControlExtension, Generation]
    )


class _Checker:
    """Walks one tree; raises Unsafe at the first thing that is not allowed."""

    def __init__(self, tree: "nodes.Template") -> None:
        from jinja2 import nodes

        self.nodes = nodes
        self.tree = tree
        self.macros = {macro.name for macro in tree.find_all(nodes.Macro)}
        # A macro may be handed to a macro: its parameters are called under their own names.
        self.parameters = {arg.name for macro in tree.find_all(nodes.Macro) for arg in macro.args}
        self.built = self._built()

    def check(self) -> None:
        waiting: list[tuple[Any, int]] = [(self.tree, 1)]
        while waiting:
            node, turns = waiting.pop()
            kind = type(node).__name__
            if kind not in _NODES:
                raise Unsafe(f"uses {kind.lower()}, which no chat template needs")
            if check := _CHECKS.get(kind):
                check(self, node)
            if kind == "For":
                turns *= self._length(node.iter)
                if turns > MAX_TURNS:
                    raise Unsafe("loops for longer than anyone can wait")
            waiting.extend((child, turns) for child in node.iter_child_nodes())

    def name(self, node: Any) -> None:
        if node.name in _FORBIDDEN_NAMES or (node.name.startswith("__") and node.ctx == "load"):
            raise Unsafe(f"uses {node.name}")

    def constant(self, node: Any) -> None:
        if isinstance(node.value, int) and abs(node.value) > MAX_INTEGER:
            raise Unsafe("holds an enormous number")
        if isinstance(node.value, str) and _WIDTH.search(node.value):
            raise Unsafe("formats to an enormous width")

    def attribute(self, node: Any) -> None:
        if node.attr.startswith("_") or _INNARDS.fullmatch(node.attr):
            raise Unsafe(f"reaches for .{node.attr[:60]}")

    def item(self, node: Any) -> None:
        if not isinstance(node.arg, self.nodes.Slice) and not self.is_plain(node.arg):
            raise Unsafe("reaches for an item whose name it puts together or hides")

    def call(self, node: Any) -> None:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise Unsafe("calls with arguments that it computes")
        target = node.node
        if isinstance(target, self.nodes.Name):
            if target.name not in _FUNCTIONS | self.macros | self.parameters:
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

    def filter(self, node: Any) -> None:
        if node.name not in _FILTERS:
            raise Unsafe(f"uses the filter {node.name[:60]}")
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise Unsafe("filters with arguments that it computes")
        if node.name == "format":
            self._format(node.node)
        if node.name in _BY_ATTRIBUTE:
            self._by_attribute(node)

    def test(self, node: Any) -> None:
        if node.name not in _TESTS:
            raise Unsafe(f"uses the test {node.name[:60]}")

    def multiply(self, node: Any) -> None:
        for side in (node.left, node.right):
            if isinstance(side, self.nodes.Const) and isinstance(side.value, int) and side.value > MAX_REPEAT:
                raise Unsafe("repeats something enormously often")
            if isinstance(side, self.nodes.Mul):
                raise Unsafe("multiplies again and again")

    def macro(self, node: Any) -> None:
        for statement in node.body:
            if isinstance(statement, self.nodes.Output | self.nodes.Assign) and self._calls(statement, node.name):
                raise Unsafe(f"calls {node.name[:60]} from within itself without end")

    def is_plain(self, node: Any) -> bool:
        """Whether an item's name is a number, a harmless text or a piece of the data, not put together from parts."""
        nodes = self.nodes
        if isinstance(node, nodes.Const):
            return not isinstance(node.value, str) or not ("__" in node.value or node.value.startswith("_"))
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
        given = list(self._given())
        while True:
            found = {name for names, value in given if value is None or not self._is_harmless(value) for name in names}
            if found <= self.built:
                return self.built
            self.built = self.built | found

    def _given(self) -> Iterator[tuple[list[str], Any]]:
        """Every place where variables receive a value: their names, and the value or None for a rendered text."""
        nodes = self.nodes
        macros = {macro.name: macro for macro in self.tree.find_all(nodes.Macro)}
        for node in self.tree.find_all((nodes.Assign, nodes.AssignBlock, nodes.For, nodes.With, nodes.Call)):
            if isinstance(node, nodes.Assign):
                yield list(_targets(node.target)), node.node
            elif isinstance(node, nodes.AssignBlock):
                yield list(_targets(node.target)), None
            elif isinstance(node, nodes.For):
                yield list(_targets(node.target)), node.iter
            elif isinstance(node, nodes.With):
                yield from (
                    ([*_targets(target)], value) for target, value in zip(node.targets, node.values, strict=True)
                )
            elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
                yield from self._handed(node, macros.get(node.node.name))

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

    def _length(self, node: Any) -> int:
        if isinstance(node, self.nodes.Call) and isinstance(node.node, self.nodes.Name) and node.node.name == "range":
            numbers = [abs(a.value) for a in node.args if isinstance(a, self.nodes.Const) and isinstance(a.value, int)]
            return max(numbers, default=1) or 1
        return 1

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
                part.startswith("_") or _INNARDS.fullmatch(part) for part in text.value.split(".")
            ):
                raise Unsafe(f"reaches for .{text.value[:60]}")


def _targets(target: Any) -> Iterator[str]:
    if hasattr(target, "items"):
        for item in target.items:
            yield from _targets(item)
    elif type(target).__name__ == "Name":
        yield target.name
    elif type(target).__name__ == "NSRef":
        yield f".{target.attr}"


_CHECKS: dict[str, Callable[[_Checker, Any], None]] = {
    "Name": _Checker.name,
    "NSRef": lambda checker, node: _namespace(node),
    "Const": _Checker.constant,
    "Getattr": _Checker.attribute,
    "Getitem": _Checker.item,
    "Call": _Checker.call,
    "Filter": _Checker.filter,
    "Test": _Checker.test,
    "Mul": _Checker.multiply,
    "Macro": _Checker.macro,
}


def _namespace(node: Any) -> None:
    if node.attr.startswith("_"):
        raise Unsafe(f"sets .{node.attr[:60]}")
