"""A transport that sends an answer's head with its body, and that is closed gently.

A head of its own would be a second call of the system for each event that is accepted; ASGI wants
it to wait for the body anyway. And a connection that is closed while the peer sends is reset, and
the answer on its way is lost (a proxy then says 502 in place of our 413): so what the peer still
sends is read and thrown away first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""What is written before an answer begins, for a peer that waits for it."""


class _Owner(Protocol):
    def begin_lingering(self) -> bool: ...


class LingeringTransport:
    """What the protocol and its answers use of an asyncio transport."""

    __slots__ = ("_begun", "_closing", "_head", "_held", "_inner", "_owner", "_paused")

    def __init__(self, inner: asyncio.Transport, owner: _Owner) -> None:
        self._inner = inner
        self._owner: _Owner | None = owner
        self._closing = False
        self._paused = self._held = self._begun = False
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send it; what an answer begins with, its head, goes with what comes next."""
        if self._closing:
            return
        if self._begun:
            head, self._head = self._head, b""
            self._inner.write(head + data if head else data)
        elif data == CONTINUE:
            self._inner.write(data)
        else:
            self._begun, self._head = True, data

    def end_answer(self) -> None:
        """The answer is whole, and what is written next begins another."""
        self._begun = False
        if self._head:  # it has no body
            head, self._head = self._head, b""
            if not self._inner.is_closing():
                self._inner.write(head)

    def let_go(self) -> None:
        """The connection is gone: nobody is asked about it any more."""
        self._owner = None

    def is_closing(self) -> bool:
        return self._closing or self._inner.is_closing()

    def close(self) -> None:
        """Close it once the peer has sent what it was sending, or its time is over."""
        if self.is_closing():
            return
        self.end_answer()
        self._closing = True
        lingers = self._owner is not None and self._owner.begin_lingering()
        if lingers and self._inner.can_write_eof():
            self._inner.write_eof()
        else:
            self._inner.close()

    def abort(self) -> None:
        """Close it when what was written is sent, or at once where nothing goes."""
        self.end_answer()
        self._closing = True
        if self._inner.get_write_buffer_size():
            self._inner.abort()
        else:
            self._inner.close()

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`: the application is behind."""
        self._wait(paused=True, held=self._held)

    def resume_reading(self) -> None:
        self._wait(paused=False, held=self._held)

    def hold_reading(self) -> None:
        """Read nothing until `release_reading`: what was read is still being parsed."""
        self._wait(paused=self._paused, held=True)

    def release_reading(self) -> None:
        self._wait(paused=self._paused, held=False)

    def _wait(self, *, paused: bool, held: bool) -> None:
        waited, waits = self._paused or self._held, paused or held
        self._paused, self._held = paused, held
        if waits == waited or self._inner.is_closing():
            return
        if waits:
            self._inner.pause_reading()
        else:
            self._inner.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)
