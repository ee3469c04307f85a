"""What goes into the ledger and what comes out of it, as values."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from router.event import Event
from router.message import Message, Outcome
from router.route import Planned

State = Literal["pending", "sent", "failed", "cancelled", "suppressed"]
STATES: tuple[State, ...] = ("pending", "sent", "failed", "cancelled", "suppressed")


class LedgerUnavailable(Exception):
    """The ledger cannot take anything now; nothing of the request was stored."""


class Draft(msgspec.Struct, frozen=True):
    """An event that is about to be accepted (its id is 0), and what it causes.

    `matched` counts the rules that spoke. A rejected body has `rejected` (why) and no deliveries.
    """

    event: Event
    ruleset: str
    matched: int = 0
    planned: tuple[Planned, ...] = ()
    rejected: str | None = None


class Accepted(msgspec.Struct, frozen=True):
    """What became of a draft: it is on disk."""

    event: int
    deliveries: int


class InHand(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that this process has claimed, until `lease` (epoch seconds).

    `attempt` counts the one that now begins. `unsure` is the last attempt that may have arrived
    (0: none). `message` holds the stored words after the first attempt.
    """

    id: int
    key: str
    event: Event
    ruleset: str
    rule: str
    channel: str
    created_at: float
    attempt: int
    unsure: int
    lease: float
    case_key: str | None = None
    message: Message | None = None
    message_id: int | None = None


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that was made, and what follows from it.

    `state` is what the delivery becomes; pending needs `due_at`. `message` is stored once, at the
    first attempt. `fallback` names the channel that is told when the delivery failed for good.
    """

    delivery: InHand
    at: float
    outcome: Outcome
    state: Literal["pending", "sent", "failed"]
    reason: str | None = None
    due_at: float | None = None
    message: Message | None = None
    fallback: str | None = None


class Claim(msgspec.Struct, frozen=True):
    """What a claim brought.

    `more` says what else is due: nothing, more than was asked for, or only deliveries that an
    earlier one of their case blocks. `next_due` is when the next one is due (None: none waits).
    """

    in_hand: tuple[InHand, ...]
    more: Literal["nothing", "more", "blocked"]
    next_due: float | None


class Resent(msgspec.Struct, frozen=True):
    """What became of one wish to send again: the new delivery, or why there is none."""

    delivery: int
    new: int | None
    reason: str


class AttemptRow(msgspec.Struct, frozen=True):
    """One kept attempt, as it is shown."""

    number: int
    at: float
    elapsed: float | None
    outcome: str
    status: int | None
    detail: str
    captured: dict[str, Any] | None = None


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery, as it is shown."""

    id: int
    event_id: int
    rule: str
    channel: str
    state: State
    reason: str | None
    created_at: float
    due_at: float
    ended_at: float | None
    attempt: int
    unsure: int
    ruleset: str
    in_hand: bool
    resend_of: int | None = None
    fallback_of: int | None = None
    trigger: str | None = None
    case_ref: str | None = None
    message: Message | None = None
    attempts: tuple[AttemptRow, ...] = ()


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event, as it is shown."""

    id: int
    received_at: float
    source: str
    trigger: str | None
    case_ref: str | None
    body: bytes
    ruleset: str | None
    matched: int
    rejected: str | None
    deliveries: tuple[DeliveryRow, ...] = ()


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is narrowed by; None leaves it open. `before` is a cursor: ids below it."""

    state: State | None = None
    channel: str | None = None
    rule: str | None = None
    case: str | None = None
    trigger: str | None = None
    source: str | None = None
    since: float | None = None
    until: float | None = None
    q: str | None = None
    before: int | None = None
    limit: int = 50
