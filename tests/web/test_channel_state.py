"""How a channel does, in a word and a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from router.ledger import MOST, LaneRow, Mute, Pause, Tally, Waiting
from router.rules import Channel, Rate
from router.web.channel_state import (
    HOUR,
    Hour,
    Known,
    bars,
    channel_states,
    channel_view,
    many,
    rate_in_words,
)

NOW = 1_000 * HOUR + 60


def lane(**more: Any) -> LaneRow:
    known = {"failures": 0, "failing_since": None, "rests_until": 0.0, "error": None}
    return LaneRow("c", next_at=0.0, **{**known, **more})


def state(channel: Channel | None = None, **known: Any) -> Any:
    nothing: dict[str, Any] = {"lanes": {}, "waiting": {}, "sent": {}, "failed": {}, "mutes": ()}
    made = channel or Channel(name="c", service="webhook", options={})
    (found,) = channel_states([made], Known(**{**nothing, **known}), NOW)
    return found


FAILS = lane(failures=4, failing_since=NOW - 60, error="503", last_error="503", last_error_at=NOW)
ONCE = lane(failures=1, failing_since=NOW - 60, error="503")
RESTS = lane(failures=4, failing_since=NOW - 60, rests_until=NOW + 30, error="503")
PAUSED = lane(pause=Pause(NOW - 5, "ann", "they move"), failing_since=NOW, failures=3)
REFUSED = lane(last_error="404", last_error_at=NOW - 10)
MUTE = Mute(1, "channel", "c", "noise", "ann", NOW - 1, NOW + 60)
SENT = {"c": [Tally("c", NOW - 60, 3, NOW - 5)]}


@pytest.mark.parametrize(
    ("known", "word", "why"),
    [
        pytest.param({}, "idle", "nothing was sent lately", id="nothing is known"),
        pytest.param({"sent": SENT}, "works", "", id="it sent something"),
        pytest.param(
            {"lanes": {"c": FAILS}},
            "fails",
            "4 attempts in a row failed",
            id="fails",
        ),
        pytest.param(
            {"lanes": {"c": RESTS}},
            "rests",
            "4 attempts in a row failed",
            id="rests",
        ),
        pytest.param(
            {"lanes": {"c": REFUSED}}, "refused", "the last message was refused for good", id="404"
        ),
        pytest.param({"lanes": {"c": REFUSED}, "sent": SENT}, "works", "", id="well since"),
        pytest.param(
            {"lanes": {"c": PAUSED}, "mutes": (MUTE,)},
            "paused",
            "ann paused it: they move",
            id="a pause is told before all else",
        ),
        pytest.param({"lanes": {"c": ONCE}}, "fails", "1 attempt failed", id="fails once"),
        pytest.param({"mutes": (MUTE,)}, "muted", "ann muted it: noise", id="muted"),
    ],
)
def test_a_channel_has_a_word_and_a_reason(known: dict[str, Any], word: str, why: str) -> None:
    found = state(**known)
    assert (found.word, found.why) == (word, why)


def test_what_is_wrong_comes_first_and_each_knows_its_place() -> None:
    names = ("fine", "c", "idle")
    channels = [Channel(name=name, service="webhook", options={}) for name in names]
    sent = {"fine": [Tally("fine", NOW, 1, NOW)]}
    known = Known(lanes={"c": FAILS}, waiting={}, sent=sent, failed={}, mutes=())
    found = channel_states(channels, known, NOW)
    assert [(one.channel.name, one.place) for one in found] == [("c", 1), ("fine", 0), ("idle", 2)]


def test_the_day_has_24_hours_of_which_the_last_is_now() -> None:
    sent = {"c": [Tally("c", 1_000 * HOUR, 5, NOW), Tally("c", 900 * HOUR, 7, 900 * HOUR)]}
    failed = {"c": [Tally("c", 977 * HOUR, 1, 977 * HOUR)]}
    found = state(sent=sent, failed=failed)
    assert (len(found.hours), found.sent, found.failed) == (24, 5, 1)
    assert found.hours[-1] == Hour(1_000 * HOUR, 5, 0)
    assert found.hours[0] == Hour(977 * HOUR, 0, 1)


def test_what_there_is_at_all_can_be_seen_in_the_drawing() -> None:
    hours = [Hour(0, 0, 0), Hour(1, 1_000, 0), Hour(2, 1, 1), Hour(3, 0, 1_000)]
    assert bars(hours, 26) == [(0, 0, 0), (26, 0, 26), (1, 1.5, 2.5), (0, 26, 26)]
    assert bars([], 26) == []


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (None, "as fast as it takes them"),
        (Rate(0.2), "5 a second"),
        (Rate(1.0, 4, gather=True), "1 a second, 4 at once after a rest; what is more goes as one"),
        (Rate(120.0), "1 every 2 min"),
    ],
)
def test_a_rate_is_said_in_words(rate: Rate | None, words: str) -> None:
    assert rate_in_words(rate).startswith(words)


def test_of_very_many_it_is_said_that_there_are_more() -> None:
    assert many(1_234) == "1,234"
    assert many(MOST) == "10,000 or more"


def test_the_api_tells_a_pause_of_the_rules_and_one_of_an_operator() -> None:
    parked = Channel(name="c", service="webhook", options={}, paused=True)
    by_rules = channel_view(state(parked), NOW)
    assert (by_rules["paused"], by_rules["pause"]) == (True, None)
    waiting = {"c": Waiting(2, 3, NOW - 9)}
    told = channel_view(state(lanes={"c": PAUSED}, waiting=waiting), NOW)
    assert (told["paused"], told["pending"]) == (True, 5)
    assert told["pause"]["author"] == "ann"
