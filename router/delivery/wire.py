"""The wire: every HTTP request goes out here, and is recorded.

Over pooled urllib3 connections: no redirect is followed, no cookie kept, no proxy read from the
environment, and all of it ends at a total deadline. What is recorded here, not what a plugin
logs, says how a send ended.
"""

from __future__ import annotations

import ssl
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from router.delivery.response import WholeHeadResponse
from router.delivery.watchdog import Watchdog
from router.scheduler import THREADS

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping


CONNECT = 10.0
ANSWER = 64 * 1024
KEPT = 2048
POOLED = 256
PLACES = 256


class Exchange:
    """One request, or one mail: what was sent, how far it came, what was answered."""

    def __init__(self, kind: Literal["http", "smtp"], **request: Any) -> None:
        self.kind = kind
        self.request = request
        self.connected = False
        self.sent = False
        self.status: int | None = None
        self.retry_after: str | None = None
        self.answer = b""
        self.error: BaseException | None = None


class Recorder:
    """What one send does on the wire, until its deadline (monotonic seconds)."""

    def __init__(self, wire: Wire, deadline: float) -> None:
        self.wire = wire
        self.deadline = deadline
        self.exchanges: list[Exchange] = []
        self.capture_answer = b'{"ok": true}'
        self.socket: socket.socket | None = None
        self.expired = False

    def left(self) -> float:
        """Seconds until the deadline; a little, when it has passed."""
        return max(0.01, self.deadline - self.wire.monotonic())

    def cut(self) -> None:
        """End what hangs: called by the watchdog once the deadline has passed."""
        self.expired = True
        found = self.socket
        if found is not None:
            try:
                found.shutdown(2)
            except OSError:
                self.socket = None  # it is closed already


_current: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


def recorder() -> Recorder:
    """The recorder of the send that this thread makes."""
    found = _current.get()
    if found is None:
        raise RuntimeError("nothing may be sent outside a delivery")
    return found


class Wire:
    """Pooled connections, one TLS context, and whether anything is really sent."""

    def __init__(
        self, *, capture: bool, ca_bundle: str | None, watchdog: Watchdog | None = None
    ) -> None:
        self.capture = capture
        self.watchdog = watchdog or Watchdog(THREADS)
        self.monotonic = self.watchdog.monotonic
        self.tls = ssl.create_default_context(cafile=ca_bundle)
        self.unverified = ssl.create_default_context()
        self.unverified.check_hostname = False
        self.unverified.verify_mode = ssl.CERT_NONE
        self._places: dict[tuple[str, bool], tuple[HTTPConnectionPool, str]] = {}
        self._pools = {True: _pools(self.tls), False: _pools(self.unverified)}

    def recording(self, seconds: float) -> Recording:
        """Record what the block sends, for at most so many seconds."""
        return Recording(Recorder(self, self.monotonic() + seconds))

    def close(self) -> None:
        self._places.clear()
        for pools in self._pools.values():
            pools.clear()

    def send(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        verify: bool = True,
    ) -> Exchange:
        """Make one request within the current recording; what goes wrong is in the exchange."""
        current = recorder()
        request = {"method": method, "url": url, "headers": dict(headers), "body": body}
        exchange = Exchange("http", **request, verify=verify)
        current.exchanges.append(exchange)
        if self.capture:
            exchange.connected = exchange.sent = True
            exchange.status, exchange.answer = 200, current.capture_answer
            return exchange
        try:
            self._exchange(exchange, current, verify=verify)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            exchange.error = error
        finally:
            current.socket = None
        return exchange

    def _place(self, url: str, *, verify: bool) -> tuple[HTTPConnectionPool, str]:
        """The pool for an address, and what is asked of it. Channels have few addresses: finding
        the pool anew for each message would cost a fifth of the send."""
        found = self._places.get((url, verify))
        if found is None:
            parsed = urllib3.util.parse_url(url)
            found = self._pools[verify].connection_from_url(url), parsed.request_uri
            if len(self._places) >= PLACES:
                self._places.clear()
            self._places[url, verify] = found
        return found

    def _exchange(self, exchange: Exchange, current: Recorder, *, verify: bool) -> None:
        request = exchange.request
        pool, target = self._place(request["url"], verify=verify)
        timeout = urllib3.Timeout(connect=min(CONNECT, current.left()), read=current.left())
        answer = pool.urlopen(
            request["method"],
            target,
            body=request["body"],
            headers=request["headers"],
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=timeout,
            assert_same_host=False,
        )
        try:
            exchange.status = answer.status
            exchange.retry_after = answer.headers.get("retry-after")
            body = _read(answer)
            if current.expired and _ends_with_its_connection(answer):
                raise TimeoutError("cut off")  # the watchdog made that end
            exchange.answer = body
        finally:
            answer.release_conn()


class Recording:
    """A block in which this thread's sends are recorded, and cut off at the deadline."""

    def __init__(self, made: Recorder) -> None:
        self._made = made

    def __enter__(self) -> Recorder:
        self._token = _current.set(self._made)
        self._made.wire.watchdog.watch(self._made)
        return self._made

    def __exit__(self, *_: object) -> None:
        self._made.wire.watchdog.leave(self._made)
        _current.reset(self._token)


class _Noting:
    """Tells the recorder how far a connection came, and gives it the socket."""

    response_class: Any = WholeHeadResponse

    def request(self, *arguments: Any, **named: Any) -> None:
        current = recorder()
        exchange = current.exchanges[-1]
        if self.sock is not None:  # type: ignore[attr-defined]
            current.socket = self.sock  # type: ignore[attr-defined]
        exchange.connected = exchange.sent = self.sock is not None  # type: ignore[attr-defined]
        self._held: bytearray | None = bytearray()
        try:
            super().request(*arguments, **named)  # type: ignore[misc]
        finally:
            held, self._held = self._held, None
        super().send(held)  # type: ignore[misc]
        exchange.connected = exchange.sent = True

    def send(self, data: Any) -> None:
        """Head and body of a request go out together: one call and one packet instead of two."""
        held = getattr(self, "_held", None)
        if held is None or not isinstance(data, bytes | bytearray):
            super().send(data)  # type: ignore[misc]
        else:
            held += data

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        current = recorder()
        current.socket = self.sock  # type: ignore[attr-defined]
        current.exchanges[-1].connected = current.exchanges[-1].sent = True


class _Plain(_Noting, HTTPConnection):
    pass


class _Tls(_Noting, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


def _pools(context: ssl.SSLContext) -> urllib3.PoolManager:
    manager = urllib3.PoolManager(num_pools=2 * PLACES, maxsize=POOLED, ssl_context=context)
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    return manager


def _ends_with_its_connection(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether nothing but the end of the connection says where the answer ends."""
    return not answer.chunked and answer.length_remaining is None


def _read(answer: urllib3.BaseHTTPResponse) -> bytes:
    """Read the answer; one that is longer than anyone needs is not read to its end."""
    parts: list[bytes] = []
    size = 0
    for chunk in answer.stream(8192, decode_content=True):
        parts.append(chunk)
        size += len(chunk)
        if size > ANSWER:
            answer.close()
            break
    return b"".join(parts)
