"""vLLM: the dicts of its model registry, and its quantisations with the hardware each needs."""

import ast
from collections.abc import Mapping

from modelshelf.compat.snapshots.capability import oldest
from modelshelf.compat.snapshots.found import Found, Needs
from modelshelf.compat.snapshots.packages import Package
from modelshelf.compat.snapshots.syntax import classes, pairs, strings, table, tree_of, trees, values

PATTERNS = (
    "vllm/model_executor/models/registry.py",
    "vllm/model_executor/layers/quantization/*.py",
    "vllm/platforms/*.py",
)
ALL = "_VLLM_MODELS"
# Draft models only run beside another one; the last table names the fall-backs and no model.
NOT_MODELS = frozenset({"_SPECULATIVE_DECODING_MODELS", "_TRANSFORMERS_BACKEND_MODELS"})
# What its guide says of processors (x86; 8-bit integers through compressed-tensors); of the others it says nothing.
ON_PROCESSORS = frozenset({"auto_awq", "auto_gptq", "awq", "compressed-tensors", "gptq"})


def read(package: Package, types: Mapping[str, frozenset[str]]) -> Found:
    """The lists of a version; `types` are transformers' `model_type`s for each class."""
    parsed = trees(package.files)
    registry = tree_of(parsed, "models/registry.py")
    listed = _models(registry)
    gone = {
        name: version
        for name, node in table(registry, "_PREVIOUSLY_SUPPORTED_MODELS").items()
        for version in strings(node)
        if name not in listed
    }
    return Found(
        version=package.version,
        architectures=frozenset(kind for name in listed for kind in types.get(name, ())),
        classes=listed,
        removed=gone,
        quantisations=_quantisations(parsed),
    )


def _models(registry: ast.Module) -> frozenset[str]:
    parts = {
        item.id
        for value in values(registry, ALL)
        if isinstance(value, ast.Dict)
        for item in value.values
        if isinstance(item, ast.Name)
    }
    return frozenset(name for part in parts - NOT_MODELS for name in table(registry, part))


def _quantisations(parsed: Mapping[str, ast.Module]) -> dict[str, Needs]:
    methods: dict[str, ast.expr] = {}
    for value in values(tree_of(parsed, "quantization/__init__.py"), "method_to_config"):
        methods |= pairs(value)
    known = classes(parsed)
    amd, intel = (_listed(tree_of(parsed, f"platforms/{name}.py")) for name in ("rocm", "xpu"))
    found: dict[str, Needs] = {}
    for name, node in methods.items():
        needs: dict[str, str | None] = {"cpu": "" if name in ON_PROCESSORS else None}
        needs["nvidia"] = oldest(node.id, name, known) if isinstance(node, ast.Name) else None
        needs |= {"amd": ""} if name in amd else {}
        needs |= {"intel": ""} if name in intel else {}
        found[name] = needs
    return found


def _listed(platform: ast.Module) -> frozenset[str]:
    return frozenset(name for value in values(platform, "supported_quantization") for name in strings(value))
