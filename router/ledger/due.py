"""What is due, by channel: asked once a second, whatever channels there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.ledger.lanes import TRIP, list_lanes

if TYPE_CHECKING:
    import sqlalchemy as sa

    from router.ledger.engine import Engine


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What a process needs to know each second.

    `channels`: those that neither rest nor are paused, with the moment (epoch seconds) at which
    their first delivery was or will be due. `oldest` is the earliest of these moments that has
    come. `paused`: those that operators hold up. `failing`: those that fail and are not paused,
    since when. `newest` is the highest id of a delivery.
    """

    channels: dict[str, float]
    oldest: float | None
    paused: frozenset[str]
    failing: dict[str, float]
    newest: int


_NEXT = (
    "WITH RECURSIVE names(channel) AS ("
    " SELECT min(channel) FROM deliveries WHERE state = 'pending'"
    " UNION ALL SELECT (SELECT min(d.channel) FROM deliveries AS d"
    " WHERE d.state = 'pending' AND d.channel > names.channel)"
    " FROM names WHERE names.channel IS NOT NULL)"
    " SELECT channel, (SELECT min(d.due_at) FROM deliveries AS d WHERE d.state = 'pending'"
    " AND d.turn = 2 AND d.channel = names.channel) AS due_at FROM names WHERE channel IS NOT NULL"
)


def find_due(connection: sa.Connection, engine: Engine, now: float) -> Due:
    """Ask which channels have something due, in as many probes of an index as there are channels
    with something pending."""
    lanes = list_lanes(connection)
    paused = frozenset(name for name, lane in lanes.items() if lane.pause is not None)
    resting = {
        name for name, lane in lanes.items() if lane.rests_until > now or lane.failures >= TRIP
    }
    rows = connection.exec_driver_sql(_NEXT).all()
    first = {row[0]: row[1] for row in rows if row[1] is not None and row[0] not in paused}
    channels = {
        name: max(due_at, lanes[name].rests_until) if name in resting else due_at
        for name, due_at in first.items()
    }
    come = [due for name, due in channels.items() if due <= now and name not in resting]
    newest = "SELECT value FROM counters WHERE name = 'deliveries'"
    if not engine.sqlite:
        newest = "SELECT last_value FROM deliveries_ids"
    return Due(
        channels=channels,
        oldest=min(come, default=None),
        paused=paused,
        failing={
            name: lane.failing_since
            for name, lane in lanes.items()
            if lane.failing_since is not None and lane.pause is None
        },
        newest=connection.exec_driver_sql(newest).scalar_one(),
    )
