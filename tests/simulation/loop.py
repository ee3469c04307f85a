"""asyncio's own event loop over the simulated scheduler: it waits, and tells time, with nothing
else. So what the service does in its loop runs here as it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from router.scheduler import Scheduler


class SimulatedLoop(asyncio.BaseEventLoop):
    """An event loop without sockets, in one simulated thread."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._called = scheduler.event()
        self._selector = self  # asyncio asks it for what is ready

    def time(self) -> float:
        return self._scheduler.monotonic()

    def select(self, timeout: float | None) -> list[Any]:
        """Wait until somebody calls into the loop, or a callback has its time."""
        self._called.wait(timeout)
        self._called.clear()
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        self._called.set()
