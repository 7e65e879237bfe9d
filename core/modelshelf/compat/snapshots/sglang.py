"""SGLang: the `EntryClass` of every file below its models, and its quantisations with the hardware each needs."""

import ast
import re
from collections.abc import Mapping

from modelshelf.compat.snapshots.capability import oldest
from modelshelf.compat.snapshots.found import Found, Needs
from modelshelf.compat.snapshots.packages import Package
from modelshelf.compat.snapshots.syntax import classes, pairs, table, tree_of, trees, updates, values

PATTERNS = ("sglang/srt/models/*.py", "sglang/srt/layers/quantization/*.py")
BASE = "BASE_QUANTIZATION_METHODS"
# What the calls in the condition before a table's update ask for, and what stands for it here.
CONDITIONS: Mapping[str, tuple[str, str]] = {
    "is_cpu": ("cpu", ""),
    "is_cuda": ("nvidia", "class"),
    "is_xpu": ("intel", ""),
    "is_mps": ("apple", ""),
    "_is_gfx95_supported": ("amd", "gfx95"),
}
# Draft models run beside another one only; the rest are fall-backs and samples that name no model.
NOT_MODELS = re.compile(r"Draft|DFlash|DSpark|Eagle|MTP$|NextN$|Assistant|^Transformers|^TorchNative")


def read(package: Package, types: Mapping[str, frozenset[str]]) -> Found:
    """The lists of a version; `types` are transformers' `model_type`s for each class."""
    parsed = trees(package.files)
    models = {path: tree for path, tree in parsed.items() if "/srt/models/" in path}
    listed = frozenset(name for tree in models.values() for name in _entries(tree) if not NOT_MODELS.search(name))
    return Found(
        version=package.version,
        architectures=frozenset(kind for name in listed for kind in types.get(name, ())),
        classes=listed,
        by_format={"gguf": frozenset()},  # it reads such files by Transformers, but for which models it does not list
        quantisations=_quantisations(parsed),
    )


def _entries(tree: ast.Module) -> list[str]:
    found = []
    for value in values(tree, "EntryClass"):
        items = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
        found += [item.id for item in items if isinstance(item, ast.Name)]
    return found


def _quantisations(parsed: Mapping[str, ast.Module]) -> dict[str, Needs]:
    tree, known = tree_of(parsed, "quantization/__init__.py"), classes(parsed)
    found: dict[str, dict[str, str | None]] = {}
    for value in values(tree, BASE):
        for name, node in pairs(value).items():
            # Which of these run on other vendors' cards is decided in the classes, case by case.
            found[name] = {"nvidia": _oldest(node, name, known), "amd": None, "intel": None}
    for block in (node for node in ast.walk(tree) if isinstance(node, ast.If)):
        asked = [CONDITIONS[name] for name in _conditions(block.test)]
        for update in (part for statement in block.body for part in updates(statement, BASE)):
            for name, node in pairs(update).items():
                for vendor, need in asked:
                    least = _oldest(node, name, known) if need == "class" else need
                    found.setdefault(name, {})[vendor] = least
    for name, needs in found.items():
        # Its older kernels are gone: on NVIDIA cards such weights run by the newer ones, whatever their files say.
        if "nvidia" not in needs and f"{name}_marlin" in found:
            needs["nvidia"] = found[f"{name}_marlin"]["nvidia"]
    for name in table(tree, "CPU_QUANTIZATION_METHODS"):
        found.setdefault(name, {})["cpu"] = ""
    return {name: needs for name, needs in found.items() if needs}


def _conditions(test: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(test) if isinstance(node, ast.Name) and node.id in CONDITIONS]


def _oldest(node: ast.expr, name: str, known: Mapping[str, ast.ClassDef]) -> str | None:
    return oldest(node.id, name, known) if isinstance(node, ast.Name) else None
