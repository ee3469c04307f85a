"""The Scheduler of the simulation: threads, queues, locks, events and sleep over the baton."""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from router.scheduler import Empty, NoThread
from simulation.baton import Baton, Waiters

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.baton import SimulatedThread

T = TypeVar("T")


class _Handle:
    def __init__(self, baton: Baton, thread: SimulatedThread) -> None:
        self._baton = baton
        self._thread = thread

    def is_alive(self) -> bool:
        self._baton.point("is alive")
        return self._thread.alive

    def join(self, timeout: float | None = None) -> None:
        self._baton.point("join")
        if self._thread.alive:
            self._baton.block(self._thread.ended, timeout, "join")


class SimulatedEvent:
    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._waiters = Waiters()
        self._set = False

    def set(self) -> None:
        self._baton.point("set")
        self.set_at_once()

    def set_at_once(self) -> None:
        """Set it where nobody else may run: by the system, for a process that is no more."""
        self._set = True
        self._baton.wake(self._waiters)

    def clear(self) -> None:
        self._baton.point("clear")
        self._set = False

    def is_set(self) -> bool:
        self._baton.point("is set")
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        self._baton.point("wait")
        end = None if timeout is None else self._baton.now + timeout
        while not self._set:
            left = None if end is None else end - self._baton.now
            if left is not None and left <= 0:
                return False
            self._baton.block(self._waiters, left, "wait")
        return True


class _Lock:
    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._waiters = Waiters()
        self._held = False

    def __enter__(self) -> None:
        self._baton.point("lock")
        while self._held:
            self._baton.block(self._waiters, None, "lock")
        self._held = True

    def __exit__(self, *_: object) -> None:
        self._held = False
        self._baton.wake(self._waiters)


class _Queue(Generic[T]):
    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._waiters = Waiters()
        self._items: deque[T] = deque()

    def put(self, item: T) -> None:
        self._baton.point("put")
        self._items.append(item)
        self._baton.wake(self._waiters)

    def get(self, *, timeout: float | None = None) -> T:
        self._baton.point("get")
        end = None if timeout is None else self._baton.now + timeout
        while not self._items:
            left = None if end is None else end - self._baton.now
            if left is not None and left <= 0:
                raise Empty
            self._baton.block(self._waiters, left, "get")
        return self._items.popleft()

    def get_nowait(self) -> T:
        self._baton.point("get at once")
        if not self._items:
            raise Empty
        return self._items.popleft()

    def qsize(self) -> int:
        self._baton.point("size")
        return len(self._items)


def play_story(story: Callable[[Baton], None], seed: int = 7, restless: float = 0.1) -> None:
    """Run a function over simulated time, with all threads that it starts, in an order drawn from
    a seed."""
    baton = Baton(random.Random(seed), restless)
    try:
        baton.play("run", lambda: story(baton), 60.0)
    finally:
        baton.close()


class SimulatedScheduler:
    """What router code waits with. A thread belongs to the process of the one that starts it."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton

    def start(self, name: str, run: Callable[[], None]) -> _Handle:
        self._baton.point("start")
        process = self._baton.current.process
        if process is not None and not process.gives_threads:
            process.count("no thread")
            raise NoThread("can't start new thread")
        return _Handle(self._baton, self._baton.start(name, run))

    def queue(self) -> _Queue[T]:
        return _Queue(self._baton)

    def lock(self) -> _Lock:
        return _Lock(self._baton)

    def event(self) -> SimulatedEvent:
        return SimulatedEvent(self._baton)

    def sleep(self, seconds: float) -> None:
        self._baton.point("sleep")
        self._baton.block(Waiters(), seconds, "sleep")

    def monotonic(self) -> float:
        self._baton.check()
        return self._baton.now
