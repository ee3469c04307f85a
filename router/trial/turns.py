"""Whose turn it is at the process aside: one at a time, first who had it least."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

REMEMBERED = 60.0
"""Seconds for which it counts how long somebody had their turn."""


class Turns:
    """A lock for one event loop. Of those who wait, who had it for the least time of the last
    minute comes first, and of these who came first."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: list[tuple[Hashable, asyncio.Future[None]]] = []
        self._used: dict[Hashable, tuple[float, float]] = {}  # seconds, and until when

    @contextlib.asynccontextmanager
    async def of(self, who: Hashable, patience: float) -> AsyncIterator[None]:
        """Have a turn; raises TimeoutError if it does not come within `patience` seconds."""
        await self._take(who, patience)
        began = time.monotonic()
        try:
            yield
        finally:
            self._note(who, time.monotonic() - began)
            self._pass_on()

    async def _take(self, who: Hashable, patience: float) -> None:
        if not self._held:
            self._held = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (who, turn)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(patience):
                await turn
        except BaseException:
            if entry in self._waiting:
                self._waiting.remove(entry)
            elif turn.done() and not turn.cancelled():
                self._pass_on()  # it came in the moment in which it was given up
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            entry = min(self._waiting, key=lambda entry: self._seconds(entry[0]))
            self._waiting.remove(entry)
            if not entry[1].done():
                entry[1].set_result(None)
                return
        self._held = False

    def _note(self, who: Hashable, seconds: float) -> None:
        now = time.monotonic()
        self._used = {key: used for key, used in self._used.items() if used[1] > now}
        self._used[who] = (self._seconds(who) + seconds, now + REMEMBERED)

    def _seconds(self, who: Hashable) -> float:
        used = self._used.get(who)
        return 0.0 if used is None or used[1] <= time.monotonic() else used[0]
