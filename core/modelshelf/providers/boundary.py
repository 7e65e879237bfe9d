"""Between us and adapters that others wrote: whatever they raise becomes a sentence."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from modelshelf.errors import ModelshelfError, ProviderError
from modelshelf.providers.spec import ProviderConfig

log = logging.getLogger(__name__)


@contextmanager
def contained(config: ProviderConfig) -> Iterator[None]:
    """Let our own errors pass and turn any other into a ProviderError; the traceback goes to the log."""
    try:
        yield
    except ModelshelfError:
        raise
    except Exception as error:  # an adapter may be somebody else's: what it throws is its own, the caller gets ours
        log.exception("the adapter %s of %s failed", config.kind, config.id)
        raise ProviderError(
            f"The adapter for {config.name} failed: {type(error).__name__}.",
            remedy="Look into the log, and tell the adapter's author.",
        ) from error
