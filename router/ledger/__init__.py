"""The ledger: events, rulesets, deliveries, attempts. The only SQL."""

from router.ledger.engine import LedgerError, begun
from router.ledger.ledger import Ledger, open_ledger
from router.ledger.orders import Hands
from router.ledger.people_shapes import AuditFilters, AuditRow, Cancelled, Session, Token
from router.ledger.shapes import (
    STATES,
    Accepted,
    AttemptRow,
    Claim,
    DeliveryRow,
    Draft,
    EventRow,
    Filters,
    Fired,
    InHand,
    LaneRow,
    LedgerUnavailable,
    Listed,
    Mute,
    MuteKind,
    Own,
    Resent,
    State,
    Tried,
)

__all__ = [
    "STATES",
    "Accepted",
    "AttemptRow",
    "AuditFilters",
    "AuditRow",
    "Cancelled",
    "Claim",
    "DeliveryRow",
    "Draft",
    "EventRow",
    "Filters",
    "Fired",
    "Hands",
    "InHand",
    "LaneRow",
    "Ledger",
    "LedgerError",
    "LedgerUnavailable",
    "Listed",
    "Mute",
    "MuteKind",
    "Own",
    "Resent",
    "Session",
    "State",
    "Token",
    "Tried",
    "begun",
    "open_ledger",
]
