"""The gate: what is asked of a delivery when its moment has come, by what is remembered. Pure.

Muted? seen already? to be dropped outside its hours? said already? part of a digest? The answer
is written into the delivery: its state, reason and due time. The ledger asks with what it
remembers, a rehearsal with what it has rehearsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from router.duration import show_duration

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from router.timing import Terms

SKEW = 5.0
"""Seconds that two machines' clocks may differ. What is remembered from further in the future was
written before a clock was set back, and does not count."""
KEPT = 30 * 86400.0
"""Seconds that a count of what was throttled waits for the message that tells it."""
CARRY = 250
"""Deliveries that one message lists at most: about what Slack and people take."""


class Asked(Protocol):
    """A delivery at the gate: pending, and due at its `moment` (epoch seconds)."""

    moment: float
    due_at: float
    state: str
    reason: str | None
    digest: str | None
    held: int

    @property
    def event_id(self) -> int:
        """The event it is about."""


class Remembered(msgspec.Struct):
    """What is known under a key: since when, until when, and how many were held back."""

    at: float
    until: float
    held: int
    event_id: int


def ask(
    delivery: Asked,
    terms: Terms | None,
    known: MutableMapping[str, Remembered],
    muted: str | None = None,
) -> bool:
    """Set the delivery's state, reason and due time, and remember what was decided in `known`.

    `muted` is why it is silenced, if it is. Returns whether it is to be said again later, by
    `terms.again`.
    """
    wanted = terms is not None and terms.again is not None
    if muted is not None:
        _suppress(delivery, muted)
        return wanted
    if terms is None:
        return False
    if _seen(delivery, terms, known) or (terms.drop and _suppress(delivery, terms.why)):
        return False
    if _said(delivery, terms, known):
        return False
    if terms.digest is not None:
        closes = _collect(delivery, terms, known)
        delivery.digest, delivery.reason = terms.digest.key, "collected for a digest"
        delivery.due_at = delivery.moment = closes
    elif terms.hold_until is not None:
        delivery.due_at = delivery.moment = terms.hold_until
        delivery.reason = terms.why
    return wanted


def keys_of(terms: Terms | None) -> list[str]:
    """What has to be known before these terms can be asked."""
    if terms is None:
        return []
    return [part.key for part in (terms.dedupe, terms.throttle, terms.digest) if part is not None]


def _seen(delivery: Asked, terms: Terms, known: MutableMapping[str, Remembered]) -> bool:
    if terms.dedupe is None:
        return False
    key, seconds = terms.dedupe.key, terms.dedupe.seconds
    found = known.get(key)
    if found is not None and -SKEW <= delivery.moment - found.at < seconds:
        return _suppress(delivery, f"a duplicate of event {found.event_id}")
    known[key] = Remembered(delivery.moment, delivery.moment + seconds, 0, delivery.event_id)
    return False


def _said(delivery: Asked, terms: Terms, known: MutableMapping[str, Remembered]) -> bool:
    if terms.throttle is None:
        return False
    key, seconds = terms.throttle.key, terms.throttle.seconds
    found = known.get(key)
    if found is not None and found.at - SKEW <= delivery.moment < found.until - KEPT:
        found.held += 1
        window = show_duration(seconds)
        return _suppress(delivery, f"throttled: event {found.event_id} was told within {window}")
    delivery.held = found.held if found is not None else 0
    # What is held until it opens is said then, and so long nothing else is.
    said = delivery.moment if terms.hold_until is None else terms.hold_until
    known[key] = Remembered(delivery.moment, said + seconds + KEPT, 0, delivery.event_id)
    return False


def _collect(delivery: Asked, terms: Terms, known: MutableMapping[str, Remembered]) -> float:
    """When the digest closes that the delivery belongs to."""
    if terms.digest is None:
        raise AssertionError("only what is collected comes here")
    key, closes = terms.digest.key, terms.digest.closes
    found = known.get(key)
    if found is not None and found.at - SKEW <= delivery.moment < found.until:
        return min(found.until, closes)
    known[key] = Remembered(delivery.moment, closes, 0, delivery.event_id)
    return closes


def _suppress(delivery: Asked, reason: str | None) -> bool:
    delivery.state, delivery.reason = "suppressed", reason
    return True
