"""What is due, by channel: asked once a second, whatever channels there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.ledger.lanes import TRIP
from router.ledger.shared_clock import NOW_SQL

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

    from router.ledger.engine import Engine
    from router.rules import Channel


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What a process needs to know each second.

    `channels`: those that are not paused, with the moment (epoch seconds) at which their first
    delivery was or will be due, or their rest ends. `resting`: those of them that fail, and rest
    or have rested. `next_at`: the next theoretical arrival of those that a rate held to. `paused`:
    those that operators hold up. `failing`: those that fail and are not paused, since when.
    `newest` is the highest id of a delivery, `next_moment` when the next timer has its moment.
    `clock` is what time it was by the clock of PostgreSQL, which is asked with it.
    """

    channels: dict[str, float]
    resting: frozenset[str]
    next_at: dict[str, float]
    paused: frozenset[str]
    failing: dict[str, float]
    newest: int
    next_moment: float | None = None
    clock: float | None = None

    def may_go(self, channels: Mapping[str, Channel]) -> dict[str, float]:
        """When the first delivery of each of these channels may go, or might have gone: it is due,
        the channel does not rest, neither operators nor rules hold it up, and its rate lets it."""
        moments: dict[str, float] = {}
        for name, due_at in self.channels.items():
            channel = channels.get(name)
            if channel is None or channel.paused:
                continue
            rate = channel.rate
            free_at = due_at if rate is None else rate.free_at(self.next_at.get(name, due_at))
            moments[name] = max(due_at, free_at)
        return moments

    def longest_wait(self, channels: Mapping[str, Channel], now: float) -> float:
        """For how many seconds the oldest delivery might have gone, of channels that do not rest;
        0.0 if none might."""
        moments = self.may_go(channels).items()
        free = [moment for channel, moment in moments if channel not in self.resting]
        return max(0.0, now - min(free, default=now))


def find_due(connection: sa.Connection, engine: Engine, now: float) -> Due:
    """Ask which channels have something due: in one statement, and in as many probes of an index
    as there are channels with something pending, however much that is."""
    newest, next_moment, clock = 0, None, None
    channels: dict[str, float] = {}
    paused: set[str] = set()
    failing: dict[str, float] = {}
    resting: set[str] = set()
    next_at: dict[str, float] = {}
    rows = connection.exec_driver_sql(_DUE_SQLITE if engine.sqlite else _DUE_POSTGRES, (now,))
    for channel, due_at, rests_until, failures, failing_since, paused_at, arrival in rows:
        if channel is None:
            newest, next_moment, clock = failures, due_at, arrival
        elif paused_at is not None:
            paused.add(channel)
        else:
            if failing_since is not None:
                failing[channel] = failing_since
            if due_at is None:
                continue
            # One beyond TRIP has rested, and one delivery at a time tries whether it is over.
            if rests_until > now or failures >= TRIP:
                resting.add(channel)
            if arrival is not None:
                next_at[channel] = arrival
            channels[channel] = max(due_at, rests_until) if channel in resting else due_at
    return Due(
        channels=channels,
        resting=frozenset(resting),
        next_at=next_at,
        paused=frozenset(paused),
        failing=failing,
        newest=newest,
        next_moment=next_moment,
        clock=clock,
    )


# Each step of the recursion jumps to the next channel in the index of what is pending.
_DUE = (
    "WITH RECURSIVE names(channel) AS ("
    " SELECT min(channel) FROM deliveries WHERE state = 'pending'"
    " UNION ALL SELECT (SELECT min(d.channel) FROM deliveries AS d"
    " WHERE d.state = 'pending' AND d.channel > names.channel)"
    " FROM names WHERE names.channel IS NOT NULL)"
    " SELECT names.channel, CASE WHEN rests_until > {} THEN rests_until"
    " ELSE (SELECT min(d.due_at) FROM deliveries AS d WHERE d.state = 'pending'"
    " AND d.turn = 2 AND d.channel = names.channel) END AS due_at, coalesce(rests_until, 0)"
    " AS rests_until, coalesce(failures, 0) AS failures, failing_since, paused_at, next_at"
    " FROM names LEFT JOIN lanes ON lanes.channel = names.channel WHERE names.channel IS NOT NULL"
    " UNION ALL SELECT channel, NULL, rests_until, failures, failing_since, paused_at, NULL"
    " FROM lanes WHERE paused_at IS NOT NULL OR failing_since IS NOT NULL"
    " UNION ALL SELECT NULL, (SELECT min(due_at) FROM deliveries WHERE state = 'pending'"
    " AND turn = 0), NULL, "
)
_DUE_SQLITE = _DUE.format("?") + "value, NULL, NULL, NULL FROM counters WHERE name = 'deliveries'"
_DUE_POSTGRES = _DUE.format("%s") + f"last_value, NULL, NULL, {NOW_SQL} FROM deliveries_ids"
