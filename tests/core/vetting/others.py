"""Documents, pictures, programs, archives, ONNX and Keras: good ones, bad ones, and those a person must decide on."""

import bz2
import gzip
import io
import json
import struct
import tarfile
from collections.abc import Iterator
from typing import Any

from tests.core.vetting import pickled, templates

SYSTEM = b"\x80\x02cos\nsystem\n(X\x02\0\0\0idtR."
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(13) + b"\0\0\0\0\0\0\0\0IEND\xaeB`\x82"
ELF = b"\x7fELF\x02\x01\x01" + bytes(60)
PE = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + bytes(20)


def field(number: int, data: bytes | str) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def onnx(*nodes: bytes, location: str | None = None, tail: bytes = b"") -> bytes:
    tensor = field(8, "w") + (field(13, field(1, "location") + field(2, location)) if location else field(9, bytes(8)))
    graph = b"".join(field(1, node) for node in nodes) + field(2, "main") + field(5, tensor)
    return b"\x08\x09" + field(2, "pytorch") + field(7, graph) + field(8, field(1, "") + b"\x10\x11") + tail


def node(operator: str, domain: str = "") -> bytes:
    return field(1, "x") + field(2, "y") + field(4, operator) + (field(7, domain) if domain else b"")


def pieces(tail: bytes = b"") -> bytes:
    words = b"".join(field(1, field(1, word) + b"\x15\0\0\0\0") for word in ("<unk>", "<s>", "a"))
    return words + field(2, field(1, "x")) + field(3, field(1, "nmt")) + tail


