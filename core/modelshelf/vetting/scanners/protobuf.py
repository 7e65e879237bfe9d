"""Walks protocol-buffer messages without a schema: field numbers and where their bytes are."""

from collections.abc import Iterator

from modelshelf.errors import FormatError
from modelshelf.vetting.spec import Content

MAX_FIELDS = 2_000_000
MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})  # of an ONNX model
PIECES_FIELDS = frozenset({1, 2, 3, 4, 5})  # of a SentencePiece vocabulary
Field = tuple[int, int, int, int]  # number, wire type, start, length (for a varint: its value)


def fields(content: Content, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """Yield the fields of the message between two places.

    Raises:
        FormatError: the bytes are no message.
    """
    end = content.size if end is None else end
    place = start
    for _ in range(MAX_FIELDS):
        if place >= end:
            if place > end:
                break
            return
        key, place = _varint(content, place, end)
        number, wire = key >> 3, key & 7
        if number == 0:
            break
        if wire == 0:
            value, place = _varint(content, place, end)
            yield number, wire, place, value
        elif wire in {1, 5}:
            length = 8 if wire == 1 else 4
            yield number, wire, place, length
            place += length
        elif wire == 2:
            length, place = _varint(content, place, end)
            if place + length > end:
                break
            yield number, wire, place, length
            place += length
        else:
            break
    raise FormatError(f"{content.name}: the message breaks off at byte {place:,}.")


def _varint(content: Content, place: int, end: int) -> tuple[int, int]:
    data = content.read(place, min(10, end - place))
    value = 0
    for index, byte in enumerate(data):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, place + index + 1
    raise FormatError(f"{content.name}: a number at byte {place:,} does not end.")


def consists_of(content: Content, known: frozenset[int], needed: int, *, most: int = 1000) -> bool:
    """Whether the first fields are of the known numbers and, if they are all, the needed one is among them."""
    seen = set()
    try:
        for count, (number, _, _, _) in enumerate(fields(content)):
            if number not in known:
                return False
            seen.add(number)
            if count >= most:
                break
    except FormatError:
        return False
    return needed in seen
