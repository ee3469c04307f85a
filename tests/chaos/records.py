"""What the ledger holds, read from outside with SQL of the checker's own, on either engine."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg

from chaos.history import DeliveryRow, EventRow

if TYPE_CHECKING:
    from collections.abc import Sequence

Unreachable = (psycopg.Error, sqlite3.Error)

_READY = (
    "FROM deliveries AS d LEFT JOIN lanes AS l ON l.channel = d.channel"
    " WHERE d.state = 'pending' AND d.turn = 2 AND (d.owner IS NOT NULL OR d.due_at <= {now})"
    " AND coalesce(l.rests_until, 0) <= {now} AND coalesce(l.failures, 0) < 3"
    " AND l.paused_at IS NULL"
)
_NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch FROM clock_timestamp())",
}
_WAITED = (
    "CASE WHEN d.state = 'pending' AND d.moment <= {now}"
    " AND NOT (d.digest IS NOT NULL AND d.due_at > {now}) THEN {now} - d.moment END"
)


class Records:
    """A connection to the ledger of a run; made anew by each call that finds it broken."""

    def __init__(self, url: str) -> None:
        self._engine = "sqlite" if url.startswith("sqlite") else "postgresql"
        self._url = url
        self._connection: Any = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def due(self) -> dict[str, int]:
        """How much could go at this moment, by channel."""
        sql = f"SELECT d.channel, count(*) {_READY} GROUP BY d.channel"
        return dict(self._rows(sql))

    def last_event(self) -> int:
        return int(self._rows("SELECT coalesce(max(id), 0) FROM events")[0][0])

    def waiting(self, until: int | None = None) -> int:
        """How many deliveries are pending and due within ten seconds.

        With `until`: how many of events up to that one are due now.
        """
        most = (
            " AND d.moment <= {now} + 10"
            if until is None
            else f" AND d.event_id <= {until} AND d.moment <= {{now}}"
        )
        sql = f"SELECT count(*) FROM deliveries AS d WHERE d.state = 'pending'{most}"
        return int(self._rows(sql)[0][0])

    def events(self) -> tuple[EventRow, ...]:
        rows = self._rows("SELECT id, body FROM events ORDER BY id")
        return tuple(EventRow(id_, _number(bytes(body))) for id_, body in rows)

    def deliveries(self) -> tuple[DeliveryRow, ...]:
        sql = (
            "SELECT d.id, d.event_id, d.rule, d.channel, d.state, coalesce(d.reason, ''),"
            f" d.copy <> 0, {_WAITED} FROM deliveries AS d ORDER BY d.id"
        )
        rows = []
        for *head, copy, waited in self._rows(sql):
            row = DeliveryRow(*head)
            row = msgspec.structs.replace(row, copy=bool(copy))
            rows.append(
                row if waited is None else msgspec.structs.replace(row, waited=float(waited))
            )
        return tuple(rows)

    def _rows(self, sql: str) -> Sequence[Any]:
        sql = sql.replace("{now}", _NOW[self._engine])
        try:
            if self._connection is None:
                self._connection = self._connect()
            rows: Sequence[Any] = self._connection.execute(sql).fetchall()
            if self._engine == "sqlite":
                self.close()  # one that stays open reads on in the log of a file that was put back
        except Unreachable:
            self.close()
            raise
        return rows

    def _connect(self) -> Any:
        if self._engine == "sqlite":
            path = self._url.removeprefix("sqlite:///")
            return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2.0)
        return psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=2,
            options="-c statement_timeout=2000 -c default_transaction_read_only=on",
        )


def _number(body: bytes) -> int:
    try:
        return int(json.loads(body)["case_version"])
    except (ValueError, KeyError, TypeError):
        return -1
