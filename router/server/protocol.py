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

from router.server.transport import LingeringTransport

if TYPE_CHECKING:
    import asyncio

    from router.server.connections import Connections, Phase, Reason


COUNTED = 16 * 1024
"""Bytes of a body from which on it is counted: few events are larger."""


class Refused(Exception):
    """A request that is not answered by the application; the text is for who sent it."""

    def __init__(self, status: int, text: str, reason: Reason) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.reason: Reason = reason


class BoundedProtocol(HttpToolsProtocol):
    """See the module. `bound` makes the class for one server."""

    all_connections: Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.phase: Phase = "waiting"
        self.since = self.loop.time()
        self.served = 0
        self.received = 0
        self.blocked_since: float | None = None
        self._head = 0
        self._fields = 0
        self._size = 0
        self._complete = False
        self._upgrading = False
        self._broken = False
        self._counted = 0
        self._thrown_away = 0
        super().connection_made(LingeringTransport(transport, self))  # type: ignore[arg-type]
        if not self.all_connections.add(self):
            self._answer(503, "too many connections; come again later")

    def connection_lost(self, exc: Exception | None) -> None:
        self._uncount()
        self.all_connections.remove(self)
        super().connection_lost(exc)

    # --- what comes ---

    def data_received(self, data: bytes) -> None:
        if self._broken or self.phase == "linger":
            self._throw_away(len(data))
            return
        if self.phase == "waiting":
            self.phase, self.since = "head", self.loop.time()
        self.received += len(data)
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._without_upgrade() + data[upgrade.args[0] :]
                if self.parser.get_method() == b"CONNECT":
                    self._refuse(Refused(405, "this is no proxy", "malformed"))
                    return
                self.parser = httptools.HttpRequestParser(self)
                continue
            except httptools.HttpParserError as error:
                cause = error.__context__
                malformed = Refused(400, "this is no HTTP/1.1 request", "malformed")
                self._refuse(cause if isinstance(cause, Refused) else malformed)
                return
            break
        if self.phase == "head":
            self._head += len(data)
            if self._head > self.all_connections.limits.head:
                self._refuse(self._too_large())

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= self.all_connections.limits.pipelined:
            raise Refused(400, "too many requests at once on one connection", "flood")
        self._fields = self._size = 0
        self._upgrading = False
        self._complete = False
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.all_connections.limits.request_line:
            raise Refused(414, "the address is too long", "large_head")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._complete:
            return  # a trailer is no header: whoever reads headers must never see it
        self._fields += 1
        self._size += len(name) + len(value) + 4
        limits = self.all_connections.limits
        if self._fields > limits.fields or self._size > limits.head:
            raise self._too_large()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._complete = True
        if self.parser.should_upgrade():
            self._upgrading = True  # it comes again, without that wish
            return
        self._check_framing()
        self._head = self._thrown_away = 0
        self.phase, self.since, self.received = "body", self.loop.time(), 0
        self.all_connections.begin(self)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self._upgrading:
            return
        self.phase = "answer"
        super().on_message_complete()
        if self.cycle.response_complete:
            self._wait()

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._throw_away(len(body))
        else:
            super().on_body(body)
            if len(self.cycle.body) > COUNTED:
                self._count(len(body))

    def _check_framing(self) -> None:
        """Refuse what two servers may read differently."""
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise Refused(505, "this server speaks HTTP/1.1", "malformed")
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding" and (
                version == "1.0" or value.strip().lower() != b"chunked"
            ):
                raise Refused(501, "a body comes with its length, or chunked", "malformed")
        if hosts > 1:
            raise Refused(400, "there is more than one Host", "malformed")

    def _without_upgrade(self) -> bytes:
        """The head that was just read, without its wish for an upgrade."""
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        for name, value in self.headers:
            if name == b"connection":
                tokens = [token.strip() for token in value.split(b",")]
                value = b", ".join(t for t in tokens if t.lower() == b"close")  # noqa: PLW2901
            if name != b"upgrade" and (value or name != b"connection"):
                lines.append(name + b": " + value)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    # --- what goes ---

    def on_response_complete(self) -> None:
        self.served += 1
        self.server_state.total_requests += 1
        self._uncount()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self.phase == "answer":
            self._wait()
        else:
            self.cycle.body = bytearray()

    def pause_writing(self) -> None:
        self.blocked_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self.blocked_since = None
        super().resume_writing()

    def time_out(self, reason: Reason) -> None:
        if reason in ("slow_head", "slow_body") and self.phase != "linger":
            self._end(Refused(408, "the request took too long to come", reason))
        else:
            self.transport.abort()

    def begin_lingering(self) -> bool:
        """Go on reading what still comes of a request that was answered; False if nothing does."""
        if self.phase not in ("head", "body") and not self._broken:
            return False
        self.phase, self.since = "linger", self.loop.time()
        self.flow.resume_reading()
        return True

    def _count(self, size: int) -> None:
        """Count a large body against what all of them may hold in memory together."""
        self._counted += size
        self.all_connections.buffered += size
        if self.all_connections.buffered > self.all_connections.limits.buffered:
            raise Refused(503, "too many large bodies at once; come again later", "flood")

    def _uncount(self) -> None:
        self.all_connections.buffered -= self._counted
        self._counted = 0

    def _wait(self) -> None:
        self.phase, self.since, self.received = "waiting", self.loop.time(), 0
        self.all_connections.wait(self)

    def _throw_away(self, size: int) -> None:
        self._thrown_away += size
        if self._thrown_away > self.all_connections.limits.lingering:
            self.transport.abort()

    def _too_large(self) -> Refused:
        limits = self.all_connections.limits
        text = f"the head is larger than {limits.head} bytes, or has over {limits.fields} fields"
        return Refused(431, text, "large_head")

    def _refuse(self, refused: Refused) -> None:
        self.all_connections.refused(refused.reason)
        self._end(refused)

    def _end(self, refused: Refused) -> None:
        """Answer in place of the application, and read nothing more of this connection."""
        cycle: RequestResponseCycle | None = self.cycle
        self._broken = True
        if cycle is None or cycle.response_complete:
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
        self._broken = True
        self.transport.write(b"".join(head))
        self.transport.close()


def bound(connections: Connections) -> type[BoundedProtocol]:
    """Make the protocol of one server, whose connections are counted together."""
    return type("_Protocol", (BoundedProtocol,), {"all_connections": connections})
