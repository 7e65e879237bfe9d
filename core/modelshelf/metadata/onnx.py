"""Reads what an ONNX file is: its versions, operators and initialisers; never the initialisers' data."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import PurePosixPath

from modelshelf.errors import FormatError
from modelshelf.metadata.facts import TensorInfo
from modelshelf.metadata.protobuf import BYTES, VARINT, EnoughError, Field, Message
from modelshelf.metadata.source import ByteSource, ShortError

MAX_TENSORS = 65_536
MAX_NAME = 1024
MAX_NAMES = 8 << 20  # bytes, of all initialisers
MAX_OPERATORS = 512
MAX_DIMENSIONS = 16
MAX_SIZE = 1 << 62
MAX_DOMAINS = 64

# Numbers of the fields, by message.
IR_VERSION, PRODUCER, PRODUCER_VERSION, GRAPH, OPSET = 1, 2, 3, 7, 8
NODE, GRAPH_NAME, INITIALISER = 1, 2, 5
OP_TYPE, ATTRIBUTE = 4, 5
DIMS, DATA_TYPE, TENSOR_NAME, RAW_DATA, EXTERNAL, LOCATION = 1, 2, 8, 9, 13, 14

# Names as safetensors has them, and the bits of a value.
_TYPES: Mapping[int, tuple[str, int]] = {
    1: ("F32", 32), 2: ("U8", 8), 3: ("I8", 8), 4: ("U16", 16), 5: ("I16", 16), 6: ("I32", 32), 7: ("I64", 64),
    8: ("STRING", 0), 9: ("BOOL", 8), 10: ("F16", 16), 11: ("F64", 64), 12: ("U32", 32), 13: ("U64", 64),
    14: ("C64", 64), 15: ("C128", 128), 16: ("BF16", 16), 17: ("F8_E4M3", 8), 18: ("F8_E4M3FNUZ", 8),
    19: ("F8_E5M2", 8), 20: ("F8_E5M2FNUZ", 8), 21: ("U4", 4), 22: ("I4", 4), 23: ("F4", 4), 24: ("F8_E8M0", 8),
    25: ("U2", 2), 26: ("I2", 2),
}  # fmt: skip
_SECOND = frozenset({0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42})  # tags of what may follow the version


@dataclass(slots=True)
class OnnxModel:
    """What a file says. `complete` is False when the bytes at hand, or patience, ended first.

    external: the bytes that must be in each data file beside it. packed_bits: what a weight takes in the operators that
    pack several into a byte, 0 if there are none.
    """

    ir_version: int = 0
    producer: str = ""
    graph: str = ""
    opsets: dict[str, int] = field(default_factory=dict)
    operators: Counter[str] = field(default_factory=Counter)
    tensors: list[TensorInfo] = field(default_factory=list)
    external: dict[str, int] = field(default_factory=dict)
    packed_bits: int = 0
    complete: bool = True

    @property
    def parameters(self) -> int:
        """The values in all initialisers; a byte of packed weights counts as several."""
        factor = 8 // self.packed_bits if self.packed_bits else 1
        return sum(prod(t.shape) * (factor if t.type == "U8" and len(t.shape) == 3 else 1) for t in self.tensors)


def looks_like(start: bytes) -> bool:
    """Whether these first bytes may be those of an ONNX file: a small version, then one of its other fields."""
    return len(start) >= 3 and start[0] == 0x08 and 1 <= start[1] < 100 and start[2] in _SECOND


def read_model(source: ByteSource, *, partial: bool = False) -> OnnxModel:
    """Read a model; with `partial`, bytes that are not at hand end the reading early instead of failing.

    Raises:
        FormatError: it is no ONNX model; the message names the field.
        ShortError: without `partial`, the bytes at hand end first.
    """
    walk = _Walk(Message(source))
    try:
        walk.run()
    except EnoughError:
        walk.model.complete = False
    except ShortError:
        if not partial or not walk.model.ir_version:
            raise
        walk.model.complete = False
    return walk.model


class _Walk:
    def __init__(self, message: Message) -> None:
        self.message = message
        self.model = OnnxModel()
        self.names: set[str] = set()
        self.named = 0

    def run(self) -> None:
        message, model = self.message, self.model
        message.where = "the model"
        graphs = 0
        for item in message.fields(0, message.source.size):
            if item.number == IR_VERSION and item.kind == VARINT:
                model.ir_version = item.value
            elif not model.ir_version:
                raise message.fail("does not begin with “ir_version”: it is no ONNX file")
            elif item.number == PRODUCER:
                model.producer = message.text(item, MAX_NAME)
            elif item.number == OPSET and item.kind == BYTES:
                self._opset(item)
            elif item.number == GRAPH and item.kind == BYTES:
                graphs += 1
                self._graph(item)
            message.where = "the model"
        if graphs != 1:
            raise message.fail(f"holds {graphs} graphs instead of one")

    def _opset(self, opset: Field) -> None:
        domain, version = "", 0
        self.message.where = "“opset_import”"
        for item in self.message.fields(opset.start, opset.end):
            if item.number == 1:
                domain = self.message.text(item, MAX_NAME)
            elif item.number == 2 and item.kind == VARINT:
                version = item.value
        if len(self.model.opsets) >= MAX_DOMAINS or not 0 <= version < 1 << 31:
            raise self.message.fail(f"is version {version:,} of too many domains")
        self.model.opsets[domain] = version

    def _graph(self, graph: Field) -> None:
        message = self.message
        message.where = "“graph”"
        for item in message.fields(graph.start, graph.end):
            if item.number == GRAPH_NAME:
                self.model.graph = message.text(item, MAX_NAME)
            elif item.number == NODE and item.kind == BYTES:
                self._node(item)
            elif item.number == INITIALISER and item.kind == BYTES:
                self._initialiser(item)
            message.where = "“graph”"

    def _node(self, node: Field) -> None:
        message, operator = self.message, ""
        attributes: list[Field] = []
        message.where = "a node"
        for item in message.fields(node.start, node.end):
            if item.number == OP_TYPE:
                operator = message.text(item, MAX_NAME)
            elif item.number == ATTRIBUTE and item.kind == BYTES and len(attributes) < 32:
                attributes.append(item)
        if operator in self.model.operators or len(self.model.operators) < MAX_OPERATORS:
            self.model.operators[operator] += 1
        if operator == "MatMulNBits" and not self.model.packed_bits:
            self.model.packed_bits = self._bits(attributes)

    def _bits(self, attributes: list[Field]) -> int:
        for attribute in attributes:
            name, value = "", 0
            for item in self.message.fields(attribute.start, attribute.end):
                if item.number == 1:
                    name = self.message.text(item, MAX_NAME)
                elif item.number == 3 and item.kind == VARINT:
                    value = item.value
            if name == "bits":
                return value if value in (1, 2, 4, 8) else 4
        return 4

    def _initialiser(self, tensor: Field) -> None:
        message = self.message
        message.where = f"initialiser {len(self.model.tensors)}"
        if len(self.model.tensors) >= MAX_TENSORS:
            raise message.fail(f"is one of more than {MAX_TENSORS:,}")
        shape: list[int] = []
        external: dict[str, str] = {}
        kind, name, raw, outside = 0, "", None, False
        for item in message.fields(tensor.start, tensor.end):
            if item.number == DIMS:
                shape.extend(message.numbers(item, MAX_DIMENSIONS))
            elif item.number == DATA_TYPE:
                kind = item.value
            elif item.number == TENSOR_NAME:
                name = message.text(item, MAX_NAME)
                message.where = f"initialiser “{name[:80]}”"
            elif item.number == RAW_DATA and item.kind == BYTES:
                raw = item
            elif item.number == EXTERNAL and item.kind == BYTES:
                external |= dict([self._entry(item)])
            elif item.number == LOCATION:
                outside = item.value == 1
        size, type_ = self._size(kind, shape)
        self._note(name)
        if outside:
            self._outside(external, size)
        elif raw is not None and type_ != "STRING" and raw.length != size:
            raise message.fail(f"has {raw.length:,} bytes instead of {size:,}")
        self.model.tensors.append(TensorInfo(name, type_, tuple(shape), size, 0 if raw is None else raw.start))

    def _note(self, name: str) -> None:
        self.named += len(name)
        if self.named > MAX_NAMES:
            raise self.message.fail(f"brings the names to more than {MAX_NAMES:,} letters")
        if name in self.names:
            raise self.message.fail("is there twice")
        self.names.add(name)

    def _size(self, kind: int, shape: list[int]) -> tuple[int, str]:
        if kind not in _TYPES:
            raise self.message.fail(f"has the unknown type {kind:,}")
        name, bits = _TYPES[kind]
        if len(shape) > MAX_DIMENSIONS:
            raise self.message.fail(f"has more than {MAX_DIMENSIONS} dimensions")
        count = 1
        for extent in shape:
            count *= extent
            if extent >= MAX_SIZE or count * max(bits, 8) >= MAX_SIZE:
                raise self.message.fail(f"has the impossible shape {tuple(shape)}"[:300])
        return (count * bits + 7) // 8, name

    def _entry(self, entry: Field) -> tuple[str, str]:
        key = value = ""
        for item in self.message.fields(entry.start, entry.end):
            if item.number == 1:
                key = self.message.text(item, MAX_NAME)
            elif item.number == 2:
                value = self.message.text(item, MAX_NAME)
        return key, value

    def _outside(self, external: dict[str, str], size: int) -> None:
        """Note how long the data file that the tensor lies in must be."""
        location = external.get("location", "")
        path = PurePosixPath(location)
        if not location or path.is_absolute() or ".." in path.parts or "\\" in location or not location.isprintable():
            raise self.message.fail(f"lies in “{location[:80]}”, which is no plain file beside it")
        start, length = _number(external.get("offset", "0")), _number(external.get("length", str(size)))
        if start is None or length != size:
            raise self.message.fail(f"has “external_data” of {external.get('length', '')[:20]} bytes, not {size:,}")
        self.model.external[location] = max(self.model.external.get(location, 0), start + size)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def check_external(model: OnnxModel, name: str, sizes: Mapping[str, int]) -> int:
    """How many bytes the data files have that the model names; `sizes` are those of the files beside it.

    Raises:
        FormatError: one is missing or too short; the message names it.
    """
    for location, needed in model.external.items():
        if location not in sizes:
            raise FormatError(f"{name}: the data file {location} is missing beside it.", field="external_data")
        if sizes[location] < needed:
            raise FormatError(
                f"{location} is truncated: it has {sizes[location]:,} bytes instead of {needed:,}.", field="size"
            )
    return sum(sizes[location] for location in model.external)
