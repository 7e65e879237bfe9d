"""What the catalogue's disk does wrong, as errors for people."""

import errno

from modelshelf.errors import ModelshelfError, NotEnoughDisk, StoreError


def is_full(error: BaseException) -> bool:
    """Whether there is no space left; Arrow says it in words alone."""
    return getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT} or "No space left" in str(error)


def unwritten(error: OSError) -> ModelshelfError:
    """What a source said could not be kept."""
    if is_full(error):
        return NotEnoughDisk(
            "The disk is full: what the source said was not kept, the catalogue is as it was.",
            remedy="Free some space, then `modelshelf catalog sync` again.",
        )
    return StoreError(f"The catalogue's folder cannot be written: {error.strerror or error}.")
