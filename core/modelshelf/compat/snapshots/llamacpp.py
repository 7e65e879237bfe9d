"""llama.cpp: the table of its architectures' names and the file types of its header, from its C++ source."""

import re

from modelshelf.compat.snapshots.found import Found
from modelshelf.compat.snapshots.packages import Package

PATTERNS = ("*/src/llama-arch.cpp", "*/include/llama.h")
NAMES = re.compile(r"LLM_ARCH_NAMES\s*=\s*\{(.*?)\n\};", re.DOTALL)
NAME = re.compile(r'\{\s*LLM_ARCH_\w+\s*,\s*"([^"]+)"\s*\}')
FILE_TYPE = re.compile(r"^\s*LLAMA_FTYPE_(?:MOSTLY|ALL)_(\w+)\s*=", re.MULTILINE)
NOT_MODELS = frozenset({"(unknown)", "clip", "gptj"})  # projectors; and a name without an implementation


def read(package: Package) -> Found:
    """The lists of a version.

    Raises:
        LookupError: the source is arranged in another way by now.
    """
    source = "\n".join(text for path, text in package.files.items() if path.endswith(".cpp"))
    header = "\n".join(text for path, text in package.files.items() if path.endswith(".h"))
    listed = NAMES.search(source)
    if listed is None:
        raise LookupError("no LLM_ARCH_NAMES in llama-arch.cpp")
    return Found(
        version=f"b{package.version.split('.')[0]}",
        architectures=frozenset(NAME.findall(listed[1])) - NOT_MODELS,
        quantisations=sorted(set(FILE_TYPE.findall(header))),
    )
