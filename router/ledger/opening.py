"""Opening a ledger: the database is found, and its schema brought up to date."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from router.ledger.engine import LedgerError, first_line, open_engine
from router.ledger.generation import has_begun
from router.ledger.ledger import Ledger
from router.ledger.migrate import HEAD, migrate, version
from router.ledger.shapes import LedgerUnavailable
from router.ledger.shared_clock import SharedClock, database_time
from router.scheduler import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.scheduler import Scheduler
    from router.secret import Secret


def open_ledger(
    url: Secret,
    now: Callable[[], float],
    scheduler: Scheduler = THREADS,
    *,
    make: bool = True,
    existing: bool = False,
) -> Ledger:
    """Open the database and bring its schema up to date; raises LedgerError in words.

    A SharedClock goes by the clock of a PostgreSQL from then on.
    Without `make`, a database file that is not there is not made either; with `existing`, nothing
    is made of a database that is empty.
    """
    engine = open_engine(url)
    absent = engine.file is not None and not engine.file.exists()
    if existing and absent:
        engine.close()
        raise LedgerError(f"there is no database {engine.file}{_EXPECTED}")
    if not make and engine.file is not None and not engine.file.exists():
        raise LedgerError(
            f"there is no database {engine.file}; `router serve` makes it,"
            " and ROUTER_DATABASE_URL says where it is"
        )
    try:
        revision = version(engine) if existing else HEAD
        if existing and (revision is None or (revision == HEAD and not has_begun(engine))):
            raise LedgerError(f"the database is empty{_EXPECTED}")  # noqa: TRY301 - closed below
        migrate(engine)
        engine.remember_file()
        if isinstance(now, SharedClock) and not engine.sqlite:
            now.follow(partial(database_time, engine))
    except LedgerError:
        engine.close()
        raise
    except (SQLAlchemyError, LedgerUnavailable, OSError) as error:
        engine.close()
        raise LedgerError(f"the database cannot be opened: {first_line(error)}") from None
    return Ledger(engine, now, scheduler)


_EXPECTED = (
    ", and ROUTER_DATABASE_EXPECT=existing says that there must be one: bring it back, or start"
    " once without that setting"
)
