"""Lanes: what is known of each channel beyond one process: its rate, and whether it fails.

The rate is kept as the generic cell rate algorithm does: one time per channel, the theoretical
arrival time of the next message. After TRIP passing failures in a row a channel rests; when the
rest is over one delivery probes, and the others wait without using up attempts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from router.gate import SKEW
from router.ledger.shapes import LaneRow, Pause
from router.ledger.tables import WAITS_FIRST, deliveries, lanes
from router.ledger.turns import in_list

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from router.ledger.engine import Engine, Row
    from router.ledger.shapes import Tried
    from router.rules import Rate

TRIP = 3
"""Passing failures in a row after which a channel rests."""
LONGEST_REST = 3600.0
_FRESH = (0.0, 0, None, 0.0, *[None] * 7)
"""A lane of which nothing is known, in the order of the table's columns."""


def lane_of(connection: sa.Connection, engine: Engine, channel: str) -> LaneRow | None:
    """A channel's lane, locked until the commit; None while another process has it locked."""
    row = (channel, *_FRESH)
    query = sa.select(lanes).where(lanes.c.channel == channel).with_for_update(skip_locked=True)
    found = connection.execute(query).first()
    if found is None:
        engine.insert(connection, lanes, [row], "ON CONFLICT (channel) DO NOTHING")
        found = connection.execute(query).first()
    if found is None:
        return None
    return _lane(found)


def add_lanes(connection: sa.Connection, engine: Engine, channels: Collection[str]) -> None:
    """Add the lanes of channels that have none, in one order.

    Who inserts a row waits for another process that has just inserted the same: so nobody may
    insert one after the other as they come. What is there already is asked for once.
    """
    new = sorted(set(channels) - engine.known_lanes)
    if not new or engine.sqlite:
        return
    sql = "SELECT channel FROM lanes WHERE channel"
    there = {row[0] for row in in_list(connection, engine, sql, new)}
    engine.known_lanes |= there
    rows = [(channel, *_FRESH) for channel in new if channel not in there]
    engine.insert(connection, lanes, rows, "ON CONFLICT (channel) DO NOTHING")


def list_lanes(connection: sa.Connection) -> dict[str, LaneRow]:
    """Every lane that is known, by channel."""
    return {row.channel: _lane(row) for row in connection.execute(sa.select(lanes))}


def resting(connection: sa.Connection, now: float) -> set[str]:
    """The channels that are paused, that rest, or that have rested and are being tried."""
    held = (lanes.c.rests_until > now) | (lanes.c.failures >= TRIP) | lanes.c.paused_at.is_not(None)
    return set(connection.execute(sa.select(lanes.c.channel).where(held)).scalars())


def pause_lane(
    connection: sa.Connection, engine: Engine, channel: str, pause: Pause
) -> tuple[Pause, bool]:
    """Hold up a channel; returns the pause that holds, and whether it is this one."""
    row = (channel, *_FRESH)
    engine.insert(connection, lanes, [row], "ON CONFLICT (channel) DO NOTHING")
    values = {
        "paused_at": pause.at,
        "paused_by": pause.author,
        "pause_reason": pause.reason,
    }
    free = (lanes.c.channel == channel, lanes.c.paused_at.is_(None))
    if connection.execute(lanes.update().where(*free).values(**values)).rowcount:
        return pause, True
    found = connection.execute(sa.select(lanes).where(lanes.c.channel == channel)).one()
    return _lane(found).pause or pause, False


def resume_lane(connection: sa.Connection, channel: str) -> Pause | None:
    """Let a channel go on; returns the pause that has ended, None if there was none."""
    here = sa.select(lanes).where(lanes.c.channel == channel).with_for_update()
    found = connection.execute(here).first()
    if found is None or found.paused_at is None:
        return None
    values = {"paused_at": None, "paused_by": None, "pause_reason": None}
    connection.execute(lanes.update().where(lanes.c.channel == channel).values(**values))
    return _lane(found).pause


def allowed(rate: Rate, next_at: float, now: float, most: int) -> int:
    """How many messages the rate lets go now, `most` at most."""
    interval = rate.spacing
    arrival = _arrival(rate, next_at, now)
    number = 0
    while number < most and arrival - (rate.burst - 1) * interval <= now:
        arrival = max(arrival, now) + interval
        number += 1
    return number


def spend(connection: sa.Connection, rate: Rate, lane: LaneRow, now: float, number: int) -> float:
    """Write down that so many messages go now; returns the next theoretical arrival time."""
    interval = rate.spacing
    arrival = max(_arrival(rate, lane.next_at, now), now) + number * interval
    if arrival != lane.next_at:
        change = lanes.update().where(lanes.c.channel == lane.channel).values(next_at=arrival)
        connection.execute(change)
    return arrival


