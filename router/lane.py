"""A lane: what is in hand of one channel, and what is known of when to claim more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.scheduler import Empty

if TYPE_CHECKING:
    from router.ledger import InHand
    from router.rules import Rate
    from router.scheduler import Queue, Scheduler


class Lane:
    """One channel in this process. Its numbers change under `lock`."""

    def __init__(self, channel: str, scheduler: Scheduler) -> None:
        self.channel = channel
        self.queue: Queue[InHand] = scheduler.queue()
        self.lock = scheduler.lock()
        self.held = 0
        """Deliveries in hand: claimed, and their attempts not yet on disk."""
        self.serving = 0
        """Threads that send for it, or are asked to."""
        self.more = False
        """More is due than was claimed."""
        self.rests = False
        """It fails, and one delivery at a time probes."""
        self.alarm: float | None = None
        """When to claim again (epoch seconds)."""
        self.idle_until = 0.0
        """A claim that brought nothing said so: before then (epoch seconds) no other need ask."""
        self.moved_at = scheduler.monotonic()
        """When a delivery of it was last begun, ended or claimed (monotonic seconds)."""
        self.mended_at = self.moved_at
        """When it was last served anew, because nothing of it moved."""
        self._rate: Rate | None = None
        self._arrival = 0.0  # monotonic

    def empty(self) -> list[InHand]:
        """Take out what is not yet begun."""
        waiting: list[InHand] = []
        while True:
            try:
                waiting.append(self.queue.get_nowait())
            except Empty:
                return waiting

    def spacing(self, rate: Rate | None, moment: float, patience: float) -> float:
        """Seconds until the next send may begin, which is then counted as begun; where they are
        more than `patience`, it is not, and has to ask again then.

        The ledger keeps the rate over all processes; this keeps the moments themselves apart,
        however late a thread gets to run. `moment` is of the monotonic clock: each thread that
        waits holds a moment of its own, which no clock that is set may move to another's.
        """
        if rate is None:
            return 0.0
        with self.lock:
            if rate != self._rate:
                self._rate, self._arrival = rate, moment
            begin = max(moment, self._arrival - (rate.burst - 1) * rate.spacing)
            if begin - moment <= patience:
                self._arrival = max(self._arrival, begin) + rate.spacing
        return begin - moment
