"""The baton: real threads of which exactly one runs, handed on in an order drawn from a seed.

Each call of `point` is a place where another thread may run instead, and where a fault may be.
Time stands still but for a little at each point; when all wait, it jumps to the next moment.
"""

from __future__ import annotations

import hashlib
import heapq
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from simulation.process import Process

STEP = 0.00002
"""Seconds that pass at each point."""
LAST = 10.0
"""Seconds of real time in which a thread that is told so has to end."""
KEPT = 200
"""Lines of the trace, and of them lines that are no mere change of threads, that are kept."""


class Killed(BaseException):
    """The process of this thread is dead: nothing more of it may run."""


class Waiters(list["SimulatedThread"]):
    """Who waits for one thing."""


class SimulatedThread:
    """One thread of a process, which runs when it has the baton."""

    def __init__(self, name: str, process: Process | None, run: Callable[[], None]) -> None:
        self.name = name
        self.process = process
        self.run = run
        self.alive = True
        self.waits: Waiters | None = None
        self.wait_number = 0
        self.ended = Waiters()
        self.error: BaseException | None = None
        self.held = threading.Lock()
        self.held.acquire()
        self.system: threading.Thread | None = None


class Baton:
    """Who runs, what time it is, and what has happened so far."""

    def __init__(self, chance: random.Random, restless: float) -> None:
        """`restless`: how likely another thread runs at a point where none has to (0 to 1)."""
        self.chance = chance
        self.now = 1000.0
        self.points = 0
        self.lines: deque[str] = deque(maxlen=KEPT)
        self.marks: deque[str] = deque(maxlen=10 * KEPT)
        """What befell processes, what was posted and what arrived."""
        self.over = threading.Event()
        self._restless = restless
        self._digest = hashlib.blake2b(digest_size=12)
        self._ready: list[SimulatedThread] = []
        self._timed: list[tuple[float, int, SimulatedThread, int]] = []
        self._threads: list[SimulatedThread] = []
        self._closed = False
        self._number = 0
        self._current: SimulatedThread | None = None

    @property
    def current(self) -> SimulatedThread:
        if self._current is None:
            raise AssertionError("nobody runs")
        return self._current

    @property
    def digest(self) -> str:
        """What has happened until now, as one word."""
        return self._digest.hexdigest()

    def tell(self, text: str) -> None:
        """Add a line to the trace."""
        self._digest.update(f"{self.now:.6f} {text}\n".encode())
        line = f"{self.now:11.5f} {text}"
        self.lines.append(line)
        if text[0] in "!<>":
            self.marks.append(line)

    def play(self, name: str, run: Callable[[], None], seconds: float) -> None:
        """Run a function, and all threads that it starts, until it returns: within `seconds` of
        real time, or TimeoutError."""
        first = self._make(name, None, run)
        self._current = first
        self._ready.remove(first)
        first.held.release()
        if not self.over.wait(seconds):
            raise TimeoutError(f"the simulation stands at {self.current.name}")
        if first.error is not None:
            raise first.error

    def start(self, name: str, run: Callable[[], None]) -> SimulatedThread:
        """Start a thread of the running thread's process."""
        return self._make(name, self.current.process, run)

    def start_in(
        self, process: Process | None, name: str, run: Callable[[], None]
    ) -> SimulatedThread:
        """Start the first thread of a process."""
        return self._make(name, process, run)

    def check(self) -> None:
        """Raise Killed in a thread of a dead process."""
        process = self.current.process
        if self._closed or (process is not None and process.dead):
            raise Killed

    def point(self, what: str) -> None:
        """Another thread may run here, and the plan may have a fault for this place."""
        me = self.current
        self.check()
        if me.process is not None:
            me.process.reach(what)
        self.points += 1
        self.now += STEP
        if self.chance.random() < self._restless:
            self._ready.append(me)
            self._hand_on(me, what)

    def block(self, waiters: Waiters, seconds: float | None, what: str) -> None:
        """Let others run until somebody wakes these waiters, or so many seconds have passed."""
        me = self.current
        self.check()
        me.waits = waiters
        me.wait_number += 1
        waiters.append(me)
        if seconds is not None:
            self._number += 1
            entry = (self.now + max(0.0, seconds), self._number, me, me.wait_number)
            heapq.heappush(self._timed, entry)
        self._hand_on(me, what)

    def wake(self, waiters: Waiters) -> None:
        """Let those go on who wait."""
        for thread in waiters:
            thread.waits = None
            self._ready.append(thread)
        waiters.clear()

    def end_threads(self, process: Process) -> None:
        """Have every thread of a dead process find out that it is dead."""
        for thread in process.threads:
            if thread.alive and thread.waits is not None:
                thread.waits.remove(thread)
                thread.waits = None
                self._ready.append(thread)

    def _make(self, name: str, process: Process | None, run: Callable[[], None]) -> SimulatedThread:
        full = name if process is None else f"{process.name}/{name}"
        thread = SimulatedThread(full, process, run)
        if process is not None:
            process.threads.append(thread)
        self._ready.append(thread)
        self._threads.append(thread)
        thread.system = threading.Thread(target=self._run, args=(thread,), name=full, daemon=True)
        thread.system.start()
        return thread

    def _run(self, thread: SimulatedThread) -> None:
        thread.held.acquire()
        try:
            self.check()
            if thread.process is not None:
                thread.process.reach("thread")
            thread.run()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - kept for who looks
            thread.error = error
        thread.alive = False
        if thread.process is not None:
            thread.process.threads.remove(thread)
        self.wake(thread.ended)
        if thread.process is None and thread.name == "run":
            self.over.set()
        elif not self._closed:
            self._hand_on(None, "ended")

    def close(self) -> None:
        """End every thread that is left, one after the other; the processes are dead."""
        self._closed = True
        for thread in self._threads:
            if thread.alive and thread.system is not None:
                self._current = thread
                thread.held.release()
                thread.system.join(LAST)

    def _hand_on(self, me: SimulatedThread | None, what: str) -> None:
        """Give the baton to whoever is drawn; returns once it comes back."""
        before = self._current
        chosen = self._choose()
        if chosen is not before:
            name = before.name if before is not None else "-"
            self.tell(f"{name} {what} -> {chosen.name}")
        self._current = chosen
        if chosen is me:
            return
        chosen.held.release()
        if me is not None:
            me.held.acquire()
            self.check()

    def _choose(self) -> SimulatedThread:
        while True:
            while self._timed and self._timed[0][0] <= self.now:
                _, _, thread, number = heapq.heappop(self._timed)
                if thread.waits is not None and thread.wait_number == number:
                    thread.waits.remove(thread)
                    thread.waits = None
                    self._ready.append(thread)
            free = [
                number
                for number, thread in enumerate(self._ready)
                if thread.process is None or thread.process.frozen_until <= self.now
            ]
            if free:
                return self._ready.pop(free[int(self.chance.random() * len(free))])
            self._jump()

    def _jump(self) -> None:
        moments = [t.process.frozen_until for t in self._ready if t.process is not None]
        while self._timed:
            at, _, thread, number = self._timed[0]
            if thread.waits is not None and thread.wait_number == number:
                moments.append(at)
                break
            heapq.heappop(self._timed)
        if not moments:
            raise AssertionError("all threads wait, and for nothing")
        self.now = max(self.now, min(moments))
