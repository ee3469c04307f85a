"""Lists, on SQLite and on PostgreSQL alike: what the filters ask is found, however short a look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from router.ledger import STATES, Filters, Ledger, LedgerUnavailable, open_ledger
from router.ledger.engine import Engine, open_engine
from router.ledger.find import find_deliveries, find_events
from router.ledger.read import list_deliveries, list_events
from router.ledger.tables import NewDelivery, deliveries, events
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.ledger.glance import Glance

HOUR = 3600.0


def _glance(engine: Engine, now: float) -> Glance:
    return Ledger(engine, lambda: now).glance


TRIGGERS = ("case_created", "case_comment", "case_approved")


def _event(number: int) -> dict[str, Any]:
    case, source = number // 4, "other" if number % 7 == 0 else "atfinity"
    return {
        "id": number,
        "received_at": number * HOUR,
        "source": source,
        "trigger": TRIGGERS[number % 3],
        "case_key": f"{source}:{case}",
        "case_ref": f"KYC-{case}",
        "words": f"kyc-{case} {'acme' if number % 5 == 0 else 'nordlicht'} ag",
        "body": b"{}" if number != 30 else b"x" * 70_000,
        "ruleset": "hash",
        "matched": 1,
    }


def _delivery(number: int, event: int, state: str, **more: Any) -> NewDelivery:
    made = NewDelivery(
        id=number,
        event_id=event,
        rule=f"rule {number % 2}",
        channel=f"channel {number % 3}",
        case_key=f"atfinity:{event // 4}",
        ruleset="hash",
        created_at=event * HOUR,
        moment=event * HOUR,
        due_at=event * HOUR,
        state=state,
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Forty events with two deliveries each, in every state; one of them failed and was sent
    again, one failed and was told to a fallback."""
    open_ledger(Secret(database_url), lambda: 0.0).close()
    made = open_engine(Secret(database_url))
    told = [
        _delivery(2 * event + second, event, STATES[(event + 2 * second) % 5])
        for event in range(1, 41)
        for second in (0, 1)
    ]
    failed = [one for one in told if one.state == "failed"]
    told.append(_delivery(101, failed[-1].event_id, "sent", resend_of=failed[-1].id))
    told.append(_delivery(102, failed[-2].event_id, "sent", fallback_of=failed[-2].id))
    with made.writing.begin() as connection:
        connection.execute(events.insert(), [_event(number) for number in range(1, 41)])
        made.insert(connection, deliveries, [one.row() for one in told])
    yield made
    made.close()


CASES = [
    Filters(),
    Filters(state="failed"),
    Filters(state="pending"),
    Filters(state="suppressed", channel="channel 1"),
    Filters(state="sent", q="ACME"),
    Filters(state="failed", trigger="case_comment"),
    Filters(channel="channel 2", rule="rule 0"),
    Filters(channel="nowhere"),
    Filters(case="KYC-5"),
    Filters(case="5"),
    Filters(case="KYC-5", state="failed"),
    Filters(case="nobody"),
    Filters(trigger="case_approved", source="other"),
    Filters(q="nordlicht"),
    Filters(since=20 * HOUR),
    Filters(since=10 * HOUR, until=20 * HOUR, state="cancelled"),
    Filters(until=12 * HOUR),
]


def _meets(filters: Filters, event: Any, told: Any, at: float) -> bool:
    wanted = {"trigger": event.trigger, "source": event.source}
    wanted |= {"state": told.state, "channel": told.channel, "rule": told.rule}
    return (
        all(getattr(filters, name) in (None, value) for name, value in wanted.items())
        and filters.case in (None, event.case_ref, event.case_ref[4:])
        and (filters.q or "").lower() in event.words
        and (filters.since is None or at >= filters.since)
        and (filters.until is None or at < filters.until)
    )


