"""Ties the scanning process down: memory, processor time, and on Linux no network, no programs, no new files."""

import ctypes
import os
import platform
import resource
import struct
import sys

from modelshelf.vetting.rules import CPU_SECONDS, MEMORY_BYTES

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER_MODE = 38, 22, 2
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1  # EPERM

# Architecture mark, then the numbers of what is refused: sockets, programs, tracing, io_uring, killing, and whatever
# removes, renames, links, mounts or changes the rights of files.
# Sending stays: without a new socket there is nobody to send to but the one who asked.
_REFUSED_X86 = (
    "41 42 43 49 50 53 59 62 76 77 82 83 84 85 86 87 88 90 91 92 93 94 101 133 155 161 165 175 200 234 258 259 260 263 "
    "264 265 266 268 288 310 311 313 316 321 322 323 425 437 438 452"
)
_REFUSED_ARM = (
    "33 34 35 36 37 38 40 41 45 46 51 52 53 54 55 105 117 129 130 131 198 199 200 201 202 203 221 242 270 271 273 276 "
    "280 281 282 425 437 438 452"
)
# Opening is for reading only: the call, and where in its arguments the flags are.
_OPENING = {"x86_64": ((2, 24), (257, 32)), "aarch64": ((56, 32),)}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_SYSCALLS = {"x86_64": (0xC000003E, _REFUSED_X86), "aarch64": (0xC00000B7, _REFUSED_ARM)}


def limit() -> None:
    """Cap memory and processor time of this process; what goes beyond fails."""
    _cap(resource.RLIMIT_CPU, CPU_SECONDS)
    _cap(resource.RLIMIT_CORE, 0)
    _cap(resource.RLIMIT_FSIZE, 0)
    if sys.platform == "linux":
        # Other systems reserve more address space than that before they begin.
        _cap(resource.RLIMIT_AS, MEMORY_BYTES)


def isolate() -> str:
    """Take network, programs and file changes from this process; says by what means, empty where there are none."""
    known = _SYSCALLS.get(platform.machine())
    if sys.platform != "linux" or known is None:
        return ""
    return "seccomp" if _filter(*known, _OPENING[platform.machine()]) else ""


def _cap(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    highest = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (highest, highest))


def _filter(architecture: int, refused: str, opening: tuple[tuple[int, int], ...]) -> bool:
    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    program = [step(_LOAD, 4), step(_JUMP_EQUAL, architecture, 1, 0), step(_RETURN, _REFUSE), step(_LOAD, 0)]
    # The x32 interface has numbers of its own from here on.
    program += [step(_JUMP_AT_LEAST, 0x40000000, 0, 1), step(_RETURN, _REFUSE)]
    for number in map(int, refused.split()):
        program += [step(_JUMP_EQUAL, number, 0, 1), step(_RETURN, _REFUSE)]
    for number, flags in opening:
        program.extend((step(_JUMP_EQUAL, number, 0, 4), step(_LOAD, flags), step(_JUMP_BITS, _WRITING, 0, 1)))
        program.extend((step(_RETURN, _REFUSE), step(_RETURN, _ALLOW)))
    program.append(step(_RETURN, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
    if prctl(_NO_NEW_PRIVILEGES, 1, None, 0, 0) != 0:
        return False
    return bool(prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.addressof(header), 0, 0) == 0)
