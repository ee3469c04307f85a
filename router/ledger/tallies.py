"""Tallies: how many events and deliveries met which fate, by hour or day, kept as they happen.

Counted in the transaction that writes what is counted. Each process counts in rows of its own
slot, so that nobody waits for anybody, and asking costs the same however long the history is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
import sqlalchemy as sa

from router.event import TRIGGERS
from router.ledger.desk_tables import tallies

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from router.ledger.engine import Engine
    from router.ledger.shapes import Draft, Tried

Kind = Literal["received", "matched", "unmatched", "sent", "failed", "suppressed"]
"""Received by source; matched by rule; unmatched by trigger; the others by channel."""

HOUR = 3600.0
DAY = 86400.0
STEP: dict[Kind, float] = {
    "received": HOUR,
    "matched": DAY,
    "unmatched": DAY,
    "sent": HOUR,
    "failed": HOUR,
    "suppressed": HOUR,
}
KEPT = 62 * DAY
"""Seconds that days are kept; hours are kept for a tenth of it."""


class Tally(msgspec.Struct, frozen=True):
    """How many of one name in one step of time that begins `at`, and when the last one was."""

    name: str
    at: float
    number: int
    last: float


class Counts:
    """What one transaction counts."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._found: dict[tuple[Kind, str], int] = {}

    def add(self, kind: Kind, name: str, number: int = 1) -> None:
        key = (kind, name)
        self._found[key] = self._found.get(key, 0) + number

    def write(self, connection: sa.Connection, engine: Engine, slot: int) -> None:
        """Add what was counted to the tallies of a process."""
        now = self._now
        rows = [
            (kind, name, now - now % STEP[kind], slot, number, now)
            for (kind, name), number in sorted(self._found.items())
        ]
        engine.insert(connection, tallies, rows, _MORE)


def count_accepted(counts: Counts, drafts: Iterable[Draft]) -> None:
    """Count what was posted, and the rules that spoke about it (whatever became of that)."""
    for draft in drafts:
        counts.add("received", draft.event.source)
        for rule in draft.spoke:
            counts.add("matched", rule)
        if not draft.matched and draft.rejected is None:
            trigger = draft.event.trigger
            counts.add("unmatched", trigger if trigger in TRIGGERS else OTHER)


def count_tried(counts: Counts, tried: Iterable[Tried]) -> None:
    """Count the deliveries that ended with these attempts."""
    for one in tried:
        if one.state != "pending":
            counts.add(one.state, one.delivery.channel, len(one.delivery.parts))


def list_tallies(connection: sa.Connection, kind: Kind, since: float) -> list[Tally]:
    """What was counted since a moment (the step that holds it whole), in order of name and time."""
    start = since - since % STEP[kind]
    number, last = sa.func.sum(tallies.c.number), sa.func.max(tallies.c.last)
    query = (
        sa.select(tallies.c.name, tallies.c.at, number, last)
        .where(tallies.c.kind == kind, tallies.c.at >= start)
        .group_by(tallies.c.name, tallies.c.at)
        .order_by(tallies.c.name, tallies.c.at)
    )
    return [Tally(row[0], row[1], int(row[2]), row[3]) for row in connection.execute(query)]


def sum_tallies(connection: sa.Connection, kind: Kind, since: float) -> dict[str, Tally]:
    """The same, all steps together, by name."""
    start = since - since % STEP[kind]
    number, last = sa.func.sum(tallies.c.number), sa.func.max(tallies.c.last)
    query = (
        sa.select(tallies.c.name, number, last)
        .where(tallies.c.kind == kind, tallies.c.at >= start)
        .group_by(tallies.c.name)
    )
    return {row[0]: Tally(row[0], start, int(row[1]), row[2]) for row in connection.execute(query)}


def forget_tallies(connection: sa.Connection, now: float) -> None:
    """Take away what is older than tallies are kept."""
    hourly: Sequence[Kind] = [kind for kind, step in STEP.items() if step == HOUR]
    old = (tallies.c.at < now - KEPT) | (
        tallies.c.kind.in_(hourly) & (tallies.c.at < now - KEPT / 10)
    )
    connection.execute(tallies.delete().where(old))


OTHER = "other"
_MORE = (
    "ON CONFLICT (kind, name, at, slot) DO UPDATE SET number = tallies.number + excluded.number,"
    " last = excluded.last"
)
