"""A small HTTPS hub of tiny real models, made on the spot: offline demo, self-test, tests."""

from modelshelf.samples.accounts import READER_TOKEN, REFUSED_TOKEN, STRANGER_TOKEN, WAITING_TOKEN
from modelshelf.samples.faults import ALWAYS, Faults
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
