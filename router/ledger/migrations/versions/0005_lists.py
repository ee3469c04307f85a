"""Lists: what leads to a case's events, to events that failed, and to what was not said."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("events_case", "events", ["case_ref", "id"])
    for name, column, where in (
        ("deliveries_failed_events", "event_id", "state = 'failed'"),
        ("deliveries_unsaid", "id", "state IN ('cancelled', 'suppressed')"),
    ):
        only = sa.text(where)
        op.create_index(name, "deliveries", [column], sqlite_where=only, postgresql_where=only)
