"""The first schema: events, rulesets, deliveries, attempts, messages, threads."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PENDING = sa.text("state = 'pending'")
PENDING_OF_CASE = sa.text("state = 'pending' AND case_key IS NOT NULL")
FAILED = sa.text("state = 'failed'")
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    meta = op.create_table(
        "meta",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    values = {"uid": secrets.token_hex(6), "checked_at": "0"}
    op.bulk_insert(meta, [{"key": key, "value": value} for key, value in values.items()])
    op.create_table(
        "rulesets",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("loaded_at", sa.Double, nullable=False),
        sa.Column("files", sa.Text, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("trigger", sa.Text),
        sa.Column("case_key", sa.Text),
        sa.Column("case_ref", sa.Text),
        sa.Column("words", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("ruleset", sa.Text),
        sa.Column("matched", sa.Integer, nullable=False),
        sa.Column("rejected", sa.Text),
    )
    op.create_table(
        "messages",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    _deliveries()
    op.create_table(
        "attempts",
        sa.Column("delivery_id", Id, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("elapsed", sa.Double),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("captured", sa.Text),
    )
    op.create_table(
        "threads",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("case_key", sa.Text, primary_key=True),
        sa.Column("reference", sa.Text, nullable=False),
    )
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    names = ("events", "deliveries", "messages")
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in names])
    if op.get_bind().dialect.name == "postgresql":
        for name in names:
            op.execute(f"CREATE SEQUENCE {name}_ids CACHE 1")


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("event_id", Id, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("case_key", sa.Text),
        sa.Column("ruleset", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("owner", sa.Integer),
        sa.Column("unsure", sa.Integer, nullable=False),
        sa.Column("message_id", Id),
        sa.Column("copy", Id, nullable=False),
        sa.Column("resend_of", Id),
        sa.Column("fallback_of", Id),
    )
    op.create_index(
        "deliveries_once", "deliveries", ["event_id", "rule", "channel", "copy"], unique=True
    )
    for name, columns, where in (
        ("deliveries_due", ["channel", "due_at", "id"], PENDING),
        ("deliveries_case", ["case_key", "channel", "id"], PENDING_OF_CASE),
        ("deliveries_failed", ["id"], FAILED),
    ):
        op.create_index(name, "deliveries", columns, sqlite_where=where, postgresql_where=where)
