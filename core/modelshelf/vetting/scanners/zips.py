"""Zip archives, torch's among them: told from one side only, every member scanned by its content."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelshelf.errors import FormatError
from modelshelf.vetting.content import MemoryContent, Slice, sniff
from modelshelf.vetting.rules import MAX_IN_MEMORY, words
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

MAX_MEMBERS = 200_000
MAX_DIRECTORY = 64 << 20
MAX_RATIO = 100
RATIO_FROM = 50 << 20
CRC_UP_TO = 64 << 20
CRC_IN_ALL = 256 << 20  # beyond, the bytes of tensors are taken as they are: their checksum is the whole file's
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s2B4HL2L2H")
_OTHER_NAME = 0x7075
LOCAL_SIZE = _LOCAL.size
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _DESCRIPTOR = 0x1, 0x8
_RESERVED = words("con prn aux nul com1 com2 com3 com4 lpt1 lpt2 lpt3")


@dataclass(frozen=True, slots=True)
class Member:
    """An entry of the central directory."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int


class ZipError(FormatError):
    """The archive breaks a rule; `rule` says which."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class ZipScanner:
    """Zip archives."""

    formats = frozenset({"zip"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Check the archive's structure, then what is in it."""
        try:
            members = directory(content)
            places = list(_places(content, members))
        except ZipError as error:
            yield Finding(error.rule, content.name, str(error))
            return
        summed = _summed(members)
        for member, place in places:
            yield from _scan_member(content, member, place, desk, summed=member.name in summed)


def directory(content: Content) -> list[Member]:
    """The central directory of an archive that has nothing before or after it.

    Raises:
        ZipError: it breaks a rule.
    """
    count, size, start = _end(content)
    if count > MAX_MEMBERS or size > MAX_DIRECTORY:
        raise ZipError("ZIP_TOO_MANY", f"The archive has {count:,} members.")
    data = content.read(start, size)
    members: list[Member] = []
    seen: set[str] = set()
    place = 0
    for _ in range(count):
        if place + _CENTRAL.size > len(data):
            raise ZipError("ZIP_DIRECTORY", "The archive's directory is shorter than it says.")
        member, place = _entry(data, place)
        folded = member.name.casefold().rstrip("/")
        if folded in seen:
            raise ZipError("ZIP_DUPLICATE", f"The archive holds {member.name[:80]} twice.")
        seen.add(folded)
        _check_name(member)
        members.append(member)
    if place != len(data):
        raise ZipError("ZIP_DIRECTORY", "The archive's directory is longer than it says.")
    return members


def _end(content: Content) -> tuple[int, int, int]:
    """The count of members, and the size and place of the central directory."""
    tail = content.read(content.size - _END.size, _END.size) if content.size >= _END.size else b""
    if tail[:4] != b"PK\x05\x06":
        raise ZipError("ZIP_SUFFIX", "The archive does not end where its directory ends: bytes follow, or it is cut.")
    _, disk, first, here, count, size, start, comment = _END.unpack(tail)
    end = content.size - _END.size
    if comment:
        raise ZipError("ZIP_SUFFIX", "The archive carries a comment.")
    if disk or first or here != count:
        raise ZipError("ZIP_DIRECTORY", "The archive claims to span several disks.")
    locator = content.read(end - 20, 20) if end >= 20 + _END64.size else b""
    if locator[:4] == b"PK\x06\x07":
        end, count, size, start = _end64(content, end, locator, (count, size, start))
    elif count == 0xFFFF or 0xFFFFFFFF in (size, start):
        raise ZipError("ZIP_DIRECTORY", "The archive refers to a large directory that is not there.")
    if start + size != end:
        raise ZipError("ZIP_PREFIX", "The archive's directory is not where it says: bytes lie before or in between.")
    return count, size, start


def _end64(content: Content, end: int, locator: bytes, small: tuple[int, int, int]) -> tuple[int, int, int, int]:
    _, disk, place, disks = struct.unpack("<4sLQL", locator)
    record = content.read(place, _END64.size)
    if disk or disks > 1 or place + _END64.size + 20 != end or record[:4] != b"PK\x06\x06":
        raise ZipError("ZIP_DIRECTORY", "The archive's large directory is not where it says.")
    _, length, _, _, disk, first, here, count, size, start = _END64.unpack(record)
    if disk or first or here != count or length != _END64.size - 12:
        raise ZipError("ZIP_DIRECTORY", "The archive's large directory contradicts itself.")
    for value, short, limit in zip((count, size, start), small, (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF), strict=True):
        if short not in (value, limit):
            raise ZipError("ZIP_DIRECTORY", "The archive's two directories contradict each other.")
    return place, count, size, start


