"""What comes in one read, parsed in slices: one in each round of the event loop.

A read may bring 256 kB, and that of chunks of few bytes keeps the parser for 25 ms. All others
would wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from router.server.transport import LingeringTransport

SLICE = 16 * 1024
"""Bytes that are parsed in one round, and between two looks at the bounds."""


MAX_BACKLOG = 4 * 1024**2
"""Bytes of all connections that may wait to be parsed; beyond, each parses all it has read."""


class Backlog:
    """Bytes of all connections of a server that were read and are not parsed yet."""

    def __init__(self) -> None:
        self.size = 0


class Slices:
    """Hands what one connection reads to its parser; nothing more is read meanwhile."""

    def __init__(
        self,
        backlog: Backlog,
        loop: asyncio.AbstractEventLoop,
        transport: LingeringTransport,
        parse: Callable[[bytes], None],
    ) -> None:
        self._backlog = backlog
        self._loop = loop
        self._transport = transport
        self._parse = parse
        self._rest = b""

    def take(self, data: bytes) -> None:
        """Parse what was read, the first slice of it at once."""
        waiting = bool(self._rest)
        self._keep(self._rest + data)
        if not waiting:
            self._next()

    def drop(self) -> None:
        """Parse no more: the connection is gone."""
        self._keep(b"")

    def _next(self) -> None:
        while self._rest:
            data = self._rest[:SLICE]
            self._keep(self._rest[SLICE:])
            self._parse(data)
            if self._rest and self._backlog.size <= MAX_BACKLOG:
                self._transport.hold_reading()
                self._loop.call_soon(self._next)
                return
        self._transport.release_reading()

    def _keep(self, rest: bytes) -> None:
        self._backlog.size += len(rest) - len(self._rest)
        self._rest = rest
