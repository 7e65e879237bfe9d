"""Pickles written opcode by opcode: stock torch state dicts, and every way to do harm. Nothing is loaded."""

import io
import pickle
import struct
import zipfile
from collections.abc import Iterator
from typing import Any

MAGIC = 0x1950A86A20F9469CFC6C
BYTES = {"FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "ByteStorage": 1}


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    return b"K" + bytes([value]) if value < 256 else b"J" + struct.pack("<i", value)


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(key: str, storage: str, shape: tuple[int, ...], *, legacy: bool = False) -> bytes:
    count = 1
    for extent in shape:
        count *= extent
    stride, step = [], count
    for extent in shape:
        step //= extent
        stride.append(step)
    view = b"N" if legacy else b""
    pid = b"(" + text("storage") + named("torch", storage) + text(key) + text("cpu") + number(count) + view + b"tQ"
    empty = named("collections", "OrderedDict") + b")R"
    arguments = b"(" + pid + b"K\0" + numbers(*shape) + numbers(*stride) + b"\x89" + empty + b"t"
    return named("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


Shapes = dict[str, tuple[str, tuple[int, ...]]]
SHAPES: Shapes = {"a.weight": ("FloatStorage", (4, 3)), "a.bias": ("HalfStorage", (3,)), "n": ("LongStorage", (1,))}


def state_dict(shapes: Shapes = SHAPES, *, legacy: bool = False, metadata: bool = True, extra: bytes = b"") -> bytes:
    """The pickle of `module.state_dict()` as torch writes it."""
    items = b"".join(
        text(name) + tensor(str(index), storage, shape, legacy=legacy)
        for index, (name, (storage, shape)) in enumerate(shapes.items())
    )
    body = named("collections", "OrderedDict") + b")Rq\x01(" + items + extra + b"u"
    if metadata:
        version = b"}" + text("version") + b"K\x01s"
        inner = named("collections", "OrderedDict") + b")R(" + text("") + version + b"u"
        body += b"}" + text("_metadata") + inner + b"sb"
    return b"\x80\x02" + body + b"."


def storages(shapes: Shapes) -> Iterator[tuple[int, bytes]]:
    for storage, shape in shapes.values():
        count = 1
        for extent in shape:
            count *= extent
        yield count, bytes(count * BYTES[storage])


def legacy(shapes: Shapes = SHAPES, *, tail: bytes = b"", body: bytes | None = None) -> bytes:
    """The old format of torch.save: five pickles, then the storages."""
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    parts = [pickle.dumps(item, protocol=2) for item in (MAGIC, 1001, machine)]
    parts.append(body or state_dict(shapes, legacy=True))
    parts.append(pickle.dumps([str(index) for index in range(len(shapes))], protocol=2))
    parts.extend(struct.pack("<q", count) + data for count, data in storages(shapes))
    return b"".join(parts) + tail


class _Stream(io.RawIOBase):
    """A file that cannot seek: zipfile then writes data descriptors, as torch does."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += bytes(data)
        return len(bytes(data))


def archive(members: dict[str, bytes], *, stream: bool = False, packed: bool = False) -> bytes:
    """A zip archive."""
    target: Any = _Stream() if stream else io.BytesIO()
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(target, "w", method) as file:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            file.writestr(info, data)
    return bytes(target.data) if stream else target.getvalue()


def torch_zip(
    shapes: Shapes = SHAPES, *, body: bytes | None = None, stream: bool = False, root: str = "archive"
) -> bytes:
    """The present format of torch.save."""
    members = {f"{root}/data.pkl": body or state_dict(shapes), f"{root}/byteorder": b"little"}
    members |= {f"{root}/data/{index}": data for index, (_, data) in enumerate(storages(shapes))}
    members |= {
        f"{root}/version": b"3\n",
        f"{root}/.data/serialization_id": b"0636457737946401051300000025264818435176",
    }
    return archive(members, stream=stream)


HARMFUL = (
    ("os", "system"),
    ("posix", "system"),
    ("nt", "system"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("__builtin__", "eval"),
    ("builtins", "__import__"),
    ("builtins", "getattr"),
    ("builtins", "open"),
    ("subprocess", "Popen"),
    ("subprocess", "check_output"),
    ("runpy", "run_path"),
    ("pty", "spawn"),
    ("webbrowser", "open"),
    ("shutil", "rmtree"),
    ("socket", "create_connection"),
    ("urllib.request", "urlretrieve"),
    ("importlib", "import_module"),
    ("ctypes", "CDLL"),
    ("operator", "attrgetter"),
    ("functools", "partial"),
    ("torch", "load"),
    ("torch.storage", "_load_from_bytes"),
    ("torch.hub", "load"),
    ("torch.utils.collect_env", "run"),
    ("torch._dynamo.guards", "___eval"),
    ("numpy.testing._private.utils", "runstring"),
    ("numpy.f2py.crackfortran", "myeval"),
    ("pip", "main"),
    ("pickle", "loads"),
    ("_pickle", "loads"),
    ("cloudpickle.cloudpickle", "_make_function"),
    ("dill._dill", "_create_function"),
    ("marshal", "loads"),
    ("types", "FunctionType"),
    ("timeit", "timeit"),
    ("code", "InteractiveInterpreter"),
    ("bdb", "Bdb"),
    ("asyncio.unix_events", "_UnixSubprocessTransport"),
    ("logging.config", "dictConfig"),
    ("pydoc", "pipepager"),
    ("doctest", "debug_script"),
    ("lib2to3.pgen2.grammar", "Grammar"),
    ("idlelib.pyshell", "ModifiedInterpreter"),
    ("distutils.file_util", "write_file"),
    ("joblib.numpy_pickle", "load"),
    ("collections.OrderedDict", "__reduce__"),
    ("sklearn.pipeline", "Pipeline"),
)


def bad() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of pickles that must never pass."""
    call = b"(" + text("id") + b"tR."
    for module, name in HARMFUL:
        label = f"{module}.{name}"
        yield f"global {label}.pkl", b"\x80\x02" + named(module, name) + call
        yield f"stack {label}.bin", b"\x80\x04" + short(module) + short(name) + b"\x93" + call
        yield f"old {label}.pt", named(module, name) + b"(S'id'\ntR."
        yield f"inst {label}.pickle", f"(S'id'\ni{module}\n{name}\n.".encode()
    yield from _tricks()


def short(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def _tricks() -> Iterator[tuple[str, bytes]]:
    system = named("os", "system")
    call = b"(" + text("id") + b"tR"
    ordered = named("collections", "OrderedDict") + b")R"
    two = b"\x80\x02"
    yield "only named.pkl", two + named("antigravity", "fly") + b"."
    yield "in a list.pkl", two + b"](" + system + call + b"e."
    yield "popped.pkl", two + system + call + b"0N."
    yield "behind the first.pkl", pickle.dumps({"a": 1}, 2) + two + system + call + b"."
    yield "behind legacy torch.bin", legacy(body=two + system + call + b".")
    yield "legacy with a tail.pt", legacy(tail=two + system + call + b".")
    yield "legacy cut.pt", legacy()[:-3]
    yield "dotted.pkl", b"\x80\x04" + short("collections") + short("OrderedDict.__class__") + b"\x93)R."
    yield "obj.pkl", two + b"(" + system + text("id") + b"o."
    yield "newobj.pkl", two + named("subprocess", "Popen") + b"(" + text("id") + b"t\x81."
    yield "newobj_ex.pkl", b"\x80\x04" + named("subprocess", "Popen") + b"(" + text("id") + b"t}\x92."
    yield "ext1.pkl", two + b"\x82\x01" + call + b"."
    yield "ext4.pkl", two + b"\x84\x01\0\0\0" + call + b"."
    yield "persid.pkl", b"Pos.system\n."
    yield "binpersid.pkl", two + text("module") + b"Q."
    yield "persistent module.pkl", two + b"(" + text("module") + system + text("m.py") + text("source") + b"NtQ."
    yield "build on a name.pkl", two + named("collections", "OrderedDict") + b"}" + text("x") + b"K\x01sb."
    yield "setitem on a name.pkl", two + named("collections", "OrderedDict") + text("x") + b"K\x01s."
    yield "build a dunder.pkl", two + ordered + b"}" + text("__class__") + b"K\x01sb."
    yield "memo.pkl", two + text("os") + b"q\x000" + text("system") + b"q\x010" + b"h\0h\1\x93" + call + b"."
    yield "escaped.pkl", b"(S'o\\x73'\nS'system'\n\x93."
    yield "joined.pkl", b"\x80\x04" + b"K\x01K\x02\x93" + call + b"."
    yield "proto in the midst.pkl", two + b"N0" + b"\x80\x04" + system + call + b"."
    yield "proto 9.pkl", b"\x80\x09N."
    yield "no stop.pkl", two + ordered
    yield "empty stack.pkl", two + b"R."
    yield "two values.pkl", two + b"NN."
    yield "memo never stored.pkl", two + b"h\5."
    yield "memo far.pkl", two + b"Nr\xff\xff\xff\x7f."
    yield "memo odd.pkl", b"Np01\ng01\n."
    yield "unknown opcode.pkl", two + b"\xf0."
    yield "long string.pkl", two + b"X\xff\xff\xff\x7fabc."
    yield "frame beyond.pkl", b"\x80\x04\x95\xff\xff\0\0\0\0\0\0N."
    yield "buffer.pkl", b"\x80\x05\x97."
    yield "encode otherwise.pkl", two + named("_codecs", "encode") + b"(" + text("x") + text("bz2") + b"tR."
    yield "bytearray of a size.pkl", two + named("builtins", "bytearray") + b"(J\xff\xff\xff\x7ftR."
    rebuild = named("torch._tensor", "_rebuild_from_type_v2")
    yield "rebuild by name.pkl", two + rebuild + b"(" + system + named("torch", "Tensor") + b")NtR."
    yield "defaultdict by name.pkl", two + named("collections", "defaultdict") + b"(" + system + b"tR."
    yield "huge number.pkl", b"I" + b"9" * 5000 + b"\n."
    yield "deep.pkl", two + b"]" * 3000 + b"a" * 2999 + b"."
    yield "doubling.pkl", two + b"N" + b"2\x86" * 60 + b"."
    yield "many.pkl", pickle.dumps(1, 2) * 100
    yield "tail of zeros.pkl", pickle.dumps({"a": 1}, 2) + bytes(100)
    yield "text before.pkl", b"hello\n" + two + system + call + b"."
    yield "in a state dict.pt", torch_zip(body=state_dict(extra=text("x") + system + call))
    yield "streamed.pt", torch_zip(body=state_dict(extra=text("x") + system + call), stream=True)
    yield "shell by numpy.npy", npy("|O", (1,), two + system + call + b".")


def npy(descr: str, shape: tuple[int, ...], data: bytes) -> bytes:
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def good() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of pickles that stock tools write."""
    plain = {"a": [1, -2, 2.5, "x", b"y", (1,), (1, 2), (1, 2, 3, 4), None, True, False], "b": {1, 2}, "c": 10**30}
    for protocol in range(6):
        yield f"plain {protocol}.pkl", pickle.dumps(plain, protocol)
        yield f"sets {protocol}.pkl", pickle.dumps([frozenset({1}), bytearray(b"x"), 1j, "é" * 400], protocol)
        yield f"long {protocol}.pkl", pickle.dumps(list(range(5000)), protocol)
    for name, shapes in _models():
        yield f"{name}.pt", torch_zip(shapes)
        yield f"{name} streamed.pth", torch_zip(shapes, stream=True)
        yield f"{name} named.bin", torch_zip(shapes, root=name)
        yield f"{name} legacy.bin", legacy(shapes)
        yield f"{name}.ckpt", torch_zip(shapes, body=state_dict(shapes, metadata=False))
    yield "numbers.npy", npy("<f4", (2, 3), bytes(24))
    yield "numbers.npz", archive({"a.npy": npy("<i8", (3,), bytes(24)), "b.npy": npy("|u1", (), b"x")})


def _models() -> Iterator[tuple[str, Shapes]]:
    yield "tiny", SHAPES
    yield "bfloat", {f"layer.{index}.weight": ("BFloat16Storage", (8, 8)) for index in range(300)}
    yield "quantised", {"w": ("ByteStorage", (64, 64)), "s": ("HalfStorage", (64,))}
    yield "one", {"embedding": ("FloatStorage", (1, 1))}
