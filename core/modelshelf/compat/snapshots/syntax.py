"""Reads tables out of Python source without importing it."""

import ast
from collections.abc import Iterator, Mapping


def trees(files: Mapping[str, str]) -> dict[str, ast.Module]:
    """Every file that can be parsed."""
    parsed = {}
    for path, text in files.items():
        try:
            parsed[path] = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
    return parsed


def tree_of(parsed: Mapping[str, ast.Module], ending: str) -> ast.Module:
    """The file whose path ends so; the shortest such path.

    Raises:
        LookupError: there is none, so the engine's source is arranged in another way by now.
    """
    found = sorted((path for path in parsed if path.endswith(ending)), key=len)
    if not found:
        raise LookupError(f"no file ends in {ending}")
    return parsed[found[0]]


def values(tree: ast.AST, name: str) -> Iterator[ast.expr]:
    """What is assigned to a name, anywhere in the tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            yield node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            yield from (value for value in (node.value,) if value is not None)


def text(node: ast.AST | None) -> str | None:
    """A string that stands as such."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def strings(node: ast.AST) -> list[str]:
    """The strings of a list or tuple; one string alone counts as a list of one."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [value for item in node.elts if (value := text(item)) is not None]
    alone = text(node)
    return [] if alone is None else [alone]


def pairs(node: ast.AST) -> dict[str, ast.expr]:
    """The entries of a dict display, or of `OrderedDict([(key, value), …])`; what is unpacked into it is left out."""
    if isinstance(node, ast.Dict):
        return {key: value for k, value in zip(node.keys, node.values, strict=True) if (key := text(k)) is not None}
    if isinstance(node, ast.Call):
        found: dict[str, ast.expr] = {}
        for argument in [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg is None)]:
            found |= pairs(argument)
        return found
    if isinstance(node, ast.List | ast.Tuple):
        couples = [item.elts for item in node.elts if isinstance(item, ast.Tuple) and len(item.elts) == 2]
        return {key: value for k, value in couples if (key := text(k)) is not None}
    return {}


def table(tree: ast.AST, name: str) -> dict[str, ast.expr]:
    """Every entry that is given to a table: where it is assigned, and by `name.update({…})`."""
    found: dict[str, ast.expr] = {}
    for value in values(tree, name):
        found |= pairs(value)
    for call in updates(tree, name):
        found |= pairs(call)
    return found


def updates(tree: ast.AST, name: str) -> Iterator[ast.expr]:
    """The arguments of `name.update(…)`."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        owner = node.func.value
        if node.func.attr == "update" and isinstance(owner, ast.Name) and owner.id == name:
            yield node.args[0]


def classes(parsed: Mapping[str, ast.Module]) -> dict[str, ast.ClassDef]:
    """Every class by its name."""
    return {node.name: node for tree in parsed.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def method(owner: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    """A function of a class."""
    return next((node for node in owner.body if isinstance(node, ast.FunctionDef) and node.name == name), None)


def base_names(owner: ast.ClassDef) -> list[str]:
    """The names of a class's bases."""
    return [base.id for base in owner.bases if isinstance(base, ast.Name)]
