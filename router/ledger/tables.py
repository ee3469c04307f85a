"""The ledger's tables: one schema for SQLite and PostgreSQL. The migrations build it.

Times are epoch seconds. Texts that come from outside hold no NUL (PostgreSQL has no room for it).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

rulesets = sa.Table(
    "rulesets",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("loaded_at", sa.Double, nullable=False),
    sa.Column("files", sa.Text, nullable=False, comment="JSON: name -> text, secrets masked"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("received_at", sa.Double, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text),
    sa.Column("case_key", sa.Text),
    sa.Column("case_ref", sa.Text),
    sa.Column("words", sa.Text, comment="lower-case words a search finds the event by"),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="byte for byte as posted"),
    sa.Column("ruleset", sa.Text),
    sa.Column("matched", sa.Integer, nullable=False, comment="how many rules spoke"),
    sa.Column("rejected", sa.Text, comment="why it is no event"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("content", sa.Text, nullable=False, comment="JSON of the Message"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("event_id", Id, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("case_key", sa.Text),
    sa.Column("ruleset", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, comment="why it waits, failed, or was not sent"),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("due_at", sa.Double, nullable=False, comment="while claimed: the end of the lease"),
    sa.Column("ended_at", sa.Double),
    sa.Column("attempt", sa.Integer, nullable=False, comment="how many were begun"),
    sa.Column("owner", sa.Integer, comment="the slot of the process that has it in hand"),
    sa.Column("unsure", sa.Integer, nullable=False, comment="last attempt that may have arrived"),
    sa.Column("message_id", Id),
    sa.Column("copy", Id, nullable=False, comment="0, or its own id for a resend or fallback"),
    sa.Column("resend_of", Id),
    sa.Column("fallback_of", Id),
    sa.Index("deliveries_once", "event_id", "rule", "channel", "copy", unique=True),
    sa.Index(
        "deliveries_due",
        "channel",
        "due_at",
        "id",
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    ),
    sa.Index(
        "deliveries_case",
        "case_key",
        "channel",
        "id",
        sqlite_where=sa.text("state = 'pending' AND case_key IS NOT NULL"),
        postgresql_where=sa.text("state = 'pending' AND case_key IS NOT NULL"),
    ),
    sa.Index(
        "deliveries_failed",
        "id",
        sqlite_where=sa.text("state = 'failed'"),
        postgresql_where=sa.text("state = 'failed'"),
    ),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("elapsed", sa.Double),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("captured", sa.Text, comment="JSON: what would have been sent, in capture mode"),
)

threads = sa.Table(
    "threads",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("case_key", sa.Text, primary_key=True),
    sa.Column("reference", sa.Text, nullable=False, comment="the far end's name for the thread"),
)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)


def delivery_row(
    delivery_id: int,
    event_id: int,
    rule: str,
    channel: str,
    case_key: str | None,
    ruleset: str,
    now: float,
    *,
    lease: float | None = None,
    slot: int | None = None,
    message_id: int | None = None,
    resend_of: int | None = None,
    fallback_of: int | None = None,
) -> tuple[Any, ...]:
    """Return a new pending delivery in the order of the table's columns.

    It is due now, or, with `lease` and `slot`, already claimed for its first attempt.
    """
    claimed = slot is not None
    original = resend_of is None and fallback_of is None
    return (
        delivery_id,
        event_id,
        rule,
        channel,
        case_key,
        ruleset,
        "pending",
        None,
        now,
        lease if claimed else now,
        None,
        1 if claimed else 0,
        slot,
        0,
        message_id,
        0 if original else delivery_id,
        resend_of,
        fallback_of,
    )
