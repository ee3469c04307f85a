"""Who is let in: passwords, hashes of passwords, sessions, tokens, a proxy's lists, and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from router.access import IDLE, LONGEST, PREFIX, Access, Refused, hash_password, make_token
from router.identity import Identity
from router.ledger import Ledger, open_ledger
from router.ledger.people_tables import tries
from router.secret import Secret
from router.settings import Settings
from router.tries import OVERALL, Tries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from router.identity import Way

OPERATOR, VIEWER = "the-operators-pass", "the-viewers-pass"
HASH = hash_password(OPERATOR)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    made = open_ledger(Secret(f"sqlite:///{tmp_path / 'r.db'}"), clock)
    yield made
    made.close()


def access(ledger: Ledger, clock: Clock, told: list[Any] | None = None, **given: Any) -> Access:
    settings = Settings(
        **{
            "admin_password": Secret(OPERATOR),
            "viewer_password": Secret(VIEWER),
            "api_token": Secret("the-api-token"),
            **given,
        }
    )
    notes = told if told is not None else []
    return Access(settings, ledger.people, clock, lambda who, what: notes.append((who.name, what)))


def entered(access: Access, password: str, place: str = "10.0.0.1") -> Identity:
    found = access.by_password("anna", password, place, "login")
    assert isinstance(found, Identity)
    return found


def test_a_password_says_what_somebody_may_do(ledger: Ledger, clock: Clock) -> None:
    door = access(ledger, clock)
    assert entered(door, OPERATOR).role == "operator"
    assert entered(door, "the-api-token").role == "operator"
    assert entered(door, VIEWER) == Identity("anna", "viewer", "login", "10.0.0.1")


@pytest.mark.parametrize(
    "given",
    ["", "the-operators-pas", "the-operators-pass ", HASH, "\udcff"],
    ids=["nothing", "too short", "too long", "its hash", "no text"],
)
def test_anything_else_is_wrong_and_is_told(ledger: Ledger, clock: Clock, given: str) -> None:
    told: list[Any] = []
    door = access(ledger, clock, told, admin_password=Secret(HASH))
    assert door.by_password("  ", given, None, "login") == Refused("wrong")
    assert told == [("nobody", "failed login")]


def test_the_hash_of_a_password_is_set_in_its_place(ledger: Ledger, clock: Clock) -> None:
    door = access(ledger, clock, admin_password=Secret(HASH))
    who = entered(door, OPERATOR)
    assert door.by_session(door.begin(who, OPERATOR), None) is not None


def test_a_password_that_was_typed_as_the_name_is_not_told(ledger: Ledger, clock: Clock) -> None:
    told: list[Any] = []
    door = access(ledger, clock, told, admin_password=Secret(HASH))
    for name in (OPERATOR, f" {VIEWER} "):
        assert door.by_password(name, "anna", None, "login") == Refused("wrong")
    assert told == [("***", "failed login")] * 2


def test_the_eleventh_wrong_password_waits_also_if_it_is_right(
    ledger: Ledger, clock: Clock
) -> None:
    door = access(ledger, clock)
    for _ in range(10):
        assert door.by_password("x", "wrong", "10.0.0.1", "login") == Refused("wrong")
    found = door.by_password("x", OPERATOR, "10.0.0.1", "login")
    assert found == Refused("often", 60.0)
    assert door.by_password("x", OPERATOR, "::ffff:10.0.0.1", "login") == found
    assert isinstance(door.by_password("x", OPERATOR, "10.0.0.2", "login"), Identity)
    clock.now += 60
    assert isinstance(door.by_password("x", OPERATOR, "10.0.0.1", "login"), Identity)
    assert door.by_password("x", "wrong", "10.0.0.1", "login") == Refused("wrong")


def test_many_addresses_do_not_get_more_tries_than_one_another(
    ledger: Ledger, clock: Clock
) -> None:
    door = access(ledger, clock)
    for number in range(60):
        assert door.by_password("x", "w", f"10.0.1.{number}", "login") == Refused("wrong")
    found = door.by_password("x", "w", "10.0.2.1", "login")
    assert isinstance(found, Refused)
    assert (found.why, found.wait) == ("often", 10.0)
    first = {door.by_password("x", "w", f"2001:db8::{n:x}", "basic") for n in range(31)}
    assert first == {Refused("wrong"), Refused("often", 20.0)}


def test_what_a_script_proved_once_goes_on_whatever_others_guess_from_its_place(
    ledger: Ledger, clock: Clock
) -> None:
    door = access(ledger, clock)
    for _ in range(100):
        assert isinstance(door.by_password("x", OPERATOR, "10.0.0.1", "basic"), Identity)
    for _ in range(31):
        last = door.by_password("x", "guess", "10.0.0.1", "basic")
    assert last == Refused("often", 20.0)
    assert isinstance(door.by_password("x", OPERATOR, "10.0.0.1", "basic"), Identity)


class CountingHasher(PasswordHasher):
    """argon2 as it is, and how often it was asked."""

    verified = 0

    def verify(self, *given: Any) -> Any:
        self.verified += 1
        return super().verify(*given)


@pytest.mark.parametrize("way", ["login", "basic", "token"])
def test_what_was_wrong_once_is_wrong_again_without_argon2(
    ledger: Ledger, clock: Clock, way: Way
) -> None:
    told: list[Any] = []
    door = access(ledger, clock, told, admin_password=Secret(HASH), viewer_password=None)
    door._hasher = hasher = CountingHasher()
    assert door.by_password("x", "wrong", "10.0.0.1", way) == Refused("wrong")
    once = hasher.verified
    for number in range(5):
        assert door.by_password("x", "wrong", f"10.0.0.{number}", way) == Refused("wrong")
    assert hasher.verified == once > 0
    assert len(told) == 6
    assert isinstance(door.by_password("x", OPERATOR, "10.0.0.9", way), Identity)


def test_a_flood_from_ever_new_addresses_writes_nothing_once_it_has_to_wait(
    ledger: Ledger, clock: Clock
) -> None:
    door = access(ledger, clock)

    def written() -> int:
        count = sa.select(sa.func.count()).select_from(tries)
        return ledger.people._read(lambda c: c.execute(count).scalar_one())

    for number in range(62):
        door.by_password("x", "w", f"2001:db8:0:{number:x}::1", "login")
    before = written()
    for number in range(62, 2000):
        found = door.by_password("x", "w", f"2001:db8:0:{number:x}::1", "login")
        assert isinstance(found, Refused)
        assert found.why == "often"
    assert written() == before


def test_a_flood_from_elsewhere_holds_up_nobody_where_somebody_was_right_before(
    ledger: Ledger, clock: Clock
) -> None:
    door = access(ledger, clock)
    entered(door, OPERATOR, "10.0.0.1")
    for number in range(61):
        last = door.by_password("x", "w", f"10.0.1.{number}", "login")
    assert last == Refused("often", 10.0)
    assert entered(door, VIEWER, "10.0.0.1").role == "viewer"
    for _ in range(11):
        last = door.by_password("x", "w", "10.0.0.1", "login")
    assert last == Refused("often", 60.0)


@pytest.mark.parametrize(
    ("uses", "lives"),
    [
        pytest.param([IDLE - 1, IDLE - 1], True, id="used within eight hours"),
        pytest.param([IDLE + 1], False, id="not used for eight hours"),
        pytest.param([IDLE - 1] * 3 + [100], False, id="older than a day"),
        pytest.param([-LONGEST], True, id="the clock was set back"),
    ],
)
def test_a_session_ends_unused_and_in_any_case(
    ledger: Ledger, clock: Clock, uses: list[float], lives: bool
) -> None:
    door = access(ledger, clock)
    cookie = door.begin(entered(door, VIEWER), VIEWER)
    for seconds in uses:
        clock.now += seconds
        found = door.by_session(cookie, "10.0.0.1")
    assert (found == Identity("anna", "viewer", "login", "10.0.0.1")) is lives


def test_a_page_that_looks_by_itself_keeps_no_session_alive(ledger: Ledger, clock: Clock) -> None:
    door = access(ledger, clock)
    cookie = door.begin(entered(door, VIEWER), VIEWER)
    clock.now += IDLE - 1
    assert door.by_session(cookie, None, notes_use=False) is not None
    clock.now += 2
    assert door.by_session(cookie, None) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(OPERATOR, "another", id="another password"),
        pytest.param(HASH, hash_password(OPERATOR), id="another hash"),
        pytest.param(OPERATOR, None, id="no password"),
    ],
)
def test_all_sessions_end_when_their_password_is_changed(
    ledger: Ledger, clock: Clock, before: str, after: str | None
) -> None:
    old = access(ledger, clock, admin_password=Secret(before))
    cookies = {word: old.begin(entered(old, word), word) for word in (OPERATOR, VIEWER)}
    again = access(ledger, clock, admin_password=Secret(before))
    assert all(again.by_session(cookie, None) for cookie in cookies.values())
    new = access(ledger, clock, admin_password=None if after is None else Secret(after))
    assert new.by_session(cookies[OPERATOR], None) is None
    assert new.by_session(cookies[VIEWER], None) is not None


def test_a_token_lets_in_while_it_holds_and_says_when_it_was_used(
    ledger: Ledger, clock: Clock
) -> None:
    door = access(ledger, clock)
    token, key = make_token()
    assert token.startswith(PREFIX)
    ledger.people.add_token("backup", "viewer", key, author="anna", until=None)
    assert door.by_token(token, None) == Identity("backup", "viewer", "token")
    assert ledger.people.tokens()[0].used_at == clock.now
    ledger.people.revoke_token("backup")
    assert door.by_token(token, None) is None
    assert door.by_password("API token", token, None, "token") == Refused("wrong")
    found = door.by_password("API token", "the-api-token", None, "token")
    assert found == Identity("API token", "operator", "token")


@pytest.mark.parametrize(
    ("user", "groups", "role"),
    [
        pytest.param("anna", [], "operator", id="a user who is listed"),
        pytest.param("ben", ["kyc"], "operator", id="a group that is listed"),
        pytest.param("ben", ["audit", "other"], "viewer", id="a group of viewers"),
        pytest.param("anna", ["audit"], "operator", id="the more that is allowed counts"),
        pytest.param("eve", ["kyc2"], None, id="on no list"),
        pytest.param("", ["kyc"], None, id="no name"),
        pytest.param(" \x00", ["kyc"], None, id="nothing of a name"),
    ],
)
def test_a_proxys_word_counts_by_the_lists(
    ledger: Ledger, clock: Clock, user: str, groups: list[str], role: str | None
) -> None:
    door = access(ledger, clock, sso_operators=("anna", "kyc"), sso_viewers=("audit",))
    found = door.by_proxy(user, groups, "10.0.0.9")
    assert (found.role if isinstance(found, Identity) else None) == role


def test_everybody_can_be_a_viewer(ledger: Ledger, clock: Clock) -> None:
    door = access(ledger, clock, sso_operators=("anna",), sso_viewers=("*",))
    found = door.by_proxy("eve", [], None)
    assert isinstance(found, Identity)
    assert found.role == "viewer"


def test_nothing_in_the_ledger_lets_anybody_in(ledger: Ledger, clock: Clock) -> None:
    door = access(ledger, clock)
    cookie = door.begin(entered(door, OPERATOR), OPERATOR)
    token, key = make_token()
    ledger.people.add_token("t", "operator", key, author="anna", until=None)
    kept = ledger._read(
        lambda c: [
            str(value)
            for table in ("sessions", "tokens", "tries", "audit")
            for row in c.exec_driver_sql(f"SELECT * FROM {table}")
            for value in row
        ]
    )
    assert kept
    for secret in (cookie, token, OPERATOR):
        assert not any(secret in text for text in kept)
    assert all(door.by_session(text, None) is None for text in kept)
    assert all(door.by_token(text, None) is None for text in kept)
    tried = [door.by_password("x", text, None, "token") for text in kept]
    assert all(isinstance(found, Refused) for found in tried)


def test_while_tries_cannot_be_written_no_number_of_addresses_gets_past_the_limits(
    ledger: Ledger, clock: Clock
) -> None:
    with ledger._engine.writing.begin() as connection:
        tries.drop(connection)
    counted = Tries(ledger.people, clock)
    let_in = 0
    for number in range(5):
        for other in range(1_500):
            counted.charge("token", f"10.{number}.{other // 250}.{other % 250}")
        places = (f"192.168.{number}.{place}" for place in range(60))
        let_in += sum(counted.charge("login", place) is None for place in places)
        clock.now += 200
    limit = OVERALL["login"]
    assert limit.many <= let_in <= limit.many + 4 * 200 / limit.every + 1
