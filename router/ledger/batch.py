"""One transaction of the writer: attempts first, then events, claims, and what is called."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from router.ledger.accept import LEASE, accept
from router.ledger.claim import claim
from router.ledger.clock_set import draft_in_time, tried_in_time
from router.ledger.lanes import add_lanes
from router.ledger.orders import (
    AcceptOrder,
    CallOrder,
    ClaimOrder,
    Hands,
    Order,
    RecordOrder,
    settle,
)
from router.ledger.record import record, take_back
from router.ledger.turns import lock_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from router.ledger.accept import Written
    from router.ledger.engine import Engine
    from router.ledger.shapes import Claim, Draft, Tried


class Batch(NamedTuple):
    """What is to be written at once, by the process in `slot`, at `now` (epoch seconds).

    `moment` is the same by its monotonic clock. `doubtful` are the leases set by commits that may
    be on disk or not: what was claimed until then is taken back. This batch's own is there while
    that is not known of it.
    """

    orders: Sequence[Order]
    hands: Hands | None
    slot: int
    uid: str
    now: float
    moment: float
    doubtful: set[float]


class Committed(NamedTuple):
    """A batch that is on disk, and what is to be told of it."""

    orders: Sequence[Order]
    written: Written
    freed: set[str]
    claimed: dict[str, Claim]
    results: list[Any]


def commit(connection: sa.Connection, engine: Engine, batch: Batch) -> Committed:
    """Write a batch in one transaction; raises what the database raises."""
    orders, hands, slot, now = batch.orders, batch.hands, batch.slot, batch.now
    lapses_at = batch.moment + LEASE
    drafts = [draft_in_time(o.draft, now) for o in orders if isinstance(o, AcceptOrder)]
    tried = [tried_in_time(o.tried, now) for o in orders if isinstance(o, RecordOrder)]
    calls = [order for order in orders if isinstance(order, CallOrder)]
    # In the order of names: every process locks the channels' rows in one order.
    channels = sorted({order.channel for order in orders if isinstance(order, ClaimOrder)})
    with connection.begin():
        lock_cases(connection, engine, _cases(drafts, tried))
        if batch.doubtful:
            take_back(connection, slot, batch.doubtful, now)
        failed = {one.delivery.channel for one in tried if one.outcome.kind != "delivered"}
        add_lanes(connection, engine, failed.union(channels))
        freed: set[str] = set()
        if tried:
            freed = record(connection, engine, tried, slot=slot, now=now)
        written = accept(
            connection,
            engine,
            drafts,
            room=hands.free if hands else _no_room,
            slot=slot,
            uid=batch.uid,
            now=now,
            lapses_at=lapses_at,
        )
        taken: dict[str, int] = {}
        for delivery in written.in_hand:
            taken[delivery.channel] = taken.get(delivery.channel, 0) + 1
        claimed = {
            channel: claim(
                connection,
                engine,
                channel=channel,
                rate=hands.rate(channel) if hands else None,
                room=hands.room(channel) - taken.get(channel, 0) if hands else 0,
                slot=slot,
                uid=batch.uid,
                now=now,
                lapses_at=lapses_at,
            )
            for channel in channels
        }
        results = [order.function(connection) for order in calls]
        if written.in_hand or claimed:
            batch.doubtful.add(now + LEASE)
    batch.doubtful.clear()
    return Committed(orders, written, freed, claimed, results)


def follow_ups(committed: Committed, hands: Hands | None) -> list[Callable[[], None]]:
    """What is to be done once a batch is on disk, step by step: hand over, and answer."""
    written, orders = committed.written, committed.orders
    accepts = [order for order in orders if isinstance(order, AcceptOrder)]
    calls = [order for order in orders if isinstance(order, CallOrder)]
    steps: list[Callable[[], None]] = []
    if hands:
        steps.append(partial(hands.take, written.in_hand))
        steps += [partial(hands.claimed, *claimed) for claimed in committed.claimed.items()]
        steps += [partial(hands.wait, name) for name in written.waiting | committed.freed]
        if written.first_moment is not None:
            steps.append(partial(hands.later, written.first_moment))
    steps += [order.done for order in orders if isinstance(order, RecordOrder)]
    steps.append(partial(settle, accepts, written.accepted))
    steps += [
        partial(call.reply.resolve, result)
        for call, result in zip(calls, committed.results, strict=True)
    ]
    return steps


def _cases(drafts: Sequence[Draft], tried: Sequence[Tried]) -> set[str | None]:
    """The cases whose turns a batch may change."""
    posted = {draft.event.case_key for draft in drafts if draft.planned or draft.cancels}
    return posted.union(*(one.delivery.cases for one in tried))


def _no_room(_channel: str) -> int:
    return 0
