"""What the sample hub can be told to do wrong, so that tests see what a client makes of it."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

ALWAYS = 1 << 30

Place = Literal["api", "resolve", "cdn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Switches of a hub; none is on by default. Set `hub.faults` to change them while it runs.

    A switch named `…_times`, or without a unit, says how many answers it spoils, counted anew each time `hub.faults` is
    set: 1 is once, `ALWAYS` is all. Switches for bodies concern large files (those the hub keeps in LFS) whose path
    matches `only`.
    """

    only: str = "*"
    """Which files the body switches concern: a pattern as in a shell."""

    rate: int = 0
    """Bytes per second of each answer with a body; 0 is as fast as it goes."""
    latency: float = 0.0
    """Seconds before each answer."""
    api_down: bool = False
    """Whether the API and the resolver close every connection without a word."""
    cdn_down: bool = False
    """Whether the content server does so."""

    status: int = 0
    """The error that requests get instead of an answer (500, 503, 429, 403 …)."""
    status_times: int = 1
    """How many requests get it."""
    status_on: Place = "cdn"
    """Where: the API, the resolver (which redirects) or the content server."""
    retry_after: str = ""
    """The Retry-After header that goes with it."""
    ratelimit: str = ""
    """The RateLimit header that goes with it."""

    close_after: int = 0
    """Bytes of a body after which the connection ends."""
    close_times: int = 1
    """How many bodies that happens to."""
    silence_after: int = 0
    """Bytes of a body after which nothing comes for `silence_seconds`; the connection stays open, the rest follows."""
    silence_seconds: float = 0.0
    """How long; 0 is never."""
    silence_times: int = 1
    """How many bodies that happens to."""
    trickle: int = 0
    """Bytes per second of the first `trickle_times` bodies, instead of `rate`."""
    trickle_times: int = 1
    """How many bodies trickle."""

    corrupt: int = 0
    """Bodies in which 16 bytes in the middle of the file are other than published; the size is right."""
    truncate: int = 0
    """Bodies that lack their last 1,000 bytes, with a Content-Length that agrees."""
    long_length: int = 0
    """Bodies whose Content-Length promises 1,000 bytes more than come."""
    range_ignored: int = 0
    """Requests for a range that get the whole file with status 200."""
    wrong_offset: int = 0
    """Requests for a range that get another one, named truly in Content-Range."""
    lying_body: int = 0
    """Requests for a range that get the bytes of another one under the right Content-Range."""

    repeat: int = 0
    """Pages of the list of models, but the first, that are answered twice: the next one has the same models."""
    endless: bool = False
    """Whether the list of models begins anew after its last page, for ever."""

    revoked: bool = False
    """Whether no token is accepted any more."""

    plain_redirect: int = 0
    """Redirects that lead to plain http."""
    signature_uses: int = 0
    """How many requests a signed address is good for before it answers 403; 0 is any number."""

    def concern(self, path: str) -> bool:
        """Whether the body switches are meant for this file."""
        return fnmatchcase(path, self.only)


class Switchboard:
    """The faults in force and how often each was used."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._used: dict[str, int] = {}

    def take(self, switch: str, times: int) -> bool:
        """Whether this answer is one of the first `times`; counts it if so."""
        used = self._used.get(switch, 0)
        if used >= times:
            return False
        self._used[switch] = used + 1
        return True
