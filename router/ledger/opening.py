"""Opening a ledger: the database is found, and its schema brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from router.ledger.engine import LedgerError, first_line, open_engine
from router.ledger.ledger import Ledger
from router.ledger.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.secret import Secret


def open_ledger(url: Secret, now: Callable[[], float], *, make: bool = True) -> Ledger:
    """Open the database and bring its schema up to date; raises LedgerError in words.

    Without `make`, a database file that is not there is not made either.
    """
    engine = open_engine(url)
    if not make and engine.file is not None and not engine.file.exists():
        raise LedgerError(
            f"there is no database {engine.file}; `router serve` makes it,"
            " and ROUTER_DATABASE_URL says where it is"
        )
    try:
        migrate(engine)
    except LedgerError:
        engine.close()
        raise
    except (SQLAlchemyError, OSError) as error:
        engine.close()
        raise LedgerError(f"the database cannot be opened: {first_line(error)}") from None
    return Ledger(engine, now)
