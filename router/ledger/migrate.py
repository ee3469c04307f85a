"""Brings a database to the schema this version needs, safely with two processes at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from router.ledger.engine import LedgerError

if TYPE_CHECKING:
    from router.ledger.engine import Engine

HEAD = "0007"
_LOCK = 0x61_74_66_69  # any number, the same in every replica


def migrate(engine: Engine) -> None:
    """Run what is missing of the migrations.

    The whole of it is one transaction that holds a lock from its first statement, so that a
    second process waits and then finds nothing to do. Raises LedgerError if the database was
    written by a newer version.
    """
    if version(engine) == HEAD:
        return
    # Imported here: most starts find the schema as it should be.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.writing.connect() as connection:
        connection.detach()  # its limits are no other's: it is closed in the end
        engine.lift_limits(connection)
        with connection.begin():
            if not engine.sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError:
                raise LedgerError(
                    "the database was written by a newer version of the router; start that"
                    " version, or restore a backup from before it"
                ) from None


def version(engine: Engine) -> str | None:
    """The revision of a database's schema; None for one that has none yet."""
    with engine.reading.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.exec_driver_sql(
            "SELECT version_num FROM alembic_version"
        ).scalar()
        return found
