"""What the router tells about itself: events of its own, and when it last heard of whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.event import OWN, Event
from router.ledger.accept import event_row
from router.ledger.record import queue
from router.ledger.shapes import Draft
from router.ledger.tables import NewDelivery, events, memory
from router.ledger.turns import in_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

    from router.ledger.engine import Engine
    from router.ledger.shapes import Own


def tell_own(connection: sa.Connection, engine: Engine, told: Own, now: float) -> bool:
    """Write down an event of the router's own with its deliveries; returns whether it was new.

    Several processes may find the same thing to tell: the first one's word counts.
    """
    row = (f"own\x1f{told.key}", now, told.again_at, 0, 0)
    engine.insert(connection, memory, [row], "ON CONFLICT (key) DO NOTHING")
    known = "SELECT at, until FROM memory WHERE key"
    lock = "" if engine.sqlite else " FOR UPDATE"
    (found,) = in_list(connection, engine, known, [row[0]], lock)
    if found.at != now and found.until > now:
        return False
    values = ("key", "at", "until")
    engine.update(
        connection, memory, {"at": ":at", "until": ":until"}, values, "key = :key", [row[:3]]
    )
    fields = {"trigger": told.trigger, **told.fields}
    body = msgspec.json.encode(fields)
    (event_id,) = engine.next_ids(connection, "events", 1)
    draft = Draft(Event(event_id, OWN, now, body, fields), told.ruleset, matched=1)
    engine.insert(connection, events, [event_row(event_id, draft)])
    ids = engine.next_ids(connection, "deliveries", len(told.channels))
    rows = [
        NewDelivery(
            id=delivery_id,
            event_id=event_id,
            rule=told.rule,
            channel=channel,
            case_key=None,
            ruleset=told.ruleset,
            created_at=now,
            moment=now,
            due_at=now,
        )
        for delivery_id, channel in zip(ids, told.channels, strict=True)
    ]
    queue(connection, engine, rows)
    return True


def note_seen(
    connection: sa.Connection, engine: Engine, seen: Mapping[str, float]
) -> dict[str, float]:
    """Remember when each source was last heard of; returns the latest that any process knows."""
    keys = {f"{HEARD}{source}": source for source in seen}
    rows = [(key, seen[source], FOREVER, 0, 0) for key, source in sorted(keys.items())]
    later = "ON CONFLICT (key) DO UPDATE SET at = excluded.at WHERE memory.at < excluded.at"
    engine.insert(connection, memory, rows, later)
    found = in_list(connection, engine, "SELECT key, at FROM memory WHERE key", list(keys))
    return {keys[row[0]]: row[1] for row in found}


FOREVER = 1e12
HEARD = "heard\x1f"
"""How a key begins under which it is remembered when a source was heard."""
