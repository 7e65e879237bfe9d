"""Whether the parts of a split GGUF model are what they say: all there, in order, and with every tensor."""

from collections.abc import Sequence

from modelshelf.errors import FormatError
from modelshelf.metadata.gguf import GgufHeader


def check(headers: Sequence[GgufHeader], names: Sequence[str]) -> None:
    """Compare the headers at hand, that of part 1 first, with what `names`, the files of the model, promise.

    Raises:
        FormatError: a header contradicts; the message names the file and the field.
    """
    first = headers[0].metadata
    count = first.get("split.count", 1)
    if count != len(names) and not (count == 0 and len(names) == 1):
        raise FormatError(
            f"{names[0]}: “split.count” says {str(count)[:20]} parts, but there are {len(names):,}.",
            field="split.count",
            remedy="Have all parts under the names they were published with.",
        )
    for place, (header, name) in enumerate(zip(headers, names, strict=False)):
        number = header.metadata.get("split.no", place)
        if number != place:
            raise FormatError(f"{name}: “split.no” is {str(number)[:20]} instead of {place}.", field="split.no")
    promised = first.get("split.tensors.count")
    found = sum(header.tensor_count for header in headers)
    if len(headers) == len(names) > 1 and promised is not None and promised != found:
        raise FormatError(
            f"{names[0]}: “split.tensors.count” says {str(promised)[:20]} tensors, but the parts hold {found:,}.",
            field="split.tensors.count",
        )
