"""The small values of the ground floor: durations, secrets, settings, problems, retries."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.duration import parse_duration, read_moment, show_duration
from router.message import Outcome
from router.problem import Position, Problem, report, suggest
from router.retry import what_next
from router.rules import Retry
from router.secret import Redactor, Secret
from router.settings import SettingsError, read_settings


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("2d", 172800), ("1d12h", 129600), ("250ms", 0.25), ("1w", 604800), ("0s", 0)],
)
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "1 h", "h", "-5s", "1y", "20000w", "1h30"])
def test_what_is_no_duration_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.004, "4 ms"), (0.2, "0.2 s"), (45, "45 s"), (600, "10 min"), (12000, "3 h 20 min"),
     (172800, "2 d"), (9_999_999, "115 d 17 h"), (1e300, "more than ten years")],
)  # fmt: skip
def test_a_duration_is_shown_for_readers(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text


def test_a_moment_is_a_time_or_so_long_ago() -> None:
    assert read_moment("1h", 10_000) == 6_400
    assert read_moment("1970-01-01T00:01Z", 0) == 60
    with pytest.raises(ValueError, match="neither a time nor a duration"):
        read_moment("yesterday", 0)


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("hunter2-hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} { {'a': secret} }"


@given(st.text(min_size=6, max_size=20), st.text(max_size=40))
def test_no_known_secret_is_left_in_a_scrubbed_text(secret: str, around: str) -> None:
    assert secret not in Redactor([Secret(secret)]).scrub(around + secret + around) or (
        secret in "***"
    )


def test_settings_have_the_defaults_of_the_contract() -> None:
    settings = read_settings({}, lambda _: "")
    assert (settings.rules, settings.host, settings.port) == ("rules.yaml", "127.0.0.1", 8000)
    assert (settings.max_body, settings.retention, settings.drain) == (262144, 7776000, 20)


def test_a_setting_is_read_from_a_file() -> None:
    found = read_settings({"ROUTER_API_TOKEN_FILE": "/run/token"}, {"/run/token": "abc\n"}.get)  # type: ignore[arg-type]
    assert found.api_token == Secret("abc")


def test_every_wrong_setting_is_told_at_once() -> None:
    wrong = {"ROUTER_PORT": "http", "ROUTER_MAX_BODY": "big", "ROUTER_HSOT": "x"}
    with pytest.raises(SettingsError) as caught:
        read_settings(wrong, lambda _: "")
    text = str(caught.value)
    assert "ROUTER_PORT: `http` is not a port" in text
    assert "ROUTER_MAX_BODY: `big` is not a size" in text
    assert "did you mean `ROUTER_HOST`?" in text


def test_a_host_that_others_reach_needs_a_password() -> None:
    with pytest.raises(SettingsError, match="set ROUTER_ADMIN_PASSWORD or ROUTER_API_TOKEN"):
        read_settings({"ROUTER_HOST": "0.0.0.0"}, lambda _: "")
    read_settings({"ROUTER_HOST": "0.0.0.0", "ROUTER_API_TOKEN": "t"}, lambda _: "")
    read_settings({"ROUTER_HOST": "0.0.0.0", "ROUTER_INSECURE_NO_AUTH": "1"}, lambda _: "")


@pytest.mark.parametrize(
    ("host", "needs_password"),
    [
        ("127.0.0.1", False), ("127.8.8.8", False), ("::1", False), ("localhost", False),
        ("LOCALHOST", False), ("0.0.0.0", True), ("::", True), ("10.0.0.1", True),
        ("fe80::1", True), ("::ffff:10.0.0.1", True), ("router.bank.example", True),
        ("localhost.bank.example", True), ("127.1", True), ("[::1]", True),
    ],
)  # fmt: skip
def test_only_loopback_is_served_without_a_password(host: str, needs_password: bool) -> None:
    settings = {"ROUTER_HOST": host}
    if needs_password:
        with pytest.raises(SettingsError, match="is reachable from other machines"):
            read_settings(settings, lambda _: "")
    else:
        read_settings(settings, lambda _: "")
    closed = {**settings, "ROUTER_VIEWER_PASSWORD": "v"}
    assert not read_settings(closed, lambda _: "").open_to_all


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({"SSO_VIEWERS": "*"}, "without ROUTER_SSO_USER_HEADER", id="a list alone"),
        pytest.param({"SSO_USER_HEADER": "X-U", "SSO_VIEWERS": "*"}, "anybody could send it",
                     id="no trusted proxy"),
        pytest.param({"SSO_USER_HEADER": "X-U", "TRUSTED_PROXIES": "10.0.0.0/8"},
                     "nobody would be let in", id="no list"),
        pytest.param({"SSO_USER_HEADER": "X U"}, "is not the name of a header", id="no header"),
        pytest.param({"ADMIN_PASSWORD": "same", "VIEWER_PASSWORD": "same"},
                     "it is an operator's too", id="one password for both"),
        pytest.param({"ADMIN_PASSWORD": "$argon2id$v=19$m=65536"}, "taken its `$` for variables",
                     id="a hash that was cut off"),
    ],
)  # fmt: skip
def test_settings_of_access_that_do_not_go_together_are_told(
    settings: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({f"ROUTER_{n}": v for n, v in settings.items()}, lambda _: "")
    assert words in str(caught.value)


def test_a_proxy_that_logs_people_in_is_enough_to_listen_anywhere() -> None:
    given = {
        "HOST": "0.0.0.0", "TRUSTED_PROXIES": "10.0.0.0/8", "SSO_USER_HEADER": "X-User",
        "SSO_OPERATORS": "anna, kyc team,,",
    }  # fmt: skip
    found = read_settings({f"ROUTER_{n}": v for n, v in given.items()}, lambda _: "")
    assert found.sso_user_header == "x-user"
    assert found.sso_operators == ("anna", "kyc team")


def test_problems_are_shown_in_order_with_the_readers_own_line() -> None:
    file = {"r.yaml": "a: 1\nbb: [xx]\n"}
    problems = [
        Problem(Position("r.yaml", 2, 6, 2), "second", ("a note",)),
        Problem(Position("r.yaml", 1, 1, 1), "first", severity="warning"),
    ]
    assert report(problems, file, "r.yaml", "so") == (
        "r.yaml:1:1: warning: first\n   |\n 1 | a: 1\n   | ^\n\n"
        "r.yaml:2:6: second\n   |\n 2 | bb: [xx]\n   |      ^^\n   = a note\n\n"
        "1 problem and 1 warning in r.yaml; so"
    )


def test_a_guess_is_made_only_when_it_is_close() -> None:
    assert suggest("complaince", ["compliance", "kyc"]) == "did you mean `compliance`?"
    assert suggest("zzz", ["compliance", "kyc"]) == "known: compliance, kyc"


RETRY = Retry(budget=100, first=2, at_most=16)


@pytest.mark.parametrize(
    ("kind", "attempt", "asked", "state", "wait"),
    [
        pytest.param("delivered", 1, None, "sent", None, id="delivered is done"),
        pytest.param("failed", 1, None, "failed", None, id="failed for good is not tried again"),
        pytest.param("retry", 1, None, "pending", 2, id="the first wait"),
        pytest.param("retry", 3, None, "pending", 8, id="the wait doubles"),
        pytest.param("retry", 30, None, "pending", 16, id="the wait has an end"),
        pytest.param("ambiguous", 1, None, "pending", 2, id="what may have arrived is tried again"),
        pytest.param("retry", 1, 40, "pending", 40, id="a far end that asks for longer gets it"),
        pytest.param("retry", 1, 90, "pending", 90, id="up to the end of the budget"),
        pytest.param("retry", 1, 91, "failed", 91, id="the budget counts from when it was due"),
        pytest.param("retry", 1, 500, "failed", 100, id="longer is giving up, not for others"),
        pytest.param("retry", 1, math.inf, "failed", 100, id="however long"),
    ],
)
def test_what_follows_from_an_attempt(
    kind: str, attempt: int, asked: float | None, state: str, wait: float | None
) -> None:
    outcome = Outcome(kind=kind, detail="d", retry_after=asked)  # type: ignore[arg-type]
    found = what_next(outcome, RETRY, attempt=attempt, moment=0, now=10, luck=0)
    assert (found.state, found.again_at) == (state, None if wait is None else 10 + wait)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        pytest.param(
            500, "it asks to wait 8 min, past the 100 s for which it is tried: d", id="far"
        ),
        pytest.param(
            9_999_999,
            "it asks to wait 115 d 17 h, past the 100 s for which it is tried: d",
            id="much more than a day",
        ),
        pytest.param(
            math.inf,
            "it asks to wait more than ten years, past the 100 s for which it is tried: d",
            id="beyond all measure",
        ),
        pytest.param(
            100, "it asks to wait 100 s, past the 100 s for which it is tried: d", id="all"
        ),
        pytest.param(5, "gave up after 1 attempt; it is tried for 100 s: d", id="its own wait"),
    ],
)
def test_who_gives_up_says_whose_wait_it_was(asked: float, told: str) -> None:
    outcome = Outcome(kind="retry", detail="d", retry_after=asked)
    late = msgspec.structs.replace(RETRY, first=16)
    found = what_next(outcome, late, attempt=1, moment=0, now=90, luck=0)
    assert (found.state, found.reason) == ("failed", told)


@pytest.mark.parametrize("asked", [None, 5])
def test_who_is_tried_after_its_time_gives_up_by_itself(asked: float | None) -> None:
    outcome = Outcome(kind="retry", detail="d", retry_after=asked)
    found = what_next(outcome, RETRY, attempt=3, moment=0, now=101, luck=0)
    assert found.reason == "gave up after 3 attempts; it is tried for 100 s: d"


def test_a_far_end_is_tried_after_a_day_though_it_asks_for_more() -> None:
    outcome = Outcome(kind="retry", detail="d", retry_after=9_999_999)
    week = msgspec.structs.replace(RETRY, budget=7 * 86400)
    found = what_next(outcome, week, attempt=1, moment=0, now=10, luck=0)
    assert (found.state, found.again_at) == ("pending", 10 + 86400)