def _entry(data: bytes, place: int) -> tuple[Member, int]:
    fields = _CENTRAL.unpack_from(data, place)
    magic, made_on, flags, method, crc, packed, size = fields[0], fields[2], *fields[5:7], *fields[9:12]
    name_length, extra_length, comment_length, disk, _, mode, offset = fields[12:]
    if magic != b"PK\x01\x02" or disk or comment_length:
        raise ZipError("ZIP_DIRECTORY", "The archive's directory has an entry that is none.")
    start = place + _CENTRAL.size
    raw, extra = data[start : start + name_length], data[start + name_length :][:extra_length]
    if len(raw) != name_length or len(extra) != extra_length:
        raise ZipError("ZIP_DIRECTORY", "The archive's directory is cut.")
    sizes = _large(extra, [size, packed, offset])
    unix = mode >> 16 if made_on == 3 else 0
    member = Member(_text(raw, flags), flags, method, crc, sizes[1], sizes[0], sizes[2], unix)
    return member, start + name_length + extra_length


def _large(extra: bytes, values: list[int]) -> list[int]:
    """Replace what did not fit into 32 bits by the extra field's 64."""
    field, place = b"", 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind == _OTHER_NAME:
            raise ZipError("ZIP_NAME", "The archive gives a member a second name.")
        if kind == 1:
            if field:
                raise ZipError("ZIP_DIRECTORY", "The archive's directory gives a size twice.")
            field = extra[place + 4 : place + 4 + length]
        place += 4 + length
    for index, value in enumerate(values):
        if value == 0xFFFFFFFF:
            if len(field) < 8:
                raise ZipError("ZIP_DIRECTORY", "The archive's directory leaves out a size.")
            values[index], field = int.from_bytes(field[:8], "little"), field[8:]
    return values


def _text(raw: bytes, flags: int) -> str:
    try:
        return raw.decode("utf-8" if flags & 0x800 else "ascii")
    except UnicodeDecodeError:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise ZipError("ZIP_NAME", f"The archive has a member whose name is no text: {raw[:40]!r}.") from None


def _check_name(member: Member) -> None:
    name = member.name
    parts = name.removesuffix("/").split("/")
    bad = (
        not name
        or name.startswith("/")
        or any(mark in name for mark in ("\\", "\0", ":"))
        or any(part in {"", ".", ".."} or part != part.rstrip(". ") for part in parts)
        or any(part.partition(".")[0].casefold() in _RESERVED for part in parts)
        or not name.isprintable()
    )
    if bad:
        raise ZipError("ZIP_NAME", f"The archive has a member with the unsafe name {name[:80]!r}.")
    kind = member.mode & 0o170000
    if kind not in {0, 0o100000, 0o040000}:
        raise ZipError("ZIP_LINK", f"{name[:80]} in the archive is a link or a device.")
    if member.flags & _ENCRYPTED or member.flags & 0x2040:
        raise ZipError("ZIP_ENCRYPTED", f"{name[:80]} in the archive is encrypted: nothing can be said of it.")
    if member.method not in {_STORED, _DEFLATED}:
        raise ZipError("ZIP_METHOD", f"{name[:80]} in the archive is packed by the unusual method {member.method}.")
    if member.method == _STORED and member.size != member.packed:
        raise ZipError("ZIP_SIZE", f"{name[:80]} in the archive has two sizes.")
    if member.size > RATIO_FROM and member.size > MAX_RATIO * max(member.packed, 1):
        raise ZipError(
            "ZIP_BOMB", f"{name[:80]} in the archive unpacks to {member.size:,} bytes from {member.packed:,}."
        )


def _places(content: Content, members: list[Member]) -> Iterator[tuple[Member, int]]:
    """Where each member's bytes begin; the members lie one after the other from the first byte to the directory."""
    expected = 0
    _, _, start = _end(content)
    for member in sorted(members, key=lambda member: member.offset):
        if member.offset != expected:
            raise ZipError(
                "ZIP_PREFIX", f"Before {member.name[:80]} lie bytes that belong to no member, or two overlap."
            )
        place = _local(content, member)
        expected = _after(content, member, place + member.packed)
        yield member, place
    if expected != start:
        raise ZipError("ZIP_PREFIX", "Before the archive's directory lie bytes that belong to no member.")


