"""Bytes to scan, and what they are: told by the content alone, never by the name."""

import lzma
import os
import pickletools
import re
import zlib
from collections.abc import Callable
from typing import Protocol

from modelshelf.vetting.scanners import imatrix
from modelshelf.vetting.scanners.disguise import looks_pickled
from modelshelf.vetting.scanners.protobuf import MODEL_FIELDS, PIECES_FIELDS, consists_of
from modelshelf.vetting.spec import Content

_TEXT_SAMPLE = 65_536
_CONTROL = bytes(code for code in range(32) if code not in b"\b\t\n\v\f\r\x1b")
_SHORTEST_TEXT = 100  # of one that is not in UTF-8
_FEW_CONTROLS = 0.01  # of the letters of a text


class _Unpacker(Protocol):
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...


class FileContent:
    """An open file. Reading by position leaves the descriptor's own place alone."""

    def __init__(self, fd: int, name: str) -> None:
        self.name = name
        self.size = os.fstat(fd).st_size
        self._fd = fd

    def read(self, start: int, length: int) -> bytes:
        """Read through the descriptor."""
        return os.pread(self._fd, min(length, max(0, self.size - start)), start)


class MemoryContent:
    """Bytes in memory."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.size = len(data)
        self._data = data

    def read(self, start: int, length: int) -> bytes:
        """Cut them out."""
        return self._data[start : start + length]


class Slice:
    """A stretch of another content, such as a stored member of an archive."""

    def __init__(self, whole: Content, start: int, size: int, name: str) -> None:
        self.name = name
        self.size = size
        self._whole, self._start = whole, start

    def read(self, start: int, length: int) -> bytes:
        """Read from the whole, never beyond the stretch."""
        return self._whole.read(self._start + start, min(length, max(0, self.size - start)))


_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"GGUF", "gguf"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08", "zip"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x93NUMPY", "npy"),
    (b"\x7fELF", "elf"),
    (b"\xfe\xed\xfa\xce", "macho"),
    (b"\xfe\xed\xfa\xcf", "macho"),
    (b"\xce\xfa\xed\xfe", "macho"),
    (b"\xcf\xfa\xed\xfe", "macho"),
    (b"\xca\xfe\xba\xbe", "macho"),
    (b"\xca\xfe\xba\xbf", "macho"),
    (b"MZqFpD", "pe"),
    (b"\x1bLua", "bytecode"),
    (b"\x1bLJ", "bytecode"),
    (b"BC\xc0\xde", "bytecode"),
    (b"\xed\xab\xee\xdb", "setup"),
    (b"xar!\x00\x1c", "setup"),
    (b"Cr24", "setup"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "shortcut"),
    (b"FWS", "flash"),
    (b"CWS", "flash"),
    (b"ZWS", "flash"),
    (b"ITSF\x03\x00", "help"),
    (b"\xac\xed\x00\x05", "serialised"),
    (b"\x00\x01\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00", "serialised"),
    (b"RDX2\n", "serialised"),
    (b"RDX3\n", "serialised"),
    (b"RDA2\n", "serialised"),
    (b"RDA3\n", "serialised"),
    (b"\x00asm", "wasm"),
    (b"dex\n", "dex"),
    (b"!<arch>\n", "library"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"%PDF-", "pdf"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"MSCF", "cab"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"ggml", "ggml"),
    (b"lmgg", "ggml"),
    (b"tjgg", "ggml"),
    (b"fmgg", "ggml"),
)
# Marks that are words: a text may begin with them, too.
_WORDS = frozenset({"gguf", "ggml", "parquet", "arrow", "cab", "flash", "setup", "gif"})
_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_ZLIB = re.compile(rb"[\x08\x18\x28\x38\x48\x58\x68\x78]")
_LZMA = re.compile(rb"[\x5d\x5e\x2d\x6d]\0\0[\0-\xff]{2}(?:\xff{8}|[\0-\xff]{5}\0{3})", re.DOTALL)
_MARKUP = re.compile(rb"<!ENTITY[^>]*\b(?:SYSTEM|PUBLIC)\b")
_PROTO = re.compile(rb"\x80[\x02-\x05]")
_FIRST_OPCODES = frozenset(ord(op.code) for op in pickletools.opcodes)
_SHEBANG = re.compile(rb"(?:\xef\xbb\xbf)?#![ \t]*/[\x20-\x7e\t]*(?:[\r\n]|$)")


def sniff(content: Content, *, tensor: bool = False) -> str:
    """What the bytes are: the name of a format, `json`, `text`, `empty`, or `unknown`.

    The bytes of a `tensor` may begin in any way; for it what merely could be something is nothing.
    """
    head = content.read(0, 512)
    if not head:
        return "empty"
    for magic, name in _MAGICS:
        if head.startswith(magic) and not (name in _WORDS and _text(content)) and _goes_on(head, name):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if _BZIP2.match(head):
        return "bzip2"
    if _executable(content, head):
        return "pe"
    if _SHEBANG.match(head):
        return "script"
    if _compiled(head):
        return "pyc"
    if _PROTO.match(head):
        return "pickle"
    if head[257:262] == b"ustar" or _old_tar(head):
        return "tar"
    return _by_structure(content, head, tensor)


def _goes_on(head: bytes, name: str) -> bool:
    """Whether the byte after a short mark fits."""
    if name == "gzip":
        return len(head) > 3 and not head[3] & 0xE0
    if name in {"flash", "setup"}:
        return len(head) > 4 and (name == "setup" or head[3] < 0x40)
    return name != "jpeg" or (len(head) > 3 and 0xC0 <= head[3] < 0xFF)


def by_chance(content: Content, kind: str) -> bool:
    """Whether data may begin like this kind without being of it: the marks of these have three bytes."""
    head = content.read(0, 512)
    if kind == "flash":
        return True
    if kind == "jpeg":
        return content.read(4 + int.from_bytes(head[4:6], "big"), 1) != b"\xff"
    if kind == "gzip":
        inflater = zlib.decompressobj(31)
        try:
            return len(inflater.decompress(head, 64)) < 64 and not inflater.eof
        except zlib.error:
            return True
    return False


def _old_tar(head: bytes) -> bool:
    """As tar wrote before it had a mark: the sum over the header is in the header."""
    if len(head) < 512 or not head[0] or head[148:156].strip(b" \0").strip(b"01234567"):
        return False
    digits = head[148:156].strip(b" \0")
    return bool(digits) and int(digits, 8) == sum(head[:148]) + 8 * 32 + sum(head[156:])


def _packed(content: Content, head: bytes) -> str:
    """zlib and the old form of lzma have no mark: what unpacks is packed."""
    unpackers: list[tuple[str, Callable[[], _Unpacker]]] = []
    if _ZLIB.match(head) and int.from_bytes(head[:2], "big") % 31 == 0:
        unpackers.append(("zlib", zlib.decompressobj))
    if _LZMA.match(head):
        unpackers.append(("lzma", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=256 << 20)))
    for name, make in unpackers:
        unpacker, sample = make(), content.read(0, 4096)
        try:
            found = unpacker.decompress(sample, 65_536)
        except (zlib.error, lzma.LZMAError):
            continue
        if unpacker.eof or len(found) > 64:
            return name
    return ""


def _by_structure(content: Content, head: bytes, tensor: bool) -> str:
    length = int.from_bytes(head[:8], "little")
    if len(head) > 9 and head[8:9] == b"{" and 2 <= length < 1 << 40 and head[9] in b'"} \n\t\r':
        return "safetensors"
    if head[0] in _FIRST_OPCODES and looks_pickled(content, tensor=tensor):
        return "pickle"
    return _text(content) or _packed(content, head) or _message(content, head)


def _message(content: Content, head: bytes) -> str:
    """Protocol buffers have no mark: the first fields decide. Nor has the old form of an importance matrix."""
    if head[0] == 0x08 and consists_of(content, MODEL_FIELDS, 7):
        return "onnx"
    if head.startswith(b"\x08\x01\x12"):
        return "savedmodel"
    if imatrix.begins(head):
        return "imatrix"
    if head[0] == 0x0A and consists_of(content, PIECES_FIELDS, 1):
        return "sentencepiece"
    return "unknown"


def _executable(content: Content, head: bytes) -> bool:
    """A DOS or Windows program; two letters alone could be the first bytes of any data."""
    if not head.startswith((b"MZ", b"ZM")) or len(head) < 64:
        return False
    place = int.from_bytes(head[60:64], "little")
    return content.read(place, 4)[:2] in {b"PE", b"NE", b"LE", b"LX"} or b"DOS mode" in head


def _compiled(head: bytes) -> bool:
    """Python byte code: a version number, CR LF, and flags."""
    version = int.from_bytes(head[:2], "little")
    return head[2:4] == b"\r\n" and 2900 <= version <= 4200 and len(head) > 16 and head[4] <= 3 and not any(head[5:8])


def _text(content: Content) -> str:
    sample = content.read(0, _TEXT_SAMPLE)
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text"
    if b"\0" in sample:
        return ""
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        # A character may be cut by the sample's end.
        if error.start < len(sample) - 4 or len(sample) < _TEXT_SAMPLE:
            # In another encoding, by all the letters that no data lack.
            plain = len(sample) >= _SHORTEST_TEXT and sample == sample.translate(None, _CONTROL)
            return "text" if plain else ""
    if len(sample) - len(sample.translate(None, _CONTROL)) > len(sample) * _FEW_CONTROLS:
        return ""
    if _MARKUP.search(sample):
        return "markup"
    start = sample.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return "json" if start in {b"{", b"["} and start else "text"
