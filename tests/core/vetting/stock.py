"""Good files with weights, byte for byte as the stock tools lay them out: torch, NumPy, GGUF, ONNX, Keras."""

import io
import json
import pickle
import random
import struct
import zipfile
import zlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath
from typing import Any

import numpy as np

from tests.core.vetting import ggufs, others, pickled, safe
from tests.core.vetting.others import field, hdf5, keras, layer, node, onnx
from tests.core.vetting.pickled import Shapes, named, number, numbers, short, text

FLOATS = random.Random(7).randbytes(1 << 16)


Hole = tuple[int, int]
"""So many zeros, and their checksum."""

LIMIT = 0xFFFFFFFF


def torch_pieces(members: Mapping[str, bytes | Hole], *, root: str, large: bool) -> Iterator[tuple[int, bytes]]:
    """The pieces of `torch_file`, each with its place: holes are left out."""
    central, place = bytearray(), 0
    for name, data in members.items():
        path, start = f"{root}/{name}".encode(), place
        size, crc = (len(data), zlib.crc32(data)) if isinstance(data, bytes) else data
        far = struct.pack("<2HQ", 1, 8, start) if start >= LIMIT else b""
        padding = -(start + 34 + len(path) + len(far)) % 64
        extra = far + b"FB" + struct.pack("<H", padding) + b"Z" * padding
        head = struct.pack("<4s2B4HL2L2H", b"PK\3\4", 0, 0, 0x0808, 0, 0, 0, 0, 0, 0, len(path), len(extra))
        yield start, head + path + extra + (data if isinstance(data, bytes) else b"")
        place += len(head) + len(path) + len(extra) + size
        behind = struct.pack("<4sLQQ" if far else "<4s3L", b"PK\7\x08", crc, size, size)
        yield place, behind
        place += len(behind)
        sizes = (0x0808, 0, 0, 0, crc, size, size, len(path), len(far), 0, 0, 0, 0, min(start, LIMIT))
        central += struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 0, 0, 0, 0, *sizes) + path + far
    yield place, bytes(central) + _ends(len(members), place, len(central), large=large)


def _ends(count: int, start: int, size: int, *, large: bool) -> bytes:
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, min(start, LIMIT), 0)
    if not large:
        return last
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 0x031E, 45, 0, 0, count, count, size, start)
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1) + last


def torch_file(members: Mapping[str, bytes], *, root: str = "archive", large: bool = True) -> bytes:
    """As torch's own writer does it: no sizes in front, padding to 64 bytes, a descriptor behind, two directories."""
    return b"".join(data for _, data in torch_pieces(members, root=root, large=large))


def saved(body: bytes, sizes: Sequence[int] = (), *, root: str = "archive", large: bool = True) -> bytes:
    """What `torch.save` writes of an object whose pickle this is, with storages of so many bytes."""
    members = {"data.pkl": body, ".format_version": b"1", ".storage_alignment": b"64", "byteorder": b"little"}
    members |= {f"data/{index}": FLOATS[:size] for index, size in enumerate(sizes)}
    members |= {"version": b"3\n", ".data/serialization_id": b"1284679106431839461704117824367184561793"}
    return torch_file(members, root=root, large=large)


