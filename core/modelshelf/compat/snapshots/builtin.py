"""What the installed built-in engine supports: it is asked, because a list of names would have to be believed.

For every word in the engine's library that may be an architecture it opens a file that holds nothing but that name, and
says whether it knows it.
"""

import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from modelshelf.compat.snapshots.found import Found
from modelshelf.metadata.ggml import FILE_TYPES

WORD = re.compile(rb"\0([a-z][a-z0-9._-]{1,23})(?=\0)")
TAIL = re.compile(r"\d|llama|gpt|bert|moe|net|lm|mpt|bloom|orion")
UNKNOWN = re.compile(r"unknown model architecture: '([^']*)'")
ASKED = re.compile(r"^asked (\S+)$", re.MULTILINE)
NOT_MODELS = frozenset({"clip", "gptj"})  # projectors; and a name without an implementation
WINDOW = 4 << 20  # bytes around a name that every version has
BATCH = 1000
CHILD = """
import sys, xllamacpp
folder = sys.argv[1]
for name in sys.argv[2:]:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = f"{folder}/{name}.gguf"
    try:
        xllamacpp.Server(parameters)
    except RuntimeError:
        pass
    sys.stdout.write(f"asked {name}\\n")
"""


def ask() -> Found:
    """Ask the engine."""
    return Found(
        version=f"xllamacpp {version('xllamacpp')}",
        architectures=frozenset(known(words(library().read_bytes()))) - NOT_MODELS,
        quantisations=sorted(FILE_TYPES.values()),
    )


def library() -> Path:
    """The engine's library."""
    spec = find_spec("xllamacpp")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    return max(folder.glob("*.so"), key=lambda path: path.stat().st_size)


def words(data: bytes) -> list[str]:
    """Whatever may be an architecture's name. Linkers keep a word that ends another one only within that one."""
    middle = data.index(b"\0granitehybrid\0")
    near = data[max(0, middle - WINDOW) : middle + WINDOW]
    whole = {match[1].decode() for match in WORD.finditer(near)}
    tails = {word[cut:] for word in whole if TAIL.search(word) for cut in range(1, len(word) - 1)}
    return sorted(word for word in whole | tails if word[0].isalpha())


def known(names: list[str]) -> Iterator[str]:
    """Those that the engine knows."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            (Path(folder) / f"{name}.gguf").write_bytes(only(name))
        for start in range(0, len(names), BATCH):
            command = [sys.executable, "-c", CHILD, folder, *names[start : start + BATCH]]
            done = subprocess.run(command, capture_output=True, text=True, check=True, errors="replace")
            said = done.stdout + done.stderr
            yield from set(ASKED.findall(said)) - set(UNKNOWN.findall(said))


def only(architecture: str) -> bytes:
    """A GGUF file that names its architecture and nothing else."""
    key, name = b"general.architecture", architecture.encode()
    pair = struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(name)) + name
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair + bytes(64)
