"""Scans one content: finds what it is, asks the scanners of that format, and holds the name against the content."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points

from modelshelf.errors import FormatError
from modelshelf.vetting.content import Slice, by_chance, sniff
from modelshelf.vetting.names import claims, role
from modelshelf.vetting.rules import MAX_DEPTH, MAX_FINDINGS, words
from modelshelf.vetting.scanners.disguise import looks_pickled
from modelshelf.vetting.scanners.tail import holds_archive
from modelshelf.vetting.spec import Content, Desk, Scanner
from modelshelf.vetting.types import Finding, Verdict

GROUP = "modelshelf.scanners"
# What must not pass only because the installation lost its scanners.
_LOOKED_INTO = words(
    "gguf hdf5 json npy onnx gzip bzip2 xz zlib lzma tar pickle png jpeg gif webp safetensors sentencepiece jinja yaml "
    "zip imatrix savedmodel"
)


# Where torch's archives keep the bytes of tensors.
_TENSOR = re.compile(r"(?:^|/)data/\d+$")
# What our own scanners look at, so that only those are loaded that a file needs.
OURS: Mapping[str, frozenset[str]] = {
    "gguf": words("gguf"),
    "hdf5": words("hdf5"),
    "imatrix": words("imatrix"),
    "json": words("json"),
    "numpy": words("npy"),
    "onnx": words("onnx"),
    "packed": words("gzip bzip2 xz zlib lzma"),
    "pickle": words("pickle"),
    "picklescan": words("pickle"),
    "picture": words("png jpeg gif webp"),
    "safetensors": words("safetensors"),
    "savedmodel": words("savedmodel"),
    "sentencepiece": words("sentencepiece"),
    "tar": words("tar"),
    "template": words("jinja"),
    "yaml": words("yaml"),
    "zip": words("zip"),
}


class Later:
    """One of our scanners, loaded when the first file of its formats comes."""

    def __init__(self, point: EntryPoint, formats: frozenset[str]) -> None:
        self.formats = formats
        self._point = point
        self._loaded: Scanner | None = None

    @property
    def modules(self) -> tuple[str, ...]:
        """What it imports, its own module first."""
        return (self._point.module, *self._scanner.modules)

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Load it, and let it look."""
        return self._scanner.scan(content, desk)

    @property
    def _scanner(self) -> Scanner:
        if self._loaded is None:
            self._loaded = self._point.load()()
        return self._loaded


def scanners() -> tuple[Scanner, ...]:
    """Every scanner that is installed, ours by the same door as others."""
    return tuple(map(_scanner, sorted(entry_points(group=GROUP), key=lambda point: point.name)))


def _scanner(point: EntryPoint) -> Scanner:
    formats = OURS.get(point.name)
    if formats is not None and point.module.startswith("modelshelf.vetting.scanners."):
        return Later(point, formats)
    made: Scanner = point.load()()
    return made


class Examiner:
    """Implements `Desk` for one file."""

    def __init__(self, known: Sequence[Scanner]) -> None:
        self._known = known
        self._depth = 0

    def examine(self, content: Content, path: str) -> tuple[str, list[Finding]]:
        """What a whole file is and what was found; `path` is its name in the repository."""
        kind = role(path, sniff(content))
        findings = list(claims(path, kind))
        if kind != "zip" and holds_archive(content):
            findings.append(Finding("POLYGLOT", path, "It can be read as an archive, too: it ends as one does."))
        for finding in self._ask(content, kind):
            findings.append(finding)
            if len(findings) == MAX_FINDINGS:
                break
        return kind, findings

    def examine_start(self, content: Content, path: str, start: int) -> tuple[str, list[Finding]]:
        """As `examine`, of a file of which only the first `start` bytes are here; the others read as zeros.

        What only the whole file can tell is left for when it is there.
        """
        kind = role(path, sniff(Slice(content, 0, start, content.name)))
        findings = list(claims(path, kind))
        if kind == "pickle":
            from modelshelf.vetting.scanners.pickles import scan_start

            findings += scan_start(content, start)
        elif kind in {"gguf", "safetensors"}:
            findings += self._ask(content, kind)
        elif kind == "npy" and re.search(rb"'descr':\s*['\"][<>|=]?O", content.read(0, min(start, 4096))):
            findings.append(Finding("NPY_OBJECTS", path, "It holds objects, which NumPy loads by unpickling them."))
        return kind, findings[:MAX_FINDINGS]

    def nested(self, content: Content) -> Iterator[Finding]:
        """Scan what was found inside something."""
        if self._depth == MAX_DEPTH:
            yield Finding("ARCHIVE_DEPTH", content.name, f"Archives nest more than {MAX_DEPTH} deep.")
            return
        name = content.name.rpartition(":")[2]
        tensor = _TENSOR.search(name) is not None
        kind = role(name, sniff(content, tensor=tensor))
        # Any bytes may begin as a pickle does; only what an unpickler would get somewhere with is one.
        if kind == "pickle" and not name.endswith((".pkl", ".pickle")) and not looks_pickled(content, tensor=tensor):
            kind = "unknown"
        if "." not in name.rpartition("/")[2] and by_chance(content, kind):
            kind = "unknown"
        with self._deeper():
            yield from claims(name, kind, inside=True)
            yield from self._ask(content, kind)

    def _ask(self, content: Content, kind: str) -> Iterator[Finding]:
        if kind in _LOOKED_INTO and not any(kind in scanner.formats for scanner in self._known):
            yield Finding("SCANNER_MISSING", content.name, f"No scanner for {kind} is installed: install anew.")
        for scanner in self._known:
            if kind in scanner.formats:
                try:
                    yield from scanner.scan(content, self)
                except FormatError as error:
                    yield Finding(f"{kind.upper()}_BROKEN", content.name, str(error), Verdict.BLOCK)

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
