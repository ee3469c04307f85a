"""When a rule's messages are due, and what is asked of each once its moment has come. Pure.

What needs only the event and the clock is decided here: moments, opening hours, keys. What needs
memory (was it said already? what does the digest hold?) is asked of the ledger with the terms
made here.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from router.match import find

if TYPE_CHECKING:
    from router.calendar import Calendar
    from router.event import Event
    from router.rules import Digest, Hours, Rule

NEVER = 10 * 366 * 86400.0
"""How far off a moment is that a calendar never reaches."""


class Window(msgspec.Struct, frozen=True):
    """A memory key, and for how many seconds what is remembered under it counts."""

    key: str
    seconds: float


class Batch(msgspec.Struct, frozen=True):
    """What a delivery is collected by, and when that closes if it is the first."""

    key: str
    closes: float


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a delivery once its moment has come.

    `dedupe`: the same body was not seen in the window. `throttle`: nothing was said in the
    window. `hold_until`: not before then (`why`). `drop`: not at all (`why`). `digest`: what it
    is collected by. `again`: when it is to be said another time, as which step.
    """

    dedupe: Window | None = None
    throttle: Window | None = None
    hold_until: float | None = None
    drop: bool = False
    why: str | None = None
    digest: Batch | None = None
    again: tuple[float, int] | None = None


class Gone(msgspec.Struct, frozen=True):
    """The rule of a waiting delivery does not speak any more, and why."""

    reason: str


class Planned(msgspec.Struct, frozen=True):
    """A delivery that a decision makes: this rule's words, to this channel.

    `moment` is when it is to be said (epoch seconds; None: at once). `step` 0 is the message
    itself, n its nth reminder, -n its nth escalation. Without `terms` nothing is asked of it at
    its moment.
    """

    rule: str
    channel: str
    moment: float | None = None
    step: int = 0
    terms: Terms | None = None


def plan(rule: Rule, event: Event | None) -> tuple[Planned, ...]:
    """The deliveries a rule makes for an event; without one, those of a rule without timing."""
    channels = dict.fromkeys(target.channel for target in rule.targets)
    if event is None:
        return tuple(Planned(rule.name, channel) for channel in channels)
    now = event.received_at
    made: list[Planned] = []
    later = _later(rule, now, rule.after) if rule.after else None
    for channel in channels:
        first = Planned(rule.name, channel, later)
        if later is None:
            first = msgspec.structs.replace(first, terms=terms_of(rule, event, first))
        made.append(first)
    for number, escalation in enumerate(rule.escalate, 1):
        moment = _later(rule, now, escalation.after)
        others = dict.fromkeys(target.channel for target in escalation.targets)
        made += [Planned(rule.name, channel, moment, -number) for channel in others]
    return tuple(made)


def is_timed(rule: Rule) -> bool:
    """Whether a rule's deliveries depend on when its event came."""
    return bool(
        rule.after
        or rule.hours
        or rule.throttle
        or rule.digest
        or rule.dedupe
        or rule.remind
        or rule.escalate
    )


def waits_until(planned: Planned) -> float:
    """Until when an event's own delivery is held or collected: those that are not stand before it
    in the line of their case, and so do not wait for hours behind it."""
    terms = planned.terms
    if terms is None:
        return 0.0
    if terms.digest is not None:
        return terms.digest.closes
    return terms.hold_until or 0.0


def terms_of(rule: Rule, event: Event, planned: Planned) -> Terms:
    """What is asked of a delivery of a rule at its moment.

    Reminders and escalations are neither throttled nor collected.
    """
    moment = event.received_at if planned.moment is None else planned.moment
    hold_until, drop, why = _closed(rule.hours, moment)
    # A reminder counts from when it is said: two that were held would speak at one moment.
    again = _again(rule, hold_until or moment, planned.step)
    if planned.step:
        return Terms(hold_until=hold_until, drop=drop, why=why, again=again)
    where = f"{rule.name}\x1f{planned.channel}"
    dedupe = throttle = digest = None
    if rule.dedupe:
        same = hashlib.blake2b(event.body, digest_size=12).hexdigest()
        dedupe = Window(f"seen\x1f{where}\x1f{same}", rule.dedupe)
    if rule.throttle:
        values = _values(event, rule.throttle.by)
        throttle = Window(f"said\x1f{where}\x1f{values}", rule.throttle.once_per)
    if rule.digest:
        values = _values(event, rule.digest.by)
        closes = _closes(rule.digest, rule.hours, hold_until or moment)
        digest = Batch(f"digest\x1f{where}\x1f{values}", closes)
    return Terms(
        hold_until=hold_until,
        drop=drop,
        why=why,
        dedupe=dedupe,
        throttle=throttle,
        digest=digest,
        again=again,
    )


def _later(rule: Rule, now: float, seconds: float) -> float:
    return _after(rule.calendar, now, seconds)


def _after(calendar: Calendar | None, now: float, seconds: float) -> float:
    if calendar is None:
        return now + seconds
    found = calendar.add_open(now, seconds)
    return now + NEVER if found is None else found


def _again(rule: Rule, moment: float, step: int) -> tuple[float, int] | None:
    if rule.remind is None or step < 0:
        return None
    if rule.remind.at_most is not None and step >= rule.remind.at_most:
        return None
    return _later(rule, moment, rule.remind.every), step + 1


def _closed(hours: Hours | None, moment: float) -> tuple[float | None, bool, str | None]:
    if hours is None or hours.calendar.is_open(moment):
        return None, False, None
    opens = hours.calendar.next_open(moment)
    why = f"{hours.calendar.name} is closed"
    if hours.drop:
        return None, True, f"dropped: {why}"
    return moment + NEVER if opens is None else opens, False, why


def _closes(digest: Digest, hours: Hours | None, moment: float) -> float:
    if digest.every is not None:
        closes = moment + digest.every
    else:
        found = digest.calendar.next_time(moment, digest.at or 0)
        closes = moment + NEVER if found is None else found
    if hours is not None:
        closes = hours.calendar.next_open(closes) or closes
    return closes


def _values(event: Event, by: tuple[str, ...]) -> str:
    """The fields' values as a key: bounded, and without a case's words in it."""
    found = [event.source if name == "source" else find(event.fields, name) for name in by]
    return hashlib.blake2b(msgspec.json.encode(found), digest_size=12).hexdigest() if by else ""
