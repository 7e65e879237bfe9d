"""MLX-LM: the files of its models, each named like the `model_type` that it runs."""

import ast
from pathlib import PurePosixPath

from modelshelf.compat.snapshots.found import Found
from modelshelf.compat.snapshots.packages import Package
from modelshelf.compat.snapshots.syntax import strings, table, tree_of, trees

PATTERNS = ("mlx_lm/models/*.py", "mlx_lm/utils.py")
# Its own modes (`affine` with 2 to 8 bits among them), and what it repacks of others' (utils.py).
QUANTISATIONS = ("awq", "bitnet", "compressed-tensors", "gptq", "mlx", "mxfp4", "mxfp8", "nvfp4")


def read(package: Package) -> Found:
    """The lists of a version."""
    parsed = trees(package.files)
    own = {
        PurePosixPath(path).stem
        for path, tree in parsed.items()
        if "/models/" in path and any(isinstance(node, ast.ClassDef) and node.name == "Model" for node in tree.body)
    }
    renamed = table(tree_of(parsed, "mlx_lm/utils.py"), "MODEL_REMAPPING")
    others = {name for name, node in renamed.items() if set(strings(node)) & own}
    return Found(
        version=package.version,
        architectures=frozenset(own | others),
        quantisations={name: {"apple": "", "nvidia": None, "cpu": None} for name in QUANTISATIONS},
    )
