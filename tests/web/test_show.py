"""How values are shown: times, states and their reasons, sentences, bodies, addresses."""

from __future__ import annotations

from typing import Any

import pytest

from router.ledger import DeliveryRow
from router.match import Check
from router.route import Decision
from router.web import show

NOW = 1_700_000_000.0


def _row(**changed: Any) -> DeliveryRow:
    given = {
        "id": 1,
        "event_id": 1,
        "rule": "r",
        "channel": "c",
        "state": "pending",
        "reason": None,
        "created_at": NOW - 10,
        "due_at": NOW - 10,
        "ended_at": None,
        "attempt": 0,
        "unsure": 0,
        "ruleset": "x",
        "in_hand": False,
    }
    return DeliveryRow(**{**given, **changed})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (1.9, "just now"),
        (2, "2 s ago"),
        (119, "119 s ago"),
        (120, "2 min ago"),
        (7199, "119 min ago"),
        (7200, "2 h ago"),
        (2 * 86400, "2 d ago"),
        (-1, "in a moment"),
        (-90, "in 90 s"),
        (-10_000, "in 2 h"),
    ],
)
def test_a_time_is_told_in_one_unit(seconds: float, words: str) -> None:
    assert show.ago(NOW - seconds, NOW) == words


@pytest.mark.parametrize(
    ("row", "word", "reason", "until"),
    [
        pytest.param(
            _row(),
            "to be sent",
            "an earlier message of the same case comes first, the channel is busy, or no process"
            " delivers",
            None,
            id="due, and not begun",
        ),
        pytest.param(
            _row(due_at=NOW + 60, reason="answered 503"),
            "waits",
            "answered 503",
            NOW + 60,
            id="waits for its next attempt",
        ),
        pytest.param(_row(due_at=NOW + 60), "waits", "", NOW + 60, id="waits without a reason"),
        pytest.param(
            _row(due_at=NOW + 60, in_hand=True), "being sent", "", None, id="is being sent"
        ),
        pytest.param(
            _row(channel="resting", due_at=NOW + 60),
            "paused",
            "its channel is paused in the rules",
            None,
            id="its channel is paused",
        ),
        pytest.param(_row(state="sent", ended_at=NOW), "sent", "", None, id="is sent"),
        pytest.param(
            _row(state="failed", reason="answered 404", channel="resting"),
            "failed",
            "answered 404",
            None,
            id="has failed",
        ),
    ],
)
def test_a_state_has_a_word_and_a_reason(
    row: DeliveryRow, word: str, reason: str, until: float | None
) -> None:
    paused = {"resting": "its channel is paused in the rules"}
    assert show.state_word(row, NOW, paused) == word
    assert show.why(row, NOW, paused) == reason
    assert show.waits_until(row, NOW, paused) == until


def test_the_states_of_an_event_are_counted_in_the_order_they_are_met() -> None:
    rows = [_row(state="sent"), _row(), _row(state="sent"), _row(state="failed")]
    assert show.tally(rows) == "2 sent, 1 pending, 1 failed"


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("plain", [(False, "plain")]),
        ("a is `b`, not `c`", [(False, "a is "), (True, "b"), (False, ", not "), (True, "c")]),
        ("one ` alone", [(False, "one ` alone")]),
        ("", [(False, "")]),
    ],
)
def test_backticks_in_a_sentence_mark_code(text: str, pieces: list[tuple[bool, str]]) -> None:
    assert [piece for piece in show.ticks(text) if piece[1]] == [p for p in pieces if p[1]]


def test_rules_that_spoke_come_first_then_failures_then_near_misses() -> None:
    def decided(name: str, outcome: Any, *holds: bool) -> Decision:
        checks = tuple(Check("f", "e", "a", held, "") for held in holds)
        return Decision(name, outcome, "", checks, misses=holds.count(False))

    decisions = [
        decided("parked", "parked"),
        decided("far", "no match", False, False),
        decided("another trigger", "no match", False),
        decided("near", "no match", True, False),
        decided("broken", "error"),
        decided("spoke", "matched", True),
    ]
    order = [decision.rule for decision in show.by_interest(decisions)]
    assert order == ["spoke", "broken", "near", "another trigger", "far", "parked"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b'{"a":"\\u00fc"}', '{\n  "a": "\u00fc"\n}', id="JSON is laid out"),
        pytest.param(b"nonsense \xff", "nonsense \ufffd", id="anything else is shown as it came"),
        pytest.param(b"[" * 3000, "[" * 3000, id="deep nesting is shown as it came"),
    ],
)
def test_a_body_is_laid_out_for_reading(body: bytes, text: str) -> None:
    assert show.pretty(body) == (text, False)


def test_the_end_of_a_long_body_is_left_out() -> None:
    text, cut = show.pretty(b"x" * (show.LONGEST_BODY + 1))
    assert (len(text), cut) == (show.LONGEST_BODY, True)


def test_filters_make_an_address_without_the_empty_ones() -> None:
    assert show.address({"q": "a b", "state": ""}, cursor=7) == "/?q=a+b&cursor=7"
    assert show.address({"state": "sent"}, state="") == "/"
