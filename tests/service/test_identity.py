"""The ledger's identity: a database that is deleted, replaced, restored or emptied is noticed."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from chaos.postgres import Server
from chaos.proxy import Proxy
from databases import fresh_database
from far_end import HttpFarEnd, wait_until
from running import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RULES = """version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels: {{ c: {{ webhook: {{ url: "{url}/c" }} }} }}
rules: [{{ name: all, when: always, notify: c }}]
"""


@pytest.fixture
def far_end() -> Iterator[HttpFarEnd]:
    with HttpFarEnd() as made:
        yield made


def events_in(path: Path) -> set[int]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT id FROM events").fetchall()
    connection.close()
    return {row[0] for row in rows}


def backup(path: Path, to: Path) -> None:
    source, target = sqlite3.connect(path), sqlite3.connect(to)
    source.backup(target)
    source.close()
    target.close()


def post(running: Running, case: int) -> int:
    status, answer = running.post({"trigger": "case_created", "case_id": case})
    assert status == 202, answer
    return int(answer["event"])


def ids_of(far_end: HttpFarEnd) -> list[str]:
    return [posted.headers["webhook-id"] for posted in far_end.posted]


@pytest.mark.parametrize("deed", ["deleted", "replaced"])
def test_nothing_is_acknowledged_into_a_file_that_is_gone(
    deed: str, tmp_path: Path, router: Callable[..., Running], far_end: HttpFarEnd
) -> None:
    running = router(RULES.format(url=far_end.url))
    database = tmp_path / "router.db"
    known = {post(running, case) for case in range(5)}
    process = running.process
    assert process is not None
    if deed == "deleted":
        database.unlink()
    else:
        other = tmp_path / "other.db"
        sqlite3.connect(other).close()
        other.rename(database)
    for case in range(25):
        status, answer = running.post({"trigger": "case_created", "case_id": 100 + case})
        if status == 202:
            known.add(answer["event"])
        elif status == 0:
            break
    assert process.wait(timeout=40) == 70
    (saved,) = tmp_path.glob("router.db.saved-*")
    assert known <= events_in(saved)
    assert saved.stat().st_mode & 0o777 == 0o600
    log = running.log.read_text()
    assert "was deleted or replaced while the router used it" in log
    assert saved.name in log


def test_what_was_saved_goes_on(
    tmp_path: Path, router: Callable[..., Running], far_end: HttpFarEnd
) -> None:
    running = router(RULES.format(url=far_end.url))
    database = tmp_path / "router.db"
    post(running, 1)
    database.unlink()
    assert running.process is not None
    assert running.process.wait(timeout=40) == 70
    (saved,) = tmp_path.glob("router.db.saved-*")
    saved.rename(database)
    for rest in ("-wal", "-shm"):
        (tmp_path / f"router.db{rest}").unlink(missing_ok=True)
    running.start()
    assert post(running, 2) > 1
    wait_until(lambda: len(set(ids_of(far_end))) == 2)


def test_a_restored_backup_is_noticed_and_no_id_is_given_out_again(
    tmp_path: Path, router: Callable[..., Running], far_end: HttpFarEnd
) -> None:
    running = router(RULES.format(url=far_end.url))
    database, copy = tmp_path / "router.db", tmp_path / "copy.db"
    post(running, 1)
    wait_until(lambda: len(running.deliveries("state=sent")) == 1)
    backup(database, copy)
    lost = {post(running, case) for case in range(2, 6)}
    wait_until(lambda: len(far_end.posted) == 5)
    assert running.stop() == 0
    shutil.copyfile(copy, database)  # over the file in its place
    running.start()
    fresh = {post(running, case) for case in range(6, 10)}
    wait_until(lambda: len(far_end.posted) == 9)
    assert not fresh & lost
    assert len(set(ids_of(far_end))) == 9
    assert "an older state of itself" in running.log.read_text()
    deeds = running.get("/api/audit")[1]["items"]
    assert [deed["what"] for deed in deeds] == ["database noticed"]


def test_what_a_restored_backup_holds_as_due_is_marked(
    tmp_path: Path, router: Callable[..., Running], far_end: HttpFarEnd
) -> None:
    running = router(RULES.format(url=far_end.url))
    database, copy = tmp_path / "router.db", tmp_path / "copy.db"
    paused = RULES.format(url=far_end.url).replace('/c" }', '/c" }, paused: true')
    running.rules.write_text(paused)
    wait_until(lambda: running.get("/api/channels")[1]["items"][0]["paused"])
    post(running, 1)
    backup(database, copy)
    running.rules.write_text(RULES.format(url=far_end.url))
    wait_until(lambda: len(far_end.posted) == 1)
    post(running, 2)
    assert running.stop() == 0
    copy.rename(database)
    running.start()
    wait_until(lambda: len(far_end.posted) >= 3)
    again = [p for p in far_end.posted if p.headers["webhook-id"] == ids_of(far_end)[0]]
    assert len(again) == 2
    assert b"repeat" in again[1].body


def test_an_empty_database_in_the_old_one_s_place_is_noticed(
    tmp_path: Path, router: Callable[..., Running], far_end: HttpFarEnd
) -> None:
    running = router(RULES.format(url=far_end.url))
    old = post(running, 1)
    assert running.stop() == 0
    for file in tmp_path.glob("router.db*"):
        if not file.name.endswith("-mark"):
            file.unlink()
    running.start()
    assert post(running, 2) > old
    assert "another one was here before" in running.log.read_text()


def test_a_known_database_is_nothing_to_tell(
    router: Callable[..., Running], far_end: HttpFarEnd
) -> None:
    running = router(RULES.format(url=far_end.url))
    first = post(running, 1)
    for _ in range(2):
        running.kill()
        running.start()
    assert post(running, 2) == first + 1
    assert "database_noticed" not in running.log.read_text()


def test_a_database_that_must_be_there_is_not_made(
    tmp_path: Path, router: Callable[..., Running], far_end: HttpFarEnd
) -> None:
    running = Running(
        tmp_path, RULES.format(url=far_end.url), {"ROUTER_DATABASE_EXPECT": "existing"}
    )
    with pytest.raises(AssertionError, match="bring it back"):
        running.start()
    assert not (tmp_path / "router.db").exists()
    del running.environment["ROUTER_DATABASE_EXPECT"]
    running.start()
    running.stop()
    running.environment["ROUTER_DATABASE_EXPECT"] = "existing"
    running.start()
    running.stop()
    running.environment["ROUTER_DATABASE_EXPECT"] = "maybe"
    with pytest.raises(AssertionError, match="ROUTER_DATABASE_EXPECT"):
        running.start()
    assert router is not None


@pytest.fixture
def on_postgres(
    postgres: str, router: Callable[..., Running], far_end: HttpFarEnd
) -> tuple[Running, str]:
    url = fresh_database(postgres)
    return router(RULES.format(url=far_end.url), ROUTER_DATABASE_URL=url), url


def _execute(url: str, *statements: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(["UPDATE meta SET value = 'another' WHERE key = 'uid'"], id="replaced"),
        pytest.param(
            ["ALTER TABLE events RENAME TO old", "CREATE TABLE events (LIKE old INCLUDING ALL)"],
            id="made anew",
        ),
        pytest.param(
            ["DROP TABLE meta CASCADE", "DROP TABLE deliveries CASCADE"], id="emptied"
        ),
    ],
)  # fmt: skip
def test_a_database_that_is_changed_under_a_running_process_ends_it(
    on_postgres: tuple[Running, str], statements: list[str]
) -> None:
    running, url = on_postgres
    post(running, 1)
    _execute(url, *statements)
    assert running.process is not None
    assert running.process.wait(timeout=60) == 70
    assert '"gave_up"' in running.log.read_text()


def test_a_postgresql_that_is_restored_under_a_running_process_ends_it(
    on_postgres: tuple[Running, str],
) -> None:
    running, url = on_postgres
    process = running.process
    assert process is not None
    for number in range(10):
        for case in range(3):
            post(running, 3 * number + case)
        time.sleep(6)  # every five seconds it sees how far it is; on a busy machine, later
        _execute(url, "SELECT setval('deliveries_ids', 1)")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
            break
        _execute(url, "SELECT setval('deliveries_ids', (SELECT max(id) FROM deliveries))")
    assert process.returncode == 70
    assert "an older state of itself" in running.log.read_text()


def test_a_postgresql_whose_tables_were_made_anew_is_noticed_at_the_start(
    on_postgres: tuple[Running, str],
) -> None:
    running, url = on_postgres
    old = post(running, 1)
    running.stop()
    _execute(url, "UPDATE meta SET value = '1-2-00000001' WHERE key = 'place'")
    running.start()
    assert post(running, 2) > old + 1000
    assert "an older state of itself" in running.log.read_text()


@pytest.fixture
def with_standby() -> Iterator[tuple[Server, Server, Proxy]]:
    """A primary with an empty database, a standby, and the proxy that it follows through."""
    with tempfile.TemporaryDirectory(prefix="router-standby-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        primary, standby = Server(folder / "primary"), Server(folder / "standby")
        try:
            primary.create()
            primary.database("router")
            with Proxy(("127.0.0.1", primary.port)) as replication:
                standby.create_standby("127.0.0.1", replication.port)
                yield primary, standby, replication
        finally:
            primary.stop()
            standby.stop()


def test_nothing_is_acknowledged_into_a_standby_that_took_over_until_ids_are_jumped_over(
    with_standby: tuple[Server, Server, Proxy],
    router: Callable[..., Running],
    far_end: HttpFarEnd,
) -> None:
    primary, standby, replication = with_standby
    with Proxy(("127.0.0.1", primary.port)) as proxy:
        url = primary.url("router", port=proxy.port)
        running = router(RULES.format(url=far_end.url), ROUTER_DATABASE_URL=url)
        known = {post(running, case) for case in range(3)}
        wait_until(lambda: _count(standby, "events") == len(known))
        replication.freeze()
        known |= {post(running, 10 + case) for case in range(3)}  # these will be lost
        primary.stop(signal.SIGKILL)
        standby.promote()
        proxy.target = ("127.0.0.1", standby.port)
        proxy.break_off()
        process = running.process
        assert process is not None
        while process.poll() is None:
            status, _ = running.post({"trigger": "case_created", "case_id": 20})
            assert status != 202, "acknowledged under an id that may have been given out"
        assert process.wait() == 70
        assert "another server of the database answers now" in running.log.read_text()
        running.start()
        assert post(running, 30) > max(known) + 1000
        assert "a standby took over" in running.log.read_text()
        assert _count(standby, "events") == 4, "three were lost, and nobody was told otherwise"
        running.stop()


def _count(server: Server, table: str) -> int:
    with server.connect("router") as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(str(row[0])) if row else 0


def checkpoint(path: Path) -> None:
    """Have all that was written in the file itself, and nothing in its log."""
    with sqlite3.connect(path, timeout=20) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def is_whole(path: Path) -> bool:
    with sqlite3.connect(path) as connection:
        found: str = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    return found == "ok"


def ends_with_70(running: Running) -> None:
    assert running.process is not None
    for case in range(100):
        if running.post({"trigger": "case_created", "case_id": 700 + case})[0] == 0:
            break
    assert running.process.wait(timeout=60) == 70


def test_a_database_put_in_the_place_of_another_is_not_spoiled_by_what_that_one_left(
    tmp_path: Path, router: Callable[..., Running], far_end: HttpFarEnd
) -> None:
    """The old one's log beside the new one: SQLite would play it into that."""
    running = router(RULES.format(url=far_end.url))
    database, copy = tmp_path / "router.db", tmp_path / "copy.db"
    for case in range(3):
        post(running, case)
    backup(database, copy)
    known = {post(running, case) for case in range(3, 60)}
    checkpoint(database)
    known.add(post(running, 60))
    moved = tmp_path / "moved.db"
    database.rename(moved)
    copy.rename(database)
    ends_with_70(running)
    (saved,) = tmp_path.glob("router.db.saved-*")
    assert known <= events_in(saved)
    assert is_whole(database)
    assert is_whole(moved)
    assert known <= events_in(moved)  # without its log, too
    running.start()
    assert f"what the one before held is saved as {saved}" in running.log.read_text()
    post(running, 99)
    assert running.stop() == 0
    assert is_whole(database)
    done = running.command("doctor", "--no-network")
    assert str(saved) in done.stdout


