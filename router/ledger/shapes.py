"""What goes into the ledger and what comes out of it, as values."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec

from router.event import Event
from router.message import Message, Outcome
from router.timing import Planned

State = Literal["pending", "sent", "failed", "cancelled", "suppressed"]
STATES: tuple[State, ...] = ("pending", "sent", "failed", "cancelled", "suppressed")


class LedgerUnavailable(Exception):
    """The ledger cannot take anything now; nothing of the request was stored."""


class Draft(msgspec.Struct, frozen=True):
    """An event that is about to be accepted (its id is 0), and what it causes.

    `matched` counts the rules that spoke, `spoke` names them. A rejected body has `rejected` (why)
    and no deliveries. `cancels` are rules whose messages about this case, while they wait, are not
    said any more.
    """

    event: Event
    ruleset: str
    matched: int = 0
    planned: tuple[Planned, ...] = ()
    rejected: str | None = None
    cancels: tuple[str, ...] = ()
    spoke: tuple[str, ...] = ()


class Accepted(msgspec.Struct, frozen=True):
    """What became of a draft: it is on disk."""

    event: int
    deliveries: int


def delivery_key(uid: str, first: int, created_at: float, last: int) -> str:
    """The name by which a far end knows a message: alike at each attempt, and never another's.

    A restored database gives ids out again, and gathers others: the moment and the last differ.
    """
    return f"{uid}-{first}-{round(created_at * 1e6):x}" + (f"-{last}" if last != first else "")


class Listed(msgspec.Struct, frozen=True):
    """One delivery of those that a digest lists."""

    id: int
    event: Event
    rule: str
    attempt: int
    case_key: str | None


class InHand(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that this process has claimed, until `lease` (epoch seconds) or, by its monotonic
    clock, `lapses_at`, whichever is first: the one may be set, and the other stands still while
    a machine sleeps.

    `attempt` counts the one that now begins. `unsure` is the last attempt that may have arrived
    (0: none). `message` holds the stored words after the first attempt. `moment` is when it was
    first due. A digest is in hand as its first delivery; `listed` are all of them, in order, and
    `event` is the last one's. `held` counts what was throttled before it.
    """

    id: int
    key: str
    event: Event
    ruleset: str
    rule: str
    channel: str
    created_at: float
    moment: float
    attempt: int
    unsure: int
    lease: float
    lapses_at: float
    case_key: str | None = None
    message: Message | None = None
    message_id: int | None = None
    step: int = 0
    held: int = 0
    digest: str | None = None
    listed: tuple[Listed, ...] = ()

    @property
    def parts(self) -> tuple[tuple[int, int], ...]:
        """Id and attempt of every delivery that is in hand with it."""
        return tuple((one.id, one.attempt) for one in self.listed) or ((self.id, self.attempt),)

    @property
    def cases(self) -> set[str]:
        """The cases it is about."""
        keys = [one.case_key for one in self.listed] or [self.case_key]
        return {key for key in keys if key is not None}


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that was made, and what follows from it.

    `state` is what the delivery becomes; pending needs `due_at`. `message` is stored once, at the
    first attempt. `fallback` names the channel that is told when the delivery failed for good.
    `again_at` is when the far end may be tried again, for outcomes that may pass.
    """

    delivery: InHand
    at: float
    outcome: Outcome
    state: Literal["pending", "sent", "failed"]
    reason: str | None = None
    due_at: float | None = None
    again_at: float | None = None
    message: Message | None = None
    fallback: str | None = None


class Claim(msgspec.Struct, frozen=True):
    """What a claim brought.

    `more`: there is more that could be taken at once. `next_due` is when to look again (epoch
    seconds; None: nothing waits). `rests`: the channel rests until then because it fails.
    """

    in_hand: tuple[InHand, ...]
    more: bool
    next_due: float | None
    rests: bool = False


class Fired(msgspec.Struct, frozen=True):
    """How many timers had their moment, which channels have more to send, and the next moment."""

    number: int
    channels: frozenset[str]
    next_moment: float | None


class Pause(msgspec.Struct, frozen=True):
    """Somebody holds up all that is for a channel, until somebody lets it go on."""

    at: float
    author: str
    reason: str


class LaneRow(msgspec.Struct, frozen=True):
    """What is known of a channel: whether it fails, since when, and until when it rests.

    `error` is what it fails with now; `last_error` is kept when it does well again. `probe` is the
    delivery that failed last.
    """

    channel: str
    failures: int
    failing_since: float | None
    rests_until: float
    error: str | None
    next_at: float
    last_error: str | None = None
    last_error_at: float | None = None
    pause: Pause | None = None
    probe: int | None = None


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """Something the router tells about itself, to these channels.

    It is told once for its `key` until `again_at` (epoch seconds).
    """

    key: str
    again_at: float
    rule: str
    trigger: str
    fields: dict[str, Any]
    channels: tuple[str, ...]
    ruleset: str


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
    carried_by: int | None = None
    step: int = 0
    later: bool = False
    trigger: str | None = None
    case_ref: str | None = None
    message: Message | None = None
    attempts: tuple[AttemptRow, ...] = ()


class Member(msgspec.Struct, frozen=True):
    """One of the deliveries that went together as one message."""

    delivery: int
    event: int
    case_ref: str | None


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


Row = TypeVar("Row")


class Listing(msgspec.Struct, Generic[Row], frozen=True):
    """What a list shows, newest first.

    `further` is the cursor to go on from; None: nothing is older. `back_to` (epoch seconds) is
    how far back was looked, when that ended before the list was full.
    """

    rows: tuple[Row, ...]
    further: int | None = None
    back_to: float | None = None


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
