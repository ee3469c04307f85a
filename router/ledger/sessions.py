"""Sessions, tokens and tries: who is let in, and how often somebody may be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from router.ledger.people_shapes import Session, Token
from router.ledger.people_tables import audit, sessions, tokens, tries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.identity import Role
    from router.ledger.engine import Engine

SEEN = 60.0
"""Seconds within which a use is not written down again."""
KEPT = 365 * 86400.0
"""Seconds that a revoked or expired token still stands in the list."""


def begin_session(
    connection: sa.Connection, key: str, name: str, role: Role, seal: str, now: float
) -> None:
    """Write down a session under the hash of its cookie."""
    values = {"key": key, "name": name, "role": role, "seal": seal}
    connection.execute(sessions.insert().values(**values, begun_at=now, seen_at=now))


def find_session(connection: sa.Connection, key: str) -> Session | None:
    row = connection.execute(sa.select(sessions).where(sessions.c.key == key)).first()
    return None if row is None else Session(*row[1:])


def see_session(connection: sa.Connection, key: str, now: float) -> None:
    """Note that a session is used."""
    connection.execute(sessions.update().where(sessions.c.key == key).values(seen_at=now))


def end_session(connection: sa.Connection, key: str) -> bool:
    return connection.execute(sessions.delete().where(sessions.c.key == key)).rowcount > 0


def add_token(
    connection: sa.Connection,
    engine: Engine,
    name: str,
    role: Role,
    key: str,
    *,
    author: str,
    until: float | None,
    now: float,
) -> Token | None:
    """Write down a token by its hash; None if one of that name holds."""
    if connection.execute(_holding(now).where(tokens.c.name == name)).first() is not None:
        return None
    (number,) = engine.next_ids(connection, "tokens", 1)
    engine.insert(connection, tokens, [(number, name, role, key, author, now, until, None, None)])
    return Token(number, name, role, author, now, until, None)


def find_token(connection: sa.Connection, key: str, now: float) -> Token | None:
    """The token with that hash, if it holds."""
    row = connection.execute(_holding(now).where(tokens.c.key == key)).first()
    return None if row is None else _token(row)


def use_token(connection: sa.Connection, number: int, now: float) -> None:
    """Note that a token is used."""
    connection.execute(tokens.update().where(tokens.c.id == number).values(used_at=now))


def list_tokens(connection: sa.Connection, now: float, *, ended: bool) -> list[Token]:
    """The tokens that hold, or with `ended` all that are known, newest first."""
    query = sa.select(tokens) if ended else _holding(now)
    return [_token(row) for row in connection.execute(query.order_by(tokens.c.id.desc()))]


def revoke_token(connection: sa.Connection, name: str, now: float) -> Token | None:
    """End the token of that name; None if none holds."""
    row = connection.execute(_holding(now).where(tokens.c.name == name)).first()
    if row is None:
        return None
    connection.execute(tokens.update().where(tokens.c.id == row.id).values(revoked_at=now))
    return _token(row)


def charge(
    connection: sa.Connection, engine: Engine, key: str, every: float, many: int, now: float
) -> float | None:
    """Count a try before it is made: None if it may be, else the seconds to wait.

    Of one key `many` may follow each other at once, and one more every `every` seconds.
    """
    query = sa.select(tries.c.until).where(tries.c.key == key).with_for_update()
    until, wait = count_try(connection.execute(query).scalar(), every, many, now)
    if wait is None:
        kept = "ON CONFLICT (key) DO UPDATE SET until = excluded.until"
        engine.insert(connection, tries, [(key, until)], kept)
    return wait


def count_try(
    known: float | None, every: float, many: int, now: float
) -> tuple[float, float | None]:
    """Count one more try at `now`; all times are epoch seconds.

    `known` is until when those before count, None if there were none. Returns until when they
    count together and None; or, if there were too many, `known` and the seconds to wait.
    """
    # What lies further ahead than all tries together was written by a clock that was set back.
    until = min(max(known or now, now), now + every * many)
    wait = until + every - now - every * many
    return (until, wait) if wait > 0 else (until + every, None)


def forgive(connection: sa.Connection, keys: Sequence[str]) -> None:
    """Forget the tries under these keys: one was right."""
    connection.execute(tries.delete().where(tries.c.key.in_(keys)))


def forget_people(
    connection: sa.Connection, now: float, *, begun_before: float, idle_before: float, deeds: float
) -> None:
    """Take away sessions and tries that are over, tokens that ended long ago, and old deeds."""
    over = (sessions.c.begun_at < begun_before) | (sessions.c.seen_at < idle_before)
    connection.execute(sessions.delete().where(over))
    connection.execute(tries.delete().where(tries.c.until < now))
    ended = (tokens.c.revoked_at < now - KEPT) | (tokens.c.until < now - KEPT)
    connection.execute(tokens.delete().where(ended))
    connection.execute(audit.delete().where(audit.c.at < deeds))


def _holding(now: float) -> sa.Select[tuple[object, ...]]:
    return sa.select(tokens).where(
        tokens.c.revoked_at.is_(None), (tokens.c.until > now) | tokens.c.until.is_(None)
    )


def _token(row: sa.Row[tuple[object, ...]]) -> Token:
    head = (row.id, row.name, row.role, row.author, row.created_at)
    return Token(*head, row.until, row.used_at, row.revoked_at)
