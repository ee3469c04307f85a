"""The ledger: events, rulesets, deliveries, attempts. The only SQL."""

from router.ledger.backtests import Run
from router.ledger.diagnosis import Cause
from router.ledger.due import Due
from router.ledger.engine import LedgerError, begun
from router.ledger.facts import Database, Process
from router.ledger.ledger import Ledger
from router.ledger.look import Looked, look
from router.ledger.mutes import Mute, MuteKind
from router.ledger.opening import open_ledger
from router.ledger.orders import Hands
from router.ledger.overview import MOST, Gathering, Timer, TimerFilters, Unheard, Waiting
from router.ledger.people import People
from router.ledger.people_shapes import AuditFilters, AuditRow, Cancelled, Session, Token
from router.ledger.rulesets import Load
from router.ledger.sessions import count_try
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
    Listing,
    Member,
    Own,
    Pause,
    Resent,
    State,
    Tried,
)
from router.ledger.shared_clock import NOISE, SharedClock
from router.ledger.tallies import Tally

__all__ = [
    "MOST",
    "NOISE",
    "STATES",
    "Accepted",
    "AttemptRow",
    "AuditFilters",
    "AuditRow",
    "Cancelled",
    "Cause",
    "Claim",
    "Database",
    "DeliveryRow",
    "Draft",
    "Due",
    "EventRow",
    "Filters",
    "Fired",
    "Gathering",
    "Hands",
    "InHand",
    "LaneRow",
    "Ledger",
    "LedgerError",
    "LedgerUnavailable",
    "Listed",
    "Listing",
    "Load",
    "Looked",
    "Member",
    "Mute",
    "MuteKind",
    "Own",
    "Pause",
    "People",
    "Process",
    "Resent",
    "Run",
    "Session",
    "SharedClock",
    "State",
    "Tally",
    "Timer",
    "TimerFilters",
    "Token",
    "Tried",
    "Unheard",
    "Waiting",
    "begun",
    "count_try",
    "look",
    "open_ledger",
]
