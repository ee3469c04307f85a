"""The ledger: events, rulesets, deliveries, attempts. The only SQL."""

from router.ledger.engine import LedgerError
from router.ledger.ledger import Ledger, open_ledger
from router.ledger.shapes import (
    STATES,
    Accepted,
    AttemptRow,
    Claim,
    DeliveryRow,
    Draft,
    EventRow,
    Filters,
    InHand,
    LedgerUnavailable,
    Resent,
    State,
    Tried,
)
from router.ledger.writer import Hands

__all__ = [
    "STATES",
    "Accepted",
    "AttemptRow",
    "Claim",
    "DeliveryRow",
    "Draft",
    "EventRow",
    "Filters",
    "Hands",
    "InHand",
    "Ledger",
    "LedgerError",
    "LedgerUnavailable",
    "Resent",
    "State",
    "Tried",
    "open_ledger",
]
