"""Taking deliveries in hand: what is due of a channel, as much as its rate lets go.

A claim is one conditional statement that counts the attempt and sets the lease. There is no
state for "being sent" to be stuck in: when a lease ends unrecorded, or the process that held it
is gone, the delivery is due again, and marked, since it may have arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from router.event import Event, Undecodable, decode
from router.ledger.accept import LEASE
from router.ledger.gather import Unit, units
from router.ledger.lanes import TRIP, allowed, lane_of, probing, spend
from router.ledger.mutes import Silence
from router.ledger.shapes import Claim, InHand, Listed, delivery_key
from router.ledger.tables import WAITS_FIRST, attempts, deliveries, events, messages
from router.ledger.tallies import Counts
from router.ledger.turns import promote
from router.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.ledger.engine import Engine
    from router.ledger.shapes import LaneRow
    from router.rules import Rate

LOST = "the process that sent it ended before it wrote down the answer"
BUSY = 0.02
"""Seconds until a claim is tried again while another process makes one on the same channel."""

_FIRST_DUE = (
    sa.select(deliveries.c.due_at)
    .where(WAITS_FIRST, deliveries.c.channel == sa.bindparam("of_channel"))
    .order_by(deliveries.c.due_at)
    .limit(1)
)


def claim(
    connection: sa.Connection,
    engine: Engine,
    *,
    channel: str,
    rate: Rate | None,
    room: int,
    slot: int,
    uid: str,
    now: float,
    lapses_at: float,
) -> Claim:
    """Take up to `room` messages of a channel that are due, the longest due first, until
    `lapses_at` (monotonic).

    One case's deliveries come one at a time, in the order of their events; those of a digest, and
    those beyond what a rate that gathers can carry, come together as one.
    """
    if room <= 0:
        return Claim((), more=False, next_due=None)
    lane = lane_of(connection, engine, channel)
    if lane is None:
        return Claim((), more=False, next_due=now + BUSY)
    if lane.pause is not None:
        return Claim((), more=False, next_due=None)
    if lane.rests_until > now and not _set_back(lane, now):
        return Claim((), more=False, next_due=lane.rests_until, rests=True)
    trial = lane.failures >= TRIP
    if trial and probing(connection, channel, now):
        return Claim((), more=False, next_due=None, rests=True)
    most = 1 if trial else room
    may = most if rate is None else allowed(rate, lane.next_at, now, most)
    if may == 0 and rate is not None:
        # Nothing goes, but from when on something may is written down once the clock was set back.
        free = rate.free_at(spend(connection, rate, lane, now, 0))
        return Claim((), more=False, next_due=_sooner(connection, channel, free))
    found = units(connection, channel, rate=rate, may=may, now=now, trial=trial, probe=lane.probe)
    found = _speakable(connection, engine, found, slot, now)
    next_at = lane.next_at
    if rate is not None and found:
        next_at = spend(connection, rate, lane, now, len(found))
    in_hand = _take(connection, engine, found, slot=slot, uid=uid, now=now, lapses_at=lapses_at)
    return _claim(connection, channel, in_hand, rate, next_at, now, trial=trial)


def _claim(
    connection: sa.Connection,
    channel: str,
    in_hand: Sequence[InHand],
    rate: Rate | None,
    next_at: float,
    now: float,
    *,
    trial: bool,
) -> Claim:
    first = connection.execute(_FIRST_DUE, {"of_channel": channel}).scalar()
    if first is None:
        return Claim(tuple(in_hand), more=False, next_due=None, rests=trial)
    due = first if rate is None else max(first, rate.free_at(next_at))
    return Claim(tuple(in_hand), more=due <= now and not trial, next_due=due, rests=trial)


def _sooner(connection: sa.Connection, channel: str, free: float) -> float | None:
    first = connection.execute(_FIRST_DUE, {"of_channel": channel}).scalar()
    return None if first is None else max(first, free)


def _set_back(lane: LaneRow, now: float) -> bool:
    """Whether the clock was set back so far that the rest cannot be meant."""
    return lane.failing_since is not None and lane.failing_since > now + 60.0


def _speakable(
    connection: sa.Connection, engine: Engine, found: Sequence[Unit], slot: int, now: float
) -> list[Unit]:
    """Leave out what is muted by now; it is recorded as such."""
    silence = Silence(connection, now)
    if not silence or not found:
        return list(found)
    rows = [row for unit in found for row in unit.rows]
    by_id = _events_of(connection, rows)
    muted: dict[int, str] = {}
    counts = Counts(now)
    for row in rows:
        event = by_id[row.event_id]
        case = (event.case_ref, event.case_id)
        why = silence.over(rule=row.rule, channel=row.channel, source=event.source, case=case)
        if why is not None and row.attempt == 0:
            muted[row.id] = why
            counts.add("suppressed", row.channel)
    silence.write(connection)
    counts.write(connection, engine, slot)
    engine.update(
        connection,
        deliveries,
        {"state": "'suppressed'", "reason": ":reason", "ended_at": ":ended_at"},
        ("id", "reason", "ended_at"),
        "deliveries.id = :id",
        [(delivery_id, why, now) for delivery_id, why in sorted(muted.items())],
    )
    promote(
        connection, engine, {(r.channel, r.case_key) for r in rows if r.id in muted and r.case_key}
    )
    left = [
        Unit([row for row in unit.rows if row.id not in muted], unit.together) for unit in found
    ]
    return [unit for unit in left if unit.rows]


def _take(
    connection: sa.Connection,
    engine: Engine,
    found: Sequence[Unit],
    *,
    slot: int,
    uid: str,
    now: float,
    lapses_at: float,
) -> list[InHand]:
    rows = [row for unit in found for row in unit.rows]
    if not rows:
        return []
    lapsed = [
        (r.id, r.attempt, now, None, "ambiguous", None, LOST, None) for r in rows if _lapsed(r)
    ]
    engine.insert(connection, attempts, lapsed, "ON CONFLICT (delivery_id, number) DO NOTHING")
    carried = {row.id: unit.rows[0].id for unit in found if unit.together for row in unit.rows}
    engine.update(
        connection,
        deliveries,
        _TAKE,
        ("id", "due_at", "owner", "carried_by", "moment"),
        "deliveries.id = :id",
        [(row.id, now + LEASE, slot, carried.get(row.id), now) for row in rows],
    )
    by_id = _events_of(connection, rows)
    words = _words_of(connection, rows)
    return [_in_hand(unit, by_id, words, uid, now, lapses_at) for unit in found]


def _in_hand(
    unit: Unit,
    by_id: dict[int, Event],
    words: dict[int, Any],
    uid: str,
    now: float,
    lapses_at: float,
) -> InHand:
    first, last = unit.rows[0], unit.rows[-1]
    listed: tuple[Listed, ...] = ()
    if unit.together:
        listed = tuple(
            Listed(row.id, by_id[row.event_id], row.rule, row.attempt + 1, row.case_key)
            for row in unit.rows
        )
    return InHand(
        id=first.id,
        key=delivery_key(uid, first.id, first.created_at, last.id),
        event=by_id[last.event_id],
        ruleset=last.ruleset,
        rule=first.rule,
        channel=first.channel,
        created_at=first.created_at,
        moment=now if first.attempt == 0 else first.moment,
        attempt=first.attempt + 1,
        unsure=first.attempt if _lapsed(first) else first.unsure,
        lease=now + LEASE,
        lapses_at=lapses_at,
        case_key=first.case_key,
        message=words.get(first.message_id),
        message_id=first.message_id,
        step=first.step,
        held=sum(row.held for row in unit.rows),
        digest=first.digest if all(row.digest == first.digest for row in unit.rows) else None,
        listed=listed,
    )


def _lapsed(row: Any) -> bool:
    """Whether somebody had it in hand and never said what became of it."""
    return row.owner is not None


def _events_of(connection: sa.Connection, rows: Sequence[Any]) -> dict[int, Event]:
    wanted = {row.event_id for row in rows}
    found = connection.execute(sa.select(events).where(events.c.id.in_(wanted)))
    return {row.id: stored(row) for row in found}


def _words_of(connection: sa.Connection, rows: Sequence[Any]) -> dict[int, Any]:
    wanted = {row.message_id for row in rows} - {None}
    if not wanted:
        return {}
    found = connection.execute(sa.select(messages).where(messages.c.id.in_(wanted)))
    return {row.id: msgspec.json.decode(row.content, type=Message) for row in found}


def stored(row: Any) -> Event:
    """The event of a row that has deliveries."""
    try:
        fields = decode(row.body)
    except Undecodable:  # only what was decoded once has deliveries; a newer decoder may differ
        fields = {"trigger": row.trigger or ""}
    return Event(row.id, row.source, row.received_at, row.body, fields)


_TAKE = {
    "attempt": "attempt + 1",
    "due_at": ":due_at",
    "owner": ":owner",
    "unsure": "CASE WHEN owner IS NULL THEN unsure ELSE attempt END",
    # What is sent again together names its first; a mute may have taken that one out since.
    "carried_by": "coalesce(:carried_by, deliveries.carried_by)",
    # What it is tried for is counted from the first attempt.
    "moment": "CASE WHEN attempt = 0 THEN :moment ELSE deliveries.moment END",
}
