"""Whose turn it is at the process aside: one at a time, first who had it least."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Iterator

REMEMBERED = 60.0
"""Seconds for which it counts how long somebody had their turn."""


class _Waiting(NamedTuple):
    """Who waits, what ends that, and until when it may last."""

    who: Hashable
    turn: asyncio.Future[None]
    bound: asyncio.Timeout


class Turns:
    """A lock for one event loop. Of those who wait, who had it for the least time of the last
    minute comes first, and of these who came first."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: list[_Waiting] = []
        self._until: float | None = None  # while no seconds count: when that ends at the latest
        self._used: dict[Hashable, tuple[float, float]] = {}  # seconds, and until when

    @contextlib.asynccontextmanager
    async def of(self, who: Hashable, patience: float) -> AsyncIterator[None]:
        """Have a turn; raises TimeoutError if it does not come within `patience` seconds that
        count."""
        await self._take(who, patience)
        began = time.monotonic()
        try:
            yield
        finally:
            self._note(who, time.monotonic() - began)
            self._pass_on()

    @contextlib.contextmanager
    def uncounted(self, most: float) -> Iterator[None]:
        """The seconds within it, `most` of them, count against the patience of nobody, unless it
        fails: else one failure after the other would have everybody wait on."""
        loop = asyncio.get_running_loop()
        self._until = loop.time() + most
        self._prolong(most)
        left = most
        try:
            yield
            left = self._until - loop.time()
        finally:
            self._until = None
            self._prolong(-left)

    def _prolong(self, seconds: float) -> None:
        for entry in self._waiting:
            until = entry.bound.when()
            if until is not None and not entry.bound.expired():
                entry.bound.reschedule(until + seconds)

    async def _take(self, who: Hashable, patience: float) -> None:
        if not self._held:
            self._held = True
            return
        loop = asyncio.get_running_loop()
        until = (self._until or loop.time()) + patience
        turn: asyncio.Future[None] = loop.create_future()
        entry = _Waiting(who, turn, asyncio.timeout_at(until))
        try:
            async with entry.bound:
                self._waiting.append(entry)
                await turn
        except BaseException:
            if entry in self._waiting:
                self._waiting.remove(entry)
            elif turn.done() and not turn.cancelled():
                self._pass_on()  # it came in the moment in which it was given up
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            entry = min(self._waiting, key=lambda entry: self._seconds(entry.who))
            self._waiting.remove(entry)
            if not entry.turn.done():
                entry.turn.set_result(None)
                return
        self._held = False

    def _note(self, who: Hashable, seconds: float) -> None:
        now = time.monotonic()
        self._used = {key: used for key, used in self._used.items() if used[1] > now}
        self._used[who] = (self._seconds(who) + seconds, now + REMEMBERED)

    def _seconds(self, who: Hashable) -> float:
        used = self._used.get(who)
        return 0.0 if used is None or used[1] <= time.monotonic() else used[0]
