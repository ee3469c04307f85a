"""The operator's desk, on SQLite and on PostgreSQL alike: tallies, pauses, timers, processes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from alembic import command
from alembic.config import Config

from far_end import wait_until
from hands import Clock, Hands
from router.event import Event, decode
from router.ledger import (
    Draft,
    Filters,
    InHand,
    Ledger,
    Process,
    TimerFilters,
    Tried,
    Waiting,
    migrate,
    open_ledger,
)
from router.ledger.engine import open_engine
from router.ledger.tables import NewDelivery, deliveries, events, rulesets
from router.message import Outcome
from router.secret import Secret
from router.timing import Planned

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR, DAY = 3600.0, 86400.0
NOON = 20_000 * DAY + 12 * HOUR


@pytest.fixture
def clock() -> Clock:
    made = Clock()
    made.now = NOON
    return made


@pytest.fixture
def hands() -> Hands:
    return Hands(places=10)


@pytest.fixture
def ledger(database_url: str, hands: Hands, clock: Clock) -> Iterator[Ledger]:
    made = open_ledger(Secret(database_url), clock)
    made.start(hands)
    yield made
    made.close()


def post(ledger: Ledger, *planned: Planned, trigger: str = "case_created", case: int = 1) -> int:
    fields = {"trigger": trigger, "case_id": case, "case_user_readable_id": f"K-{case}"}
    body = msgspec.json.encode(fields)
    event = Event(0, "atfinity", NOON, body, decode(body))
    spoke = tuple(dict.fromkeys(one.rule for one in planned))
    draft = Draft(event, "hash", len(spoke), planned, spoke=spoke)

    async def accept() -> int:
        return (await ledger.accept(draft)).event

    return asyncio.run(accept())


def end(ledger: Ledger, held: InHand, clock: Clock, state: Any, detail: str = "as told") -> None:
    kind: Any = {"sent": "delivered", "failed": "failed", "pending": "retry"}[state]
    outcome = Outcome(kind=kind, detail=detail)
    again = clock.now + 60 if state == "pending" else None
    done: list[bool] = []
    tried = Tried(
        delivery=held, at=clock.now, outcome=outcome, state=state, due_at=again, again_at=again
    )
    ledger.record(tried, lambda: done.append(True))
    wait_until(lambda: done)


def claim(ledger: Ledger, hands: Hands, channel: str) -> list[InHand]:
    before, answered = len(hands.held), len(hands.claims)
    ledger.claim(channel)
    wait_until(lambda: len(hands.claims) > answered)
    return hands.held[before:]


def test_what_rules_matched_is_counted_by_day_whatever_became_of_it(
    ledger: Ledger, clock: Clock
) -> None:
    ledger.desk.mute("rule", "hushed", until=NOON + DAY, reason="noise", author="ann")
    post(ledger, Planned("loud", "a"), Planned("loud", "b"), Planned("hushed", "a"))
    clock.now += DAY
    post(ledger, Planned("loud", "a"))
    found = ledger.desk.tallies("matched", NOON)
    assert [(t.name, t.at, t.number) for t in found] == [
        ("hushed", NOON - 12 * HOUR, 1),
        ("loud", NOON - 12 * HOUR, 1),
        ("loud", NOON + 12 * HOUR, 1),
    ]
    totals = ledger.desk.totals("matched", NOON)
    assert (totals["loud"].number, totals["loud"].last) == (2, clock.now)
    assert ledger.desk.totals("matched", NOON + DAY)["loud"].number == 1
    assert ledger.desk.totals("suppressed", NOON)["a"].number == 1


def test_what_no_rule_speaks_about_is_counted_and_listed(ledger: Ledger) -> None:
    post(ledger, Planned("r", "a"))
    number = post(ledger, trigger="case_comment")
    post(ledger, trigger="one that is not known yet")
    assert {name: t.number for name, t in ledger.desk.totals("unmatched", NOON).items()} == {
        "case_comment": 1,
        "other": 1,
    }
    assert ledger.desk.totals("received", NOON)["atfinity"].number == 3
    assert [row.id for row in ledger.desk.unheard(10)] == [number + 1, number]


def test_a_channel_counts_what_it_sent_and_failed_and_keeps_its_last_error(
    ledger: Ledger, hands: Hands, clock: Clock
) -> None:
    post(ledger, *(Planned(rule, "a") for rule in "xyz"), case=0)
    wait_until(lambda: hands.held)
    for state in ("sent", "pending", "failed"):
        post(ledger, Planned("r", state), case=2)
        end(ledger, hands.held[-1], clock, state, f"it was {state}")
    assert ledger.desk.totals("sent", NOON)["sent"].number == 1
    assert ledger.desk.totals("failed", NOON)["failed"].number == 1
    lanes = ledger.lanes()
    assert "sent" not in lanes
    assert lanes["pending"].error == lanes["pending"].last_error == "it was pending"
    assert (lanes["failed"].error, lanes["failed"].failures) == (None, 0)
    assert (lanes["failed"].last_error, lanes["failed"].last_error_at) == ("it was failed", NOON)
    clock.now += 60
    (again,) = claim(ledger, hands, "pending")
    end(ledger, again, clock, "sent")
    assert ledger.lanes()["pending"].error is None
    assert ledger.lanes()["pending"].last_error == "it was pending"


def test_a_paused_channel_is_neither_handed_over_nor_claimed_until_it_goes_on(
    ledger: Ledger, hands: Hands
) -> None:
    pause, new = ledger.desk.pause("a", reason="they move house", author="ann")
    assert (pause.author, pause.reason, new) == ("ann", "they move house", True)
    assert ledger.desk.pause("a", reason="other", author="bob") == (pause, False)
    post(ledger, Planned("r", "a"))
    assert hands.held == []
    assert claim(ledger, hands, "a") == []
    assert ledger.desk.waiting(["a", "b"]) == {"a": Waiting(1, 0, NOON), "b": Waiting()}
    assert ledger.lanes()["a"].pause == pause
    assert ledger.desk.resume("a") == pause
    assert ledger.desk.resume("a") is None
    assert ledger.desk.resume("never heard of") is None
    assert len(claim(ledger, hands, "a")) == 1


def test_timers_are_listed_the_soonest_first_and_found_by_what_they_are_about(
    ledger: Ledger,
) -> None:
    for case, hours in ((1, 3), (2, 1), (3, 2), (4, 1)):
        post(ledger, Planned("stuck", "a", NOON + hours * HOUR), case=case)
    post(ledger, Planned("other", "b", NOON + HOUR, -1), Planned("now", "b"), case=5)

    def listed(**narrowed: Any) -> list[str | None]:
        return [one.case_ref for one in ledger.desk.timers(TimerFilters(**narrowed))]

    assert listed() == ["K-2", "K-4", "K-5", "K-3", "K-1"]
    assert listed(rule="stuck", limit=2) == ["K-2", "K-4"]
    last = ledger.desk.timers(TimerFilters(limit=2))[-1]
    assert listed(after=(last.moment, last.id)) == ["K-5", "K-3", "K-1"]
    assert listed(channel="b") == ["K-5"]
    assert listed(case="K-3") == ["K-3"]
    assert listed(case="nobody") == []
    assert len(ledger.desk.timer_ids(TimerFilters(rule="stuck"), 3)) == 3
    waiting = ledger.desk.waiting(["a", "b"])
    assert waiting == {"a": Waiting(0, 4), "b": Waiting(1, 1, NOON)}
    assert ledger.desk.timers(TimerFilters(channel="b"))[0].step == -1


def test_a_ruleset_that_comes_back_is_in_the_history_twice(ledger: Ledger, clock: Clock) -> None:
    for hash_ in ("one", "one", "two", "one"):
        clock.now += 1
        ledger.keep_ruleset(hash_, {"rules.yaml": hash_})
    found = ledger.desk.loads(10)
    assert [(load.hash, load.at - NOON) for load in found] == [("one", 4), ("two", 3), ("one", 1)]


def test_processes_are_those_that_live(ledger: Ledger, database_url: str, clock: Clock) -> None:
    def told(slot: int) -> Process:
        return Process(
            slot=slot,
            host="here",
            pid=slot + 100,
            role="all",
            version="1",
            started_at=NOON,
            ruleset="one",
        )

    ledger.desk.present(told(ledger.slot))
    other = open_ledger(Secret(database_url), clock)
    other.start()
    other.desk.present(told(other.slot))
    assert [one.pid for one in ledger.desk.processes()] == [100, 101]
    other.close()
    assert ledger.desk.processes() == [told(0)]


def test_the_database_is_told_without_its_password(ledger: Ledger, database_url: str) -> None:
    found = ledger.desk.database()
    assert (
        found.engine.split()[0].lower()
        == database_url.split(":", maxsplit=1)[0].replace("sql", "SQL", 1).lower()
    )
    assert found.size > 10_000
    assert found.revision.isdigit()


def test_deliveries_of_other_channels_go_while_one_is_paused(ledger: Ledger, hands: Hands) -> None:
    ledger.desk.pause("a", reason="r", author="ann")
    post(ledger, Planned("r", "a"), Planned("r", "b"))
    assert [held.channel for held in hands.held] == ["b"]
    assert [row.state for row in ledger.deliveries(Filters(channel="a"))] == ["pending"]


def test_an_upgrade_counts_what_the_history_holds(database_url: str) -> None:
    """The database as the version before left it, with an event that two rules spoke about."""
    now = time.time()
    engine = open_engine(Secret(database_url))
    with engine.writing.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for number, (source, matched) in enumerate([("s", 2), ("s", 0), ("router", 1)], 1):
            row = (number, now, source, "a new one", None, None, None, b"{}", "hash", matched, None)
            engine.insert(connection, events, [row])
        made = [(1, "x", "a"), (1, "x", "b"), (1, "y", "a"), (3, "watch", "a")]
        for number, (event, rule, channel) in enumerate(made, 1):
            delivery = NewDelivery(
                id=number,
                event_id=event,
                rule=rule,
                channel=channel,
                case_key=None,
                ruleset="hash",
                created_at=now,
                moment=now,
                due_at=now,
                state="sent",
            )
            engine.insert(connection, deliveries, [delivery.row()])
        engine.insert(connection, rulesets, [("hash", now, "{}")])
    engine.close()
    ledger = open_ledger(Secret(database_url), time.time)

    def counted(kind: Any) -> dict[str, int]:
        return {name: t.number for name, t in ledger.desk.totals(kind, now - HOUR).items()}

    assert counted("matched") == {"x": 1, "y": 1}
    assert counted("unmatched") == {"other": 1}
    assert counted("received") == {"s": 2}
    assert counted("sent") == {"a": 3, "b": 1}
    assert [load.hash for load in ledger.desk.loads(5)] == ["hash"]
    ledger.keep_ruleset("new", {})
    assert [load.hash for load in ledger.desk.loads(5)] == ["new", "hash"]
    ledger.close()
