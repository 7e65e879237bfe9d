"""A connection that a thread reads: large bodies at half the cost of reading TLS in the event loop.

The event loop finds out where a file is, by redirects under the policy; a lane only asks there again, for one range
after another. What it is answered is checked as in the loop; a redirect, or a body in chunks, sends the caller back.
"""

import http.client
import os
import selectors
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from multidict import CIMultiDict

from modelshelf.errors import ModelshelfError, Unreachable
from modelshelf.network.answers import Extent, Head, Route, check, refusal

Address = tuple[int, tuple[str, int]]
"""The family of an address, its host and its port."""

_OK = (200, 206)
# Threads that decrypt at once. More than the processor has room for only wake each other: half as much again per byte.
_TURNS = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) // 2))


class LaneUnfitError(Exception):
    """The answer is one that the event loop has to deal with: ask by `Network.open` instead."""


class Lane:
    """One connection to the end of a route, opened by the first request. For one thread; only `abort` is for any."""

    def __init__(
        self,
        route: Route,
        addresses: Sequence[Address],
        context: ssl.SSLContext,
        connect_seconds: float,
        silence_seconds: float | None,
    ) -> None:
        self.route = route
        self._addresses = addresses
        self._context = context
        self._connect_seconds, self._silence_seconds = connect_seconds, silence_seconds
        self._connection: http.client.HTTPSConnection | None = None
        self._socket: socket.socket | None = None
        self._response: http.client.HTTPResponse | None = None
        self._left = 0
        self._begun = False
        self._aborted = False

    def ask(self, start: int, end: int, if_range: str | None) -> Extent:
        """Ask for the bytes from `start` to before `end`; `read_into` brings them.

        Raises:
            Unreachable, AccessError, FileNotInRepository: as `Network.open`; nothing more comes over this connection.
            LaneUnfitError: see there.
        """
        headers = {**self.route.headers, "Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        headers |= {"User-Agent": "modelshelf"} | ({"If-Range": if_range} if if_range else {})
        with self._explained():
            connection = self._connection or self._open()
            connection.request("GET", self.route.url.raw_path_qs, headers=headers)
            response = connection.getresponse()
            self._response = response
            head = Head(self.route.url, response.status, CIMultiDict(response.headers.items()), response.length)
            if response.status not in _OK and not 300 <= response.status < 400:
                raise refusal(head, redirected=True)
            if response.status not in _OK or response.chunked or response.length is None:
                raise LaneUnfitError
            extent = check(head, (start, end - 1))
            self._left, self._begun = response.length, False
            return extent

    def read_into(self, view: memoryview) -> int:
        """The next bytes of the body, as many as are there and fit, at least one; returns how many, 0 at its end.

        Raises:
            Unreachable: the connection broke or fell silent.
        """
        response = self._response
        if response is None or not self._left:
            return 0
        with self._explained():
            count = self._drain(response, view[: self._left])
            if not count:
                raise Unreachable(f"{self.route.url.host} broke the connection in mid-file.", transient=True)
        self._left -= count
        if not self._left:
            self._end(response)
        return count

    def _drain(self, response: http.client.HTTPResponse, view: memoryview) -> int:
        wrapped = self._socket
        if not isinstance(wrapped, ssl.SSLSocket) or not self._begun:
            # What came with the head waits in a buffer before the socket.
            self._begun = True
            first: int = response.fp.readinto1(view)
            return first
        while True:
            self._wait(wrapped)
            with _TURNS, _unwaiting(wrapped, self._silence_seconds):
                count = _take(wrapped, view)
            if count is not None:
                return count

    def _wait(self, wrapped: ssl.SSLSocket) -> None:
        if wrapped.pending():
            return
        ready = selectors.DefaultSelector()
        with ready:
            ready.register(wrapped, selectors.EVENT_READ)
            if not ready.select(self._silence_seconds):
                raise TimeoutError

    def _end(self, response: http.client.HTTPResponse) -> None:
        response.close()
        self._response = None
        if response.will_close:
            self.close()

    def abort(self) -> None:
        """End whatever the thread waits for, from another thread; the lane is of no use any more."""
        self._aborted = True
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        response, self._response = self._response, None
        connection, self._connection = self._connection, None
        self._socket, self._left = None, 0
        with suppress(OSError):
            if response is not None:
                response.close()
            if connection is not None:
                connection.close()

    def _open(self) -> http.client.HTTPSConnection:
        url = self.route.url
        connection = http.client.HTTPSConnection(url.host or "", url.port, context=self._context)
        connection.auto_open = 0  # it must not look the name up on its own: the addresses were checked
        self._connection = connection
        held = plain = self._connect()
        try:
            # The handshake comes below: from here on, closing what wraps it closes the socket too.
            held = connection.sock = wrapped = self._context.wrap_socket(
                plain, server_hostname=url.host, do_handshake_on_connect=False
            )
            self._socket = wrapped
            wrapped.do_handshake()
            wrapped.settimeout(self._silence_seconds)
        except BaseException:
            held.close()
            raise
        if self._aborted:
            wrapped.close()
            raise TimeoutError
        return connection

    def _connect(self) -> socket.socket:
        failure: OSError = ConnectionError("no address")
        for family, address in self._addresses:
            plain = self._socket = socket.socket(family, socket.SOCK_STREAM)
            try:
                plain.settimeout(self._connect_seconds)
                plain.connect(address)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                plain.close()
                failure = error
            else:
                return plain
        raise failure

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """One sentence for what went wrong, as in the loop; the connection is closed then."""
        host = self.route.url.host
        try:
            yield
        except (ModelshelfError, LaneUnfitError):
            self.close()
            raise
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise Unreachable(
                f"The certificate of {host} is not trusted: {error.verify_message}.",
                remedy="If the address is right, name the certificate authority's file in network.ca_file.",
                transient=False,
            ) from error
        except TimeoutError as error:
            self.close()
            raise Unreachable(f"{host} does not answer in time.", transient=True) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise Unreachable(f"{host} broke the connection in mid-file.", transient=True) from error


def _take(wrapped: ssl.SSLSocket, view: memoryview) -> int | None:
    """What is there, without waiting for more; 0 at the end of the connection, None if only a part of a record came."""
    count = 0
    try:
        while count < len(view) and (more := wrapped.recv_into(view[count:])):
            count += more
    except ssl.SSLWantReadError:
        return count or None
    except OSError:
        if not count:
            raise
    return count


@contextmanager
def _unwaiting(wrapped: ssl.SSLSocket, seconds: float | None) -> Iterator[None]:
    """Within the block a read that would have to wait fails instead."""
    wrapped.settimeout(0)
    try:
        yield
    finally:
        wrapped.settimeout(seconds)
