"""Finds the tensors of an architecture by asking the engine for them, one complaint after the other.

    python -m tests.shapes.discover NAME ARCHITECTURE VOCABULARY KEYS [TENSORS]

KEYS is a JSON object of the keys without their prefix, TENSORS a list of names that the engine would do without, such
as `output.weight` or `blk.0.attn_qkv.weight`. The shape is added to `tests/data/llama_cpp_shapes.json`. A key that is
missing ends the search with the engine's own words; nobody but the engine knows what a model must have.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.shapes import Shape, write
from tests.shapes.more import TABLE
from tests.shapes.shape import Tensor

WORDS = 331  # a number that no width is, so that it can be told in the shapes
TRIES = 1000
MISSING = re.compile(r"(?:missing tensor|check_tensor_dims: tensor) '([^']+)' not found")
WRONG = re.compile(r"tensor '([^']+)' has wrong shape; expected +([\d, ]+), got")
ASK = """
import sys
from tests.shapes.exact import Engine
engine = Engine(sys.argv[1])
sys.stdout.write("".join(engine.said))
sys.exit(not engine.loaded)
"""

type Found = dict[str, tuple[int, ...]]


def discover(architecture: str, keys: Mapping[str, Any], wished: list[str], folder: Path) -> Found:
    """Every tensor that the engine asks for, in its own shape."""
    found: Found = {"token_embd.weight": (keys["embedding_length"], WORDS)} | dict.fromkeys(wished, (32,))
    for _ in range(TRIES):
        path = write(_shape(architecture, keys, found), folder / "shape.gguf", "Q8_0")
        answer = subprocess.run([sys.executable, "-c", ASK, str(path)], capture_output=True, text=True, check=False)
        if not answer.returncode:
            return found
        if match := MISSING.search(answer.stdout):
            found |= dict.fromkeys(_alike(match[1], keys["block_count"]), (32,))
        elif match := WRONG.search(answer.stdout):
            shape = [int(length) for length in match[2].split(",")]
            while len(shape) > 1 and shape[-1] == 1:
                shape.pop()
            alike = [name for name in _alike(match[1], keys["block_count"]) if name in found]
            found |= dict.fromkeys(alike, tuple(shape))
        elif "wrong number of tensors" in answer.stdout:
            used = set(re.findall(r"loading tensor (\S+)", answer.stdout))
            found = {name: shape for name, shape in found.items() if name in used}
        else:
            raise SystemExit(answer.stdout[-600:] + answer.stderr[-600:])
    raise SystemExit("The engine is never content.")


def _alike(name: str, layers: int) -> list[str]:
    """The tensor in this layer and in all that follow; those that do not need it are left out in the end."""
    match = re.fullmatch(r"(.*blk\.)(\d+)(\..+)", name)
    if not match:
        return [name]
    return [f"{match[1]}{layer}{match[3]}" for layer in range(int(match[2]), layers)]


def _shape(architecture: str, keys: Mapping[str, Any], found: Found) -> Shape:
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in keys.items()}
    outside = tuple((name, shape) for name, shape in found.items() if not name.startswith("blk."))

    def layer(index: int) -> Iterator[Tensor]:
        start = f"blk.{index}."
        return ((name.removeprefix(start), shape) for name, shape in found.items() if name.startswith(start))

    return Shape(architecture, WORDS, keys["embedding_length"], keys["block_count"], layer, values, outside)


def _entry(architecture: str, words: int, keys: Mapping[str, Any], found: Found) -> dict[str, Any]:
    """As the table holds it: layers that are alike are written once."""
    shape = _shape(architecture, keys, {n: tuple(words if d == WORDS else d for d in s) for n, s in found.items()})
    kinds: list[list[Tensor]] = []
    order = []
    for index in range(shape.layers):
        kind = sorted(shape.layer(index))
        if kind not in kinds:
            kinds.append(kind)
        order.append(kinds.index(kind))
    return {
        "architecture": architecture, "vocabulary": words, "keys": keys, "extra": {}, "outside": shape.outside,
        "kinds": kinds, "layers": order,
    }  # fmt: skip


def main() -> None:
    """Ask, and add the shape to the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("architecture")
    parser.add_argument("vocabulary", type=int)
    parser.add_argument("keys", type=json.loads)
    parser.add_argument("tensors", type=json.loads, nargs="?", default=[])
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = discover(given.architecture, given.keys, given.tensors, Path(folder))
    table = json.loads(TABLE.read_text()) | {
        given.name: _entry(given.architecture, given.vocabulary, given.keys, found)
    }
    entries = (f"{json.dumps(name)}:{{\n{_lines(entry)}\n}}" for name, entry in table.items())
    TABLE.write_text("{\n" + ",\n".join(entries) + "\n}\n")
    sys.stdout.write(f"{given.name}: {len(found)} tensors\n")


def _lines(entry: Mapping[str, Any]) -> str:
    return ",\n".join(f' "{name}":{json.dumps(value, separators=(",", ":"))}' for name, value in entry.items())


if __name__ == "__main__":
    main()
