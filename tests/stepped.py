"""A Scheduler without threads: what is started runs to its first wait, and time is set by hand."""

from __future__ import annotations

import queue
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from router.scheduler import NoThread

if TYPE_CHECKING:
    from collections.abc import Callable


class _Handle:
    def __init__(self) -> None:
        self.lives = True

    def is_alive(self) -> bool:
        return self.lives

    def join(self, timeout: float | None = None) -> None:
        """Nothing runs that could be waited for."""


class _Flag:
    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def clear(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        return True


class SteppedScheduler:
    """Starts at most `most` threads that live at once; `now` is its monotonic clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.most = 10
        self.started: list[str] = []
        self._handles: dict[str, _Handle] = {}

    def start(self, name: str, run: Callable[[], None]) -> _Handle:
        if sum(handle.lives for handle in self._handles.values()) >= self.most:
            raise NoThread("can't start new thread")
        self.started.append(name)
        handle = self._handles[name] = _Handle()
        run()
        return handle

    def alive(self, name: str) -> bool:
        return self._handles[name].lives

    def end(self, name: str) -> None:
        self._handles[name].lives = False

    def queue(self) -> Any:
        return queue.SimpleQueue()

    def lock(self) -> Any:
        return nullcontext()

    def event(self) -> _Flag:
        return _Flag()

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now
