"""The oldest NVIDIA compute capability that a quantisation needs, from the engines' `get_min_capability`.

vLLM writes the function, SGLang took it over; both compare 10 * major + minor of the card with what it returns.
"""

import ast
import re
from collections.abc import Mapping

from modelshelf.compat.snapshots.syntax import base_names, method

FUNCTION = "get_min_capability"
DEEPEST = 8  # classes that are followed; none is derived so often


def oldest(name: str, quantisation: str, known: Mapping[str, ast.ClassDef], depth: int = DEEPEST) -> str | None:
    """Such as `7.5`; None where the source does not say it plainly. 0 stands for other vendors' chips, not for any."""
    owner = known.get(name)
    if owner is None or not depth:
        return None
    function = method(owner, FUNCTION)
    if function is None:
        found = (oldest(base, quantisation, known, depth - 1) for base in base_names(owner))
        return next((value for value in found if value is not None), None)
    returned = sorted(
        (node for node in ast.walk(function) if isinstance(node, ast.Return)), key=lambda node: node.lineno
    )
    last = returned[-1].value if returned else None
    return _said(last, quantisation, known, depth) if last else None


def _said(node: ast.expr, quantisation: str, known: Mapping[str, ast.ClassDef], depth: int) -> str | None:
    """The last return is the one for NVIDIA: those before it are for other vendors' cards."""
    if isinstance(node, ast.IfExp):
        negated = isinstance(node.test, ast.UnaryOp)
        named = re.search(rf"(?<![a-z0-9]){re.escape(quantisation)}(?![a-z0-9])", ast.unparse(node.test))
        chosen = node.body if negated or named else node.orelse
        return _said(chosen, quantisation, known, depth)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return f"{node.value // 10}.{node.value % 10}" if node.value > 0 else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == FUNCTION:
        other = node.func.value
        return oldest(other.id, quantisation, known, depth - 1) if isinstance(other, ast.Name) else None
    return None
