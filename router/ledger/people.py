"""Those who look and act, behind a door of their own: sessions, tokens, tries, the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import sqlalchemy as sa

from router.ledger import sessions
from router.ledger.audit import list_deeds, note_deed
from router.ledger.tables import meta

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.identity import Deed, Identity, Role
    from router.ledger.engine import Engine
    from router.ledger.people_shapes import AuditFilters, AuditRow, Session, Token

T = TypeVar("T")


class _Run(Protocol):
    def __call__(self, function: Callable[[sa.Connection], T]) -> T: ...


class People:
    """`ledger.people`: reads at once, writes in the ledger's writer.

    Whatever is secret (a session's cookie, a token) comes here as its hash.
    """

    def __init__(self, engine: Engine, now: Callable[[], float], call: _Run, read: _Run) -> None:
        self._engine = engine
        self._now = now
        self._call = call
        self._read = read

    # --- the audit log ---

    def audit(self, who: Identity, what: Deed, about: str = "", detail: str = "") -> AuditRow:
        """Write down who did what. No secret may stand in it."""
        return self._call(
            lambda c: note_deed(c, self._engine, who, what, about, detail, self._now())
        )

    def deeds(self, filters: AuditFilters) -> list[AuditRow]:
        return self._read(lambda c: list_deeds(c, filters))

    # --- sessions ---

    def begin_session(self, key: str, name: str, role: Role, seal: str) -> None:
        now = self._now()
        self._call(lambda c: sessions.begin_session(c, key, name, role, seal, now))

    def session(self, key: str) -> Session | None:
        return self._read(lambda c: sessions.find_session(c, key))

    def see_session(self, key: str) -> None:
        self._call(lambda c: sessions.see_session(c, key, self._now()))

    def end_session(self, key: str) -> bool:
        """End a session; answers whether there was one."""
        return self._call(lambda c: sessions.end_session(c, key))

    # --- tokens ---

    def add_token(
        self, name: str, role: Role, key: str, *, author: str, until: float | None
    ) -> Token | None:
        """Write down a token; None if one of that name holds."""
        now = self._now()
        return self._call(
            lambda c: sessions.add_token(
                c, self._engine, name, role, key, author=author, until=until, now=now
            )
        )

    def token(self, key: str) -> Token | None:
        """The token with that hash, if it holds."""
        return self._read(lambda c: sessions.find_token(c, key, self._now()))

    def use_token(self, number: int) -> None:
        self._call(lambda c: sessions.use_token(c, number, self._now()))

    def tokens(self, *, ended: bool = False) -> list[Token]:
        return self._read(lambda c: sessions.list_tokens(c, self._now(), ended=ended))

    def revoke_token(self, name: str) -> Token | None:
        return self._call(lambda c: sessions.revoke_token(c, name, self._now()))

    # --- tries ---

    def charge(self, key: str, *, every: float, many: int) -> float | None:
        """Count a try before it is made: None if it may be, else the seconds to wait."""
        now = self._now()
        return self._call(lambda c: sessions.charge(c, self._engine, key, every, many, now))

    def forgive(self, *keys: str) -> None:
        """Forget the tries under these keys: one was right."""
        self._call(lambda c: sessions.forgive(c, keys))

    # --- what is kept of passwords ---

    def kept(self, key: str) -> str | None:
        """A text that was kept for all processes and starts."""
        query = sa.select(meta.c.value).where(meta.c.key == key)
        return self._read(lambda c: c.execute(query).scalar())

    def keep(self, key: str, value: str) -> None:
        def write(connection: sa.Connection) -> Any:
            kept = "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            self._engine.insert(connection, meta, [(key, value)], kept)

        self._call(write)

    def forget(self, *, begun_before: float, idle_before: float, deeds_before: float) -> None:
        """Take away sessions and tries that are over, and deeds older than they are kept."""
        now = self._now()
        self._call(
            lambda c: sessions.forget_people(
                c, now, begun_before=begun_before, idle_before=idle_before, deeds=deeds_before
            )
        )
