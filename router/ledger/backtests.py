"""Backtests that people began on a page: how far each is and what it found, one for each person.

They stand in the ledger so that any process can answer, whichever runs them; they are forgotten
after a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
import sqlalchemy as sa

from router.ledger.desk_tables import backtests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from router.ledger.desk import Use

KEPT = 3600.0
"""Seconds that what was found is kept."""
QUIET = 30.0
"""Seconds without a word of its process after which a backtest has ended with it."""

State = Literal["running", "done", "failed", "cancelled", "lost"]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One backtest: `done` of `total` events; `result` is JSON once it is done, or why it failed.

    `lost`: the process that ran it has ended.
    """

    who: str
    mark: str
    started_at: float
    touched_at: float
    since: float
    done: int
    total: int
    state: State
    result: str


def forget_backtests(connection: sa.Connection, now: float) -> None:
    """Delete what was found too long ago."""
    connection.execute(backtests.delete().where(backtests.c.touched_at < now - KEPT))


class Backtests:
    """One side of the ledger's door."""

    def __init__(self, now: Callable[[], float], write: Use, read: Use) -> None:
        self._now = now
        self._write = write
        self._read = read

    def begin(self, who: str, mark: str, since: float) -> None:
        """Write down that somebody's backtest begins; their last one is forgotten, and ends."""
        now = self._now()
        run = Run(
            who=who,
            mark=mark,
            started_at=now,
            touched_at=now,
            since=since,
            done=0,
            total=0,
            state="running",
            result="",
        )

        def work(connection: sa.Connection) -> None:
            connection.execute(backtests.delete().where(backtests.c.who == who))
            connection.execute(backtests.insert().values(**msgspec.structs.asdict(run)))

        self._write(work)

    def note(self, who: str, mark: str, done: int, total: int) -> bool:
        """Write down how far it is; returns whether it is still wanted."""
        values = {"done": done, "total": total, "touched_at": self._now()}
        return self._change(who, mark, values)

    def end(self, who: str, mark: str, state: State, result: str) -> None:
        """Write down what it found, or why it found nothing."""
        values = {"state": state, "result": result, "touched_at": self._now()}
        self._change(who, mark, values)

    def cancel(self, who: str) -> None:
        """End somebody's backtest; its process stops once it looks."""
        values = {"state": "cancelled", "touched_at": self._now()}
        self._change(who, None, values)

    def find(self, who: str) -> Run | None:
        """Somebody's last backtest."""
        query = sa.select(backtests).where(backtests.c.who == who)
        row = self._read(lambda c: c.execute(query).mappings().first())
        now = self._now()
        if row is None or row["touched_at"] < now - KEPT:
            return None
        run = Run(**row)
        if run.state == "running" and run.touched_at < now - QUIET:
            return msgspec.structs.replace(run, state="lost")
        return run

    def _change(self, who: str, mark: str | None, values: Mapping[str, object]) -> bool:
        its = [backtests.c.who == who, backtests.c.state == "running"]
        if mark is not None:
            its.append(backtests.c.mark == mark)
        change = backtests.update().where(*its).values(**values)
        return self._write(lambda c: c.execute(change).rowcount > 0)
