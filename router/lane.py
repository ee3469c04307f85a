"""A lane: what is in hand of one channel, and the threads that send it."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue

from router.ledger import InHand


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
        self.blocked = False  # something due waits for an earlier one of its case
        self.alarm: float | None = None

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
