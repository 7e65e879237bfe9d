"""What the catalogue's disk does wrong, as errors for people."""

import errno
import re

from modelshelf.errors import ModelshelfError, NotEnoughDisk, StoreError

_SHORT = re.compile(r"\d requested and \d+ written")


def is_full(error: BaseException) -> bool:
    """Whether there is no space left; Arrow says it in words alone, and NumPy by what it could not write."""
    said = str(error)
    numbered = getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT}
    return numbered or "No space left" in said or bool(_SHORT.search(said))


def unwritten(error: OSError) -> ModelshelfError:
    """What a source said could not be kept."""
    if is_full(error):
        return NotEnoughDisk(
            "The disk is full: what the source said was not kept, the catalogue is as it was.",
            remedy="Free some space, then `modelshelf catalog sync` again.",
        )
    return StoreError(f"The catalogue's folder cannot be written: {error.strerror or error}.")
