"""Connections to PostgreSQL on which nobody waits for ever, neither we nor the server.

Imported only where the database is a PostgreSQL.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg.abc import PQGen

CONNECT_TIMEOUT = 5
"""Seconds to wait for each address of the server when a connection is opened."""
KEEPALIVE = {"keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 3}
"""Of our side: a server that is cut off is noticed in 5 s, also by a connection that is idle."""
USER_TIMEOUT_MS = 5_000
"""Milliseconds in which the other side must acknowledge what was sent to it."""
SERVER = {
    "tcp_keepalives_idle": "4",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": str(USER_TIMEOUT_MS),
}
"""Of the server's side: it notices in 10 s that a process is cut off, and frees its slot."""
LAST_WORD = 0.5
"""Seconds for what still has to be said when the time is over: to roll back."""
SILENT = "the database took the statement and does not answer"


class NoAnswer(psycopg.OperationalError):
    """The server said nothing for as long as the connection waits. The connection is closed."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that waits `patience` seconds at most for all of one transaction.

    Neither TCP nor a server's own limits help against a server, or a proxy in front of it, that
    is frozen: it acknowledges what we send. So the wait itself ends here. What the statement did
    is not known then, and the connection is closed: nothing more can be read from it.
    """

    patience: float | None = None
    _end: float | None = None  # of the transaction that has begun

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for the server, until the time of the transaction is over."""
        if self.patience is not None:
            now = monotonic()
            if self._end is None:
                self._end = now + self.patience
            timeout = max(LAST_WORD, self._end - now)
        try:
            answer = super().wait(gen, interval=interval, timeout=timeout)
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.pgconn.finish()
            raise NoAnswer(SILENT) from error
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            self._end = None
        return answer


def connect(
    settings: Mapping[str, str], patience: float, arguments: Mapping[str, Any]
) -> BoundedConnection:
    """Open a connection with its limits, and `settings` for the server's side of it.

    They are set by a statement: a proxy that shares sessions (pgbouncer) refuses them as options
    of the first packet. What the address of the database says itself comes first.
    """
    usual = {"connect_timeout": CONNECT_TIMEOUT, "tcp_user_timeout": USER_TIMEOUT_MS, **KEEPALIVE}
    connection = BoundedConnection.connect(**{**usual, **arguments}, autocommit=True)
    try:
        connection.patience = patience
        sets = {**SERVER, **settings}
        connection.execute("; ".join(f"SET {name} = '{value}'" for name, value in sets.items()))
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection
