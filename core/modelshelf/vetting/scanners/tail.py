"""Whether something that is no archive can be read as one: zip archives are read from their end."""

import struct

from modelshelf.vetting.spec import Content

_END = struct.Struct("<4s4H2LH")
_REACH = 65_535 + _END.size  # the longest comment, and the record


def holds_archive(content: Content) -> bool:
    """Whether the end holds a directory of zip members that is where it says, or elsewhere by what lies before."""
    if content.read(4, 4) == b"TFL3":
        return False  # their writers put notes and labels behind them so
    base = max(0, content.size - _REACH)
    tail = content.read(base, _REACH)
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if len(tail) - at >= _END.size and _leads_to_members(content, base + at, tail[at : at + _END.size]):
            return True
        at = tail.rfind(b"PK\x05\x06", 0, at)
    return False


def _leads_to_members(content: Content, at: int, record: bytes) -> bool:
    _, _, _, _, count, size, start, comment = _END.unpack(record)
    if not count or at + _END.size + comment > content.size:
        return False
    large = content.read(at - 20, 4) == b"PK\x06\x07"
    return large or any(place >= 0 and content.read(place, 4) == b"PK\x01\x02" for place in (at - size, start))