def test_no_id_is_given_out_again_in_a_database_that_was_written_over(
    tmp_path: Path, router: Callable[..., Running], far_end: HttpFarEnd
) -> None:
    running = router(RULES.format(url=far_end.url))
    database, copy = tmp_path / "router.db", tmp_path / "copy.db"
    known = {post(running, case) for case in range(3)}
    backup(database, copy)
    known |= {post(running, case) for case in range(3, 40)}
    mark = database.with_name("router.db-mark")
    wait_until(lambda: f'"events":{max(known)}' in mark.read_text())
    checkpoint(database)
    database.write_bytes(copy.read_bytes())
    process = running.process
    assert process is not None
    for case in range(100):
        status, answer = running.post({"trigger": "case_created", "case_id": 100 + case})
        if status == 202:
            assert answer["event"] not in known
        elif status == 0:
            break
    assert process.wait(timeout=60) == 70


def test_an_emptied_file_ends_the_process(
    tmp_path: Path, router: Callable[..., Running], far_end: HttpFarEnd
) -> None:
    running = router(RULES.format(url=far_end.url))
    database = tmp_path / "router.db"
    for case in range(20):
        post(running, case)
    checkpoint(database)
    database.write_bytes(b"")
    ends_with_70(running)
    assert "was emptied while the router used it" in running.log.read_text()


def test_a_database_that_only_a_failed_start_has_made_is_none_that_must_be_there(
    tmp_path: Path, router: Callable[..., Running], far_end: HttpFarEnd
) -> None:
    running = router(RULES.format(url=far_end.url))
    running.stop()
    for left in tmp_path.glob("router.db*"):
        left.unlink()
    sound = running.rules.read_text()
    running.rules.write_text("rules: [")
    assert running.command("serve").returncode == 1
    running.rules.write_text(sound)
    running.environment["ROUTER_DATABASE_EXPECT"] = "existing"
    done = running.command("serve")
    assert done.returncode == 1
    assert "ROUTER_DATABASE_EXPECT=existing" in done.stderr
