"""The gate, as the ledger asks it: with what is remembered in rows, in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.gate import Remembered, ask, keys_of
from router.ledger.tables import memory
from router.ledger.turns import in_list

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import sqlalchemy as sa

    from router.event import Event
    from router.ledger.engine import Engine
    from router.ledger.mutes import Silence
    from router.ledger.tables import NewDelivery
    from router.timing import Terms


class Candidate(msgspec.Struct):
    """A delivery whose moment has come, its event, and what is asked of it."""

    delivery: NewDelivery
    event: Event
    terms: Terms | None


def gate(
    connection: sa.Connection,
    engine: Engine,
    candidates: Sequence[Candidate],
    silence: Silence,
) -> list[Candidate]:
    """Ask each candidate in turn and set its state; returns those that are to be said again."""
    known = _recall(connection, engine, {key for c in candidates for key in keys_of(c.terms)})
    before = {key: msgspec.structs.astuple(found) for key, found in known.items()}
    again = [c for c in candidates if ask(c.delivery, c.terms, known, _muted(c, silence))]
    silence.write(connection)
    rows = [
        (key, found.at, found.until, found.held, found.event_id)
        for key, found in known.items()
        if before.get(key) != msgspec.structs.astuple(found)
    ]
    engine.insert(connection, memory, rows, _NEWER)
    return again


def _muted(candidate: Candidate, silence: Silence) -> str | None:
    """Why a mute that holds now silences it; None if none does."""
    if not silence:
        return None
    row, event = candidate.delivery, candidate.event
    case = (event.case_ref, event.case_id)
    return silence.over(rule=row.rule, channel=row.channel, source=event.source, case=case)


def _recall(
    connection: sa.Connection, engine: Engine, keys: Collection[str]
) -> dict[str, Remembered]:
    if not keys:
        return {}
    ordered = sorted(keys)
    if not engine.sqlite:
        # Two replicas must not both find nothing: the row is there before it is asked for.
        nothing = [(key, NOTHING, 0.0, 0, 0) for key in ordered]
        engine.insert(connection, memory, nothing, "ON CONFLICT (key) DO NOTHING")
    sql = "SELECT key, at, until, held, event_id FROM memory WHERE key"
    lock = "" if engine.sqlite else " ORDER BY key FOR UPDATE"
    found = in_list(connection, engine, sql, ordered, lock)
    return {row[0]: Remembered(*row[1:]) for row in found if row[1] != NOTHING}


NOTHING = -1.0
_NEWER = (
    "ON CONFLICT (key) DO UPDATE SET at = excluded.at, until = excluded.until,"
    " held = excluded.held, event_id = excluded.event_id"
)
