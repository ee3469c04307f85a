"""Alembic runs inside the transaction that `migrate.py` opened; there is no other way in."""

from alembic import context

from router.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
context.run_migrations()
