"""Transformers: the `model_type`s and classes of its automatic models, and its quantisers."""

import ast
from collections import defaultdict
from collections.abc import Mapping

from modelshelf.compat.snapshots.found import Found, Needs
from modelshelf.compat.snapshots.packages import Package
from modelshelf.compat.snapshots.syntax import strings, table, tree_of, trees, values

PATTERNS = (
    "transformers/models/auto/*.py",
    "transformers/quantizers/auto.py",
    "transformers/integrations/ggml.py",
    "transformers/integrations/gguf/gguf_config_mapping.py",
)
CAUSAL = "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"
CARDS: Needs = {"nvidia": "", "amd": None, "intel": None}
CUDA: Needs = {"nvidia": ""}
EVERYWHERE: Needs = {"cpu": "", "nvidia": "", "amd": None, "intel": None, "apple": None}

# What `validate_environment` of each quantiser refuses, read in version 5.24. A quantised model whose hardware is too
# old is unpacked to 16 bits where the quantiser can do that: then it runs, and needs the memory of the whole model.
NEEDS: Mapping[str, Needs] = {
    "aqlm": EVERYWHERE,
    "awq": EVERYWHERE,
    "bitnet": EVERYWHERE,
    "bitsandbytes": {"cpu": "", "nvidia": "6.0?", "amd": None, "intel": None, "apple": None},
    "eetq": CUDA,
    "fbgemm_fp8": {"nvidia": "9.0", "intel": None},
    "fp8": {"cpu": None, "nvidia": "8.9?", "amd": None, "intel": "", "apple": None},
    "gguf": EVERYWHERE,
    "gptq": EVERYWHERE,
    "higgs": CUDA,
    "hqq": EVERYWHERE,
    "metal": {"apple": ""},
    "mxfp4": {"cpu": "", "nvidia": "7.5?", "amd": None, "intel": "", "apple": None},
    "nvfp4": {"nvidia": None},  # it makes such weights and does not load them yet
    "spqr": CUDA,
    "vptq": CUDA,
}


def read(package: Package, gguf: frozenset[str]) -> Found:
    """The lists of a version; `gguf` are llama.cpp's names, which the files have and this source writes otherwise."""
    parsed = trees(package.files)
    configured = table(tree_of(parsed, "auto/auto_mappings.py"), "CONFIG_MAPPING_NAMES")
    configured |= table(tree_of(parsed, "auto/configuration_auto.py"), "CONFIG_MAPPING_NAMES")
    models = tree_of(parsed, "auto/modeling_auto.py")
    methods = table(tree_of(parsed, "quantizers/auto.py"), "AUTO_QUANTIZER_MAPPING")
    unknown: Needs = dict.fromkeys(("cpu", "nvidia", "amd", "intel", "apple"))
    names = {name.removesuffix("_4bit").removesuffix("_8bit") for name in methods}
    return Found(
        version=package.version,
        architectures=frozenset(configured),
        classes=frozenset(class_types(package)),
        causal=frozenset(table(models, CAUSAL)),
        by_format={"gguf": _of_files(parsed, gguf)},
        quantisations={name: NEEDS.get(name, unknown) for name in names},
    )


def _of_files(parsed: Mapping[str, ast.Module], gguf: frozenset[str]) -> frozenset[str]:
    """The architectures whose GGUF files it reads: `gpt_oss` here is `gpt-oss` there, `qwen2_moe` is `qwen2moe`."""
    older = table(tree_of(parsed, "integrations/ggml.py"), "GGUF_CONFIG_MAPPING")
    newer = table(tree_of(parsed, "gguf/gguf_config_mapping.py"), "GGUF_CONFIG_ARCHS")
    known = {_bare(name) for name in {*older, *newer}}
    return frozenset(name for name in gguf if _bare(name) in known)


def _bare(name: str) -> str:
    return name.replace("_", "").replace("-", "")


def class_types(package: Package) -> Mapping[str, frozenset[str]]:
    """For each class of a model the `model_type`s that it is for."""
    models = tree_of(trees(package.files), "auto/modeling_auto.py")
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name in sorted(_tables(models)):
        for architecture, value in table(models, name).items():
            for known in strings(value):
                found[known].add(architecture)
    return {name: frozenset(types) for name, types in found.items()}


def _tables(tree: ast.AST) -> set[str]:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id.endswith("_MAPPING_NAMES")}
    return {name for name in names if name.startswith("MODEL_") and any(True for _ in values(tree, name))}
