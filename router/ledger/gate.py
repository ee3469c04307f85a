"""The gate: what is asked of a delivery when its moment has come, with what is remembered.

Muted? said already? outside its hours? part of a digest? The answer is the delivery's state,
reason and due time; what was decided is remembered in the same transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.duration import show_duration
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

SKEW = 5.0
"""Seconds that two machines' clocks may differ. What is remembered from further in the future was
written before a clock was set back, and does not count."""
KEPT = 30 * 86400.0
"""Seconds that a count of what was throttled waits for the message that tells it."""


class Candidate(msgspec.Struct):
    """A delivery whose moment has come, its event, and what is asked of it."""

    delivery: NewDelivery
    event: Event
    terms: Terms | None


class Remembered(msgspec.Struct):
    """What is known under a key: since when, until when, and how many were held back."""

    at: float
    until: float
    held: int
    event_id: int


def gate(
    connection: sa.Connection,
    engine: Engine,
    candidates: Sequence[Candidate],
    silence: Silence,
) -> list[Candidate]:
    """Ask each candidate in turn and set its state; returns those that are to be said again."""
    known = _recall(connection, engine, {key for c in candidates for key in _keys(c.terms)})
    before = {key: msgspec.structs.astuple(found) for key, found in known.items()}
    again = [candidate for candidate in candidates if _ask(candidate, known, silence)]
    silence.write(connection)
    rows = [
        (key, found.at, found.until, found.held, found.event_id)
        for key, found in known.items()
        if before.get(key) != msgspec.structs.astuple(found)
    ]
    engine.insert(connection, memory, rows, _NEWER)
    return again


def _ask(candidate: Candidate, known: dict[str, Remembered], silence: Silence) -> bool:
    """Decide one; returns whether it is to be said again later (a reminder)."""
    row, event, terms = candidate.delivery, candidate.event, candidate.terms
    wanted = terms is not None and terms.again is not None
    if silence:
        case = (event.case_ref, event.case_id)
        why = silence.over(rule=row.rule, channel=row.channel, source=event.source, case=case)
        if why is not None:
            _suppress(row, why)
            return wanted
    if terms is None:
        return False
    if _seen(row, terms, known) or (terms.drop and _suppress(row, terms.why)):
        return False
    if _said(row, terms, known):
        return False
    if terms.digest is not None:
        closes = _collect(row, terms, known)
        row.digest, row.reason = terms.digest.key, "collected for a digest"
        row.due_at = row.moment = closes
    elif terms.hold_until is not None:
        row.due_at = row.moment = terms.hold_until
        row.reason = terms.why
    return wanted


def _seen(row: NewDelivery, terms: Terms, known: dict[str, Remembered]) -> bool:
    if terms.dedupe is None:
        return False
    key, seconds = terms.dedupe.key, terms.dedupe.seconds
    found = known.get(key)
    if found is not None and -SKEW <= row.moment - found.at < seconds:
        return _suppress(row, f"a duplicate of event {found.event_id}")
    known[key] = Remembered(row.moment, row.moment + seconds, 0, row.event_id)
    return False


def _said(row: NewDelivery, terms: Terms, known: dict[str, Remembered]) -> bool:
    if terms.throttle is None:
        return False
    key, seconds = terms.throttle.key, terms.throttle.seconds
    found = known.get(key)
    if found is not None and -SKEW <= row.moment - found.at < seconds:
        found.held += 1
        window = show_duration(seconds)
        return _suppress(row, f"throttled: event {found.event_id} was told within {window}")
    row.held = found.held if found is not None else 0
    known[key] = Remembered(row.moment, row.moment + seconds + KEPT, 0, row.event_id)
    return False


def _collect(row: NewDelivery, terms: Terms, known: dict[str, Remembered]) -> float:
    """When the digest closes that the delivery belongs to."""
    if terms.digest is None:
        raise AssertionError("only what is collected comes here")
    key, closes = terms.digest.key, terms.digest.closes
    found = known.get(key)
    if found is not None and found.at - SKEW <= row.moment < found.until:
        return min(found.until, closes)
    known[key] = Remembered(row.moment, closes, 0, row.event_id)
    return closes


def _suppress(row: NewDelivery, reason: str | None) -> bool:
    row.state, row.reason = "suppressed", reason
    return True


def _keys(terms: Terms | None) -> list[str]:
    if terms is None:
        return []
    return [part.key for part in (terms.dedupe, terms.throttle, terms.digest) if part is not None]


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
