"""ONNX and SentencePiece: files of protocol buffers. ONNX may name files beside it and operators of its own."""

from collections.abc import Iterator

from modelshelf.vetting.scanners.protobuf import MODEL_FIELDS, PIECES_FIELDS, consists_of, fields
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding, Verdict

MAX_DEPTH = 60
_DOMAINS = frozenset(
    {
        "",
        "ai.onnx",
        "ai.onnx.ml",
        "ai.onnx.training",
        "ai.onnx.preview.training",
        "com.microsoft",
        "com.microsoft.nchwc",
        "com.ms.internal.nhwc",
    }
)
_PYTHON = frozenset({"PyOp", "PythonOp", "PyFunc", "PyCustomOp", "PyCustomOpDef"})

# Message -> {field: message of its value}; what is not listed is not looked into.
_SCHEMA = {
    "model": {7: "graph", 25: "function", 20: "training"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}


class OnnxScanner:
    """ONNX models."""

    formats = frozenset({"onnx"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Find Python operators, foreign operators, and data outside the folder."""
        if not consists_of(content, MODEL_FIELDS, 7, most=1 << 40):
            yield Finding("ONNX_BROKEN", content.name, "It is no ONNX model, or something follows the model.")
            return
        own = frozenset(_functions(content))
        waiting = [("model", 0, content.size, 1)]
        while waiting:
            kind, start, length, depth = waiting.pop()
            if depth > MAX_DEPTH:
                yield Finding("ONNX_NESTING", content.name, "Its graphs nest too deeply.")
                return
            if kind == "entry":
                yield from _entry(content, start, length)
                continue
            inner = _SCHEMA[kind]
            names: dict[int, str] = {}
            for number, wire, place, size in fields(content, start, start + length):
                if wire == 2 and number in inner:
                    waiting.append((inner[number], place, size, depth + 1))
                elif kind == "node" and wire == 2 and number in {4, 7} and size < 1024:
                    names[number] = content.read(place, size).decode("utf-8", "replace")
            if kind == "node":
                yield from _node(content, names, own)


def _functions(content: Content) -> Iterator[tuple[str, str]]:
    """The domain and name of the functions that the model itself defines of other operators."""
    for number, wire, place, size in fields(content):
        if number == 25 and wire == 2:
            names = {
                inner: content.read(at, length).decode("utf-8", "replace")
                for inner, kind, at, length in fields(content, place, place + size)
                if kind == 2 and inner in {1, 10} and length < 1024
            }
            yield names.get(10, ""), names.get(1, "")


def _node(content: Content, names: dict[int, str], own: frozenset[tuple[str, str]]) -> Iterator[Finding]:
    operator, domain = names.get(4, ""), names.get(7, "")
    if operator in _PYTHON or "python" in domain.lower() or domain == "ai.onnx.contrib":
        yield Finding("ONNX_PYTHON", content.name, f"The operator {operator[:40]} runs Python code.")
    elif domain not in _DOMAINS and (domain, operator) not in own:
        detail = f"The operator {operator[:40]} of {domain[:40]} needs a library of its own."
        yield Finding("ONNX_OPERATOR", content.name, detail, Verdict.REVIEW)


def _entry(content: Content, start: int, length: int) -> Iterator[Finding]:
    texts = {
        number: content.read(place, min(size, 4096)).decode("utf-8", "replace")
        for number, wire, place, size in fields(content, start, start + length)
        if wire == 2
    }
    location = texts.get(2, "")
    if texts.get(1) != "location":
        return
    parts = location.split("/")
    if not location or any(part in {"", ".", ".."} for part in parts) or set(location) & set("\\:\0"):
        yield Finding("ONNX_LOCATION", content.name, f"Its data lie outside its folder: {location[:80]!r}.")


class PiecesScanner:
    """SentencePiece vocabularies."""

    formats = frozenset({"sentencepiece"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """The message must reach to the end with known fields only."""
        if not consists_of(content, PIECES_FIELDS, 1, most=1 << 40):
            yield Finding("PIECES_BROKEN", content.name, "It is no vocabulary, or something follows it.")
