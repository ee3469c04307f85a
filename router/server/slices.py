"""What comes is read in slices, and of all who send much one at a time.

A slice of chunks of few bytes keeps the parser for a millisecond, and hundreds may send such ones
at once: everybody else would wait for all of them. So whoever fills a slice waits for a turn to be
read again, of which there is one in each round of the event loop, and after it a pause as long as
its slice took; what was not read stays with the system, and takes no memory of ours.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from router.server.transport import LingeringTransport

SLICE = 16 * 1024
"""Bytes that are read and parsed in one go."""
BRIEF = 0.0002
"""Seconds of a slice after which no pause is needed."""


class Parser(Protocol):
    """The protocol of one connection."""

    def parse(self, data: bytes) -> bool:
        """Parse a slice; answers whether what follows is to be parsed too."""

    def connection_lost(self, exc: Exception | None) -> None: ...
    def eof_received(self) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


class Readers:
    """The connections of one server that sent a whole slice, in the order of their turns."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(SLICE))
        """What is read just now, by any of them: it is parsed before another one reads."""
        self._waiting: deque[LingeringTransport] = deque()
        self._next_at = 0.0  # of perf_counter

    def wait(
        self, transport: LingeringTransport, loop: asyncio.AbstractEventLoop, took: float
    ) -> None:
        """Read nothing more of a connection until it is its turn; its slice took so many seconds,
        and for as many the interpreter is the writer's, and everybody else's."""
        transport.hold_reading()
        self._next_at = perf_counter() + took
        self._waiting.append(transport)
        if len(self._waiting) == 1:
            loop.call_soon(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        pause = self._next_at - perf_counter()
        if pause > BRIEF:
            loop.call_later(pause, self._turn, loop)
            return
        self._waiting.popleft().release_reading()
        if self._waiting:
            loop.call_soon(self._turn, loop)


class SlicedReading(asyncio.BufferedProtocol):
    """What the event loop reads of one connection, in slices, for its protocol."""

    def __init__(
        self,
        readers: Readers,
        parser: Parser,
        transport: LingeringTransport,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._readers = readers
        self._parser = parser
        self._transport = transport
        self._loop = loop
        self.connection_lost = parser.connection_lost  # type: ignore[method-assign]
        self.eof_received = parser.eof_received  # type: ignore[method-assign]
        self.pause_writing = parser.pause_writing  # type: ignore[method-assign]
        self.resume_writing = parser.resume_writing  # type: ignore[method-assign]

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._readers.buffer

    def buffer_updated(self, nbytes: int) -> None:
        began = perf_counter()
        goes_on = self._parser.parse(bytes(self._readers.buffer[:nbytes]))
        if goes_on and nbytes == SLICE:
            self._readers.wait(self._transport, self._loop, perf_counter() - began)
