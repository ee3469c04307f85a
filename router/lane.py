"""A lane: what is in hand of one channel, and the threads that send it."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from router.ledger import InHand

if TYPE_CHECKING:
    from router.rules import Rate


class Lane:
    """One channel: what is in hand of it, and the threads that send it."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.queue: SimpleQueue[InHand | None] = SimpleQueue()
        self.lock = threading.Lock()
        self.held = 0
        self.idle = 0
        self.threads: list[threading.Thread] = []
        self.more = False  # more is due than was claimed
        self.rests = False  # it fails, and one delivery at a time probes
        self.alarm: float | None = None  # when to claim again
        self._arrival = 0.0

    def empty(self) -> list[InHand]:
        """Take out what is not yet begun."""
        taken: list[InHand] = []
        while True:
            try:
                held = self.queue.get_nowait()
            except Empty:
                return taken
            if held is not None:
                taken.append(held)

    def spacing(self, rate: Rate | None, now: float) -> float:
        """Seconds until the next send may begin, which is then counted as begun.

        The ledger keeps the rate over all processes; this keeps the moments themselves apart,
        however late a thread gets to run.
        """
        if rate is None:
            return 0.0
        with self.lock:
            ahead = (rate.burst - 1) * rate.spacing
            arrival = min(self._arrival, now + ahead + rate.spacing)  # a clock that was set back
            begin = max(now, arrival - ahead)
            self._arrival = max(arrival, begin) + rate.spacing
        return begin - now
