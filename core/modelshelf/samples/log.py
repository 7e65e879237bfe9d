"""What the sample hub remembers of each request."""

from dataclasses import dataclass

from aiohttp import web


@dataclass(slots=True)
class HubRequest:
    """A request as the hub saw it.

    `place` is api | resolve | cdn | plain; `status` is 0 while there is no answer; `sent` counts the body's bytes;
    `authorised` says whether it carried an Authorization header; `port` is the client's, one per connection.
    """

    place: str
    method: str
    path: str
    query: str = ""
    range: str = ""
    if_range: str = ""
    authorised: bool = False
    port: int = 0
    status: int = 0
    sent: int = 0


ENTRY: web.RequestKey[HubRequest] = web.RequestKey("entry", HubRequest)
"""Where a request carries its own entry."""


def note(request: web.Request, place: str) -> HubRequest:
    """Begin the entry of a request."""
    entry = HubRequest(
        place,
        request.method,
        request.path,
        request.query_string,
        request.headers.get("Range", ""),
        request.headers.get("If-Range", ""),
        "Authorization" in request.headers,
        request.transport.get_extra_info("peername")[1] if request.transport else 0,
    )
    request[ENTRY] = entry
    return entry
