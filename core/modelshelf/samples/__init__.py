"""A small HTTPS hub of tiny real models, made on the spot: offline demo, self-test, tests."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelshelf.samples.accounts import READER_TOKEN, REFUSED_TOKEN, STRANGER_TOKEN, WAITING_TOKEN
from modelshelf.samples.faults import ALWAYS, Faults

if TYPE_CHECKING:
    from modelshelf.samples.hub import SampleHub
    from modelshelf.samples.log import HubRequest

CHAT_REPO = "samples/tiny-llama-GGUF"
"""The repository whose model answers in a chat."""
CHAT_MODEL = "tiny-llama"
"""Its name as engines serve it."""
GATED_REPO = "samples/gated-llama-GGUF"
"""The repository that only READER_TOKEN opens."""
SUSPICIOUS_REPO = "samples/suspicious-pickle"
"""The repository whose pickle calls a command when it is loaded; never load it."""

__all__ = [
    "ALWAYS",
    "CHAT_MODEL",
    "CHAT_REPO",
    "GATED_REPO",
    "READER_TOKEN",
    "REFUSED_TOKEN",
    "STRANGER_TOKEN",
    "SUSPICIOUS_REPO",
    "WAITING_TOKEN",
    "Faults",
    "HubRequest",
    "SampleHub",
]

_LAZY = {"SampleHub": "modelshelf.samples.hub", "HubRequest": "modelshelf.samples.log"}


def __getattr__(name: str) -> Any:
    # Loaded on first use: every shelf knows the sample's name, few need a web server and certificates.
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
