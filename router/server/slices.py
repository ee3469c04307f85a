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


class Slices:
    """Hands what one connection reads to its parser; nothing more is read meanwhile."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: LingeringTransport,
        parse: Callable[[bytes], None],
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._parse = parse
        self._rest = b""

    def take(self, data: bytes) -> None:
        """Parse what was read, the first slice of it at once."""
        waiting = bool(self._rest)
        self._rest += data
        if not waiting:
            self._next()

    def drop(self) -> None:
        """Parse no more: the connection is gone."""
        self._rest = b""

    def _next(self) -> None:
        data, self._rest = self._rest[:SLICE], self._rest[SLICE:]
        if data:
            self._parse(data)
        if self._rest:
            self._transport.hold_reading()
            self._loop.call_soon(self._next)
        else:
            self._transport.release_reading()
