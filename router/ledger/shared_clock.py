"""The time that all processes of a ledger go by, whatever their own clocks say.

What is due, how long a lease holds, until when a channel rests: one process writes it down and
another one reads it. So they need one clock. On PostgreSQL, with a machine for each process, it is
the database's: a machine whose clock is wrong does no harm. On SQLite all are on one machine.

That one clock may be set, too. Between two looks at it time passes by the monotonic clock; so a
process learns of it at one point, and mends what the clock of before wrote (clock_set.py) before
anything here goes by the new one.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from router.ledger.shapes import LedgerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from router.ledger.engine import Engine
    from router.scheduler import Scheduler
    from router.supervisor import Beat, Supervisor

SILENCE = 40.0
"""Seconds within which the database answers what time it is, or does not."""
NOISE = 0.05
"""Seconds by which two looks may differ although nobody set a clock."""
NOW_SQL = "extract(epoch FROM clock_timestamp())::float8"
"""What time it is on a PostgreSQL server (epoch seconds), in its SQL."""


class SharedClock:
    """Call it for the time (epoch seconds). It begins with `wall`, this machine's clock."""

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._reference = wall
        self._ahead = wall() - monotonic()

    def __call__(self) -> float:
        return self._monotonic() + self._ahead

    def follow(self, reference: Callable[[], float]) -> None:
        """Go by another clock from now on; raises what asking it raises."""
        self._reference = reference
        self.set(self.look())

    def look(self) -> float:
        """Ask the clock that counts; its answer counts from `set` on."""
        began = self._monotonic()
        there = self._reference()
        return self.time_by(there, self._monotonic() - began)

    def time_by(self, there: float, took: float) -> float:
        """What time it is, by an answer of the clock that counts which has just come, and for
        which `took` seconds were waited.

        It is the time as it is here, where the difference is not more than asking may make.
        """
        there, here = there + took / 2, self()
        return here if abs(there - here) <= max(NOISE, took) else there

    def keep(self, supervisor: Supervisor, scheduler: Scheduler) -> None:
        """Go by the clock that counts for ever: for a process that leaves mending to others."""

        def run(beat: Beat) -> None:
            while True:
                beat()
                with contextlib.suppress(LedgerUnavailable):  # the monotonic clock will do so long
                    self.set(self.look())
                scheduler.sleep(1.0)

        supervisor.keep("time", run, silence=SILENCE)

    def set(self, now: float) -> None:
        """Let it be this moment."""
        self._ahead = now - self._monotonic()


def database_time(engine: Engine) -> float:
    """What the clock of a PostgreSQL server says; raises LedgerUnavailable."""

    def ask(connection: sa.Connection) -> float:
        moment: float = connection.exec_driver_sql(f"SELECT {NOW_SQL}").scalar_one()
        return moment

    return engine.read(ask, engine.reading)
