"""The ledger's promises, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
import pytest
import sqlalchemy as sa

from databases import fresh_database
from far_end import wait_until
from hands import Clock, Hands, locked
from router.event import Event, decode
from router.ledger import (
    Draft,
    Filters,
    InHand,
    Ledger,
    LedgerError,
    LedgerUnavailable,
    Tried,
    open_ledger,
)
from router.ledger.accept import LEASE
from router.ledger.engine import open_engine
from router.ledger.migrate import HEAD, migrate, version
from router.message import Message, Outcome
from router.rules import Channel, Rate
from router.scheduler import Threads
from router.secret import Secret
from router.supervisor import Supervisor
from router.timing import Batch, Planned, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

WORDS = Message(
    title="t", body="b", format="text", text="b", severity="info", colour="#000000",
    link=None, because="why", rung="template",
)  # fmt: skip


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def ledger(database_url: str, hands: Hands, clock: Clock) -> Iterator[Ledger]:
    made = open_ledger(Secret(database_url), clock)
    made.start(hands)
    yield made
    made.close()


def draft(case: int | None = 1, *channels: str, **more: Any) -> Draft:
    fields = {"trigger": "case_created", "case_id": case, **more}
    body = msgspec.json.encode(fields)
    event = Event(0, "atfinity", 1_000.0, body, decode(body))
    planned = tuple(Planned("rule", channel) for channel in channels or ("c",))
    return Draft(event, "hash", 1, planned)


def accept(ledger: Ledger, *drafts: Draft) -> list[int]:
    async def all_of_them() -> list[int]:
        futures = [ledger.accept(one) for one in drafts]
        return [(await future).event for future in futures]

    return asyncio.run(all_of_them())


def claim(ledger: Ledger, hands: Hands, places: int = 10, channel: str = "c") -> list[InHand]:
    hands.places = places
    before, answered = len(hands.held), len(hands.claims)
    ledger.claim(channel)
    wait_until(lambda: len(hands.claims) > answered)
    hands.places = 0
    return hands.held[before:]


def record(ledger: Ledger, held: InHand, state: Any = "sent", **more: Any) -> None:
    kind = {"sent": "delivered", "failed": "failed", "pending": more.pop("kind", "retry")}[state]
    outcome = Outcome(kind=kind, detail="so it went", thread=more.pop("thread", None))
    done = threading.Event()
    ledger.record(
        Tried(delivery=held, at=1_001.0, outcome=outcome, state=state, message=WORDS, **more),
        done.set,
    )
    assert done.wait(30)


def test_an_event_and_its_deliveries_are_there_once_they_are_accepted(ledger: Ledger) -> None:
    (number,) = accept(ledger, draft(1, "a", "b"))
    found = ledger.event(number)
    assert found is not None
    assert [(d.channel, d.state) for d in found.deliveries] == [("a", "pending"), ("b", "pending")]
    assert found.body == b'{"trigger":"case_created","case_id":1}'


def test_the_same_event_accepted_twice_is_two_events(ledger: Ledger) -> None:
    first, second = accept(ledger, draft(), draft())
    assert first != second
    assert len(ledger.deliveries(Filters())) == 2


def test_many_accepted_at_once_all_get_ids_of_their_own(ledger: Ledger) -> None:
    numbers = accept(ledger, *(draft(case, "a", "b") for case in range(300)))
    assert len(set(numbers)) == 300
    assert len({d.id for d in ledger.deliveries(Filters(limit=1000))}) == 600


def test_a_rejected_body_is_kept_with_its_reason(ledger: Ledger) -> None:
    event = Event(0, "atfinity", 1_000.0, b"\x00\xff", {})
    (number,) = accept(ledger, Draft(event, "hash", rejected="not JSON"))
    found = ledger.event(number)
    assert found is not None
    assert (found.body, found.rejected) == (b"\x00\xff", "not JSON")


def test_a_nul_from_outside_can_be_stored(ledger: Ledger) -> None:
    (number,) = accept(ledger, draft(1, case_user_readable_id="K\x00Y", case_name="a\x00b"))
    found = ledger.event(number)
    assert found is not None
    assert found.case_ref == "KY"


def test_what_is_handed_over_is_already_claimed(ledger: Ledger, hands: Hands) -> None:
    hands.places = 1
    accept(ledger, draft(1), draft(2))
    wait_until(lambda: hands.held)
    assert [(h.event.fields["case_id"], h.attempt) for h in hands.held] == [(1, 1)]
    assert hands.waiting == ["c"]
    assert [h.event.fields["case_id"] for h in claim(ledger, hands)] == [2]


def test_a_claimed_delivery_is_claimed_by_nobody_else(ledger: Ledger, hands: Hands) -> None:
    accept(ledger, *(draft(case) for case in range(5)))
    assert len(claim(ledger, hands, 3)) == 3
    assert len(claim(ledger, hands)) == 2
    assert claim(ledger, hands) == []


def test_one_cases_deliveries_come_one_at_a_time_in_order(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    accept(ledger, draft(1), draft(2), draft(1), draft(1))
    first = claim(ledger, hands)
    assert [h.event.fields["case_id"] for h in first] == [1, 2]
    assert not hands.claims[-1][1].more
    record(ledger, first[0], "pending", due_at=5_000.0)
    assert claim(ledger, hands) == []
    clock.now = 5_000.0
    order = []
    while found := claim(ledger, hands):
        order += [h.id for h in found if h.event.fields["case_id"] == 1]
        for held in found:
            record(ledger, held)
    assert order == sorted(order)
    assert order[0] == first[0].id
    assert len(order) == 3


def test_a_later_one_follows_once_the_earlier_has_failed_for_good(
    ledger: Ledger, hands: Hands
) -> None:
    accept(ledger, draft(1), draft(1))
    (first,) = claim(ledger, hands)
    record(ledger, first, "failed", reason="404")
    (second,) = claim(ledger, hands)
    assert second.id > first.id


def test_a_retry_is_due_when_it_is_due_and_keeps_its_words(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    accept(ledger, draft())
    (held,) = claim(ledger, hands)
    record(ledger, held, "pending", due_at=2_000.0, reason="503")
    assert claim(ledger, hands) == []
    assert hands.claims[-1][1].next_due == 2_000.0
    clock.now = 2_000.0
    (again,) = claim(ledger, hands)
    assert (again.attempt, again.message, again.unsure) == (2, WORDS, 0)


def test_an_ambiguous_attempt_marks_what_follows(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    accept(ledger, draft())
    (held,) = claim(ledger, hands)
    record(ledger, held, "pending", due_at=1_500.0, kind="ambiguous")
    clock.now = 1_500.0
    (again,) = claim(ledger, hands)
    assert again.unsure == 1
    record(ledger, again)
    found = ledger.delivery(again.id)
    assert found is not None
    assert [a.outcome for a in found.attempts] == ["ambiguous", "delivered"]


def test_a_lease_that_ends_unrecorded_is_taken_again_and_marked(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    accept(ledger, draft())
    (held,) = claim(ledger, hands)
    clock.now += LEASE + 1
    (again,) = claim(ledger, hands)
    assert (again.attempt, again.unsure) == (2, 1)
    record(ledger, held)  # the first one comes back late: it is kept, and changes nothing else
    found = ledger.delivery(held.id)
    assert found is not None
    assert (found.state, found.attempts[0].outcome) == ("pending", "delivered")
    record(ledger, again)
    found = ledger.delivery(held.id)
    assert found is not None
    assert found.state == "sent"


def test_what_is_given_back_counts_no_attempt(ledger: Ledger, hands: Hands) -> None:
    accept(ledger, draft())
    (held,) = claim(ledger, hands)
    ledger.give_back([held])
    (again,) = claim(ledger, hands)
    assert (again.attempt, again.unsure) == (1, 0)


def test_what_a_dead_process_had_in_hand_is_due_at_the_next_start(
    database_url: str, clock: Clock
) -> None:
    hands = Hands(5)
    first = open_ledger(Secret(database_url), clock)
    first.start(hands)
    accept(first, draft(1), draft(2))
    first.close()  # its slot is free again, as after a kill
    hands = Hands()
    second = open_ledger(Secret(database_url), clock)
    second.start(hands)
    found = claim(second, hands)
    assert [(h.attempt, h.unsure) for h in found] == [(2, 1), (2, 1)]
    row = second.delivery(found[0].id)
    assert row is not None
    assert row.attempts[0].detail.startswith("the process that sent it ended")
    second.close()


def test_a_living_process_takes_over_from_a_dead_one(database_url: str, clock: Clock) -> None:
    dead, living = Hands(5), Hands()
    first, second = (open_ledger(Secret(database_url), clock) for _ in range(2))
    first.start(dead)
    second.start(living)
    accept(first, draft(1))
    assert second.take_over() == 0
    first.close()
    assert wait_until(second.take_over) == 1  # PostgreSQL sees a closed session a moment later
    assert len(claim(second, living)) == 1
    second.close()


def test_a_fallback_is_made_with_the_failure_and_only_once(ledger: Ledger, hands: Hands) -> None:
    accept(ledger, draft())
    (held,) = claim(ledger, hands)
    record(ledger, held, "failed", fallback="other")
    record(ledger, held, "failed", fallback="other")
    found = ledger.deliveries(Filters(channel="other"))
    assert [d.fallback_of for d in found] == [held.id]


def test_a_resend_is_a_new_delivery_and_history_stays(ledger: Ledger, hands: Hands) -> None:
    accept(ledger, draft())
    (held,) = claim(ledger, hands)
    assert ledger.resend([held.id])[0].reason == "it still waits to be sent"
    record(ledger, held)
    first, missing = ledger.resend([held.id, 999])
    (again,) = claim(ledger, hands)
    assert (again.id, again.message) == (first.new, WORDS)
    assert missing.reason == "there is no delivery 999"
    record(ledger, again)
    assert ledger.resend([held.id], fresh_under="new")[0].new is not None
    (fresh,) = claim(ledger, hands)
    assert (fresh.ruleset, fresh.message) == ("new", None)


def test_what_waits_is_cancelled_and_the_next_of_its_case_has_its_turn(
    ledger: Ledger, hands: Hands
) -> None:
    accept(ledger, *(draft(1) for _ in range(3)))
    (held,) = claim(ledger, hands)
    second = held.id + 1
    answers = ledger.cancel([held.id, second, 999], author="anna")
    assert [(answer.done, answer.reason) for answer in answers] == [
        (False, "it is being sent, or is part of a message that is"),
        (True, "cancelled by anna"),
        (False, "there is no delivery 999"),
    ]
    assert ledger.cancel([second], author="ben")[0].reason == "it is cancelled already"
    record(ledger, held)
    assert [one.id for one in claim(ledger, hands)] == [second + 1]
    found = ledger.delivery(second)
    assert found is not None
    assert (found.state, found.reason, found.ended_at) == ("cancelled", "cancelled by anna", 1_000)


def test_the_first_of_a_case_can_be_cancelled_before_it_is_claimed(
    ledger: Ledger, hands: Hands
) -> None:
    accept(ledger, draft(1), draft(1))
    first = min(row.id for row in ledger.deliveries(Filters()))
    assert ledger.cancel([first], author="anna")[0].done
    assert [one.id for one in claim(ledger, hands)] == [first + 1]


def collected(case: int) -> Draft:
    made = draft(case)
    terms = Terms(digest=Batch("digest\x1fk", 1_010.0))
    return msgspec.structs.replace(made, planned=(Planned("rule", "c", terms=terms),))


@pytest.mark.parametrize("fresh", [None, "new"], ids=["the stored words", "fresh words"])
def test_a_digest_is_sent_again_as_one_message(
    ledger: Ledger, hands: Hands, clock: Clock, fresh: str | None
) -> None:
    accept(ledger, collected(1), collected(2), collected(3), draft(4, "other"))
    clock.now = 1_020.0
    (digest,) = claim(ledger, hands)
    assert len(digest.listed) == 3
    assert ledger.resend([digest.id])[0].reason == "it still waits to be sent"
    record(ledger, digest, "failed")
    second, third = (one.id for one in digest.listed[1:])
    first, other = ledger.resend([third, second], fresh_under=fresh)
    assert first.reason.endswith(", one message with all 3 that it lists")
    (again,) = claim(ledger, hands)
    assert [one.event.case_id for one in again.listed] == ["1", "2", "3"]
    assert (again.message is None, again.digest) == (fresh is not None, "digest\x1fk")
    assert {first.new, other.new} < {one.id for one in again.listed}
    record(ledger, again)
    rows = [row for row in ledger.deliveries(Filters()) if row.resend_of is not None]
    assert {(row.state, row.carried_by) for row in rows} == {("sent", again.id)}
    assert {row.resend_of for row in rows} == {one.id for one in digest.listed}
    assert ledger.resent({one.event.id for one in digest.listed}) == dict.fromkeys(
        (one.id for one in digest.listed), "sent"
    )


def test_what_was_gathered_for_want_of_a_rate_is_sent_again_together(
    ledger: Ledger, hands: Hands
) -> None:
    accept(ledger, *(draft(case) for case in range(6)))
    hands.pace = Rate(10.0, 1, gather=True)
    (gathered,) = claim(ledger, hands)
    record(ledger, gathered, "failed")
    hands.pace = None
    ledger.resend([gathered.id])
    (again,) = claim(ledger, hands)
    assert (len(again.listed), again.digest) == (6, None)


def test_the_thread_that_a_far_end_named_first_is_kept(ledger: Ledger, hands: Hands) -> None:
    accept(ledger, draft())
    (held,) = claim(ledger, hands)
    record(ledger, held, thread="111.1")
    assert ledger.thread("c", "atfinity:1") == "111.1"
    assert ledger.thread("c", "atfinity:2") is None


def test_a_ruleset_is_kept_by_its_hash(ledger: Ledger) -> None:
    ledger.keep_ruleset("h", {"rules.yaml": "a", "templates/x.j2": "b"})
    ledger.keep_ruleset("h", {"rules.yaml": "other"})
    assert ledger.ruleset("h") == {"rules.yaml": "a", "templates/x.j2": "b"}
    assert ledger.ruleset("unknown") is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param(Filters(channel="a"), 2, id="by channel"),
        pytest.param(Filters(case="2"), 1, id="by case"),
        pytest.param(Filters(case="KYC-1"), 1, id="by the id people use"),
        pytest.param(Filters(q="acme"), 1, id="by a word of the name"),
        pytest.param(Filters(q="%"), 0, id="by a sign that is no wildcard"),
        pytest.param(Filters(trigger="case_created"), 2, id="by trigger"),
        pytest.param(Filters(source="other"), 0, id="by source"),
        pytest.param(Filters(since=2_000.0), 0, id="by time"),
        pytest.param(Filters(state="sent"), 0, id="by state"),
        pytest.param(Filters(limit=1), 1, id="by number"),
    ],
)
def test_lists_are_narrowed(ledger: Ledger, filters: Filters, expected: int) -> None:
    named = {"case_user_readable_id": "KYC-1", "case_name": "Acme Corp"}
    accept(ledger, draft(1, "a", **named), draft(2, "a", "b"))
    assert len(ledger.events(filters)) == expected


def test_two_processes_may_start_on_an_empty_database_at_once(
    database_url: str, clock: Clock
) -> None:
    made: list[Ledger | Exception] = []

    def start() -> None:
        try:
            made.append(open_ledger(Secret(database_url), clock))
        except Exception as error:  # noqa: BLE001 - told below
            made.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one for one in made if not isinstance(one, Ledger)] == []
    for one in made:
        if isinstance(one, Ledger):
            one.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("mysql://x/y", "is not sqlite or postgresql", id="another database"),
        pytest.param("nonsense", "is not a database address", id="no address"),
        pytest.param("sqlite://", "needs a file", id="in memory"),
        pytest.param("sqlite:////nowhere/at/all.db", "there is no folder", id="no such folder"),
        pytest.param("postgresql://127.0.0.1:1/x", "cannot be opened", id="nobody there"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_in_words(url: str, words: str) -> None:
    with pytest.raises(LedgerError, match=words):
        open_ledger(Secret(url), Clock())


def test_a_file_that_is_no_database_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("hello, this is a text and no database at all, truly")
    with pytest.raises(LedgerError, match="cannot be opened"):
        open_ledger(Secret(f"sqlite:///{tmp_path / 'x.db'}"), Clock())


def test_what_cannot_be_written_is_refused_alone(
    ledger: Ledger, clock: Callable[[], float]
) -> None:
    broken = draft(2)
    broken = msgspec.structs.replace(broken, ruleset=object())

    async def all_of_them() -> list[Any]:
        futures = [ledger.accept(one) for one in (draft(1), broken, draft(3))]
        return await asyncio.gather(*futures, return_exceptions=True)

    good, bad, also_good = asyncio.run(all_of_them())
    assert good.deliveries == also_good.deliveries == 1
    assert type(bad).__name__ == "LedgerUnavailable"
    assert clock() == 1_000.0


def test_a_look_at_the_database_while_ids_are_taken_finds_no_restored_one(
    postgres: str, clock: Clock
) -> None:
    """Another process takes ids just after this one, and this one sees how far the database is
    before it has looked at its own."""
    url = fresh_database(postgres)
    ledger = open_ledger(Secret(url), clock)
    ledger.start()
    looked: list[str] = []

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "nextval('events_ids')" in statement and not looked:
            looked.append(statement)
            with psycopg.connect(url, autocommit=True) as other:
                other.execute("SELECT nextval('events_ids') FROM generate_series(1, 10)")
            ledger.check_identity()

    sa.event.listen(ledger._engine.writing, "after_cursor_execute", look)
    (first,) = accept(ledger, draft(1))
    (second,) = accept(ledger, draft(2))
    assert second > first + 10
    assert (len(looked), ledger.lost()) == (1, ())
    ledger.close()


def test_what_waits_for_its_rate_may_go_when_that_lets_it(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    rate = Rate(100.0)
    channels = {"c": Channel(name="c", service="webhook", options={}, rate=rate)}
    hands.pace = rate
    accept(ledger, draft(1), draft(2))
    assert len(claim(ledger, hands)) == 1
    clock.now += 10.0
    may_go_at = clock.now - 10.0 + rate.spacing
    due = ledger.due(clock.now)
    assert due.may_go(channels) == {"c": pytest.approx(may_go_at)}
    assert due.longest_wait(channels, clock.now) == 0.0
    assert due.longest_wait(channels, may_go_at + 5.0) == pytest.approx(5.0)


def test_what_is_on_disk_is_not_written_again_when_nobody_can_take_it(
    database_url: str, clock: Clock
) -> None:
    class Full(Hands):
        def take(self, _in_hand: Sequence[InHand]) -> None:
            raise RuntimeError("can't start new thread")

    ledger = open_ledger(Secret(database_url), clock)
    ledger.start(Full(places=10))
    assert len(accept(ledger, *map(draft, range(3)))) == 3
    assert len(ledger.events(Filters())) == 3
    ledger.close()


def test_what_a_commit_took_in_hand_that_was_never_answered_is_due_at_once(
    database_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(Secret(database_url), clock)
    hands = Hands(places=10)
    ledger.start(hands)
    dialect = ledger._engine.writing.dialect
    answer = dialect.do_commit

    def commit_in_silence(connection: Any) -> None:
        answer(connection)
        raise dialect.loaded_dbapi.OperationalError("the connection is gone")

    with monkeypatch.context() as silent:
        silent.setattr(dialect, "do_commit", commit_in_silence)
        with pytest.raises(LedgerUnavailable):
            accept(ledger, draft(1))
    assert (len(ledger.events(Filters())), hands.held) == (1, [])
    clock.now += 5
    accept(ledger, draft(2))
    (found,) = claim(ledger, hands)
    assert (found.event.fields["case_id"], found.attempt, found.unsure) == (1, 1, 0)
    ledger.close()


def test_what_rests_is_given_up_in_the_order_of_its_case(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    first, second = accept(ledger, draft(1), draft(1))
    (held,) = claim(ledger, hands)
    record(ledger, held, "pending", due_at=1_010.0, again_at=1_010.0)
    clock.now = 1_010.0
    (held,) = claim(ledger, hands)
    clock.now = 1_200.0
    limits: dict[str, tuple[float, str | None]] = {"c": (100.0, "other")}
    assert ledger.upkeep.expire(limits) == set()
    record(ledger, held, "failed", fallback="other")
    assert ledger.upkeep.expire(limits) == {"other"}
    told = [d for d in ledger.deliveries(Filters()) if d.channel == "other"]
    assert [d.event_id for d in sorted(told, key=lambda d: d.id)] == [first, second]


class _Stumbling(Threads):
    """Its next sleep ends the thread that sleeps, if it is told so."""

    def __init__(self) -> None:
        self.stumbles = False

    def sleep(self, seconds: float) -> None:
        if self.stumbles:
            self.stumbles = False
            raise SystemExit("the thread ends")
        super().sleep(seconds)


def test_a_writer_that_ends_while_it_waits_for_company_loses_nothing(
    database_url: str, clock: Clock
) -> None:
    scheduler = _Stumbling()
    ledger = open_ledger(Secret(database_url), clock, scheduler)
    supervisor = Supervisor(scheduler)
    hands = Hands(places=10)
    ledger.start(hands, supervisor)
    supervisor.ensure()
    accept(ledger, draft())
    scheduler.stumbles = True
    record(ledger, hands.held[0])
    assert not scheduler.stumbles
    assert [d.state for d in ledger.deliveries(Filters())] == ["sent"]
    supervisor.stop()
    ledger.close()


def test_who_is_gone_before_the_answer_does_not_stop_the_writer(
    tmp_path: Path, clock: Clock
) -> None:
    file = tmp_path / "router.db"
    ledger = open_ledger(Secret(f"sqlite:///{file}"), clock)
    ledger.start(Hands())

    async def go_at_once() -> None:
        for case in range(3):
            ledger.accept(draft(case))

    with locked(file):
        asyncio.run(go_at_once())
    accept(ledger, draft(4))
    assert len(ledger.events(Filters())) == 4
    ledger.close()


def test_a_slot_that_cannot_be_looked_at_is_told_in_words(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "router.db"
    ledger = open_ledger(Secret(f"sqlite:///{file}"), clock)
    ledger.start(Hands())
    (tmp_path / "router.db-slot7").mkdir()
    with pytest.raises(LedgerUnavailable, match="directory"):
        ledger.take_over()
    ledger.close()


def test_a_database_that_is_held_is_told_soon_to_all_who_wait(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.ledger.writer.PATIENCE", 0.2)
    file = tmp_path / "router.db"
    ledger = open_ledger(Secret(f"sqlite:///{file}"), clock)
    ledger.start(Hands())

    async def all_of_them() -> list[Any]:
        futures = [ledger.accept(draft(case)) for case in range(50)]
        return await asyncio.gather(*futures, return_exceptions=True)

    with locked(file):
        began = time.monotonic()
        held = asyncio.run(all_of_them())
        assert time.monotonic() - began < 8  # one after the other it would be ten
    free = asyncio.run(all_of_them())
    ledger.close()
    assert {str(one) for one in held} == {"database is locked"}
    assert [one.deliveries for one in free] == [1] * 50


def test_calls_that_come_together_wait_for_a_held_database_together(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = 3.0
    monkeypatch.setattr("router.ledger.writer.PATIENCE", patience)
    file = tmp_path / "router.db"
    ledger = open_ledger(Secret(f"sqlite:///{file}"), clock)
    ledger.start(Hands())
    refused: list[float] = []

    def call() -> None:
        began = time.monotonic()
        with pytest.raises(LedgerUnavailable, match="database is locked"):
            ledger.check_writable()
        refused.append(time.monotonic() - began)

    callers = [threading.Thread(target=call) for _ in range(4)]
    with locked(file):
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    ledger.check_writable()
    ledger.close()
    assert len(refused) == 4
    assert max(refused) < 1.8 * patience  # one after the other it would be four of them


def test_what_was_due_is_due_still_when_the_clock_is_set_back(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    accept(ledger, draft(1))
    was = clock.now
    clock.now -= 500
    assert claim(ledger, hands) == []
    ledger.upkeep.set_clock(was, clock.now, ledger.due(was).newest, lambda: None)
    assert len(claim(ledger, hands)) == 1


def test_the_schema_that_is_wanted_is_the_last_revision(database_url: str) -> None:
    engine = open_engine(Secret(database_url))
    migrate(engine)
    assert version(engine) == HEAD
    engine.close()


def test_a_rate_holds_nothing_up_once_the_clock_is_set_back(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    hands.pace = Rate(10.0, burst=2)
    clock.now = 10_000.0
    accept(ledger, draft(1), draft(2), draft(3))
    assert len(claim(ledger, hands)) == 2
    clock.now -= 3600
    accept(ledger, draft(4), draft(5), draft(6))
    assert not claim(ledger, hands), "what went just before is not known any more"
    for _ in range(3):
        clock.now += 10.5
        assert len(claim(ledger, hands)) == 1
        assert not claim(ledger, hands)
