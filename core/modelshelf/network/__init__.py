"""The one way out: every request for bytes of a source obeys the same policy of addresses, redirects and headers."""

from modelshelf.network.answers import Answer, RangeAnswer, Route
from modelshelf.network.client import Network

__all__ = ["Answer", "Network", "RangeAnswer", "Route"]
