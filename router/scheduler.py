"""Threads and waiting as an argument: the system's own, or those of a simulation.

What runs for long, or waits for another thread, takes a Scheduler and waits with nothing else. So
a test can run the writer, the clock and the senders of several processes in an order drawn from a
seed, with a fault at any of these points (tests/simulation).
"""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

T = TypeVar("T")

NEEDED_LATER = 4
"""Threads that are started when they are needed first: one that sends, its watchdog, one that asks
whether it can write, one for pages."""

Empty = queue.Empty
"""Raised by a queue that has nothing to give."""


class NoThread(RuntimeError):
    """The system gives this process no more threads, in words for the operator."""


class Thread(Protocol):
    """A thread that was started."""

    def is_alive(self) -> bool: ...

    def join(self, timeout: float | None = None) -> None: ...


class Event(Protocol):
    """A flag that threads can wait for; `wait` answers whether it is set."""

    def set(self) -> None: ...

    def clear(self) -> None: ...

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


class Queue(Protocol[T]):
    """First in, first out, without a bound; `get` raises Empty after `timeout` seconds."""

    def put(self, item: T) -> None: ...

    def get(self, *, timeout: float | None = None) -> T: ...

    def get_nowait(self) -> T: ...

    def qsize(self) -> int: ...


class Scheduler(Protocol):
    """Starts threads and makes what they wait with."""

    def start(self, name: str, run: Callable[[], None]) -> Thread:
        """Run a function in a thread of its own; raises NoThread if no more can be had."""

    def queue(self) -> Queue[T]: ...

    def lock(self) -> AbstractContextManager[object]: ...

    def event(self) -> Event: ...

    def sleep(self, seconds: float) -> None: ...

    def monotonic(self) -> float:
        """Seconds of a clock that nobody sets."""


def prove_threads(scheduler: Scheduler) -> None:
    """Raise NoThread unless the system gives as many threads as are needed later, all at once:
    better not to start than to be up and to have none to send with."""
    proven = scheduler.event()
    try:
        for _ in range(NEEDED_LATER):
            scheduler.start("proof", lambda: _wait_for(proven))
    finally:
        proven.set()


def _wait_for(event: Event) -> None:
    event.wait()


class Threads:
    """The Scheduler of a service: the system's threads."""

    def start(self, name: str, run: Callable[[], None]) -> Thread:
        thread = threading.Thread(target=run, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # all that Python says of it
            raise NoThread(_NO_THREAD) from None
        return thread

    def queue(self) -> Queue[T]:
        made: queue.SimpleQueue[T] = queue.SimpleQueue()
        return made

    def lock(self) -> AbstractContextManager[object]:
        return threading.Lock()

    def event(self) -> Event:
        return threading.Event()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def monotonic(self) -> float:
        return time.monotonic()


_NO_THREAD = (
    "the system gives this process no more threads: raise `ulimit -u`, TasksMax= (systemd) or"
    " --pids-limit (containers)"
)
THREADS = Threads()


class Reply(Generic[T]):
    """What one thread waits for and another brings: a value, or an error to be raised."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._event = scheduler.event()
        self._value: T | None = None
        self._error: BaseException | None = None
        self.abandoned = False

    def resolve(self, value: T) -> None:
        self._value = value
        self._event.set()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._event.set()

    def wait(self, timeout: float) -> T:
        """Return the value or raise the error; TimeoutError if neither comes in `timeout` seconds.

        After that it counts as abandoned: what was not begun for it need not be begun.
        """
        if not self._event.wait(timeout):
            self.abandoned = True
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # a T, or the error above