def good() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) that must pass."""
    yield from _torch()
    yield from _optimizers()
    yield from _python()
    yield from _numpy()
    yield from _graphs()
    yield from _other_weights()


def _shapes(count: int, storage: str) -> Shapes:
    return {f"model.layers.{index}.self_attn.q_proj.weight": (storage, (16, 8)) for index in range(count)}


def _sizes(shapes: Shapes) -> list[int]:
    return [pickled.BYTES.get(storage, 1) * int(np.prod(shape)) for storage, shape in shapes.values()]


def _torch() -> Iterator[tuple[str, bytes]]:
    for storage in ("FloatStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "ByteStorage"):
        shapes = _shapes(12, storage)
        yield f"pytorch_model {storage}.bin", saved(pickled.state_dict(shapes), _sizes(shapes), root="pytorch_model")
        yield f"small {storage}.pt", saved(pickled.state_dict(shapes), _sizes(shapes), large=False)
        yield f"old {storage}.pth", pickled.legacy(shapes)
    for index in (1, 2, 3):
        shapes = _shapes(200, "BFloat16Storage")
        yield f"pytorch_model-0000{index}-of-00003.bin", saved(pickled.state_dict(shapes), _sizes(shapes))
    for name in ("float8_e4m3fn", "bfloat16", "uint16", "complex64", "quint8"):
        yield f"type {name}.pt", saved(b"\x80\x02}" + text("dtype") + named("torch", name) + b"s.")
    size = named("torch", "Size") + b"(" + numbers(3, 4) + b"tR"
    yield "size.pt", saved(b"\x80\x02" + size + b".")
    device = named("torch", "device") + b"(" + text("cuda") + b"K\0tR"
    yield "device.pt", saved(b"\x80\x02}" + text("device") + device + b"s.")
    yield "parameter.pt", saved(b"\x80\x02" + _parameter() + b".", [48])
    yield "lightning.ckpt", saved(_lightning(), [48])
    yield "aligned.ckpt", saved(pickled.state_dict(), [48, 6, 8])
    yield "untyped.pt", saved(_untyped(), [48])
    yield "sparse.pt", saved(_sparse(), [16, 8])
    yield "first bytes.pt", torch_file(_first_bytes())
    small: Shapes = {f"norm.{index}": ("FloatStorage", (4,)) for index in range(3000)}
    yield "small tensors.pt", torch_file({"data.pkl": pickled.state_dict(small)} | {f"data/{i}": FLOATS[16 * i :][:16]
                              for i in range(3000)} | {"version": b"3\n"})  # fmt: skip
    for byte in (0x88, 0x28, 0x4E, 0x29, 0x5D, 0x7D, 0x32, 0x2E, 0x00, 0xFF):
        packed: Shapes = {"qzeros": ("ByteStorage", (512, 256))}
        yield (
            f"zero points {byte}.bin",
            torch_file({"data.pkl": pickled.state_dict(packed), "data/0": bytes([byte]) * 131072}),
        )
    mixed = bytes((0x88, 0x88, 0x88, 0x87)) * 32768
    yield "zero points mixed.bin", torch_file({"data.pkl": pickled.state_dict(packed), "data/0": mixed})
    yield "mobile.ptl", saved(pickled.state_dict(), [48, 6, 8], root="mobile")


def _first_bytes() -> dict[str, bytes]:
    """Tensors whose numbers begin as other formats do, by chance."""
    starts = (
        b"\xff\xd8\xff\xe0",
        b"\x1f\x8b\x08\x00",
        b"\x80\x02}q",
        b"MZ\x90\0",
        b"BM",
        b"x\x9c\0\1",
        b"#!\1\2",
        b"(lp0\n",
    )
    shapes: Shapes = {f"w{index}": ("FloatStorage", (64, 4)) for index in range(len(starts))}
    members = {"data.pkl": pickled.state_dict(shapes), "byteorder": b"little", "version": b"3\n"}
    return members | {f"data/{i}": (start + FLOATS[i * 2048 :])[:1024] for i, start in enumerate(starts)}


def _parameter() -> bytes:
    empty = named("collections", "OrderedDict") + b")R"
    inner = pickled.tensor("0", "FloatStorage", (4, 3))
    return named("torch._utils", "_rebuild_parameter") + b"(" + inner + b"\x88" + empty + b"tR"


def _untyped() -> bytes:
    inner = pickled.tensor("0", "FloatStorage", (4, 3))
    return b"\x80\x02}" + text("weight") + inner + b"s."


def _sparse() -> bytes:
    layout = named("torch.serialization", "_get_layout") + b"(" + text("torch.sparse_coo") + b"tR"
    indices, values = pickled.tensor("0", "LongStorage", (2,)), pickled.tensor("1", "FloatStorage", (2,))
    size = named("torch", "Size") + b"(" + numbers(3) + b"tR"
    arguments = b"(" + layout + b"(" + indices + values + size + b"t" + b"t"
    return b"\x80\x02" + named("torch._utils", "_rebuild_sparse_tensor") + arguments + b"R."


def _lightning() -> bytes:
    callback = named("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
    body = b"\x80\x02}(" + text("epoch") + number(3) + text("global_step") + number(470_000)
    body += text("pytorch-lightning_version") + text("1.4.2") + text("state_dict")
    body += named("collections", "OrderedDict") + b")R" + text("w") + pickled.tensor("0", "FloatStorage", (4, 3)) + b"s"
    return body + text("callbacks") + b"}" + callback + b"}" + text("best_model_path") + text("/x/y.ckpt") + b"ssu."


def _optimizers() -> Iterator[tuple[str, bytes]]:
    step = pickled.tensor("0", "FloatStorage", (1,))
    moment = pickled.tensor("1", "FloatStorage", (4, 3))
    state = b"}K\0}(" + text("step") + step + text("exp_avg") + moment + text("exp_avg_sq") + moment + b"us"
    group = b"}(" + text("lr") + b"G" + struct.pack(">d", 1e-4) + text("betas")
    group += b"G" + struct.pack(">d", 0.9) + b"G" + struct.pack(">d", 0.999) + b"\x86" + text("foreach") + b"N"
    group += text("params") + b"](K\0K\1e" + text("fused") + b"\x88u"
    body = b"\x80\x02}(" + text("state") + state + text("param_groups") + b"]" + group + b"au."
    yield "optimizer.pt", saved(body, [4, 48], root="optimizer")
    yield "optimizer.bin", saved(body, [4, 48])
    keys = pickle.dumps(["0", "1"], 2)
    start = [pickle.dumps(item, 2) for item in (pickled.MAGIC, 1001, {"little_endian": True})]
    data = struct.pack("<q", 1) + bytes(4) + struct.pack("<q", 12) + bytes(48)
    legacy = body.replace(number(1) + b"tQ", number(1) + b"NtQ").replace(number(12) + b"tQ", number(12) + b"NtQ")
    yield "optimizer old.pt", b"".join(start) + legacy + keys + data
    scheduler = {"base_lrs": [1e-4], "last_epoch": 100, "_step_count": 101, "_last_lr": [0.0], "lr_lambdas": [{}]}
    yield "scheduler.pt", saved(pickle.dumps(scheduler, 2))
    scaler = {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 0}
    yield "scaler.pt", saved(pickle.dumps(scaler, 2))
    yield "rng_state.pth", saved(_random_state(), [48])
    yield "trainer.pt", saved(pickle.dumps(defaultdict(dict, {"a": {"b": 1}}), 2))


def _random_state() -> bytes:
    python, arrays = random.Random(1).getstate(), np.random.RandomState(1).get_state()
    rest = pickle.dumps({"python": python, "numpy": arrays}, 2)
    return rest[:-1] + text("cpu") + pickled.tensor("0", "ByteStorage", (48,)) + b"s."


def _python() -> Iterator[tuple[str, bytes]]:
    values: dict[str, Any] = {
        "scalars": [np.float32(1), np.float64(2), np.int64(3), np.bool_(True), np.float16(1), np.uint8(1)],
        "arrays": {
            "a": np.zeros((3, 4), "f4"),
            "b": np.arange(5),
            "c": np.array(["x", "yy"]),
            "d": np.eye(3, order="F"),
        },
        "structured": np.zeros(3, [("a", "f4"), ("b", "i8", (2,))]),
        "dates": [np.array(["2024-01-01"], "M8[D]"), np.timedelta64(3, "s"), datetime(2024, 1, 1, tzinfo=UTC)],
        "generator": np.random.default_rng(3),
        "twister": np.random.RandomState(3),
        "empty": np.zeros((0, 3)),
        "complex": np.array([1j, 2]),
        "dtypes": [np.dtype("f4"), np.dtype("<i8"), np.dtype([("a", "u1")]), np.float32],
        "ordered": OrderedDict([("a", 1), ("b", OrderedDict())]),
        "counter": Counter("hello"),
        "default": defaultdict(list, {"a": [1]}),
        "default of numbers": defaultdict(int, {"a": 1}),
        "deque": deque([1, 2, 3], maxlen=5),
        "numbers": [Decimal("1.5"), Fraction(1, 3), 1j, 10**40, -1, 255, 65536, -(2**31), 2**63],
        "texts": ["", "é", "模型", "a" * 5000, "\n\0", "😀"],
        "bytes": [b"", b"x", b"\xff" * 300, bytearray(b"y")],
        "paths": [PurePosixPath("a/b"), PosixPath("/c")],
        "slices": {"a": (1, 2, 3, 4, 5), "b": frozenset({1}), "c": set(), "d": [None, True, False, ...][:3]},
        "vocabulary": {f"word{index}": index for index in range(20_000)},
        "shared": [shared := [1, 2], shared, {"a": shared}],
        "deep": json.loads("[" * 200 + "]" * 200),
    }
    for name, value in values.items():
        for protocol in (2, 4, 5):
            yield f"{name} {protocol}.pkl", pickle.dumps(value, protocol)
    yield "scalars.pt", saved(pickle.dumps(values["scalars"], 2))
    yield "mixed.bin", saved(pickle.dumps({"config": {"hidden": 3}, "best": np.float64(0.5)}, 2))


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _numpy() -> Iterator[tuple[str, bytes]]:
    arrays = {
        "floats": np.ones((3, 4), "f4"), "doubles": np.ones(7), "fortran": np.asfortranarray(np.ones((3, 5))),
        "scalar": np.float32(3), "bools": np.ones(3, bool), "texts": np.array(["ab", "c"]), "bytes": np.array([b"ab"]),
        "dates": np.array(["2024-01-01"], "M8[D]"), "spans": np.array([1], "m8[ns]"), "empty": np.zeros((0, 4)),
        "structured": np.zeros(2, [("a", "f4"), ("b", "i8", (2, 2))]), "halves": np.ones(5, "f2"),
        "big": np.ones(3, ">f8"), "complex": np.ones(3, "c16"),
    }  # fmt: skip
    for name, array in arrays.items():
        yield f"{name}.npy", _npy(array)
    save: Any
    for save, label in ((np.savez, "plain"), (np.savez_compressed, "packed")):
        file = io.BytesIO()
        save(file, **arrays)
        yield f"{label}.npz", file.getvalue()


def _graphs() -> Iterator[tuple[str, bytes]]:
    plain = [node(name) for name in ("MatMul", "Add", "Relu", "Softmax", "Gather", "Reshape", "If", "Loop", "Scan")]
    yield "encoder.onnx", onnx(*plain)
    yield "runtime.onnx", onnx(*(node(name, "com.microsoft") for name in ("FusedMatMul", "Attention", "MatMulNBits")))
    yield "classic.onnx", onnx(node("TreeEnsembleClassifier", "ai.onnx.ml"))
    yield "beside.onnx", onnx(node("Add"), location="model.onnx_data")
    yield "in a folder.onnx", onnx(node("Add"), location="data/weights.bin")
    metadata = field(14, field(1, "author") + field(2, "somebody"))
    yield "metadata.onnx", onnx(node("Add")) + metadata
    function = field(1, "aten_add") + field(7, node("Add")) + field(10, "pkg.onnxscript.torch_lib")
    yield "functions.onnx", onnx(node("aten_add", "pkg.onnxscript.torch_lib")) + field(25, function)
    body = field(1, "then_branch") + field(6, field(1, node("Add")) + field(2, "inner"))
    yield "branches.onnx", onnx(node("If") + field(5, body))


def _other_weights() -> Iterator[tuple[str, bytes]]:
    dense = {
        **layer("Dense", "keras.layers"),
        "config": {
            "name": "dense", "dtype": layer("DTypePolicy", "keras", {"name": "float32"}), "activation": "relu",
            "kernel_initializer": layer("GlorotUniform", "keras.initializers", {"seed": None}),
            "kernel_regularizer": layer("L2", "keras.regularizers", {"l2": 0.1}),
        },
        "build_config": {"input_shape": [None, 4]},
    }  # fmt: skip
    words_ = layer("StringLookup", config={"vocabulary": None, "oov_token": "[UNK]"})
    yield "dense.keras", keras(layer("InputLayer"), dense, words_)
    yield "functional.keras", keras(layer("Functional", "keras.src.models.functional"), layer("ReLU", "keras.layers"))
    yield "hub.keras", keras(layer("GemmaBackbone", "keras_hub.src.models.gemma.gemma_backbone"))
    yield "built in.keras", keras({**layer("function", "builtins"), "config": "relu"})
    yield "activation.keras", keras({**layer("function", "keras.activations"), "config": "gelu"})
    text_ = json.dumps({"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {}}]}})
    yield "keras 2.h5", hdf5(text_.encode())
    yield "tf_model.h5", hdf5(b"\0model_weights\0layer_names\0" + FLOATS)
    yield "quoted.h5", hdf5(json.dumps({"note": 'class "a" of ü', "class_name": "Model", "config": {}}).encode())
    entries = b"".join(
        struct.pack("<i", len(name)) + name + struct.pack("<2i", 5, 4) + bytes(16)
        for name in (b"blk.0.attn_q.weight", b"blk.0.ffn_up.weight")
    )
    yield "imatrix.dat", struct.pack("<i", 2) + entries + struct.pack("<2i", 5, 4) + b"wiki"
    yield "model.imatrix", struct.pack("<i", 2) + entries
    keys = [("general.type", ggufs.STRING, "imatrix"), ("imatrix.chunk_count", ggufs.U32, 5),
            ("imatrix.datasets", ggufs.ARRAY, (ggufs.STRING, ["wiki.txt"]))]  # fmt: skip
    tensors = [("blk.0.attn_q.weight.in_sum2", 0, (32, 1)), ("blk.0.attn_q.weight.counts", 0, (1, 1))]
    yield "imatrix.gguf", ggufs.build(keys, tensors)
    adapter = [("general.type", ggufs.STRING, "adapter"), ("general.architecture", ggufs.STRING, "llama"),
               ("adapter.type", ggufs.STRING, "lora"), ("adapter.lora.alpha", ggufs.F32, 16.0)]  # fmt: skip
    yield "lora.gguf", ggufs.build(adapter, [("blk.0.attn_q.weight.lora_a", 0, (32, 8))])
    mamba = [("general.architecture", ggufs.STRING, "mamba"), ("mamba.attention.head_count", ggufs.U32, 0)]
    yield "mamba.gguf", ggufs.build(mamba, [("token_embd.weight", 0, (32, 8))])
    yield (
        "adapter_model.safetensors",
        safe.build({"base_model.model.x.lora_A.weight": safe.entry("F32", [4], 0, 16)}, 16),
    )
    note = {"__metadata__": {"format": "pt", "ss_tag_frequency": '{"a": {"b": 1}}', "modelspec.title": "x"}}
    yield "sdxl lora.safetensors", safe.build({**note, "lora_te_text_model": safe.entry("F16", [2], 0, 4)}, 4)
    yield "sentence.spm", others.pieces()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("config.json", "{}")
        target.writestr("weights/model.safetensors", safe.build(safe.GOOD, 32))
        target.mkdir("empty")
    yield "bundle.zip", file.getvalue()
    yield "framed.pkl", b"\x80\x04\x95" + struct.pack("<Q", 4) + short("x") + b"."