def tar(name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as target:
        info = tarfile.TarInfo(name)
        info.size, info.type = len(data), kind
        target.addfile(info, io.BytesIO(data))
    return file.getvalue()


def bytes_of_noise() -> bytes:
    return bytes((index * 7919 + 13) % 251 for index in range(4000))


def layer(class_name: str, module: str | None = "keras.layers", config: Any = None) -> dict[str, Any]:
    return {"module": module, "class_name": class_name, "config": config or {}, "registered_name": None}


def keras(*layers: dict[str, Any]) -> bytes:
    config = {**layer("Sequential", "keras"), "config": {"name": "s", "layers": list(layers)}}
    members = {"metadata.json": b'{"keras_version": "3.0.0"}', "config.json": json.dumps(config).encode()}
    return pickled.archive(members)


def hdf5(text: bytes, end: int | None = None) -> bytes:
    size = 96 + len(text)
    return b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0" + bytes(24) + struct.pack("<Q", end or size) + bytes(48) + text


def bad() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) that must block."""
    yield from _programs()
    yield from _documents()
    yield "python.onnx", onnx(node("PyOp"))
    yield "python domain.onnx", onnx(node("Anything", "ai.onnx.contrib"))
    for index, place in enumerate(("../weights", "/etc/passwd", "a/../../b", "a\\b", "", "./a", "C:a")):
        yield f"location {index}.onnx", onnx(node("Add"), location=place or "..")
    yield "tail.onnx", onnx(node("Add"), tail=field(99, SYSTEM))
    yield "cut.onnx", onnx(node("Add"))[:-4]
    yield "pickle behind.onnx", onnx(node("Add")) + SYSTEM
    yield "tail.model", pieces(SYSTEM)
    for name in ("Lambda", "TorchModuleWrapper", "get_file", "__lambda__", "Custom>Lambda"):
        yield f"{name}.keras", keras(layer(name))
        yield f"{name}.json", json.dumps(layer(name)).encode()
    for module in (
        "os",
        "builtins",
        "subprocess",
        "keras.utils",
        "keras.src.utils.file_utils",
        "kerasx",
        "my_package.layers",
    ):
        yield f"{module}.keras", keras(layer("Dense", module))
    yield "lambda.h5", hdf5(b'{"class_name": "Lambda", "config": {"function": ["4wEAAAA="]}}')
    yield "module.h5", hdf5(b'{"module": "os", "class_name": "system"}')
    yield "tail.h5", hdf5(b"weights", end=100)
    yield "tail.png", PNG + SYSTEM
    yield "script behind.png", PNG + b"<?php system($_GET[0]); ?>"
    yield "cut.png", PNG[:-6]
    yield "zip behind.jpg", b"\xff\xd8\xff\xe0" + bytes(30) + b"\xff\xd9" + pickled.archive({"a": b"b"})
    yield "tail.gif", b"GIF89a" + bytes(20) + b";" + SYSTEM
    yield "text.png", b"hello"
    yield "pickled.pkl.gz", gzip.compress(SYSTEM)
    yield "pickled.bz2", bz2.compress(SYSTEM)
    yield "program.gz", gzip.compress(ELF)
    yield "twice.gz", gzip.compress(gzip.compress(SYSTEM))
    yield "tail.gz", gzip.compress(b"text") + SYSTEM
    yield "bomb.gz", gzip.compress(bytes(80 << 20))
    yield "pickled.tar", tar("a", SYSTEM)
    yield "path.tar", tar("../a", b"x")
    yield "link.tar", tar("a", b"", tarfile.SYMTYPE)
    yield "pickled.tar.gz", gzip.compress(tar("a", SYSTEM))
    yield "length.npy", pickled.npy("<f4", (3,), bytes(13))
    yield "header.npy", pickled.npy("<f4", (3,), bytes(12)).replace(b"descr", b"desc_")
    yield "evil header.npy", b"\x93NUMPY\x01\0\x20\0" + b"__import__('os').system('id')".ljust(31) + b"\n"
    yield "named.gguf", b"not a model at all"
    yield "named.safetensors", SYSTEM
    yield "named.pt", b"<html>not here</html>"
    yield "hook.pth", b"import os; os.system('id')\n"
    yield "report\u202egnp.exe", b"text"
    yield "sitecustomize.py", b"print(1)"
    yield ".git/hooks/post-checkout", b"id"
    yield "notebook.ipynb", b'{"cells": []}'


def _programs() -> Iterator[tuple[str, bytes]]:
    kinds = {
        "elf": ELF,
        "pe": PE,
        "macho": b"\xcf\xfa\xed\xfe" + bytes(40),
        "fat": b"\xca\xfe\xba\xbe" + bytes(40),
        "script": b"#!/bin/sh\nid\n",
        "python script": b"#! /usr/bin/env python3\n",
        "wasm": b"\0asm\1\0\0\0",
        "byte code": struct.pack("<H", 3571) + b"\r\n" + bytes(12) + b"\xe3" + bytes(20),
    }
    for kind, data in kinds.items():
        for name in ("model.bin", "README.md", "weights", "config.json", "x.so", "a.txt"):
            yield f"{kind} {name}", data
    for ending in ("so", "dll", "dylib", "exe", "sh", "bat", "ps1", "pyc", "jar", "js", "lnk"):
        yield f"empty of life.{ending}", b"text"


def _documents() -> Iterator[tuple[str, bytes]]:
    yield "double.json", b'{"a": 1, "a": 2}'
    yield "broken.json", b'{"a": '
    yield "not json.json", b"hello"
    yield "deep.json", b"[" * 100_000 + b"]" * 100_000
    yield "deep enough.json", b'{"a":' * 150 + b"1" + b"}" * 150
    yield "huge number.json", b'{"a": ' + b"9" * 5000 + b"}"
    for name in ("../x", "/etc/passwd", "a/b", "..", "", "a\\b"):
        index = {"metadata": {}, "weight_map": {"a": name}}
        yield f"index {name!r}.json".replace("/", "%").replace("\\", "%"), json.dumps(index).encode()
    for pattern in ("(a+)+$", "(a*)*", "(a|a)*b", "(?:\\w+\\s?)+$", "([a-z]+)*", "(.*)+x", "(\\w|\\d)+", "((ab)*c*)*"):
        document = {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": pattern}}}
        yield f"pattern {pattern!r}.json".replace("/", "%").replace("\\", "%"), json.dumps(document).encode()
    for name in ("class", "joined", "cve", "map attribute", "lipsum", "power", "loops"):
        yield f"tokenizer_config {name}.json", json.dumps({"chat_template": templates.BAD[name]}).encode()
        named = {"chat_template": [{"name": "default", "template": templates.BAD[name]}]}
        yield f"templates {name}.json", json.dumps(named).encode()
    yield "target.json", b'{"model": {"_target_": "os.system", "command": "id"}}'
    modules = [{"idx": 0, "name": "0", "path": "", "type": "subprocess.Popen"}]
    yield "modules.json", json.dumps(modules).encode()
    for tag in ("!!python/object/apply:os.system ['id']", "!!python/name:os.system", "!python/object:x.Y {}"):
        yield f"tag {len(tag)}.yaml", f"a: {tag}\n".encode()
    yield "verbatim.yaml", b"a: !<tag:yaml.org,2002:python/object/apply:os.system> ['id']\n"
    yield "directive.yml", b"%TAG ! tag:yaml.org,2002:python/\n---\na: !name:os.system\n"
    yield "escaped.yaml", b"a: !!%70ython/name:os.system\n"
    yield "target.yaml", b"model:\n  _target_: os.system\n"
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
    yield "bomb.yaml", bomb.encode()


def review() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) that a person must decide on: neither pass nor block."""
    yield "modeling_tiny.py", b"import torch\n"
    yield "config.json", b'{"auto_map": {"AutoModel": "modeling_tiny.TinyModel"}}'
    yield "model_index.json", b'{"_class_name": "P", "_diffusers_version": "1", "unet": ["my_pipeline", "UNet"]}'
    yield "adapter_config.json", b'{"auto_mapping": {"base_model_class": "X", "parent_library": "mine.models"}}'
    yield "other modules.json", b'[{"idx": 0, "name": "0", "path": "", "type": "mine.Pooling"}]'
    yield "kernel.json", b'{"attn_implementation": "someone/flash"}'
    yield "zeros.bin", bytes(5000)
    yield "unknown.dat", bytes(range(256)) * 4
    yield "paper.pdf", b"%PDF-1.7\n"
    yield "custom.onnx", onnx(node("Fancy", "my.domain"))
    yield "texts.tar", tar("a.txt", b"hello")
    yield "page.html", b"<html></html>"
    yield "target.yaml", b"model:\n  _target_: mine.Model\n"
    yield "table.parquet", b"PAR1" + bytes(20) + b"PAR1"


