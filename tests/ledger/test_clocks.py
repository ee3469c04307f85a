"""What waits for a while waits for so long, however the clock is set meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from far_end import wait_until
from hands import Clock, Hands
from router.event import Event, decode
from router.ledger import Draft, Filters, InHand, Ledger, SharedClock, Tried, open_ledger
from router.ledger.accept import LEASE
from router.message import Message, Outcome
from router.rules import Rate
from router.secret import Secret
from router.timing import Batch, Planned, Terms, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY = 86400.0
NOW = 1_000_000.0
WORDS = Message(
    title="t", body="b", format="text", text="b", severity="info", colour="#000000",
    link=None, because="why", rung="template",
)  # fmt: skip


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = NOW
    return clock


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def ledger(database_url: str, hands: Hands, clock: Clock) -> Iterator[Ledger]:
    made = open_ledger(Secret(database_url), clock)
    made.start(hands)
    yield made
    made.close()


def accept(ledger: Ledger, clock: Clock, planned: Planned, case: int = 1) -> None:
    body = msgspec.json.encode({"trigger": "case_created", "case_id": case})
    event = Event(0, "atfinity", clock.now, body, decode(body))

    async def wait() -> None:
        await ledger.accept(Draft(event, "hash", 1, (planned,)))

    asyncio.run(wait())


def claim(ledger: Ledger, hands: Hands, channel: str = "c") -> list[InHand]:
    hands.places = 10
    before, answered = len(hands.held), len(hands.claims)
    ledger.claim(channel)
    wait_until(lambda: len(hands.claims) > answered)
    hands.places = 0
    return hands.held[before:]


def fail(ledger: Ledger, clock: Clock, held: InHand, wait: float = 10.0) -> None:
    again = clock.now + wait
    outcome = Outcome(kind="retry", detail="503")
    done = threading.Event()
    tried = Tried(
        delivery=held, at=clock.now, outcome=outcome, state="pending", reason="503",
        due_at=again, again_at=again, message=WORDS,
    )  # fmt: skip
    ledger.record(tried, done.set)
    assert done.wait(30)


def set_back(ledger: Ledger, clock: Clock, seconds: float) -> None:
    was, newest = clock.now, ledger.due(clock.now).newest
    clock.now -= seconds
    ledger.upkeep.set_clock(was, clock.now, newest, _already)


def set_forward(ledger: Ledger, clock: Clock, seconds: float) -> None:
    clock.now += seconds
    ledger.upkeep.set_clock(clock.now - seconds, clock.now, 10**9, _already)


def set_clock(ledger: Ledger, clock: Clock, seconds: float) -> None:
    if seconds < 0:
        set_back(ledger, clock, -seconds)
    else:
        set_forward(ledger, clock, seconds)


def _already() -> None:
    """The clock of these tests is set at once."""


def test_what_failed_by_a_wrong_clock_is_tried_again_after_its_wait_and_rests_no_longer(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    accept(ledger, clock, Planned("r", "c"))
    (held,) = claim(ledger, hands)
    fail(ledger, clock, held, 1.0)
    clock.now += DAY
    for _ in range(3):  # the channel failed before, so `failing_since` says nothing
        (held,) = claim(ledger, hands)
        fail(ledger, clock, held, 10.0)
        clock.now += 10.0
    clock.now -= 10.0
    set_back(ledger, clock, DAY)
    assert claim(ledger, hands) == []
    clock.now += 10.0
    assert len(claim(ledger, hands)) == 1


def test_a_rest_lasts_as_long_through_a_wrong_time(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    for case in range(3):
        accept(ledger, clock, Planned("r", "c"), case)
    for held in claim(ledger, hands):
        fail(ledger, clock, held, 100.0)
    clock.now += 50.0
    set_forward(ledger, clock, DAY)
    assert claim(ledger, hands) == []
    clock.now += 20.0
    set_back(ledger, clock, DAY)
    clock.now += 20.0
    assert claim(ledger, hands) == []
    assert round(ledger.due(clock.now).channels["c"] - clock.now) == 10
    clock.now += 11.0
    assert len(claim(ledger, hands)) == 1


@pytest.mark.parametrize("seconds", [-200.0, -2 * LEASE, -DAY, 200.0, DAY])
def test_what_lapsed_goes_at_once_however_the_clock_is_set(
    ledger: Ledger, hands: Hands, clock: Clock, seconds: float
) -> None:
    accept(ledger, clock, Planned("r", "c"))
    clock.now += max(0.0, -seconds)
    (held,) = claim(ledger, hands)
    clock.now += LEASE + 1.0
    set_clock(ledger, clock, seconds)
    (again,) = claim(ledger, hands)
    assert (again.id, again.unsure) == (held.id, 1)


@pytest.mark.parametrize("seconds", [-200.0, -2 * LEASE, -DAY, 200.0, DAY])
def test_what_is_in_hand_stays_so_however_the_clock_is_set(
    ledger: Ledger, hands: Hands, clock: Clock, seconds: float
) -> None:
    accept(ledger, clock, Planned("r", "c"))
    clock.now += max(0.0, -seconds)
    assert len(claim(ledger, hands)) == 1
    clock.now += 10.0
    set_clock(ledger, clock, seconds)
    clock.now += LEASE - 60.0
    assert claim(ledger, hands) == []
    clock.now += 70.0
    assert len(claim(ledger, hands)) == 1


def test_what_another_process_took_in_hand_by_the_new_clock_stays_so(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    accept(ledger, clock, Planned("r", "c"))
    assert len(claim(ledger, hands)) == 1
    clock.now += DAY  # by the clock of a process that sees only now that it was set back
    set_back(ledger, clock, DAY - 20.0)
    assert claim(ledger, hands) == []


def digest(ledger: Ledger, clock: Clock, case: int = 1, seconds: float = 30.0) -> None:
    batch = Batch("d", clock.now + seconds)
    accept(ledger, clock, Planned("r", "c", terms=Terms(digest=batch)), case)


def test_a_digest_of_a_wrong_clock_closes_after_its_time_and_none_closes_early(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    clock.now += DAY
    digest(ledger, clock)
    clock.now += 5.0
    set_back(ledger, clock, DAY)
    clock.now += 20.0
    digest(ledger, clock, 2)  # in the one that is open
    assert claim(ledger, hands) == []
    clock.now += 6.0
    (held,) = claim(ledger, hands)
    assert len(held.listed) == 2
    digest(ledger, clock, 3)
    clock.now += 29.0
    assert claim(ledger, hands) == []
    clock.now += 2.0
    assert len(claim(ledger, hands)) == 1


def test_what_was_throttled_by_a_wrong_clock_is_so_for_its_window(
    ledger: Ledger, clock: Clock
) -> None:
    def say(case: int) -> None:
        accept(ledger, clock, Planned("r", "c", terms=Terms(throttle=Window("t", 60.0))), case)

    clock.now += DAY
    say(1)
    set_back(ledger, clock, DAY)
    clock.now += 50.0
    say(2)
    clock.now += 20.0
    say(3)
    states = [one.state for one in ledger.deliveries(Filters())]
    assert sorted(states) == ["pending", "pending", "suppressed"]


def test_a_moment_that_was_named_before_the_wrong_time_stays(ledger: Ledger, clock: Clock) -> None:
    accept(ledger, clock, Planned("r", "c", moment=NOW + 2 * DAY))
    clock.now += DAY
    accept(ledger, clock, Planned("r", "c", moment=clock.now + 60.0), 2)
    set_back(ledger, clock, DAY)
    assert sorted(one.due_at for one in ledger.deliveries(Filters())) == [NOW + 60, NOW + 2 * DAY]


@pytest.mark.parametrize("seconds", [DAY, -DAY])
def test_a_lease_holds_no_longer_and_no_shorter_than_a_lease(
    ledger: Ledger, hands: Hands, clock: Clock, seconds: float
) -> None:
    accept(ledger, clock, Planned("r", "c"))
    assert len(claim(ledger, hands)) == 1
    clock.now += 60.0
    if seconds < 0:
        set_back(ledger, clock, DAY)
    else:
        set_forward(ledger, clock, DAY)
    assert claim(ledger, hands) == [], "it is in hand"
    clock.now += LEASE + 1
    assert len(claim(ledger, hands)) == 1


def test_a_clock_set_forward_gives_up_nothing_that_was_not_tried_for_so_long(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    accept(ledger, clock, Planned("r", "c"))
    accept(ledger, clock, Planned("r", "c"), 2)
    for _ in range(4):
        for held in claim(ledger, hands):
            fail(ledger, clock, held)
        clock.now += 10.0
    set_forward(ledger, clock, DAY)
    (held,) = claim(ledger, hands)
    assert clock.now - held.moment == pytest.approx(40.0)
    fail(ledger, clock, held)
    ledger.upkeep.expire({"c": (DAY, None)})
    assert {one.state for one in ledger.deliveries(Filters())} == {"pending"}
    clock.now += DAY
    fail(ledger, clock, claim(ledger, hands)[0])
    ledger.upkeep.expire({"c": (DAY, None)})
    assert "failed" in {one.state for one in ledger.deliveries(Filters())}


@pytest.mark.parametrize("seconds", [DAY, -DAY])
def test_the_first_process_to_see_it_moves_what_waits_and_no_other(
    ledger: Ledger, hands: Hands, clock: Clock, seconds: float
) -> None:
    accept(ledger, clock, Planned("r", "c"))
    clock.now += 100.0
    accept(ledger, clock, Planned("r", "d", moment=clock.now + 2 * DAY))
    fail(ledger, clock, claim(ledger, hands)[0], 40.0)

    def seen() -> list[tuple[float, ...]]:
        rests = [lane.failing_since or 0.0 for lane in ledger.lanes().values()]
        return [(one.created_at, one.due_at) for one in ledger.deliveries(Filters())] + [
            tuple(rests)
        ]

    (set_forward if seconds > 0 else set_back)(ledger, clock, DAY)
    first = seen()
    clock.now += 3.0
    was = clock.now - seconds - 0.2
    ledger.upkeep.set_clock(was, clock.now, 10**9, _already)
    assert seen() == first


def test_what_was_decided_by_the_old_clock_and_is_written_by_the_new_one_waits_no_longer(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    wrong = Clock()
    wrong.now = NOW + DAY
    accept(ledger, wrong, Planned("r", "c"))
    digest(ledger, wrong, 2)
    accept(ledger, wrong, Planned("r", "d", moment=wrong.now + 60.0), 3)
    fail(ledger, wrong, claim(ledger, hands)[0])
    waits = sorted(round(one.due_at - NOW) for one in ledger.deliveries(Filters()))
    assert waits == [10, 30, 60]


def test_a_process_that_sees_it_last_takes_its_own_along(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    clock.now += DAY
    set_back(ledger, clock, DAY)
    clock.now += DAY  # another process goes by the old one still
    digest(ledger, clock)
    accept(ledger, clock, Planned("r", "c"), 2)
    fail(ledger, clock, claim(ledger, hands)[0])
    accept(ledger, clock, Planned("r", "d"), 3)
    assert len(claim(ledger, hands, "d")) == 1
    set_back(ledger, clock, DAY)
    waits = sorted(round(one.due_at - NOW) for one in ledger.deliveries(Filters()))
    assert waits == [10, 30, LEASE]
    assert ledger.lanes()["c"].failing_since == NOW


@pytest.mark.parametrize("own", ["fired", "given back", "failed"])
@pytest.mark.parametrize("seconds", [30.0, 200.0, DAY])
def test_what_a_process_that_sees_it_last_had_due_by_the_old_clock_is_due(
    ledger: Ledger, hands: Hands, clock: Clock, own: str, seconds: float
) -> None:
    clock.now += seconds
    moment = clock.now + 3.0 if own == "fired" else None
    accept(ledger, clock, Planned("r", "c", moment=moment))
    if own == "failed":
        fail(ledger, clock, claim(ledger, hands)[0], 1.0)
        clock.now += 1.0
    set_back(ledger, clock, seconds)  # the first process
    clock.now += seconds + 0.5  # another one goes by the old clock still
    if own == "fired":
        clock.now += 3.0
        assert ledger.upkeep.fire(lambda _event, _planned: Terms()).number == 1
    elif own == "given back":
        ledger.give_back(claim(ledger, hands))
    else:
        fail(ledger, clock, claim(ledger, hands)[0], 1.0)
    clock.now += 1.2
    set_back(ledger, clock, seconds)
    assert len(claim(ledger, hands)) == 1


def test_a_mute_of_a_wrong_clock_ends_after_its_time(ledger: Ledger, clock: Clock) -> None:
    clock.now += DAY
    ledger.desk.mute("rule", "r", until=clock.now + 60.0, reason="x", author="a")
    set_back(ledger, clock, DAY)
    clock.now += 61.0
    assert len(ledger.upkeep.end_mutes()) == 1


@pytest.mark.parametrize("seconds", [DAY, -DAY])
def test_nobody_was_silent_while_the_clock_was_set(
    ledger: Ledger, clock: Clock, seconds: float
) -> None:
    ledger.upkeep.note_seen({"atfinity": clock.now})
    clock.now += 100.0
    (set_forward if seconds > 0 else set_back)(ledger, clock, DAY)
    assert ledger.upkeep.note_seen({"atfinity": 0.0}) == {"atfinity": clock.now - 100.0}


def test_a_rate_goes_on_where_it_was(ledger: Ledger, hands: Hands, clock: Clock) -> None:
    hands.pace = Rate(10.0)
    for case in range(3):
        accept(ledger, clock, Planned("r", "c"), case)
    assert len(claim(ledger, hands)) == 1
    set_back(ledger, clock, DAY)
    clock.now += 10.3
    assert len(claim(ledger, hands)) == 1
    assert claim(ledger, hands) == []


def test_a_clock_that_was_set_back_while_nobody_ran_is_seen_at_the_start(
    database_url: str, hands: Hands, clock: Clock
) -> None:
    clock.now += DAY
    ledger = open_ledger(Secret(database_url), clock)
    ledger.start(hands)
    ledger.upkeep.forget()
    digest(ledger, clock)
    ledger.close()
    clock.now -= DAY
    ledger = open_ledger(Secret(database_url), clock)
    ledger.start(hands)
    assert claim(ledger, hands) == []
    clock.now += 31.0
    assert len(claim(ledger, hands)) == 1
    ledger.close()


def test_on_postgresql_the_time_is_the_databases(database_url: str) -> None:
    wrong = SharedClock(lambda: time.time() + 3600.0, time.monotonic)
    open_ledger(Secret(database_url), wrong).close()
    ahead = 3600.0 if database_url.startswith("sqlite") else 0.0
    assert wrong() - time.time() == pytest.approx(ahead, abs=1.0)


def test_a_clock_that_was_set_counts_once_it_is_taken_on() -> None:
    wall, passed = Clock(), Clock()
    shared = SharedClock(wall, passed)
    wall.now, passed.now = wall.now + 7.01, passed.now + 7.0
    assert shared.look() == shared() == 1_007.0, "so much differs whatever is asked"
    wall.now += DAY
    assert shared() == 1_007.0
    shared.set(shared.look())
    assert shared() == wall.now


def test_an_answer_that_took_long_says_no_more_than_it_can() -> None:
    passed = Clock()

    def slow(ahead: float) -> Callable[[], float]:
        def ask() -> float:
            passed.now += 2.0
            return passed.now + ahead

        return ask

    shared = SharedClock(passed, passed)
    shared.follow(slow(0.9))
    assert shared() == passed.now
    shared.follow(slow(10.0))
    assert shared() == pytest.approx(passed.now + 10.0, abs=1.0)
