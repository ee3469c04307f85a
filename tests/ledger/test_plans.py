"""What a long queue costs: the same steps as a short one on SQLite, an index on PostgreSQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from databases import fresh_database
from router.event import Event
from router.ledger import timers
from router.ledger.accept import LEASE, accept
from router.ledger.claim import claim
from router.ledger.engine import open_engine
from router.ledger.migrate import migrate
from router.ledger.record import record
from router.ledger.shapes import Draft, Tried
from router.message import Outcome
from router.rules import Rate
from router.secret import Secret
from router.timing import Planned, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from router.ledger.engine import Engine
    from router.ledger.shapes import InHand

STEP = 100
"""SQLite's machine instructions between two counts."""
NOW = 1_000.0


def fill(engine: Engine, number: int, *, cases: int) -> None:
    """So many deliveries wait, those of `cases` cases on two channels; and as many timers."""
    with engine.writing.begin() as connection:
        for start in range(0, number, 1_000):
            drafts = [draft(case % cases) for case in range(start, min(start + 1_000, number))]
            accept(
                connection,
                engine,
                drafts,
                room=lambda _: 0,
                slot=0,
                uid="u",
                now=NOW,
                lapses_at=LEASE,
            )


def draft(case: int, *, ends: bool = False) -> Draft:
    fields = {"trigger": "t", "case_id": case}
    event = Event(0, "s", NOW, json.dumps(fields).encode(), fields)
    # Timers of cases of their own: nothing else is about them.
    later = Planned("later", "chat", NOW + 50_000)
    planned = (Planned("r", "chat"), Planned("r", "mail"), later)
    return Draft(event, "h", 1, planned, cancels=("other",) if ends else ())


def take(
    connection: sa.Connection, engine: Engine, channel: str, rate: Rate | None, at: float = NOW + 1
) -> Sequence[InHand]:
    return claim(
        connection,
        engine,
        channel=channel,
        rate=rate,
        room=8,
        slot=0,
        uid="u",
        now=at,
        lapses_at=LEASE,
    ).in_hand


def tried(held: Sequence[InHand], *, failed: bool = False) -> list[Tried]:
    kind: Any = "retry" if failed else "delivered"
    state: Any = "pending" if failed else "sent"
    again = NOW + 2 if failed else None
    outcome = Outcome(kind=kind, detail="d")
    return [
        Tried(
            delivery=one, at=NOW, outcome=outcome, state=state, due_at=again, again_at=again
        )
        for one in held
    ]  # fmt: skip


def accepts(connection: sa.Connection, engine: Engine) -> None:
    # What ends a wait reads all that waits of its own case, and nothing of others.
    drafts = [*(draft(case) for case in range(8)), draft(1_000_000, ends=True)]
    accept(
        connection, engine, drafts, room=lambda _: 0, slot=0, uid="u", now=NOW + 1, lapses_at=LEASE
    )


def claims_and_records(connection: sa.Connection, engine: Engine) -> None:
    record(connection, engine, tried(take(connection, engine, "mail", None)), slot=0, now=NOW + 1)


def gathers_and_records(connection: sa.Connection, engine: Engine) -> None:
    record(
        connection,
        engine,
        tried(take(connection, engine, "chat", Rate(1.0, 4, gather=True))),
        slot=0,
        now=NOW + 1,
    )


def fails_rests_and_probes(connection: sa.Connection, engine: Engine) -> None:
    record(
        connection,
        engine,
        tried(take(connection, engine, "mail", None), failed=True),
        slot=0,
        now=NOW + 1,
    )
    take(connection, engine, "mail", None)  # it rests
    take(connection, engine, "mail", None, NOW + 3)


def fires(connection: sa.Connection, engine: Engine) -> None:
    timers.fire(connection, engine, lambda _event, _planned: Terms(), slot=0, now=NOW + 2)


WORK = [accepts, claims_and_records, gathers_and_records, fails_rests_and_probes, fires]


class Steps:
    """Counts the instructions that SQLite's machine takes."""

    def __init__(self, connection: sa.Connection) -> None:
        self._raw: Any = connection.connection.driver_connection
        self.number = 0

    def __enter__(self) -> Steps:
        self._raw.set_progress_handler(self._count, STEP)
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.set_progress_handler(None, 0)

    def _count(self) -> int:
        self.number += STEP
        return 0


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
@pytest.mark.parametrize("cases", [20, 100_000], ids=["of few cases", "of many cases"])
def test_a_long_queue_takes_as_many_steps_as_a_short_one(
    tmp_path: Path, work: Callable[[sa.Connection, Engine], None], cases: int
) -> None:
    steps = []
    for number in (600, 6_000):
        engine = open_engine(Secret(f"sqlite:///{tmp_path / f'{number}.db'}"))
        migrate(engine)
        fill(engine, number, cases=cases)
        with engine.writing.connect() as connection, connection.begin():
            with Steps(connection) as counted:
                work(connection, engine)
            steps.append(counted.number)
        engine.close()
    short, long = steps
    assert long <= 1.5 * short + 3_000, f"{short} steps, and {long} with ten times as much waiting"


@pytest.fixture
def postgres_engine(postgres: str) -> Iterator[Engine]:
    engine = open_engine(Secret(fresh_database(postgres)))
    migrate(engine)
    fill(engine, 2_000, cases=100)
    yield engine
    engine.close()


def test_no_statement_of_the_queue_reads_all_of_it_on_postgresql(postgres_engine: Engine) -> None:
    engine = postgres_engine
    asked: list[tuple[str, Any]] = []

    def note(_c: object, _k: object, sql: str, values: Any, _x: object, _many: bool) -> None:
        asked.append((sql, values))

    with engine.writing.connect() as connection:
        connection.exec_driver_sql("ANALYZE deliveries")
        connection.commit()
        sa.event.listen(engine.writing, "before_cursor_execute", note)
        with connection.begin():
            for work in WORK:
                work(connection, engine)
        sa.event.remove(engine.writing, "before_cursor_execute", note)
        about = [(sql, values) for sql, values in asked if "deliveries" in sql.split("SET")[0]]
        about = [(sql, v) for sql, v in about if not sql.startswith(("INSERT", "NOTIFY"))]
        plans = [
            (sql, "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {sql}", v)))
            for sql, v in about
        ]
    assert len(plans) > 10
    for sql, plan in plans:
        assert "Seq Scan on deliveries" not in plan, f"{sql}\n{plan}"
        for line, after in zip(plan.splitlines(), [*plan.splitlines()[1:], ""], strict=True):
            if "Scan using" in line and "on deliveries" in line and "deliveries_later" not in line:
                assert "Index Cond" in after, f"{sql}\n{plan}"
