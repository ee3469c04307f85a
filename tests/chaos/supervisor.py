"""The supervisor of a run: it starts again what ended or is dead, as systemd would."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from chaos.history import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chaos.replica import Replica
    from chaos.sampling import Sampler

RESTART_AFTER = 1.0
LIVENESS = 10.0
"""Seconds of a failing /livez after which a process is ended and started again."""
START = 30.0
"""Seconds that a process has to start in."""


class Supervisor:
    """Watches the replicas in a thread of its own, and keeps what it saw in `exits`."""

    def __init__(self, replicas: Sequence[Replica], start: Callable[[Replica], None]) -> None:
        self.exits: list[Exit] = []
        self.excused: frozenset[str] = frozenset()
        """Replicas that nobody could reach, or that stand still on purpose."""
        self._replicas = replicas
        self._start = start
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._alive: dict[str, float] = {}

    def start(self, sampler: Sampler) -> None:
        self._thread = threading.Thread(target=self._run, args=(sampler,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave the replicas alone from here on."""
        for replica in self._replicas:
            replica.expected_down = True
        self._stopping.set()

    def _run(self, sampler: Sampler) -> None:
        while not self._stopping.wait(0.2):
            for replica in self._replicas:
                if replica.expected_down or replica.process is None:
                    self._alive[replica.name] = time.monotonic() + START
                elif not replica.runs:
                    self._restart(replica, replica.process.poll() or 0, supervised=False)
                elif not self._lives(replica, sampler):
                    replica.process.kill()
                    self._restart(replica, replica.process.wait(), supervised=True)

    def _lives(self, replica: Replica, sampler: Sampler) -> bool:
        now = time.monotonic()
        sample = sampler.latest(replica.name, "livez")
        if replica.name in self.excused or sample is None or sample.status == 200:
            self._alive[replica.name] = now
        return now - self._alive.setdefault(replica.name, now) < LIVENESS

    def _restart(self, replica: Replica, status: int, *, supervised: bool) -> None:
        line = replica.last_line()
        self.exits.append(Exit(time.monotonic(), replica.name, status, line, supervised))
        if not self._stopping.wait(RESTART_AFTER):
            self._alive[replica.name] = time.monotonic() + START
            self._start(replica)