def good() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) that must pass."""
    config = {"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "rope_scaling": None, "torch_dtype": "bfloat16"}
    yield "config.json", json.dumps(config).encode()
    index = {"metadata": {"total_size": 10}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}
    yield "model.safetensors.index.json", json.dumps(index).encode()
    patterns = (
        (
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
            "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
        ),
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}",
        "\\p{N}{1,3}(?=(?:\\p{N}{3})*(?:\\P{N}|$))",
        (
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
            "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*"
        ),
    )
    for number, pattern in enumerate(patterns):
        tokenizer = {"version": "1.0", "pre_tokenizer": {"type": "Split", "pattern": {"Regex": pattern}}}
        tokenizer["model"] = {"type": "BPE", "vocab": {f"w{i}": i for i in range(500)}, "merges": [["a", "b"]] * 300}
        yield f"tokenizer {number}.json", json.dumps(tokenizer).encode()
    for name, template in templates.GOOD.items():
        yield f"tokenizer_config {name}.json", json.dumps({"chat_template": template, "bos_token": "<s>"}).encode()
    yield "sentence modules.json", b'[{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"}]'
    yield "model_index.json", b'{"_class_name": "P", "_diffusers_version": "1", "unet": ["diffusers", "UNet2D"]}'
    yield "infinity.json", b'{"a": Infinity, "b": NaN}'
    yield "list.json", b"[1, 2, 3]"
    yield "lines.jsonl", b'{"a": 1}\n{"a": 2}\n'
    yield "README.md", b"---\nlicense: apache-2.0\n---\n# A model\n\nconfig\nfoo\n"
    yield "c.md", b"config\nfoo\nbar.\n"
    yield "LICENSE", b"Apache License\nVersion 2.0\n"
    yield "LICENSE.txt", b"(c) somebody\n"
    yield ".gitattributes", b"*.gguf filter=lfs diff=lfs merge=lfs -text\n"
    yield "merges.txt", b"#version: 0.2\n\xc4\xa0 t\n\xc4\xa0 a\nh e\n"
    yield "vocab.txt", b"[PAD]\n[UNK]\n" + b"".join(b"word%d\n" % i for i in range(3000))
    yield "vocab.json", json.dumps({f"word{i}": i for i in range(3000)}).encode()
    yield "recipe.yaml", b"a: 1\nb: [x, y]\nc: &d {e: 1}\nf: *d\n"
    yield "environment.yml", b"name: x\ndependencies:\n  - python\n"
    yield "empty.txt", b""
    yield "picture.png", PNG
    yield "photo.jpg", b"\xff\xd8\xff\xe0" + bytes(30) + b"\xff\xd9"
    yield "moving.gif", b"GIF89a" + bytes(20) + b";"
    yield "model.onnx", onnx(node("Add"), node("LayerNorm", "com.microsoft"))
    yield "beside.onnx", onnx(node("Add"), location="model.onnx_data")
    yield "tokenizer.model", pieces()
    yield (
        "dense.keras",
        keras(layer("InputLayer"), layer("Dense", "keras.layers"), layer("GPT", "keras_hub.src.models")),
    )
    yield "dense.h5", hdf5(b'{"module": "keras.layers", "class_name": "Dense", "config": {}}')
