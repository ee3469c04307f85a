"""What becomes of written moments when the clock that counts was set.

Who waits for a while (a retry, a digest, a lease, a rest, a mute) waits for so long, not until a
moment that a wrong clock named. So what was written ahead of the new time moves with the clock.
What is to be said at a moment that was written before the wrong time keeps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from router.event import Event
from router.gate import SKEW
from router.ledger.accept import LEASE
from router.ledger.own import HEARD
from router.ledger.shared_clock import NOISE
from router.ledger.tables import PENDING, QUEUED, deliveries, lanes, memory, meta, mutes
from router.timing import Batch, Planned

if TYPE_CHECKING:
    from router.ledger.engine import Engine
    from router.ledger.shapes import Draft, Tried

SAME = 5.0
"""Seconds by which two processes may differ about how far the clock was set."""
SEEN = 60.0
"""Seconds within which the processes of a ledger see that the clock was set."""
_KEY = "clock_set"


def set_back(
    connection: sa.Connection, engine: Engine, was: float, newest: int, now: float
) -> None:
    """Take on that it is `now` and no longer `was`.

    What was due is due still. `newest` is the highest delivery id that was known by then: what is
    younger, and not from the future, was written by the clock as it is now. Each process does it,
    since each may have written by the old clock longest; what may be done only once, the first.
    The others make due only what is written late: by the old clock, after the first had taken the
    new one on.
    """
    back = was - now
    free = (PENDING, deliveries.c.owner.is_(None))
    ahead, tried = deliveries.c.created_at > now, deliveries.c.attempt > 0
    first = _taken_on_at(connection, engine, -back, now)
    if first is None:
        written = sa.or_(tried, sa.and_(~ahead, deliveries.c.id <= newest))
        due = (*free, written, deliveries.c.due_at > now, deliveries.c.due_at <= was)
        connection.execute(deliveries.update().where(*due).values(due_at=now))
        _move(connection, lanes, (lanes.c.next_at > now,), -back, "next_at")
    else:
        written = sa.or_(tried, sa.and_(~ahead, QUEUED))
        written_late = (*free, written, deliveries.c.due_at.between(first + back - NOISE, was))
        moment = deliveries.c.moment
        fired_early = sa.case((sa.and_(~tried, moment > now), now), else_=moment)
        late = deliveries.update().where(*written_late, deliveries.c.due_at > now)
        connection.execute(late.values(due_at=now, moment=fired_early))
    # What closed hours gave back until they open was asked by the clock of before: ask again.
    given_back = (*free, QUEUED, ~ahead, ~tried, deliveries.c.moment > now)
    asked_anew = deliveries.update().where(*given_back, deliveries.c.due_at > deliveries.c.moment)
    connection.execute(asked_anew.values(due_at=now, moment=now))
    # Nobody was told their names yet, of which the moment they were made is a part.
    _move(connection, deliveries, (*free, ahead, ~tried), -back, "created_at", "moment", "due_at")
    _move(connection, deliveries, (*free, tried, deliveries.c.due_at > was), -back, "due_at")
    begun = (PENDING, sa.or_(tried, deliveries.c.due_at <= now), deliveries.c.moment > now)
    _move(connection, deliveries, begun, -back, "moment")
    _release_lapsed(connection, was, now)
    _bound_leases(connection, now)
    for name in ("rests_until", "failing_since", "last_error_at"):  # this one last: it is asked
        failed = (lanes.c.last_error_at > now, lanes.c[name] > now)
        _move(connection, lanes, failed, -back, name)
    _move(connection, memory, (memory.c.at > now,), -back, "at", "until")
    silence = (mutes.c.ended_at.is_(None), mutes.c.created_at > now)
    _move(connection, mutes, silence, -back, "created_at", "until")


def set_forward(connection: sa.Connection, engine: Engine, seconds: float, now: float) -> None:
    """Take on that it is `now`, so many seconds later than by the clock of before.

    What lies in between is due. But nothing was tried meanwhile, nobody rested or was silent, and
    what is in hand is so still: that time is not counted.
    """
    if _taken_on_at(connection, engine, seconds, now) is not None:
        return
    failing = sa.select(lanes.c.channel).where(lanes.c.failures > 0)
    waits = sa.or_(deliveries.c.attempt > 0, deliveries.c.channel.in_(failing))
    tried = (QUEUED, waits, deliveries.c.moment <= now - seconds)
    _move(connection, deliveries, tried, seconds, "moment")
    _move(connection, deliveries, (PENDING, deliveries.c.owner.is_not(None)), seconds, "due_at")
    _bound_leases(connection, now)
    before = now - seconds
    _move(connection, lanes, (lanes.c.rests_until > before,), seconds, "rests_until")
    failed = (lanes.c.failing_since <= before,)
    _move(connection, lanes, failed, seconds, "failing_since", "last_error_at")
    heard = (memory.c.key.startswith(HEARD, autoescape=True), memory.c.at <= before)
    _move(connection, memory, heard, seconds, "at")


def see_clock(connection: sa.Connection, engine: Engine, newest: int, now: float) -> None:
    """At a start: take on a clock that was set back while nobody ran.

    The ledger knows to a minute what time it was when somebody last did.
    """
    query = sa.select(meta.c.value).where(meta.c.key == "checked_at")
    was = float(connection.execute(query).scalar() or 0.0)
    if was > now + SKEW:
        set_back(connection, engine, was, newest, now)
        connection.execute(meta.update().where(meta.c.key == "checked_at").values(value=str(now)))


def draft_in_time(draft: Draft, now: float) -> Draft:
    """A draft that was decided by a clock which was set back before it could be written."""
    ahead = draft.event.received_at - now
    if ahead <= SKEW:
        return draft
    event = Event(0, draft.event.source, now, draft.event.body, draft.event.fields)
    planned = tuple(_planned_in_time(one, ahead) for one in draft.planned)
    return msgspec.structs.replace(draft, event=event, planned=planned)


def tried_in_time(tried: Tried, now: float) -> Tried:
    """The same for an attempt."""
    ahead = tried.at + tried.outcome.elapsed - now
    if ahead <= SKEW:
        return tried
    due_at, again_at = (None if at is None else at - ahead for at in (tried.due_at, tried.again_at))
    return msgspec.structs.replace(tried, at=tried.at - ahead, due_at=due_at, again_at=again_at)


def _planned_in_time(planned: Planned, ahead: float) -> Planned:
    moment = None if planned.moment is None else planned.moment - ahead
    terms = planned.terms
    if terms is not None:
        hold, digest, again = terms.hold_until, terms.digest, terms.again
        terms = msgspec.structs.replace(
            terms,
            hold_until=None if hold is None else hold - ahead,
            digest=digest and Batch(digest.key, digest.closes - ahead),
            again=again and (again[0] - ahead, again[1]),
        )
    return msgspec.structs.replace(planned, moment=moment, terms=terms)


def _taken_on_at(connection: sa.Connection, engine: Engine, by: float, now: float) -> float | None:
    """When another process took this on, by the new clock; None if this one is the first: then
    that is written down."""
    mutex = sa.select(meta.c.key).where(meta.c.key == "checked_at")
    connection.execute(mutex if engine.sqlite else mutex.with_for_update())
    query = sa.select(meta.c.value).where(meta.c.key == _KEY)
    last_by, last_now = map(float, str(connection.execute(query).scalar() or "0 0").split())
    if abs(last_by - by) <= SAME and -NOISE <= now - last_now <= SEEN:
        return last_now
    kept = "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    engine.insert(connection, meta, [(_KEY, f"{by} {now}")], kept)
    return None


def _release_lapsed(connection: sa.Connection, was: float, now: float) -> None:
    """Have due what was in hand and had lapsed by the clock of before; not what a process that saw
    the new one first has taken in hand since."""
    taken_since = deliveries.c.due_at.between(now + LEASE - SEEN, now + LEASE)
    due_at = deliveries.c.due_at
    lapsed = (PENDING, deliveries.c.owner.is_not(None), due_at > now, due_at <= was, ~taken_since)
    connection.execute(deliveries.update().where(*lapsed).values(due_at=now))


def _bound_leases(connection: sa.Connection, now: float) -> None:
    far = (PENDING, deliveries.c.owner.is_not(None), deliveries.c.due_at > now + LEASE)
    connection.execute(deliveries.update().where(*far).values(due_at=now + LEASE))


def _move(
    connection: sa.Connection,
    table: sa.Table,
    where: tuple[sa.ColumnElement[bool], ...],
    seconds: float,
    *names: str,
) -> None:
    values = {name: table.c[name] + seconds for name in names}
    connection.execute(table.update().where(*where).values(values))
