"""The one way out: every request for bytes of a source obeys the same policy of addresses, redirects and headers."""

from modelshelf.network.answers import Answer, RangeAnswer, Route
from modelshelf.network.client import Network
from modelshelf.network.lane import Lane, LaneUnfitError

__all__ = ["Answer", "Lane", "LaneUnfitError", "Network", "RangeAnswer", "Route"]
