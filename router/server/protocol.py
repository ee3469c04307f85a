"""One connection: uvicorn's httptools protocol, with bounds, and with framing that is its sender's.

httptools stops at the end of a head that asks for an upgrade, and what uvicorn then feeds it is
read as the next request (uvicorn's issue 2722). Here such a head is fed to a fresh parser without
its wish, and the body after it is a body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from router.server.framing import (
    Refused,
    check_framing,
    check_size,
    head_without_upgrade,
    too_large,
)
from router.server.slices import SLICE, SlicedReading
from router.server.transport import LingeringTransport

if TYPE_CHECKING:
    import asyncio

    from router.server.connections import Connections, Phase, Reason


FIELD = 160
"""Bytes of memory that a header takes beside its text."""


class _Trailers(list[tuple[bytes, bytes]]):
    """Where fields go that come after the body: whoever reads headers must never see them."""

    def append(self, _field: tuple[bytes, bytes]) -> None:
        pass


TRAILERS = _Trailers()


class BoundedProtocol(HttpToolsProtocol):
    """See the module. `bound` makes the class for one server."""

    all_connections: Connections
    transport: LingeringTransport  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.phase: Phase = "waiting"
        self.since = self.loop.time()
        self.served = 0
        self.received = 0
        self.blocked_since: float | None = None
        self._head = self._weighed = self._body = self._held = self._thrown_away = 0
        self._in_head = self._upgrading = self._ended = self._left = False
        lingering = LingeringTransport(transport, self)
        readers = self.all_connections.readers
        transport.set_protocol(SlicedReading(readers, self, lingering, self.loop))
        super().connection_made(lingering)  # type: ignore[arg-type]
        if not self.all_connections.add(self):
            self._answer(503, "too many connections; come again later")

    def connection_lost(self, exc: Exception | None) -> None:
        self._left = True
        self.all_connections.remove(self)
        super().connection_lost(exc)
        # Of what refers to it nothing is left to the collector, who would stop all for long.
        self.cycle, self.scope = None, None  # type: ignore[assignment]
        self.transport.let_go()

    def has_left(self) -> bool:
        """Whether who asked has gone, so that what has not begun need not."""
        return self._left

    # --- what comes ---

    def parse(self, data: bytes) -> bool:
        """Read a slice of what comes; answers whether what follows is read too, or thrown away."""
        if self._ended:
            self._throw_away(len(data))
            return False
        if self.phase == "waiting":
            self.phase, self.since = "head", self.loop.time()
        try:
            self._feed(data)
            if self.phase == "head" or self._in_head:
                self._bound_head(len(data))
            elif self.phase == "body":
                self._bound_body(len(data))
        except Refused as refused:
            self._refuse(refused)
        return not self._ended

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                method, version = self.parser.get_method(), self.parser.get_http_version()
                if method == b"CONNECT":
                    raise Refused(405, "this is no proxy", "malformed") from None
                head = head_without_upgrade(method, self.url, version, self.headers)
                data = head + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError as error:
                if isinstance(error.__context__, Refused):
                    raise error.__context__ from None
                raise Refused(400, "this is no HTTP/1.1 request", "malformed") from None

    def _bound_head(self, size: int) -> None:
        """Bound a head that is not whole yet: by itself, and together with all others."""
        self._head += size
        limits = self.all_connections.limits
        # What was sent together with the end of another request is not its own.
        if self._head > limits.head + SLICE:
            raise too_large(limits)
        fields = 0
        if self._in_head:
            check_size(self.url, self.headers, self._head, limits)
            fields = len(self.headers)
        self._hold(size + FIELD * (fields - self._weighed))
        self._weighed = fields

    def _bound_body(self, size: int) -> None:
        """Bound a body that is not whole yet, and what of it is none: chunks of a byte, their
        extensions, trailers."""
        self.received += size
        # What was sent together with its head, or with another request, is not its own.
        slack = self.all_connections.limits.framing + SLICE
        if self.received - self._body > slack + self._body:
            raise Refused(400, "the chunks are larger than what is in them", "malformed")
        self._hold(self._body - self._held)
        self._held = self._body

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= self.all_connections.limits.pipelined:
            raise Refused(400, "too many requests at once on one connection", "flood")
        self._weighed = 0
        self._upgrading = False
        self._in_head = True
        super().on_message_begin()
        self.scope["router.has_left"] = self.has_left  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        check_size(self.url, self.headers, self._head + SLICE, self.all_connections.limits)
        if self.parser.should_upgrade():
            self._upgrading = True  # it comes again, without that wish
            return
        check_framing(self.parser.get_http_version(), self.headers)
        self._in_head = False
        self._head = self._weighed = self._thrown_away = 0
        self._body = self._held = self.received = 0
        self.phase, self.since = "body", self.loop.time()
        super().on_headers_complete()
        self.headers = TRAILERS

    def on_message_complete(self) -> None:
        if self._upgrading:
            return
        self.phase = "answer"
        if not self.all_connections.budget.finish(self, self._body - self._held):
            self.phase = "body"
            raise Refused(503, "too much to answer at once; come again later", "flood")
        self.all_connections.begin(self)
        self.cycle.more_body = False
        self.cycle.message_event.set()
        if self.cycle.response_complete:
            self._wait()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        if self.cycle.response_complete:
            self._held += len(body)
            self._throw_away(len(body))
        else:
            super().on_body(body)

    # --- what goes ---

    def on_response_complete(self) -> None:
        self.transport.end_answer()
        self.served += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        self.all_connections.budget.answered(self)
        if self.phase == "answer":
            self._wait()
        elif self.phase == "body":  # answered early: what still comes is thrown away
            self.all_connections.budget.release(self)
            self.cycle.body = bytearray()

    def pause_writing(self) -> None:
        self.blocked_since = self.loop.time()
        self.all_connections.wait(self)
        super().pause_writing()

    def resume_writing(self) -> None:
        self.blocked_since = None
        if self.phase == "answer":
            self.all_connections.begin(self)
        super().resume_writing()

    def time_out(self, reason: Reason) -> None:
        if reason in ("slow_head", "slow_body") and self.phase != "linger":
            self._end(Refused(408, "the request took too long to come", reason))
        elif reason == "flood":
            self._end(self._no_room())
        else:
            self.transport.abort()

    def shutdown(self) -> None:
        if self.phase == "head":
            self.transport.abort()  # nobody knows whether the rest would ever come
        else:
            super().shutdown()

    def begin_lingering(self) -> bool:
        """Go on reading what still comes of a request that was answered; False if nothing does."""
        if self.phase not in ("head", "body") and not self._ended:
            return False
        self._ended = True
        self.phase, self.since = "linger", self.loop.time()
        self.flow.resume_reading()
        return True

    def _hold(self, size: int) -> None:
        if not self.all_connections.budget.hold(self, size):
            raise self._no_room()

    def _no_room(self) -> Refused:
        return Refused(503, "too many requests come in parts; come again later", "flood")

    def _wait(self) -> None:
        self.phase = "head" if self._in_head else "waiting"
        self.since, self.received = self.loop.time(), 0
        self.all_connections.wait(self)

    def _throw_away(self, size: int) -> None:
        self._thrown_away += size
        if self._thrown_away > self.all_connections.limits.lingering:
            self.transport.abort()

    def _refuse(self, refused: Refused) -> None:
        self.all_connections.refused(refused.reason)
        self._end(refused)

    def _end(self, refused: Refused) -> None:
        """Answer in place of the application, and read nothing more of this connection."""
        cycle: RequestResponseCycle | None = self.cycle
        self._ended = True
        self.all_connections.budget.release(self)
        self.headers, self.scope, self.parser = [], None, None  # type: ignore[assignment]  # freed
        if cycle is not None and cycle.response_complete and self.phase == "body":
            self.transport.close()  # it has its answer
        elif cycle is None or cycle.response_complete:
            self._answer(refused.status, refused.text)
        elif self.phase != "body":
            # Earlier requests are being answered: the last one's answer ends the connection.
            cycle.keep_alive = False
            self.phase = "answer"
        elif self.pipeline or cycle.response_started:
            self.transport.abort()
        else:
            cycle.disconnected = True
            cycle.message_event.set()
            self._answer(refused.status, refused.text)

    def _answer(self, status: int, text: str) -> None:
        if self.transport.is_closing():
            return
        body = text.encode() + b"\n"
        head: list[Any] = [
            STATUS_LINE.get(status, STATUS_LINE[400]),
            b"content-type: text/plain; charset=utf-8\r\n",
            b"content-length: %d\r\n" % len(body),
            b"retry-after: 5\r\n" if status == 503 else b"",
            b"connection: close\r\n\r\n",
            body,
        ]
        self._ended = True
        self.transport.write(b"".join(head))
        self.transport.close()


def bound(connections: Connections) -> type[BoundedProtocol]:
    """Make the protocol of one server, whose connections are counted together."""
    return type("_Protocol", (BoundedProtocol,), {"all_connections": connections})
