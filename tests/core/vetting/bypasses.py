"""Pickles made to slip past scanners: names that lists forget, and bytes that two readers take for two things."""

import gzip
import io
import lzma
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator

from tests.core.vetting import pickled
from tests.core.vetting.pickled import named, short, text

TWO = b"\x80\x02"
CALL = b"(" + text("id") + b"tR."
SYSTEM = TWO + named("os", "system") + CALL

# Ways to run code that the lists of names of other scanners missed at some time.
FORGOTTEN = (
    ("aifc", "open"),
    ("cProfile", "runctx"),
    ("cgitb", "lookup"),
    ("code", "InteractiveConsole"),
    ("concurrent.futures", "ProcessPoolExecutor"),
    ("copyreg", "__newobj__"),
    ("dataclasses", "_create_fn"),
    ("distutils.spawn", "spawn"),
    ("email.utils", "os.system"),
    ("ensurepip", "_run_pip"),
    ("getpass", "os.system"),
    ("huggingface_hub", "snapshot_download"),
    ("idlelib.autocomplete", "AutoComplete.get_entity"),
    ("idlelib.debugobj", "ObjectTreeItem.SetText"),
    ("imaplib", "IMAP4_stream"),
    ("inspect", "getattr_static"),
    ("jinja2", "Template"),
    ("joblib.parallel", "Parallel"),
    ("keras.saving", "load_model"),
    ("lib2to3.pgen2.pgen", "ParserGenerator.make_label"),
    ("linecache", "getline"),
    ("logging.config", "_resolve"),
    ("mimetypes", "read_mime_types"),
    ("modulefinder", "ModuleFinder.load_module"),
    ("numpy", "load"),
    ("numpy", "memmap"),
    ("numpy.distutils.exec_command", "exec_command"),
    ("numpy.lib._utils_impl", "safe_eval"),
    ("numpy.ma.core", "_mareconstruct"),
    ("pandas", "read_pickle"),
    ("pandas.core.computation.eval", "eval"),
    ("pdb", "run"),
    ("pickletools", "dis"),
    ("pkgutil", "resolve_name"),
    ("platform", "popen"),
    ("poplib", "POP3"),
    ("profile", "Profile.run"),
    ("pydoc", "locate"),
    ("rlcompleter", "Completer.attr_matches"),
    ("sched", "scheduler"),
    ("shelve", "open"),
    ("signal", "signal"),
    ("site", "main"),
    ("smtplib", "SMTP"),
    ("sqlite3", "connect"),
    ("ssl", "get_server_certificate"),
    ("string", "Formatter.get_field"),
    ("sys", "settrace"),
    ("tempfile", "mktemp"),
    ("threading", "Thread"),
    ("torch", "compile"),
    ("torch._inductor.codecache", "compile_file"),
    ("torch.cuda", "_lazy_call"),
    ("torch.distributed.elastic.multiprocessing", "start_processes"),
    ("torch.fx.experimental.symbolic_shapes", "ShapeEnv.evaluate_guards_expression"),
    ("torch.jit.unsupported_tensor_ops", "execWrapper"),
    ("torch.jit", "load"),
    ("torch.package", "PackageImporter"),
    ("torch.serialization", "load"),
    ("torch.utils._config_module", "ConfigModule.load_config"),
    ("torch.utils.bottleneck.__main__", "run_cprofile"),
    ("torch.utils.cpp_extension", "load_inline"),
    ("torch.utils.data.datapipes.utils.decoder", "basichandlers"),
    ("trace", "Trace.run"),
    ("transformers", "AutoModel.from_pretrained"),
    ("types", "CodeType"),
    ("unittest.mock", "_importer"),
    ("uuid", "_get_command_stdout"),
    ("venv", "create"),
    ("weakref", "finalize"),
    ("xmlrpc.client", "ServerProxy"),
    ("yaml", "unsafe_load"),
    ("zipimport", "zipimporter"),
    ("_io", "FileIO"),
    ("_posixsubprocess", "fork_exec"),
    ("_codecs", "lookup"),
    ("__main__", "Model"),
    ("__torch__.module", "Module"),
    ("", ""),
    ("os ", "system"),
    ("ｏｓ", "system"),
    ("torch", "_utils._rebuild_tensor_v2.__globals__"),
)


