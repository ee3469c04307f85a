"""Time: timers, turns, digests, rates, throttles, mutes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _deliveries()
    op.create_table(
        "lanes",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("next_at", sa.Double, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", sa.Double),
        sa.Column("rests_until", sa.Double, nullable=False),
        sa.Column("error", sa.Text),
    )
    op.create_table(
        "memory",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("held", sa.Integer, nullable=False),
        sa.Column("event_id", Id, nullable=False),
    )
    op.create_index("memory_until", "memory", ["until"])
    op.create_table(
        "mutes",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("held", sa.Text, nullable=False),
    )
    _index("mutes_open", "mutes", ["until"], "ended_at IS NULL")
    op.execute("INSERT INTO counters (name, value) VALUES ('mutes', 0)")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE mutes_ids CACHE 1")


def _deliveries() -> None:
    zero = sa.text("0")
    for column in (
        sa.Column("moment", sa.Double, nullable=False, server_default=zero),
        sa.Column("turn", sa.Integer, nullable=False, server_default=sa.text("2")),
        sa.Column("step", sa.Integer, nullable=False, server_default=zero),
        sa.Column("digest", sa.Text),
        sa.Column("carried_by", Id),
        sa.Column("held", sa.Integer, nullable=False, server_default=zero),
    ):
        op.add_column("deliveries", column)
    op.execute("UPDATE deliveries SET moment = created_at")
    op.execute(
        "UPDATE deliveries SET turn = 1 WHERE state = 'pending' AND EXISTS (SELECT 1 FROM"
        " deliveries AS earlier WHERE earlier.state = 'pending' AND earlier.id < deliveries.id"
        " AND earlier.case_key = deliveries.case_key AND earlier.channel = deliveries.channel)"
    )
    op.drop_index("deliveries_due", "deliveries")
    due = ["channel", "turn", "due_at", "id"]
    _index("deliveries_due", "deliveries", due, "state = 'pending'")
    pending = "state = 'pending' AND "
    _index("deliveries_later", "deliveries", ["due_at", "id"], pending + "turn = 0")
    _index("deliveries_digest", "deliveries", ["digest"], pending + "digest IS NOT NULL")
    _index("deliveries_carried", "deliveries", ["carried_by"], "carried_by IS NOT NULL")


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    only = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=only, postgresql_where=only)
