"""The watchdog: one thread that cuts off what passes its deadline.

A timeout of a socket starts anew with every byte, so a far end that drips would hold a thread for
ever.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Protocol

from router.log import get_logger
from router.scheduler import NoThread

if TYPE_CHECKING:
    from router.scheduler import Scheduler, Thread

LOOK = 0.1
"""Seconds between two looks."""
STANDS = 5.0
"""Seconds without a look after which the thread stands still, and another one takes its place."""
IDLE = 30.0
"""Seconds without anything to watch after which the thread ends."""

_log = get_logger()


class Watched(Protocol):
    """What has a deadline (monotonic seconds) and can be ended by another thread."""

    deadline: float

    def cut(self) -> None: ...


class Watchdog:
    """Watches what it is given. Its thread begins with the first, and again should it end: at the
    next send, or when `ensure` is called.

    There is no lock: a thread that stood still with it would hold up every send. What is watched
    changes by single steps of a dict. Of threads that senders start at once, or of which one stood
    still and moves again, the latest goes on.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.monotonic = scheduler.monotonic
        self._scheduler = scheduler
        self._watched: dict[Watched, None] = {}
        self._numbers = itertools.count(1)
        self._latest = 0
        self._thread: Thread | None = None
        self.looked_at = scheduler.monotonic()

    def watch(self, exchange: Watched) -> None:
        """Watch it until `leave`. Never raises: without a thread to be had, what is sent has the
        timeouts of its socket, and the next send asks for one again."""
        self._watched[exchange] = None
        self.ensure()

    def ensure(self) -> None:
        """See to it that what is watched has a thread that moves. Never raises."""
        if not self._watched:
            return
        moves = self._scheduler.monotonic() - self.looked_at < STANDS
        thread = self._thread
        if thread is not None and thread.is_alive() and moves:
            return
        number = next(self._numbers)
        try:
            self._thread = self._scheduler.start("watchdog", lambda: self._run(number))
        except NoThread as error:
            _log.error("no_watchdog", reason=str(error))
            return
        self._latest = max(self._latest, number)
        self.looked_at = self._scheduler.monotonic()

    def leave(self, exchange: Watched) -> None:
        self._watched.pop(exchange, None)

    def _run(self, number: int) -> None:
        busy_at = self._scheduler.monotonic()
        while number >= self._latest:
            now = self.looked_at = self._scheduler.monotonic()
            watched = list(self._watched)
            if watched:
                busy_at = now
            elif now - busy_at > IDLE:
                self._thread = None
                if not self._watched:  # nobody has counted on this thread meanwhile
                    return
            for exchange in watched:
                if exchange.deadline < now:
                    exchange.cut()
            self._scheduler.sleep(LOOK)