@pytest.mark.parametrize("filters", CASES, ids=str)
def test_a_list_holds_what_the_filters_ask_in_long_and_in_short_looks(
    engine: Engine, filters: Filters
) -> None:
    with engine.reading.connect() as connection:
        pairs = connection.execute(
            events.join(deliveries, deliveries.c.event_id == events.c.id)
            .select()
            .with_only_columns(events, deliveries.c.state, deliveries.c.channel, deliveries.c.rule)
            .add_columns(deliveries.c.id.label("told"), deliveries.c.created_at)
        ).all()
        wanted_events = sorted(
            {row.id for row in pairs if _meets(filters, row, row, row.received_at)}, reverse=True
        )
        wanted_told = sorted(
            (row.told for row in pairs if _meets(filters, row, row, row.created_at)), reverse=True
        )
        for find, wanted in ((find_events, wanted_events), (find_deliveries, wanted_told)):
            whole = find(connection, filters, None)
            assert list(whole.ids) == wanted[:50]
            found: list[int] = []
            further: int | None = 1_000
            short = msgspec.structs.replace(filters, limit=3)
            for _ in range(100):
                if further is None:
                    break
                page = find(connection, msgspec.structs.replace(short, before=further), 10)
                found += page.ids
                further = page.further
            assert found == wanted
            assert further is None


def test_a_look_says_how_far_back_it_reached(engine: Engine) -> None:
    with engine.reading.connect() as connection:
        nothing = list_events(connection, Filters(channel="nowhere"), 10)
        assert (nothing.rows, nothing.further, nothing.back_to) == ((), 31, 31 * HOUR)
        told = list_deliveries(connection, Filters(rule="nobody"), 10)
        assert (told.rows, told.further) == ((), 93)
        assert told.back_to is not None
        waiting = list_events(connection, Filters(state="pending"), 10)
        assert (min(row.id for row in waiting.rows) < 31, waiting.further) == (True, None)
        full = list_events(connection, Filters(limit=2), 10)
        assert (full.further, full.back_to) == (39, None)


def test_a_list_leaves_out_bodies_that_are_no_light_reading(engine: Engine) -> None:
    with engine.reading.connect() as connection:
        looked = {row.id: row.body for row in list_events(connection, Filters(), 100).rows}
        whole = {row.id: row.body for row in list_events(connection, Filters()).rows}
    assert (looked[29], looked[30]) == (b"{}", b"")
    assert len(whole[30]) == 70_000


def test_what_failed_and_nobody_took_care_of(engine: Engine) -> None:
    glance = _glance(engine, 41 * HOUR)
    left = [row.id for row in glance.unsettled(0.0, 100)]
    with engine.reading.connect() as connection:
        failed = find_deliveries(connection, Filters(state="failed"), None).ids
    assert left == list(failed[2:])
    assert glance.unsettled(0.0, 1)[0].id == left[0]
    assert glance.unsettled(50 * HOUR, 5) == []


def test_the_mark_of_a_page_changes_when_what_it_shows_does(engine: Engine) -> None:
    glance = _glance(engine, 41 * HOUR)
    first = glance.mark(Filters())
    assert glance.mark(Filters()) == first
    assert glance.mark(Filters(state="sent")) != first
    with engine.writing.begin() as connection:
        shown = deliveries.c.id == 80
        connection.execute(deliveries.update().where(shown).values(attempt=1))
    second = glance.mark(Filters())
    assert second != first
    with engine.writing.begin() as connection:
        connection.execute(events.insert(), [_event(41)])
    assert glance.mark(Filters()) != second


def test_the_events_of_a_case_around_one_of_them(engine: Engine) -> None:
    glance = _glance(engine, 0.0)
    row = glance.events(Filters(case="KYC-5")).rows[1]
    assert [one.id for one in glance.of_case(row, 20).rows] == [23, 22, 20]
    near = glance.of_case(row, 1)
    assert [one.id for one in near.rows] == [22]


def test_a_message_that_carries_several_says_which(engine: Engine) -> None:
    with engine.writing.begin() as connection:
        carried = deliveries.c.id.in_([10, 12])
        connection.execute(deliveries.update().where(carried).values(carried_by=12))
    found = _glance(engine, 0.0).members([12, 14], 5)
    assert [(one.delivery, one.event, one.case_ref) for one in found[12]] == [
        (10, 5, "KYC-1"),
        (12, 6, "KYC-1"),
    ]
    assert found[14] == []


def test_a_database_that_fails_is_told_as_such(engine: Engine) -> None:
    with engine.writing.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO gone")
    with pytest.raises(LedgerUnavailable, match="events"):
        _glance(engine, 0.0).events(Filters())