def _local(content: Content, member: Member) -> int:
    header = content.read(member.offset, _LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
        raise ZipError("ZIP_LOCAL", f"{member.name[:80]} is not where the archive's directory says.")
    _, _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(header)
    rest = content.read(member.offset + _LOCAL.size, name_length + extra_length)
    if len(rest) != name_length + extra_length:
        raise ZipError("ZIP_LOCAL", f"{member.name[:80]} is cut.")
    if flags & _ENCRYPTED:
        raise ZipError("ZIP_ENCRYPTED", f"{member.name[:80]} in the archive is encrypted: nothing can be said of it.")
    described = bool(flags & _DESCRIPTOR)
    sizes = _large(rest[name_length:], [size, packed])
    same = (crc, *sizes) == (member.crc, member.size, member.packed)
    if not same and not (described and all(value in {0, real} for value, real in _pairs(crc, sizes, member))):
        raise ZipError("ZIP_LOCAL", f"{member.name[:80]} has other sizes in its own header than in the directory.")
    if _text(rest[:name_length], flags) != member.name or method != member.method:
        raise ZipError("ZIP_LOCAL", f"{member.name[:80]} has another name or method in its own header.")
    return int(member.offset + _LOCAL.size + name_length + extra_length)


def _pairs(crc: int, sizes: list[int], member: Member) -> tuple[tuple[int, int], ...]:
    return (crc, member.crc), (sizes[0], member.size), (sizes[1], member.packed)


def _after(content: Content, member: Member, end: int) -> int:
    """Past the data descriptor that follows a member written to a stream."""
    if not member.flags & _DESCRIPTOR:
        return end
    data = content.read(end, 24)
    for form in ("<4sLQQ", "<4sLLL"):
        length = struct.calcsize(form)
        if len(data) >= length:
            magic, crc, packed, size = struct.unpack(form, data[:length])
            if magic == b"PK\x07\x08" and (crc, packed, size) == (member.crc, member.packed, member.size):
                return end + length
    raise ZipError("ZIP_LOCAL", f"{member.name[:80]} is described differently after its data.")


def member_bytes(content: Content, member: Member) -> bytes:
    """What a member holds, unpacked; its own header must say what the directory says.

    Raises:
        ZipError: it breaks a rule.
    """
    place = _local(content, member)
    inner = Slice(content, place, member.packed, member.name)
    data = _inflate(inner, member.size) if member.method == _DEFLATED else inner.read(0, member.size)
    if data is None or len(data) != member.size:
        raise ZipError("ZIP_BROKEN", f"{member.name[:80]} does not unpack to the size that is written.")
    if zlib.crc32(data) != member.crc:
        raise ZipError("ZIP_CRC", f"The checksum of {member.name[:80]} is wrong.")
    return data


def _summed(members: Sequence[Member]) -> frozenset[str]:
    """The members whose checksum is computed: the smallest first, as far as the time for it goes."""
    left, chosen = CRC_IN_ALL, set()
    for member in sorted(members, key=lambda member: member.size):
        left -= member.size
        if left < 0 or member.size > CRC_UP_TO:
            break
        chosen.add(member.name)
    return frozenset(chosen)


def _scan_member(content: Content, member: Member, place: int, desk: Desk, *, summed: bool) -> Iterator[Finding]:
    name = f"{content.name}:{member.name}"
    if member.name.endswith("/"):
        if member.size:
            yield Finding("ZIP_NAME", name, "A folder in the archive holds bytes.")
        return
    inner: Content = Slice(content, place, member.packed, name)
    if member.method == _DEFLATED:
        if member.size > MAX_IN_MEMORY:
            yield from _large_member(inner, member)
            return
        data = _inflate(inner, member.size)
        if data is None:
            yield Finding("ZIP_BROKEN", name, "The member does not unpack to the size that is written.")
            return
        inner = MemoryContent(data, name)
    if (summed or member.method == _DEFLATED) and _crc(inner) != member.crc:
        yield Finding("ZIP_CRC", name, "The member's checksum is wrong.")
        return
    if member.size:
        yield from desk.nested(inner)


def _large_member(packed: Content, member: Member) -> Iterator[Finding]:
    """A member too large to unpack: only data that no loader runs may be that large."""
    start = zlib.decompressobj(-15).decompress(packed.read(0, 1 << 20), 1 << 16)
    kind = sniff(MemoryContent(start, packed.name))
    if kind not in {"unknown", "npy"} or b"|O" in start[:256] or b"'O'" in start[:256]:
        yield Finding(
            "ZIP_TOO_LARGE", packed.name, f"{member.size:,} bytes of {kind} are packed: too large to look into."
        )


def _inflate(packed: Content, size: int) -> bytes | None:
    inflater, parts, place, have = zlib.decompressobj(-15), [], 0, 0
    try:
        while not inflater.eof and place < packed.size:
            chunk = packed.read(place, 1 << 20)
            place += len(chunk)
            parts.append(inflater.decompress(chunk, size - have + 1))
            have += len(parts[-1])
            if not chunk or have > size or inflater.unconsumed_tail:
                return None
    except zlib.error:
        return None
    good = inflater.eof and have == size and place == packed.size and not inflater.unused_data
    return b"".join(parts) if good else None


def _crc(content: Content) -> int:
    crc = place = 0
    while place < content.size:
        chunk = content.read(place, 1 << 20)
        if not chunk:
            break
        crc = zlib.crc32(chunk, crc)
        place += len(chunk)
    return crc