def _arrival(rate: Rate, next_at: float, now: float) -> float:
    """The theoretical arrival time; where it is further off than this rate can bring it (the clock
    was set back, or the rate was raised), the furthest: how much went just now is not known."""
    furthest = now + rate.burst * rate.spacing
    return next_at if next_at <= furthest + SKEW else furthest


def probing(connection: sa.Connection, channel: str, now: float) -> bool:
    """Whether a delivery of the channel is in hand somewhere."""
    held = (
        sa.select(deliveries.c.id)
        .where(
            WAITS_FIRST,  # of what is in hand, something always is
            deliveries.c.channel == channel,
            deliveries.c.due_at > now,
            deliveries.c.owner.is_not(None),
        )
        .limit(1)
    )
    return connection.execute(held).first() is not None


def note(connection: sa.Connection, engine: Engine, tried: Sequence[Tried]) -> None:
    """Write down what attempts say about their channels."""
    _lock(connection, engine, tried)
    fine = {t.delivery.channel for t in tried if t.outcome.kind in ("delivered", "failed")}
    sql = "UPDATE lanes SET failures = 0, failing_since = NULL, rests_until = 0, error = NULL"
    if fine:
        returning = " AND failures > 0 RETURNING channel"
        in_list(connection, engine, f"{sql} WHERE channel", sorted(fine), returning)
    bad: dict[str, list[Tried]] = {}
    for one in tried:
        if one.outcome.kind in ("retry", "ambiguous"):
            bad.setdefault(one.delivery.channel, []).append(one)
        else:
            bad.pop(one.delivery.channel, None)
    rows: list[Row] = []
    trips: list[Row] = []
    for channel, failed in sorted(bad.items()):
        last = failed[-1]
        again = min((t.again_at for t in failed if t.again_at is not None), default=last.at)
        again = min(again, last.at + LONGEST_REST)
        # What the far end asks for holds at once, for all that is for it.
        rests_until = again if last.outcome.retry_after else 0.0
        head = (channel, 0.0, len(failed), failed[0].at)
        detail, probe = last.outcome.detail, last.delivery.id
        rows.append((*head, rests_until, detail, detail, last.at, None, None, None, probe))
        trips.append((channel, again))
    engine.insert(connection, lanes, rows, _FAILS)
    # A refusal for good says nothing of the channel's health, and is to be seen all the same.
    ended = {t.delivery.channel: t for t in tried if t.outcome.kind == "failed"}
    told = [
        (channel, 0.0, 0, None, 0.0, None, t.outcome.detail, t.at, None, None, None, None)
        for channel, t in sorted(ended.items())
    ]
    engine.insert(connection, lanes, told, _TELLS)
    rest = {"rests_until": ":rests_until"}
    engine.update(connection, lanes, rest, ("channel", "rests_until"), _TRIPPED, trips)


def _lock(connection: sa.Connection, engine: Engine, tried: Sequence[Tried]) -> None:
    """Lock in one order the rows that several statements are about to change."""
    if engine.sqlite or all(t.outcome.kind == "delivered" for t in tried):
        return
    channels = sorted({t.delivery.channel for t in tried})
    sql = "SELECT channel FROM lanes WHERE channel"
    in_list(connection, engine, sql, channels, " ORDER BY channel FOR UPDATE")


_FAILS = (
    "ON CONFLICT (channel) DO UPDATE SET failures = lanes.failures + excluded.failures,"
    " failing_since = coalesce(lanes.failing_since, excluded.failing_since),"
    " rests_until = excluded.rests_until, error = excluded.error, probe = excluded.probe,"
    " last_error = excluded.last_error, last_error_at = excluded.last_error_at"
)
_TELLS = (
    "ON CONFLICT (channel) DO UPDATE SET last_error = excluded.last_error,"
    " last_error_at = excluded.last_error_at"
)
_TRIPPED = f"lanes.channel = :channel AND failures >= {TRIP} AND lanes.rests_until < :rests_until"


def _lane(row: Any) -> LaneRow:
    pause = None
    if row.paused_at is not None:
        pause = Pause(row.paused_at, row.paused_by, row.pause_reason)
    return LaneRow(
        row.channel,
        row.failures,
        row.failing_since,
        row.rests_until,
        row.error,
        row.next_at,
        row.last_error,
        row.last_error_at,
        pause,
        row.probe,
    )
