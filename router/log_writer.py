"""The thread that writes the log, so that nobody who logs waits for whoever reads it.

A pipe that nobody reads fills up, and a write to it then waits for ever. Lines wait in memory up
to a bound; beyond it they are dropped and counted, and the count is written when it goes on.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from router.scheduler import THREADS, NoThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.scheduler import Scheduler

MAX_WAITING = 8 * 1024**2
"""Characters of lines that may wait."""
CHUNK = 64 * 1024
LAST = 2.0
"""Seconds that the end of the process waits for the last lines."""


class LogWriter:
    """Writes lines to a file descriptor in the order they came; `write` never waits."""

    def __init__(self, descriptor: int, scheduler: Scheduler = THREADS) -> None:
        self._descriptor = descriptor
        self._scheduler = scheduler
        self._lines: deque[str] = deque()
        self._waiting = 0
        self._lock = threading.Lock()
        self._filled = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._dropped = 0
        self._running = False
        self.on_drop: Callable[[], None] | None = None
        """Called for each line that is dropped."""

    def write(self, line: str) -> None:
        """Have a line written; it is dropped if too much waits already."""
        with self._lock:
            if self._waiting + len(line) > MAX_WAITING:
                self._dropped += 1
                if self.on_drop is not None:
                    self.on_drop()
                return
            self._lines.append(line)
            self._waiting += len(line)
            self._idle.clear()
            start = not self._running
            self._running = True
        self._filled.set()
        if start:
            self._start()

    def flush(self, seconds: float = LAST) -> None:
        """Wait until all is written, `seconds` at most."""
        self._idle.wait(seconds)

    def _start(self) -> None:
        try:
            self._scheduler.start("log-writer", self._run)
        except NoThread:  # the next line tries again
            with self._lock:
                self._running = False

    def _run(self) -> None:
        try:
            while True:
                self._filled.wait()
                self._filled.clear()
                while chunk := self._take():
                    self._put(chunk)
        finally:
            with self._lock:
                self._running = False

    def _take(self) -> bytes:
        """The next lines as one piece; b"" if there are none."""
        with self._lock:
            lines: list[str] = []
            size = 0
            if self._dropped and self._lines:
                lines.append(f"{self._dropped} lines of the log were dropped: nobody read them")
                self._dropped = 0
            while self._lines and size < CHUNK:
                line = self._lines.popleft()
                size += len(line)
                lines.append(line)
            self._waiting -= size
            if not lines:
                self._idle.set()
                return b""
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")

    def _put(self, chunk: bytes) -> None:
        left = memoryview(chunk)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # somebody made the pipe so
                time.sleep(0.05)
            except OSError:  # nobody reads any more, and nobody ever will
                return
