"""The thread that writes the log, so that nobody who logs waits for whoever reads it.

A pipe that nobody reads fills up, and a write to it then waits for ever. Lines wait in memory up
to a bound. Those beyond it are dropped, and so are those that cannot be written, since the reader
has ended or the disk is full. All that are dropped are counted, and the count is written when it
goes on.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

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
        self._untold = 0  # lines that were dropped since the log last said so
        self._torn = False  # the last line that was written lacks its end
        self._running = False
        self._count: Callable[[int], None] | None = None
        self._uncounted = 0

    def count_drops(self, count: Callable[[int], None]) -> None:
        """Have `count` called with how many lines are dropped, now for those that were before."""
        with self._lock:
            self._count = count
            if self._uncounted:
                count(self._uncounted)

    def write(self, line: str) -> None:
        """Have a line written; it is dropped if too much waits already."""
        with self._lock:
            if self._waiting + len(line) > MAX_WAITING:
                self._drop(1)
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
                while (chunk := self._take()) is not None:
                    self._put(chunk)
        finally:
            with self._lock:
                self._running = False

    def _take(self) -> _Chunk | None:
        """The next lines as one piece, after what is to be said of those that were dropped."""
        with self._lock:
            if not self._lines:
                self._idle.set()
                return None
            text = bytearray(self._notice())
            chunk = _Chunk(text, len(text), self._untold, [])
            self._untold = 0
            size = 0
            while self._lines and size < CHUNK:
                line = self._lines.popleft()
                size += len(line)
                text += f"{line}\n".encode("utf-8", "backslashreplace")
                chunk.ends.append(len(text))
            self._waiting -= size
        return chunk

    def _notice(self) -> bytes:
        if not self._untold:
            return b""
        lines = f"{self._untold} line{'s' * (self._untold != 1)}"
        text = f"{lines} of the log dropped: nobody read them, or they could not be written\n"
        return (b"\n" if self._torn else b"") + text.encode()

    def _put(self, chunk: _Chunk) -> None:
        left = memoryview(bytes(chunk.text))
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # somebody made the pipe so
                time.sleep(0.05)
            except OSError:  # its reader has ended, or the disk is full
                self._lose(chunk, len(chunk.text) - len(left))
                return
        self._torn = False

    def _lose(self, chunk: _Chunk, written: int) -> None:
        """Drop what is left of a chunk after so many bytes."""
        if written:
            self._torn = not chunk.text[:written].endswith(b"\n")
        with self._lock:
            if written < chunk.notice:
                self._untold += chunk.dropped
            self._drop(sum(end > written for end in chunk.ends))

    def _drop(self, lines: int) -> None:
        """Count lines that are lost; called with the lock."""
        self._untold += lines
        if self._count is None:
            self._uncounted += lines
        else:
            self._count(lines)


class _Chunk(NamedTuple):
    """What is written at once: first a notice of `notice` bytes that `dropped` lines were
    (none of both: 0), then lines; `ends` says at which byte each of them ends."""

    text: bytearray
    notice: int
    dropped: int
    ends: list[int]
