"""Mutations of files that parsers know: random, but the same each time."""

import random
import time
from collections.abc import Iterator, Sequence
from functools import cache

from modelshelf.vetting.content import MemoryContent
from modelshelf.vetting.desk import Examiner, scanners
from modelshelf.vetting.scanners.patterns import is_catastrophic
from tests.core.vetting import bypasses, families, ggufs, lures, others, pickled, safe, stock, templates, zipped

KNOWN = scanners()
LARGEST = 6000  # bytes of a file to begin with: a mutation of more finds nothing more
_NUMBERS = (0, 1, 2, 127, 128, 255, 256, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)
_PIECES = (
    b"\x80\x02", b"cos\nsystem\n", b"(", b"tR", b".", b"PK\x03\x04", b"PK\x05\x06", b"GGUF", b"{{", b"}}",
    b"{% for a in b %}", b"{% endfor %}", b"{% macro f(n) %}", b"{% endmacro %}", b"__class__", b"[" * 60, b"]" * 60,
    b'{"a":', b'"', b"\\u0000", b"!!python", b"&a ", b"*a ", b"\n", b"(a+)+", b"\xff" * 8, b"\0" * 16, b"|O", b"descr",
    b"ustar", b"IEND", b"~", b"*",
)  # fmt: skip

ENDINGS = {
    "pickle": (".pkl", ".bin"),
    "zip": (".pt", ".zip", ".npz", ".keras"),
    "gguf": (".gguf",),
    "safetensors": (".safetensors",),
    "template": (".jinja",),
    "onnx": (".onnx",),
    "pieces": (".model", ".spm"),
    "json": (".json",),
    "yaml": (".yaml", ".yml"),
    "npy": (".npy",),
    "hdf5": (".h5",),
    "tar": (".tar",),
    "packed": (".gz", ".xz", ".joblib", ".bz2"),
    "picture": (".png", ".jpg", ".gif", ".webp"),
    "imatrix": (".dat", ".imatrix"),
    "savedmodel": (".pb",),
    "text": (".md", ".txt"),
}
PARSERS = tuple(ENDINGS)


@cache
def corpus() -> tuple[tuple[str, bytes], ...]:
    """The small files of the corpus, good and bad."""
    modules = (others, pickled, zipped, ggufs, safe, templates, lures, bypasses, stock, families)
    files = [file for module in modules for source in ("good", "bad") for file in getattr(module, source, list)()]
    return tuple((name, data) for name, data in files if 0 < len(data) <= LARGEST)


def seeds(parser: str) -> list[tuple[str, bytes]]:
    """Files of a kind: sixty or so."""
    found = [(name, data) for name, data in corpus() if name.endswith(ENDINGS[parser])]
    step = max(1, len(found) // 60)
    return found[::step]


def mutated(data: bytes, dice: random.Random, others_: Sequence[tuple[str, bytes]]) -> bytes:
    """The bytes with a few changes."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(out) + 1)
        match dice.randrange(8):
            case 0:
                out[place : place + 1] = bytes([dice.randrange(256)])
            case 1:
                del out[place : place + dice.randint(1, 20)]
            case 2:
                out[place:place] = dice.choice(_PIECES) * dice.choice((1, 1, 1, 2, 20))
            case 3:
                width = dice.choice((1, 2, 4, 8))
                value = dice.choice(_NUMBERS) & ((1 << (8 * width)) - 1)
                out[place : place + width] = value.to_bytes(width, dice.choice(("little", "big")))
            case 4:
                piece = out[place : place + dice.randint(1, 200)]
                at = dice.randrange(len(out) + 1)
                out[at:at] = piece * dice.choice((1, 2, 8))
            case 5:
                del out[place:]
            case 6:
                _, other = dice.choice(others_)
                out[place:] = other[dice.randrange(len(other)) :]
            case _:
                if out:
                    out[place % len(out)] ^= 1 << dice.randrange(8)
    return bytes(out[: 4 * LARGEST])


def cases(parser: str, count: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """So many mutations, each with a name."""
    files, dice = seeds(parser), random.Random(f"{parser} {seed}")
    for _ in range(count):
        name, data = dice.choice(files)
        yield name, mutated(data, dice, files)


def examine(name: str, data: bytes) -> float:
    """Scan; how long that took, in seconds of processor time. Whatever is raised is a fault."""
    begun = time.process_time()
    _, findings = Examiner(KNOWN).examine(MemoryContent(data, name), name)
    assert all(finding.rule and finding.detail for finding in findings)
    return time.process_time() - begun


def judge_pattern(data: bytes) -> float:
    """The same for regular expressions, which are texts."""
    begun = time.process_time()
    is_catastrophic(data.decode("latin-1"))
    return time.process_time() - begun
