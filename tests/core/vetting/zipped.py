"""Zip archives that two readers could read differently, or that hide something."""

import io
import struct
import zipfile
from collections.abc import Iterator

from tests.core.vetting import pickled

SYSTEM = b"\x80\x02cos\nsystem\n(X\x02\0\0\0idtR."


def bad() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) that must never pass."""
    good = pickled.torch_zip()
    end = good.rfind(b"PK\x05\x06")
    central = good.find(b"PK\x01\x02")
    yield "prefix.pt", b"#!x" + good
    yield "script before.pt", b"\n" * 64 + good
    yield "suffix.pt", good + b"x"
    yield "pickle behind.pt", good + SYSTEM
    yield "pickle before.pt", SYSTEM + good
    yield "comment.pt", good[:-2] + b"\x02\0ab"
    yield "cut.pt", good[:-5]
    yield "no end.pt", good[:end]
    yield "gap.pt", _shifted(good, central, end)
    yield "encrypted.pt", _patched(good, central + 8, b"\x01")
    yield "encrypted locally.pt", _patched(good, 6, b"\x01")
    yield "other name.pt", _patched(good, 30, b"X")
    yield "other size.pt", _patched(good, 22, b"\xff")
    yield "other method.pt", _patched(good, 8, b"\x08")
    yield "odd method.pt", _patched(_patched(good, 8, b"\x0c"), central + 10, b"\x0c")
    yield "wrong crc.pt", _patched(good, 30 + len("archive/data.pkl") + 3, b"\0")
    yield "disk.pt", _patched(good, end + 4, b"\1")
    yield "more members.pt", _patched(_patched(good, end + 8, b"\x7f"), end + 10, b"\x7f")
    yield "fewer members.pt", _patched(_patched(good, end + 8, b"\1"), end + 10, b"\1")
    yield "twice.pt", _members([("a/data.pkl", pickled.state_dict()), ("a/data.pkl", SYSTEM)])
    yield "twice by case.pt", _members([("a/data.pkl", pickled.state_dict()), ("A/DATA.PKL", SYSTEM)])
    for name in ("../x", "/etc/x", "a/../../x", "C:x", "a\\b", "a/", "con", "a/NUL.txt", "x.", "a//b", "./a", "a\x01b"):
        yield f"name {name!r}.zip", _members([(name, b"text")])
    yield "link.zip", _members([("a", b"/etc/passwd")], mode=0o120777)
    yield "device.zip", _members([("a", b"")], mode=0o060777)
    yield "bomb.zip", pickled.archive({"a": bytes(60 << 20)}, packed=True)
    yield "nested pickle.zip", pickled.archive({"a.zip": pickled.archive({"b": SYSTEM})})
    deep = SYSTEM
    for _ in range(6):
        deep = pickled.archive({"x.zip": deep})
    yield "deep.zip", deep
    yield "program.zip", pickled.archive({"data/0": b"\x7fELF\x02\x01\x01" + bytes(60)})
    yield "packed program.zip", pickled.archive({"weights": b"\x7fELF\x02\x01\x01" + bytes(60)}, packed=True)
    yield "script.zip", pickled.archive({"setup": b"#!/bin/sh\nid\n"})
    yield "library.zip", pickled.archive({"lib/op.so": b"\x7fELF" + bytes(60)})
    for label, packed, stream in (("stored", False, False), ("packed", True, False), ("streamed", False, True)):
        yield f"{label} any name.zip", pickled.archive({"notes.txt": SYSTEM}, packed=packed, stream=stream)
        yield (
            f"{label} data.pt",
            pickled.archive({"m/data.pkl": SYSTEM, "m/version": b"3\n"}, packed=packed, stream=stream),
        )
        yield f"{label} constants.pt", pickled.archive({"m/constants.pkl": SYSTEM}, packed=packed, stream=stream)
    yield "objects.npz", pickled.archive({"a.npy": pickled.npy("|O", (1,), SYSTEM)})


def good() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) that stock tools write."""
    yield "texts.zip", pickled.archive({"README.md": b"# Hello\n", "a/config.json": b"{}"}, packed=True)
    yield "empty.zip", pickled.archive({})
    yield "zeros.npz", pickled.archive({"a.npy": pickled.npy("<f8", (1000,), bytes(8000))}, packed=True)
    big = io.BytesIO()
    with zipfile.ZipFile(big, "w") as file, file.open(zipfile.ZipInfo("m/data.pkl"), "w", force_zip64=True) as member:
        member.write(pickled.state_dict())
    yield "zip64.pt", big.getvalue()


def _patched(data: bytes, place: int, new: bytes) -> bytes:
    return data[:place] + new + data[place + len(new) :]


def _shifted(data: bytes, central: int, end: int) -> bytes:
    """Bytes between the last member and the directory that nothing speaks of."""
    moved = struct.pack("<I", central + 4)
    return data[:central] + b"GAP!" + data[central : end + 16] + moved + data[end + 20 :]


def _members(members: list[tuple[str, bytes]], mode: int = 0o100644) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name, data in members:
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            info.external_attr = mode << 16
            info.create_system = 3
            import warnings

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                target.writestr(info, data)
    return file.getvalue()
