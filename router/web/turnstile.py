"""A turnstile before the pages: what is posted goes first.

A page keeps the interpreter for a millisecond. A hundred requests for pages that come at once
would stand before every step of an accept, and before every step of the writer's commit. So one
page begins in each round of the event loop, and while an event is being written down, one now
and then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from router.pools import Crowded

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_QUEUED = 1_024
"""Requests that wait: at a millisecond each, the last one waits for a second."""
RETRY_AFTER = 2.0
PAUSE = 0.004
"""Seconds between two pages that begin while an event is being written down."""


class Turnstile:
    """Lets requests through one by one, in the order in which they came."""

    def __init__(self, is_accepting: Callable[[], bool], most: int = MAX_QUEUED) -> None:
        """`is_accepting`: whether an event is being written down just now."""
        self._is_accepting = is_accepting
        self._most = most
        self._queue: deque[asyncio.Future[None]] = deque()
        self._turning = False

    async def pass_through(self) -> None:
        """Wait for the turn; raises Crowded if too many wait already."""
        loop = asyncio.get_running_loop()
        if len(self._queue) >= self._most:
            raise Crowded(RETRY_AFTER)
        turn = loop.create_future()
        self._queue.append(turn)
        if not self._turning:
            self._turning = True
            self._turn(loop)
        await turn

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if turn.done():
                continue  # whoever asked has gone
            turn.set_result(None)
            if self._is_accepting():
                loop.call_later(PAUSE, self._turn, loop)
            else:
                loop.call_soon(self._turn, loop)
            return
        self._turning = False
