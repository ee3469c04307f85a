"""Nobody waits for ever: silent servers, locked tables, frozen processes, pools used up."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa

from databases import fresh_database
from far_end import wait_until
from hands import Hands, locked
from router.event import Event, decode
from router.ledger import Draft, Filters, Ledger, LedgerUnavailable, Process, open_ledger, pools
from router.ledger.diagnosis import diagnose
from router.ledger.engine import Engine, open_engine
from router.ledger.migrate import migrate
from router.ledger.turns import lock_cases
from router.secret import Secret
from router.timing import Planned
from silent_proxy import SilentProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = 60.0
"""Far beyond what anything here takes; a wait without a bound would be longer still."""


@pytest.fixture
def url(postgres: str) -> str:
    return fresh_database(postgres)


@pytest.fixture
def started() -> Iterator[Callable[[str], Ledger]]:
    """Opens a ledger on an address and starts it; closed in the end."""
    ledgers: list[Ledger] = []

    def start(address: str) -> Ledger:
        made = open_ledger(Secret(address), time.time)
        ledgers.append(made)
        made.start(Hands())
        return made

    yield start
    for ledger in reversed(ledgers):
        ledger.close()


@pytest.fixture
def proxy(url: str) -> Iterator[SilentProxy]:
    with SilentProxy(url) as made:
        yield made
        made.talk()


BODY = b'{"trigger": "case_created", "case_id": 1}'
EVENT = Event(0, "s", 1.0, BODY, decode(BODY))
CASE = EVENT.case_key


def accept(ledger: Ledger) -> int:
    draft = Draft(EVENT, "h", 1, (Planned("r", "c"),))

    async def wait() -> int:
        return (await ledger.accept(draft)).event

    return asyncio.run(wait())


def seconds_until_refused(ledger: Ledger) -> float:
    began = time.monotonic()
    with pytest.raises(LedgerUnavailable):
        accept(ledger)
    return time.monotonic() - began


def test_a_server_that_falls_silent_lets_nobody_wait_for_ever(
    proxy: SilentProxy, started: Callable[[str], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("READING", "PAGES", "HISTORY"):
        short = getattr(pools, name)._replace(statement=0.5, connection=1.0)
        monkeypatch.setattr(pools, name, short)
    ledger = started(proxy.url)
    accept(ledger)
    ledger.due(1.0)
    ledger.events(Filters())
    proxy.silence()
    assert seconds_until_refused(ledger) < LONG
    for ask in (lambda: ledger.due(1.0), lambda: ledger.events(Filters()), ledger.take_over):
        with pytest.raises(LedgerUnavailable, match=r"does not answer|timeout"):
            ask()
    proxy.talk()
    wait_until(lambda: accepts(ledger))
    assert ledger.due(1.0).newest > 0
    assert ledger.events(Filters())
    wait_until(lambda: takes_over(ledger) and ledger.hold == "held")


def accepts(ledger: Ledger) -> bool:
    try:
        accept(ledger)
    except LedgerUnavailable:
        return False
    return True


def takes_over(ledger: Ledger) -> bool:
    try:
        ledger.take_over()
    except LedgerUnavailable:
        return False
    return True


@pytest.mark.parametrize("table", ["events", "deliveries", "meta"])
def test_a_locked_table_refuses_in_five_seconds(
    url: str, started: Callable[[str], Ledger], table: str
) -> None:
    ledger = started(url)
    accept(ledger)
    with psycopg.connect(url) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        if table == "meta":
            with pytest.raises(LedgerUnavailable, match="lock timeout"):
                ledger.check_writable()
        else:
            assert seconds_until_refused(ledger) < 5.0 + 2.0
        other.rollback()
    accept(ledger)
    ledger.check_writable()


def test_a_process_that_is_frozen_inside_its_transaction_frees_the_others(
    url: str, started: Callable[[str], Ledger]
) -> None:
    ledger = started(url)
    frozen = open_engine(Secret(url))
    connection = frozen.writing.connect()
    lock_cases(connection, frozen, {CASE})
    began = time.monotonic()
    wait_until(lambda: accepts(ledger))
    assert 2.0 < time.monotonic() - began < 5.0 + 2.0
    # It goes on, and hears that its transaction is over.
    with pytest.raises(sa.exc.DBAPIError, match="idle-in-transaction") as ended:
        connection.exec_driver_sql("SELECT 1")
    connection.close()
    assert diagnose(ended.value).kind == "unavailable"
    frozen.close()


def test_forty_viewers_of_a_locked_table_leave_the_service_its_connections(
    url: str, started: Callable[[str], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "PAGES", pools.PAGES._replace(connection=0.5, lock=3.0))
    ledger = started(url)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE mutes IN ACCESS EXCLUSIVE MODE")

        with ThreadPoolExecutor(40) as viewers:
            asked = [viewers.submit(ledger.desk.mutes) for _ in range(40)]
            wait_until(lambda: any(one.done() for one in asked))  # they wait for a connection
            assert any(not one.done() for one in asked)
            ledger.due(1.0)
            ledger.take_over()
            ledger.check_writable()
            assert any(not one.done() for one in asked), "the service waited for those who look"
    texts = {str(one.exception()) for one in asked}
    assert {type(one.exception()) for one in asked} == {LedgerUnavailable}
    assert "all connections to the database are in use" in texts
    assert any("lock timeout" in text for text in texts)
    assert ledger.desk.mutes() == []


def test_a_page_of_sqlite_is_read_for_so_long_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "PAGES", pools.PAGES._replace(statement=0.3))
    engine = open_engine(Secret(f"sqlite:///{tmp_path / 'router.db'}"))
    migrate(engine)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    for _ in range(2):  # and each has its time for itself
        with pytest.raises(LedgerUnavailable, match="ask for less"):
            engine.read(lambda c: c.exec_driver_sql(endless).scalar(), engine.pages)
        assert engine.read(lambda c: c.exec_driver_sql("SELECT 1").scalar(), engine.pages) == 1
    engine.close()


def test_a_page_of_postgresql_is_read_for_so_long_and_no_longer(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "PAGES", pools.PAGES._replace(statement=0.3))
    engine = open_engine(Secret(url))
    with pytest.raises(LedgerUnavailable, match="statement timeout"):
        engine.read(lambda c: c.exec_driver_sql("SELECT pg_sleep(60)").scalar(), engine.pages)
    assert engine.read(lambda c: c.exec_driver_sql("SELECT 1").scalar(), engine.pages) == 1
    engine.close()


def test_sessions_that_the_server_ended_while_idle_are_no_fault(
    url: str, started: Callable[[str], Ledger]
) -> None:
    ledger = started(url)
    accept(ledger)
    ledger.due(1.0)
    ledger.events(Filters())
    end_sessions(url)
    assert ledger.due(1.0).newest == 1
    assert len(ledger.events(Filters())) == 1
    wait_until(lambda: accepts(ledger))


def end_sessions(url: str) -> None:
    """As a restart of the server ends them."""
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("08006", "unavailable"),
        ("25006", "unavailable"),
        ("25P03", "unavailable"),
        ("40001", "conflict"),
        ("40P01", "conflict"),
        ("42P01", "unavailable"),
        ("53100", "unavailable"),
        ("53300", "unavailable"),
        ("55P03", "unavailable"),
        ("57014", "unavailable"),
        ("57P01", "unavailable"),
        ("58030", "unavailable"),
        ("22012", "fault"),
        ("23505", "fault"),
        ("42703", "fault"),
    ],
)
def test_what_postgresql_raises_is_to_wait_for_to_try_again_or_a_fault(
    postgres: str, state: str, kind: str
) -> None:
    engine = open_engine(Secret(postgres))
    sql = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = 'it says so'; END $$"
    with engine.writing.connect() as connection, pytest.raises(sa.exc.DBAPIError) as raised:
        connection.exec_driver_sql(sql)
    assert (diagnose(raised.value).kind, diagnose(raised.value).text) == (kind, "it says so")
    engine.close()


def test_what_sqlite_raises_is_to_wait_for_or_a_fault(tmp_path: Path) -> None:
    engine = open_engine(Secret(f"sqlite:///{tmp_path / 'router.db'}"))
    migrate(engine)

    def kind(sql: str) -> str:
        with engine.writing.connect() as connection:
            engine.wait_at_most(connection, 0.1)
            with pytest.raises(sa.exc.DBAPIError) as raised:
                connection.exec_driver_sql(sql)
        return diagnose(raised.value).kind

    assert kind("SELECT no_such_column FROM events") == "fault"
    assert kind("INSERT INTO meta (key, value) VALUES ('uid', 'again')") == "fault"
    assert kind("SELECT * FROM no_such_table") == "unavailable"
    with locked(tmp_path / "router.db"):
        assert kind("SELECT 1") == "unavailable"
    engine.close()


def test_what_is_no_matter_of_the_database_is_a_fault() -> None:
    assert diagnose(KeyError("x")).kind == "fault"
    assert diagnose(KeyError("x")).text == "KeyError: 'x'"


# --- slots ---


class Counted:
    """How many statements an engine ran, on any of its connections."""

    def __init__(self, engine: Engine) -> None:
        self.statements: list[str] = []
        for pool in (engine.writing, engine.reading, engine.pages, engine.history):
            sa.event.listen(pool, "before_cursor_execute", self._note)

    def _note(self, _c: object, _k: object, sql: str, *_rest: object) -> None:
        if sql != "BEGIN":  # a step of SQLite's own, which asks nobody
            self.statements.append(sql)


def test_slots_are_looked_at_by_one_statement_and_nothing_is_written(database_url: str) -> None:
    engine = open_engine(Secret(database_url))
    migrate(engine)
    ledger = Ledger(engine, time.time)
    ledger.start(Hands())
    assert ledger.take_over() == 0
    counted = Counted(engine)
    for _ in range(3):
        assert ledger.take_over() == 0
    assert len(counted.statements) == 3
    assert all("processes" in sql for sql in counted.statements)
    ledger.close()


def process(slot: int, began: float) -> Process:
    return Process(
        slot=slot, host="h", pid=1, role="all", version="1", started_at=began, ruleset="r"
    )


def test_a_process_that_came_and_went_between_two_looks_is_taken_over(database_url: str) -> None:
    living, short = Hands(), Hands(5)
    ledger = open_ledger(Secret(database_url), time.time)
    ledger.start(living)
    assert ledger.take_over() == 0
    other = open_ledger(Secret(database_url), time.time)
    other.start(short)
    other.desk.present(process(other.slot, 1.0))
    accept(other)
    assert len(short.held) == 1
    other.close()
    assert wait_until(ledger.take_over) == 1
    assert ledger.take_over() == 0
    ledger.close()


def test_what_a_dead_process_left_is_taken_over_at_the_first_look(database_url: str) -> None:
    dead = Hands(5)
    first, second = (open_ledger(Secret(database_url), time.time) for _ in range(2))
    second.start(Hands())
    first.start(dead)
    accept(first)
    first.close()
    assert wait_until(second.take_over) == 1
    second.close()


def test_a_slot_whose_session_broke_is_held_again(
    url: str, started: Callable[[str], Ledger]
) -> None:
    ledger = started(url)
    end_sessions(url)
    with pytest.raises(LedgerUnavailable):
        ledger.take_over()
    holds = [ledger.hold]
    assert ledger.take_over() == 0
    assert [*holds, ledger.hold] == ["contested", "held"]
    assert [one.slot for one in held_by(url)] == [ledger.slot]


def held_by(url: str) -> list[Any]:
    with psycopg.connect(url, row_factory=psycopg.rows.namedtuple_row) as other:
        return other.execute(
            "SELECT objid::int AS slot FROM pg_locks WHERE locktype = 'advisory'"
            " AND classid = 1635018352 AND granted"
        ).fetchall()


def test_a_process_knows_that_another_has_its_slot(
    url: str, started: Callable[[str], Ledger]
) -> None:
    ledger = started(url)
    end_sessions(url)
    other = started(url)
    assert other.slot == ledger.slot
    assert not takes_over(ledger)
    ledger.take_over()
    assert ledger.hold == "lost"
    other.close()
    ledger.take_over()
    assert ledger.hold == "lost", "what it had in hand was given to others"


def test_a_slot_that_the_server_still_holds_for_the_old_session_is_waited_for(
    url: str, proxy: SilentProxy, started: Callable[[str], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.ledger.slots.SESSION_WAIT", 0.5)
    ledger = started(proxy.url)
    proxy.silence(new_ones_too=False)
    assert not takes_over(ledger)
    assert takes_over(ledger)
    assert ledger.hold == "contested"
    end_sessions(url)
    wait_until(lambda: takes_over(ledger) and ledger.hold == "held")
