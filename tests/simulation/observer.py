"""Who looks at the run from outside: health, threads, and what is due, once a simulated second."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from chaos.history import DeliveryRow, DueSample, EventRow, Sample
from router.supervisor import STOPPED
from simulation.process import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from simulation.baton import Baton
    from simulation.replica import Replica

_DUE = (
    "SELECT d.channel, count(*) FROM deliveries AS d LEFT JOIN lanes AS l ON l.channel = d.channel"
    " WHERE d.state = 'pending' AND d.turn = 2 AND d.due_at <= ?"
    " AND coalesce(l.rests_until, 0) <= ? AND coalesce(l.failures, 0) < 3 GROUP BY d.channel"
)
_WAITING = "SELECT count(*) FROM deliveries WHERE state = 'pending'"
_ROWS = (
    "SELECT id, event_id, rule, channel, state, coalesce(reason, ''),"
    " copy <> 0 AND fallback_of IS NULL,"
    " CASE WHEN state = 'pending' THEN ? - moment END FROM deliveries ORDER BY id"
)


class Observer:
    """Samples, taken at points where nobody else runs; it disturbs nobody."""

    def __init__(self, baton: Baton, file: Path, replicas: Callable[[], list[Replica]]) -> None:
        self._baton = baton
        self._replicas = replicas
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self.samples: list[Sample] = []
        self.due: list[DueSample] = []
        self.missing: list[str] = []
        """Threads that were gone for too long while their process said that all is well."""
        self._gone: dict[tuple[str, str], float] = {}

    def look(self, skews: Sequence[float]) -> None:
        """Take a sample; `skews` are by how much the clocks of the processes are ahead."""
        now = self._baton.now
        epoch = EPOCH + now + min((0.0, *skews))
        self.due.append(DueSample(now, dict(self._database.execute(_DUE, (epoch, epoch)))))
        for replica in self._replicas():
            process = replica.process
            if process.frozen_until > now:
                continue
            reasons = replica.reasons
            status = 503 if reasons else 200
            self.samples.append(Sample(now, process.name, "readyz", status, "; ".join(reasons)))
            self._look_at_threads(replica, now)

    def waiting(self) -> int:
        """How many deliveries are pending."""
        return int(self._database.execute(_WAITING).fetchone()[0])

    def events(self) -> tuple[EventRow, ...]:
        rows = self._database.execute(
            "SELECT id, json_extract(CAST(body AS TEXT), '$.case_version') FROM events ORDER BY id"
        )
        return tuple(EventRow(id_, -1 if number is None else number) for id_, number in rows)

    def deliveries(self) -> tuple[DeliveryRow, ...]:
        rows = self._database.execute(_ROWS, (EPOCH + self._baton.now,))
        return tuple(DeliveryRow(*row) for row in rows)

    def close(self) -> None:
        self._database.close()

    def _look_at_threads(self, replica: Replica, now: float) -> None:
        service = replica.service
        if service is None or not replica.serving:
            return
        well = not service.supervisor.faults()
        names = {thread.name.partition("/")[2] for thread in replica.process.threads}
        entries = service.supervisor._supervised.values()
        kept = [entry.name for entry in entries if entry.run is not None and not entry.released]
        for name in (*kept, "supervisor"):
            key = (replica.process.name, name)
            if name in names:
                self._gone.pop(key, None)
                continue
            since = self._gone.setdefault(key, now)
            bound = GONE if name != "supervisor" else 4 * STOPPED
            if well and now - since > bound + 1.0:
                self.missing.append(f"{key[0]}: `{name}` was gone for {now - since:.1f} s")
                self._gone[key] = now


GONE = 2.0
"""Seconds that a thread may be gone before its process has to say so."""
