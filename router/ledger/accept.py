"""Writing down events and the deliveries they make: a whole batch in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.ledger.shapes import Accepted, Draft, InHand
from router.ledger.tables import deliveries, delivery_row, events, meta, rulesets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from router.ledger.engine import Engine, Row

LEASE = 300.0
"""Seconds a claim holds: longer than the longest wait in hand and the longest send together."""


class Written:
    """What one batch of drafts became: the answers, what is in hand, and which channels wait."""

    def __init__(self) -> None:
        self.accepted: list[Accepted] = []
        self.in_hand: list[InHand] = []
        self.waiting: set[str] = set()


def accept(
    connection: sa.Connection,
    engine: Engine,
    drafts: Sequence[Draft],
    *,
    room: Callable[[str], int],
    slot: int,
    uid: str,
    now: float,
) -> Written:
    """Insert the drafts' events and deliveries.

    A delivery is inserted already claimed by `slot` while its channel has `room` (how many more
    this process takes in hand) and no earlier one of the same case waits on that channel: so it
    is handed over in memory after the commit and nothing needs to look for it. All others wait
    for a claim.
    """
    written = Written()
    ids = engine.next_ids(connection, "events", len(drafts))
    count = sum(len(draft.planned) for draft in drafts)
    delivery_ids = iter(engine.next_ids(connection, "deliveries", count))
    blocked = _cases_waiting(connection, engine, drafts)
    places: dict[str, int] = {}
    rows: list[Row] = []
    for event_id, draft in zip(ids, drafts, strict=True):
        written.accepted.append(Accepted(event_id, len(draft.planned)))
        if not draft.planned:
            continue
        case_key = draft.event.case_key
        for planned in draft.planned:
            channel = planned.channel
            left = places.get(channel)
            if left is None:
                left = room(channel)
            mine = left > 0 and (channel, case_key) not in blocked
            places[channel] = left - 1 if mine else 0
            if case_key is not None:
                blocked.add((channel, case_key))
            delivery_id = next(delivery_ids)
            lease, owner = (now + LEASE, slot) if mine else (None, None)
            row = (delivery_id, event_id, planned.rule, channel, case_key, draft.ruleset, now)
            rows.append(delivery_row(*row, lease=lease, slot=owner))
            if mine:
                written.in_hand.append(
                    _in_hand(draft, planned.rule, channel, event_id, delivery_id, uid, now)
                )
            else:
                written.waiting.add(channel)
    engine.insert(connection, events, [_event_row(i, d) for i, d in zip(ids, drafts, strict=True)])
    engine.insert(connection, deliveries, rows)
    return written


def keep_ruleset(
    connection: sa.Connection, engine: Engine, hash_: str, files: str, now: float
) -> None:
    """Keep a ruleset's files (JSON) under its hash; keeping it again changes nothing."""
    engine.insert(connection, rulesets, [(hash_, now, files)], "ON CONFLICT (hash) DO NOTHING")


def note_checked(connection: sa.Connection, now: float) -> None:
    """Write something (a value that did not change would not reach the disk)."""
    connection.execute(meta.update().where(meta.c.key == "checked_at").values(value=str(now)))


def _in_hand(
    draft: Draft, rule: str, channel: str, event_id: int, delivery_id: int, uid: str, now: float
) -> InHand:
    event = draft.event
    return InHand(
        id=delivery_id,
        key=f"{uid}-{delivery_id}",
        event=type(event)(event_id, event.source, event.received_at, event.body, event.fields),
        ruleset=draft.ruleset,
        rule=rule,
        channel=channel,
        created_at=now,
        attempt=1,
        unsure=0,
        lease=now + LEASE,
        case_key=event.case_key,
    )


def _event_row(event_id: int, draft: Draft) -> Row:
    event = draft.event
    head = (event_id, event.received_at, event.source)
    tail = (event.body, draft.ruleset, draft.matched, draft.rejected)
    if draft.rejected is not None:
        return (*head, None, None, None, None, *tail)
    case_ref = event.case_ref
    trigger = event.trigger.replace("\0", "")
    return (*head, trigger, event.case_key, case_ref, _words(event.fields, case_ref), *tail)


def _words(fields: dict[str, object], case_ref: str | None) -> str:
    told = (case_ref, fields.get("case_name"), fields.get("process_key"))
    return " ".join(str(word) for word in told if word).lower().replace("\0", "")[:500]


def _cases_waiting(
    connection: sa.Connection, engine: Engine, drafts: Sequence[Draft]
) -> set[tuple[str, str | None]]:
    keys = {draft.event.case_key for draft in drafts if draft.planned} - {None}
    if not keys:
        return set()
    sql = "SELECT channel, case_key FROM deliveries WHERE state = 'pending' AND case_key "
    if engine.sqlite:
        marks = ", ".join("?" * len(keys))
        found = connection.exec_driver_sql(f"{sql} IN ({marks})", tuple(keys))
    else:
        found = connection.exec_driver_sql(f"{sql} = ANY(%s)", (list(keys),))
    return {(row[0], row[1]) for row in found}
