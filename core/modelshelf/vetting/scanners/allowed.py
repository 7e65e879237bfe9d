"""What a pickle may name: exact (module, name) pairs that build data and do nothing else when called."""

from itertools import product

from modelshelf.vetting.rules import words

_STORAGES = words(
    "FloatStorage DoubleStorage HalfStorage BFloat16Storage LongStorage IntStorage ShortStorage CharStorage "
    "ByteStorage BoolStorage ComplexFloatStorage ComplexDoubleStorage QInt8Storage QUInt8Storage QInt32Storage "
    "QUInt4x2Storage QUInt2x4Storage"
)
_TORCH_TYPES = words(
    "float32 float float64 double float16 half bfloat16 uint8 int8 int16 short int32 int int64 long bool "
    "complex32 complex64 complex128 quint8 qint8 qint32 quint4x2 quint2x4 uint16 uint32 uint64 float8_e4m3fn "
    "float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2 strided sparse_coo sparse_csr "
    "sparse_csc sparse_bsr sparse_bsc contiguous_format channels_last channels_last_3d preserve_format "
    "per_tensor_affine per_channel_affine per_tensor_symmetric per_channel_symmetric"
)
_DTYPES = words(
    "BoolDType Int8DType UInt8DType Int16DType UInt16DType Int32DType UInt32DType Int64DType UInt64DType "
    "Float16DType Float32DType Float64DType Complex64DType Complex128DType LongDoubleDType StrDType BytesDType"
)
_SCALARS = words(
    "bool_ int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 float64 complex64 complex128 longlong intc"
)
_BUILTINS = ("builtins", "__builtin__")
_LIGHTNING = ("pytorch_lightning.callbacks.model_checkpoint", "lightning.pytorch.callbacks.model_checkpoint")
ARRAY_TYPES = frozenset({("numpy", "ndarray")})

STORAGES = frozenset({("torch", name) for name in _STORAGES}) | frozenset(
    {("torch.cuda", name) for name in _STORAGES}
    | {("torch.storage", "UntypedStorage"), ("torch.storage", "TypedStorage"), ("torch", "UntypedStorage")}
)

# Only named, never called: types and constants that others take as arguments.
NAMED = (
    frozenset(
        {("torch", name) for name in _TORCH_TYPES}
        | {("numpy.dtypes", name) for name in _DTYPES}
        | {("numpy", name) for name in _SCALARS}
        | set(product(_BUILTINS, ("int", "float", "str", "bool", "bytes", "list", "dict", "tuple")))
        | {("torch", "Tensor"), ("numpy", "ndarray"), ("numpy.random.bit_generator", "SeedSequence")}
        | {("__builtin__", "long"), ("__builtin__", "unicode")}
        # Lightning names what its checkpoints are of, as a key.
        | set(product(_LIGHTNING, ("ModelCheckpoint",)))
    )
    | STORAGES
)

_REBUILD = words(
    "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter _rebuild_parameter_with_state "
    "_rebuild_sparse_tensor _rebuild_sparse_csr_tensor _rebuild_qtensor _rebuild_meta_tensor_no_storage "
    "_rebuild_nested_tensor"
)

CALLED = frozenset(
    {("torch._utils", name) for name in _REBUILD}
    | set(product(("numpy.core.multiarray", "numpy._core.multiarray"), ("_reconstruct", "scalar")))
    | set(product(("numpy.core.numeric", "numpy._core.numeric"), ("_frombuffer",)))
    | set(product(_BUILTINS, ("set", "frozenset", "complex", "bytearray", "bytes")))
    | {
        ("collections", "OrderedDict"),
        ("collections", "Counter"),
        ("collections", "defaultdict"),
        ("collections", "deque"),
        ("_codecs", "encode"),
        ("torch._tensor", "_rebuild_from_type_v2"),
        ("torch.nn.parameter", "Parameter"),
        ("torch.nn.parameter", "Buffer"),
        ("torch", "Size"),
        ("torch", "device"),
        ("torch.serialization", "_get_layout"),
        ("torch.torch_version", "TorchVersion"),
        ("numpy", "dtype"),
        ("numpy.random._pickle", "__randomstate_ctor"),
        ("numpy.random._pickle", "__generator_ctor"),
        ("numpy.random._pickle", "__bit_generator_ctor"),
        ("numpy.random._mt19937", "MT19937"),
        ("numpy.random._pcg64", "PCG64"),
        ("numpy.random._pcg64", "PCG64DXSM"),
        ("numpy.random._philox", "Philox"),
        ("numpy.random._sfc64", "SFC64"),
        ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"),
        ("datetime", "datetime"),
        ("datetime", "date"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("argparse", "Namespace"),
    }
    | set(product(("pathlib", "pathlib._local"), ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath")))
)

# Whose instances may be filled after they were made, and how.
_DICTS = {("collections", "OrderedDict"), ("collections", "Counter"), ("collections", "defaultdict")}
_ARRAYS = set(product(("numpy.core.multiarray", "numpy._core.multiarray"), ("_reconstruct",)))
SETITEM = frozenset(_DICTS)
APPEND = frozenset({("collections", "deque")})
BUILD = frozenset(
    _DICTS
    | _ARRAYS
    | {
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy.random._pickle", "__randomstate_ctor"),
        ("numpy.random._pickle", "__generator_ctor"),
        ("numpy.random._pickle", "__bit_generator_ctor"),
        ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"),
        ("argparse", "Namespace"),
    }
)

# Well-known ways to do harm, so that the finding can say which.
HARM = {
    "os": "runs commands",
    "posix": "runs commands",
    "nt": "runs commands",
    "subprocess": "runs commands",
    "pty": "runs commands",
    "commands": "runs commands",
    "builtins": "runs code",
    "__builtin__": "runs code",
    "runpy": "runs code",
    "code": "runs code",
    "importlib": "loads code",
    "imp": "loads code",
    "ctypes": "calls machine code",
    "socket": "opens connections",
    "http": "opens connections",
    "urllib": "opens connections",
    "requests": "opens connections",
    "shutil": "changes files",
    "tempfile": "changes files",
    "webbrowser": "opens programs",
    "sys": "changes the interpreter",
    "pickle": "loads further pickles",
    "operator": "reaches any function",
    "functools": "reaches any function",
    "asyncio": "runs commands",
    "multiprocessing": "runs commands",
    "timeit": "runs code",
    "pdb": "runs code",
    "pip": "installs packages",
    "dill": "runs code",
    "cloudpickle": "runs code",
    "joblib": "loads further pickles",
    "marshal": "loads code",
    "types": "makes functions",
    "platform": "runs commands",
    "cProfile": "runs code",
    "profile": "runs code",
    "trace": "runs code",
    "bdb": "runs code",
    "doctest": "runs code",
    "codeop": "runs code",
    "ensurepip": "installs packages",
    "pkgutil": "reaches any function",
    "pydoc": "runs code",
    "zipimport": "loads code",
    "posixpath": "reaches files",
    "io": "reaches files",
    "_io": "reaches files",
    "glob": "reaches files",
    "ftplib": "opens connections",
    "smtplib": "opens connections",
    "httpx": "opens connections",
    "aiohttp": "opens connections",
    "signal": "changes the interpreter",
    "gc": "changes the interpreter",
    "inspect": "reaches any function",
    "exec": "runs code",
    "eval": "runs code",
}
