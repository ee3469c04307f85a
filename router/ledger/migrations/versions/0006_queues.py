"""Long queues: a case's turn is found in one look, and a failing channel knows its probe."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("lanes", sa.Column("probe", Id))
    op.drop_index("deliveries_case", "deliveries")
    only = sa.text("state = 'pending' AND case_key IS NOT NULL")
    columns = ["case_key", "turn", "channel", "id"]
    op.create_index(
        "deliveries_case", "deliveries", columns, sqlite_where=only, postgresql_where=only
    )
