"""The gate and the terms it asks by: what is remembered, and for whom it counts."""

from __future__ import annotations

import msgspec
import pytest

from router.calendar import Calendar
from router.event import Event, decode
from router.gate import Remembered, ask
from router.rules import Digest, Hours, Rule, Target
from router.timing import Batch, Terms, Window, plan

OFFICE = Calendar("office", "UTC", (((8 * 60, 18 * 60),),) * 7)
NOON = 12 * 3600.0


class Due(msgspec.Struct):
    moment: float
    due_at: float = 0.0
    state: str = "pending"
    reason: str | None = None
    digest: str | None = None
    held: int = 0
    event_id: int = 2


def rule(**more: object) -> Rule:
    targets = (Target("mail"), Target("chat"))
    return Rule(name="r", when=None, targets=targets, **more)  # type: ignore[arg-type]


def event(at: float = NOON) -> Event:
    body = b'{"trigger": "case_created", "case_id": 1}'
    return Event(2, "atfinity", at, body, decode(body))


@pytest.mark.parametrize(
    ("seen_at", "state"),
    [
        pytest.param(-59.0, "suppressed", id="seen within the window"),
        pytest.param(-60.0, "pending", id="the window is over"),
        pytest.param(5.0, "suppressed", id="seen by a clock that is a little ahead"),
        pytest.param(5.1, "pending", id="written before the clock was set back"),
    ],
)
def test_a_duplicate_is_what_was_seen_within_the_window(seen_at: float, state: str) -> None:
    known = {"key": Remembered(NOON + seen_at, NOON, 0, 1)}
    due = Due(NOON)
    ask(due, Terms(dedupe=Window("key", 60.0)), known)
    assert due.state == state


def test_a_digest_closes_no_later_than_the_rules_of_now_have_it() -> None:
    known = {"key": Remembered(NOON, NOON + 3600, 0, 1)}
    due = Due(NOON + 10)
    ask(due, Terms(digest=Batch("key", NOON + 70)), known)
    assert (due.due_at, due.digest) == (NOON + 70, "key")


def test_a_body_that_one_channel_has_seen_is_new_to_another() -> None:
    asked = [one.terms.dedupe for one in plan(rule(dedupe=60.0), event()) if one.terms]
    assert len({window.key for window in asked if window}) == 2


def test_a_digest_that_closes_after_hours_closes_when_they_begin_again() -> None:
    digest = Digest(every=3600.0, at=None, calendar=OFFICE)
    late = event(17.5 * 3600)
    (first, _) = plan(rule(digest=digest, hours=Hours(OFFICE)), late)
    assert first.terms
    assert first.terms.digest
    assert first.terms.digest.closes == (24 + 8) * 3600
