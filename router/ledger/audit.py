"""The audit log: who did what, when. It only grows, and goes with the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from router.ledger.people_shapes import AuditRow
from router.ledger.people_tables import audit

if TYPE_CHECKING:
    from router.identity import Deed, Identity
    from router.ledger.engine import Engine
    from router.ledger.people_shapes import AuditFilters


def note_deed(
    connection: sa.Connection,
    engine: Engine,
    who: Identity,
    what: Deed,
    about: str,
    detail: str,
    now: float,
) -> AuditRow:
    """Write down one deed; texts are cut to what a line can hold."""
    (number,) = engine.next_ids(connection, "audit", 1)
    texts = (_line(who.name, 80), who.role, who.way, who.address)
    row = (number, now, *texts, what, _line(about, 200), _line(detail, 300))
    engine.insert(connection, audit, [row])
    return AuditRow(*row)


def list_deeds(connection: sa.Connection, filters: AuditFilters) -> list[AuditRow]:
    """Deeds that meet the filters, newest first."""
    query = sa.select(audit).order_by(audit.c.id.desc()).limit(filters.limit)
    given = {audit.c.who: filters.who, audit.c.what: filters.what, audit.c.about: filters.about}
    for column, value in given.items():
        if value is not None:
            query = query.where(column == value)
    if filters.since is not None:
        query = query.where(audit.c.at >= filters.since)
    if filters.until is not None:
        query = query.where(audit.c.at < filters.until)
    if filters.before is not None:
        query = query.where(audit.c.id < filters.before)
    return [AuditRow(*row) for row in connection.execute(query)]


def _line(text: str, longest: int) -> str:
    return " ".join(text.replace("\0", "").split())[:longest]