def bad() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) that must block."""
    for module, name in FORGOTTEN:
        label = f"{module}.{name}".strip(".") or "nothing"
        yield f"reduce {label}.pkl", b"\x80\x04" + short(module) + short(name) + b"\x93" + CALL
        yield f"newobj {label}.bin", TWO + named(module, name) + b")\x81."
        yield f"in torch {label}.pt", pickled.torch_zip(body=b"\x80\x04" + short(module) + short(name) + b"\x93.")
    yield from _calls()
    yield from _states()
    yield from _streams()
    yield from _wrapped()


def _calls() -> Iterator[tuple[str, bytes]]:
    """Allowed functions, called as no pickler calls them."""
    array, dtype = named("numpy", "ndarray"), named("numpy", "dtype")
    rebuild = named("torch._utils", "_rebuild_tensor_v2")
    cases = {
        "huge ndarray": array + b"(J\xff\xff\xff\x7ftR",
        "huge tensor": named("torch", "Tensor") + b"(J\xff\xff\xff\x7ftR",
        "huge reconstruct": named("numpy.core.multiarray", "_reconstruct")
        + b"("
        + array
        + b"(J\xff\xff\xff\x7ft"
        + text("b")
        + b"tR",
        "reconstruct by name": named("numpy.core.multiarray", "_reconstruct") + b"(" + named("os", "system") + b"tR",
        "fraction": named("fractions", "Fraction") + b"(" + text("1e999999999") + b"tR",
        "bytes of a size": named("builtins", "bytes") + b"(J\xff\xff\xff\x7ftR",
        "list called": named("builtins", "list") + b")R",
        "type called": named("torch", "float32") + b")R",
        "storage called": named("torch", "FloatStorage") + b"(J\xff\xff\xff\x7ftR",
        "dtype of a name": dtype + b"(" + named("os", "system") + b"tR",
        "rebuild of nothing": rebuild + b")R" + b"}" + text("__reduce__") + named("os", "system") + b"sb",
        "from type by storage": named("torch._tensor", "_rebuild_from_type_v2")
        + b"("
        + named("torch", "FloatStorage")
        + named("torch", "Tensor")
        + b")NtR",
        "deque without end": named("collections", "deque") + b"(" + named("os", "system") + b"tR",
        "encode to a codec": named("_codecs", "encode") + b"(" + text("id") + text("rot13") + b"tR",
        "call of a call": named("collections", "OrderedDict") + b")R)R",
        "call of a text": text("os.system") + b"(" + text("id") + b"tR",
        "call of a list": b"](" + text("id") + b"tR",
        "call without a tuple": named("collections", "OrderedDict") + b"]R",
        "keywords": named("collections", "OrderedDict") + b")}" + text("x") + b"K\x01s\x92",
    }
    yield from ((f"call {name}.pkl", TWO + body + b".") for name, body in cases.items())


def _states() -> Iterator[tuple[str, bytes]]:
    """Things that are filled in ways that reach further than data."""
    ordered = named("collections", "OrderedDict") + b")R"
    space = named("argparse", "Namespace") + b")\x81"
    cases = {
        "class of a namespace": space + b"}" + text("__class__") + named("builtins", "int") + b"sb",
        "dict of a namespace": space + b"}" + text("__dict__") + b"}sb",
        "slots state": space + b"N}" + text("__class__") + named("builtins", "int") + b"s\x86b",
        "state of a tensor": named("torch._utils", "_rebuild_parameter") + b")R}" + text("data") + b"Nsb",
        "state of a list": b"]}" + text("a") + b"Nsb",
        "append to a dict": b"}Na",
        "append to a name": named("collections", "deque") + b"Na",
        "setitem on a list": b"](K\0Nu",
        "setitem on a deque": named("collections", "deque") + b")R(K\0Nu",
        "additems on a list": b"](N\x90",
        "reduce in a dict": ordered + b"}" + text("__reduce__") + b"Nsb",
        "state is a text": ordered + text("x") + b"b",
        "state is a name": ordered + named("os", "environ") + b"b",
    }
    yield from ((f"fill {name}.pkl", TWO + body + b".") for name, body in cases.items())


def _streams() -> Iterator[tuple[str, bytes]]:
    """Streams that a hasty reader gives up on, and a loader does not."""
    system = named("os", "system")
    yield "broken after the call.pkl", TWO + system + b"(" + text("id") + b"tR" + b"\xf0\xf1"
    yield "truncated after the call.pt", pickled.torch_zip(body=TWO + system + b"(" + text("id") + b"tR")
    yield "stack underflow after.pkl", TWO + system + b"(" + text("id") + b"tR000."
    yield "ten harmless ones first.pkl", pickle.dumps({}, 2) * 10 + SYSTEM
    yield "sixty harmless ones first.pkl", pickle.dumps(None, 0) * 60 + SYSTEM
    yield "fifth of legacy.bin", pickled.legacy() + SYSTEM
    yield "two magics.bin", pickled.legacy() + pickled.legacy(body=SYSTEM)
    yield "magic alone.bin", pickle.dumps(pickled.MAGIC, 2) + SYSTEM
    yield "legacy keys.bin", pickled.legacy()[: -len(b"".join(d for _, d in pickled.storages(pickled.SHAPES)))] + SYSTEM
    yield "old line ends.pkl", b"cos\r\nsystem\r\n(S'id'\r\ntR."
    yield "binstring.pkl", b"T\x02\0\0\0osT\x06\0\0\0system\x93(T\x02\0\0\0idtR."
    yield "unicode8.pkl", b"\x80\x04\x8d" + struct.pack("<Q", 2) + b"os\x8c\x06system\x93" + CALL
    yield "memoized.pkl", b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94h\x02" + CALL
    yield "put and get.pkl", b"Vos\np0\n0Vsystem\np1\n0g0\ng1\n\x93(Vid\ntR."
    yield "long1 index.pkl", TWO + b"\x8a\x00q\x00" + system + CALL
    yield "dup name.pkl", TWO + system + b"2" + CALL
    yield "popped mark.pkl", TWO + b"(" + system + b"1" + system + CALL
    yield "frames.pkl", b"\x80\x04\x95\x0b\0\0\0\0\0\0\0" + system + CALL
    yield "empty frames.pkl", b"\x80\x04" + b"\x95\0\0\0\0\0\0\0\0" * 20 + system + CALL
    yield "padding of nones.pkl", TWO + b"N0" * 50_000 + system + CALL
    yield "long text before.pkl", TWO + b"X" + struct.pack("<I", 200_000) + b"a" * 200_000 + b"0" + system + CALL
    yield "proto 0 over.pkl", b"\x80\x00" + system + CALL
    yield "proto 5 buffers.pkl", b"\x80\x05\x97\x98" + system + CALL
    yield "negative put.pkl", b"Np-1\n0cos\nsystem\n(S'id'\ntR."
    yield "float name.pkl", b"F1.5\n0cos\nsystem\n(S'id'\ntR."
    yield "text as README.md", b"cos\nsystem\n(S'cat README.md'\ntR."
    yield "text as LICENSE", b"cos\nsystem\n(S'id'\ntR."
    yield "text as config.json", b"cos\nsystem\n(S'id'\ntR."
    yield "text as notes", b"(cos\nsystem\nS'id'\no."
    yield "dill.pkl", TWO + named("dill._dill", "_create_code") + b"(" + b"K\0" * 3 + b"tR."
    yield "cloudpickle.pkl", b"\x80\x05" + short("cloudpickle.cloudpickle") + short("_builtin_type") + b"\x93" + CALL
    wrapper = named("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81}" + text("dtype") + b"Nsb"
    yield "joblib.joblib", TWO + wrapper + b"."
    yield "model.npy", pickled.npy("|O", (1,), SYSTEM)
    yield "fields.npy", pickled.npy("|O", (1,), SYSTEM).replace(b"'|O'", b"[('a', '|O')]")
    yield (
        "version 3.npy",
        b"\x93NUMPY\x03\0" + _header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + SYSTEM,
    )
    yield "object by char.npy", pickled.npy("O", (2,), SYSTEM)
    yield "deep name.pkl", TWO + named("a" * 5000, "b") + CALL
    yield "line without end.pkl", b"c" + b"a" * 70_000


def _header(text_: str) -> bytes:
    raw = text_.encode() + b"\n"
    return struct.pack("<I", len(raw)) + raw


def _wrapped() -> Iterator[tuple[str, bytes]]:
    """Pickles in what some loader unpacks by itself."""
    yield "zlib.joblib", zlib.compress(SYSTEM)
    yield "zlib.bin", zlib.compress(SYSTEM, 9)
    yield "zlib without name", zlib.compress(SYSTEM, 1)
    yield "lzma alone.pkl", lzma.compress(SYSTEM, lzma.FORMAT_ALONE)
    yield "lzma alone.bin", lzma.compress(SYSTEM, lzma.FORMAT_ALONE)
    yield "lzma alone", lzma.compress(SYSTEM, lzma.FORMAT_ALONE)
    yield "xz.pkl", lzma.compress(SYSTEM)
    yield "gzip.pkl", gzip.compress(SYSTEM)
    yield "gzip twice.joblib", gzip.compress(zlib.compress(SYSTEM))
    yield "7z.pt", b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(60)
    yield "7z.bin", b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(60)
    yield "7z.pkl", b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(60)
    yield "rar.ckpt", b"Rar!\x1a\x07\x01\0" + bytes(60)
    yield "zstd.pth", b"\x28\xb5\x2f\xfd" + bytes(60)
    yield "lz4.joblib", b"\x04\x22\x4d\x18" + bytes(60)
    for kind, data in (
        ("7z", b"7z\xbc\xaf\x27\x1c\0\x04"),
        ("rar", b"Rar!\x1a\x07\x01\0"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
    ):
        yield f"{kind} in a zip.zip", pickled.archive({"model": data + bytes(60)})
    yield "zlib in a zip.pt", pickled.archive({"m/data.pkl": pickled.state_dict(), "m/x": zlib.compress(SYSTEM)})
    yield "script.pt", script({"code/__torch__.py": b"class M(Module):\n  def forward(self): pass\n"})
    yield "script without code.pt", script({})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("p/.data/extern_modules", "os\n")
        target.writestr("p/model/model.pkl", SYSTEM)
        target.writestr("p/byteorder", "little")
    yield "package.pt", file.getvalue()


def script(more: dict[str, bytes]) -> bytes:
    """TorchScript: an object of a class that the archive itself brings."""
    body = TWO + named("__torch__", "M") + b")\x81}" + text("training") + b"\x88sb."
    members = {"m/data.pkl": body, "m/constants.pkl": TWO + b").", "m/version": b"3\n"}
    return pickled.archive(members | {f"m/{name}": data for name, data in more.items()})
