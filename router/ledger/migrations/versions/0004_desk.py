"""The operator's desk: tallies, pauses, last errors, processes, which rules were when in force."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for column in (
        sa.Column("last_error", sa.Text),
        sa.Column("last_error_at", sa.Double),
        sa.Column("paused_at", sa.Double),
        sa.Column("paused_by", sa.Text),
        sa.Column("pause_reason", sa.Text),
    ):
        op.add_column("lanes", column)
    op.create_table(
        "tallies",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("at", sa.Double, primary_key=True),
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("last", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "processes",
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("ruleset", sa.Text, nullable=False),
    )
    op.create_table(
        "loads",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    only = sa.text("matched = 0 AND rejected IS NULL")
    op.create_index("events_unmatched", "events", ["id"], sqlite_where=only, postgresql_where=only)
    _loads()
    _tallies()


def _loads() -> None:
    """Begin the history with what is known of it: when each ruleset came for the first time."""
    op.execute(
        "INSERT INTO loads (id, at, hash)"
        " SELECT row_number() OVER (ORDER BY loaded_at, hash), loaded_at, hash FROM rulesets"
    )
    op.execute("INSERT INTO counters (name, value) SELECT 'loads', count(*) FROM rulesets")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE loads_ids CACHE 1")
        op.execute("SELECT setval('loads_ids', 1 + (SELECT count(*) FROM loads))")


def _tallies() -> None:
    """Count what the history holds, as far back as the pages look."""
    _count("matched", "rule", "created_at", 86400, 30, "deliveries", _ORIGINAL, "event_id")
    _count("unmatched", _TRIGGER, "received_at", 86400, 30, "events", _UNMATCHED, "id")
    _count("received", "source", "received_at", 3600, 1, "events", "source <> 'router'", "id")
    for state in ("sent", "failed", "suppressed"):
        _count(state, "channel", "ended_at", 3600, 1, "deliveries", f"state = '{state}'", "id")


def _count(
    kind: str, name: str, at: str, step: int, days: int, table: str, where: str, what: str
) -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    now = "extract(epoch FROM now())" if postgres else "CAST(strftime('%s', 'now') AS INTEGER)"
    start = f"floor({at} / {step})" if postgres else f"CAST({at} / {step} AS INTEGER)"
    op.execute(  # every part of it stands in this file
        "INSERT INTO tallies (kind, name, at, slot, number, last)"  # noqa: S608
        f" SELECT '{kind}', {name}, {start} * {step}.0, -1, count(DISTINCT {what}), max({at})"
        f" FROM {table} WHERE {where} AND {at} >= {now} - {days * 86400}"
        f" GROUP BY 2, 3"
    )


_ORIGINAL = (
    "copy = 0 AND step = 0 AND EXISTS (SELECT 1 FROM events WHERE events.id = event_id"
    " AND events.source <> 'router')"
)
_UNMATCHED = "matched = 0 AND rejected IS NULL"
_TRIGGER = (
    "CASE WHEN trigger IN ('case_created', 'case_approved', 'case_declined', 'case_finished',"
    " 'case_comment', 'case_changed', 'case_state_changed', 'case_documents_updated',"
    " 'case_proofs_updated') THEN trigger ELSE 'other' END"
)
