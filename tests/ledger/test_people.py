"""Those who look and act, on SQLite and on PostgreSQL alike: deeds, sessions, tokens, tries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.identity import Identity, clean_name
from router.ledger import AuditFilters, Ledger, open_ledger
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

ANNA = Identity("anna", "operator", "login", "10.0.0.1")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(database_url: str, clock: Clock) -> Iterator[Ledger]:
    made = open_ledger(Secret(database_url), clock)
    made.start()
    yield made
    made.close()


def test_deeds_are_listed_newest_first_and_narrowed(ledger: Ledger, clock: Clock) -> None:
    people = ledger.people
    for number in range(3):
        people.audit(ANNA, "resend", f"delivery {number}", "a\0b\nc")
        clock.now += 10
    people.audit(Identity("ben", "viewer", "proxy"), "login")
    told = people.deeds(AuditFilters(limit=2))
    assert [row.who for row in told] == ["ben", "anna"]
    assert (told[1].about, told[1].detail, told[1].address) == ("delivery 2", "ab c", "10.0.0.1")
    older = people.deeds(AuditFilters(before=told[1].id))
    assert [row.about for row in older] == ["delivery 1", "delivery 0"]
    assert len(people.deeds(AuditFilters(who="anna", since=1_010, until=1_020))) == 1
    assert people.deeds(AuditFilters(what="mute")) == []
    assert len(people.deeds(AuditFilters(about="delivery 1"))) == 1


def test_what_is_over_is_taken_away(ledger: Ledger, clock: Clock) -> None:
    people = ledger.people
    people.begin_session("old", "anna", "operator", "seal")
    people.audit(ANNA, "login")
    clock.now = 2_000
    people.begin_session("new", "anna", "operator", "seal")
    people.audit(ANNA, "login")
    people.forget(begun_before=1_500, idle_before=1_500, deeds_before=1_500)
    assert people.session("old") is None
    assert people.session("new") is not None
    assert len(people.deeds(AuditFilters())) == 1


def test_a_session_is_seen_and_ends_once(ledger: Ledger, clock: Clock) -> None:
    people = ledger.people
    people.begin_session("key", "anna", "viewer", "seal")
    clock.now += 60
    people.see_session("key")
    found = people.session("key")
    assert found is not None
    assert (found.name, found.role, found.begun_at, found.seen_at) == (
        "anna", "viewer", 1_000, 1_060,
    )  # fmt: skip
    assert people.end_session("key")
    assert not people.end_session("key")


def test_a_token_holds_until_it_is_revoked_or_over(ledger: Ledger, clock: Clock) -> None:
    people = ledger.people
    made = people.add_token("backup", "viewer", "k1", author="anna", until=1_500)
    assert made is not None
    assert people.add_token("backup", "operator", "k2", author="anna", until=None) is None
    found = people.token("k1")
    assert found is not None
    people.use_token(found.id)
    assert [token.used_at for token in people.tokens()] == [1_000]
    clock.now = 1_500
    assert people.token("k1") is None
    assert people.add_token("backup", "operator", "k3", author="anna", until=None) is not None
    assert people.revoke_token("backup") is not None
    assert people.revoke_token("backup") is None
    assert people.token("k3") is None
    assert people.tokens() == []
    assert len(people.tokens(ended=True)) == 2


def test_a_few_tries_follow_each_other_then_one_at_a_time(ledger: Ledger, clock: Clock) -> None:
    people = ledger.people

    def wait() -> float | None:
        return people.charge("login 10.0.0.1", every=60, many=3)

    assert [wait() for _ in range(4)] == [None, None, None, 60]
    assert people.charge("login 10.0.0.2", every=60, many=3) is None
    clock.now += 45
    assert wait() == 15
    clock.now += 15
    assert [wait(), wait()] == [None, 60]
    people.forgive("login 10.0.0.1")
    assert wait() is None


def test_tries_of_a_clock_that_was_set_back_count_no_longer_than_they_would(
    ledger: Ledger, clock: Clock
) -> None:
    clock.now = 1e9
    assert [ledger.people.charge("k", every=60, many=2) for _ in range(2)] == [None, None]
    clock.now = 1_000
    assert ledger.people.charge("k", every=60, many=2) == 60


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("  Anna\n Muster ", "Anna Muster", id="one line"),
        pytest.param("\x00\x1b[2J", "[2J", id="nothing that a terminal obeys"),
        pytest.param("x" * 100, "x" * 80, id="not longer than a line"),
        pytest.param(" \u200b ", "", id="nothing to see is no name"),
    ],
)
def test_a_name_fits_in_a_log(text: str, name: str) -> None:
    assert clean_name(text) == name
