"""The ledger's tables: one schema for SQLite and PostgreSQL. The migrations build it.

Times are epoch seconds. Texts that come from outside hold no NUL (PostgreSQL has no room for it).
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

metadata = sa.MetaData()

LATER, BEHIND, NEXT = 0, 1, 2
"""Whose turn it is among the pending: its moment has not come; an earlier one of its case on its
channel stands before it; or nothing does. Of one case and channel, at most one is NEXT."""

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _part(name: str, *columns: str, where: str) -> sa.Index:
    only = sa.text(where)
    return sa.Index(name, *columns, sqlite_where=only, postgresql_where=only)


def _pending(name: str, *columns: str, where: str = "") -> sa.Index:
    return _part(name, *columns, where=f"state = 'pending'{where}")


meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

rulesets = sa.Table(
    "rulesets",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("loaded_at", sa.Double, nullable=False),
    sa.Column("files", sa.Text, nullable=False, comment="JSON: name -> text, secrets masked"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("received_at", sa.Double, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text),
    sa.Column("case_key", sa.Text),
    sa.Column("case_ref", sa.Text),
    sa.Column("words", sa.Text, comment="lower-case words a search finds the event by"),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="byte for byte as posted"),
    sa.Column("ruleset", sa.Text),
    sa.Column("matched", sa.Integer, nullable=False, comment="how many rules spoke"),
    sa.Column("rejected", sa.Text, comment="why it is no event"),
    _part("events_unmatched", "id", where="matched = 0 AND rejected IS NULL"),
    sa.Index("events_case", "case_ref", "id"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("content", sa.Text, nullable=False, comment="JSON of the Message"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("event_id", Id, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("case_key", sa.Text),
    sa.Column("ruleset", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, comment="why it waits, failed, or was not sent"),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("moment", sa.Double, nullable=False, comment="when it was first due, or tried"),
    sa.Column("due_at", sa.Double, nullable=False, comment="while claimed: the end of the lease"),
    sa.Column("turn", sa.Integer, nullable=False, comment="LATER, BEHIND or NEXT"),
    sa.Column("ended_at", sa.Double),
    sa.Column("attempt", sa.Integer, nullable=False, comment="how many were begun"),
    sa.Column("owner", sa.Integer, comment="the slot of the process that has it in hand"),
    sa.Column("unsure", sa.Integer, nullable=False, comment="last attempt that may have arrived"),
    sa.Column("message_id", Id),
    sa.Column("copy", Id, nullable=False, comment="0, or its own id for a resend or fallback"),
    sa.Column("resend_of", Id),
    sa.Column("fallback_of", Id),
    sa.Column("step", sa.Integer, nullable=False, comment="n: reminder n; -n: escalation n"),
    sa.Column("digest", sa.Text, comment="what it is collected by"),
    sa.Column("carried_by", Id, comment="the delivery whose message lists it"),
    sa.Column("held", sa.Integer, nullable=False, comment="messages held back before this one"),
    sa.Index("deliveries_once", "event_id", "rule", "channel", "copy", unique=True),
    _pending("deliveries_due", "channel", "turn", "due_at", "id"),
    _pending("deliveries_later", "due_at", "id", where=" AND turn = 0"),
    _pending(
        "deliveries_case", "case_key", "turn", "channel", "id", where=" AND case_key IS NOT NULL"
    ),
    _pending("deliveries_digest", "digest", where=" AND digest IS NOT NULL"),
    _part("deliveries_carried", "carried_by", where="carried_by IS NOT NULL"),
    _part("deliveries_failed", "id", where="state = 'failed'"),
    _part("deliveries_failed_events", "event_id", where="state = 'failed'"),
    _part("deliveries_unsaid", "id", where="state IN ('cancelled', 'suppressed')"),
)

# An index of a part is used only where the statement says the part in the same words: so these
# stand in statements as text, not as parameters.
PENDING = deliveries.c.state == sa.text("'pending'")
FAILED = deliveries.c.state == sa.text("'failed'")
UNSAID: sa.ColumnElement[bool] = sa.literal_column("deliveries.state").in_(
    [sa.literal_column("'cancelled'"), sa.literal_column("'suppressed'")]
)
_COME: list[sa.ColumnElement[int]] = [sa.literal_column(str(BEHIND)), sa.literal_column(str(NEXT))]
QUEUED = sa.and_(PENDING, deliveries.c.turn.in_(_COME))
"""Its moment has come. (Two values and no range: so what stands after it in an index counts.)"""
WAITS_FIRST = sa.and_(PENDING, deliveries.c.turn == sa.text(str(NEXT)))
WAITS_BEHIND = sa.and_(PENDING, deliveries.c.turn == sa.text(str(BEHIND)))
WAITS_LATER = sa.and_(PENDING, deliveries.c.turn == sa.text(str(LATER)))

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("elapsed", sa.Double),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("captured", sa.Text, comment="JSON: what would have been sent, in capture mode"),
)

threads = sa.Table(
    "threads",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("case_key", sa.Text, primary_key=True),
    sa.Column("reference", sa.Text, nullable=False, comment="the far end's name for the thread"),
)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

lanes = sa.Table(
    "lanes",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("next_at", sa.Double, nullable=False, comment="the rate's theoretical arrival time"),
    sa.Column("failures", sa.Integer, nullable=False, comment="passing failures in a row"),
    sa.Column("failing_since", sa.Double),
    sa.Column("rests_until", sa.Double, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("last_error", sa.Text, comment="kept when the channel does well again"),
    sa.Column("last_error_at", sa.Double),
    sa.Column("paused_at", sa.Double),
    sa.Column("paused_by", sa.Text),
    sa.Column("pause_reason", sa.Text),
    sa.Column("probe", Id, comment="the delivery that failed last: it tries whether it is over"),
)

memory = sa.Table(
    "memory",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("until", sa.Double, nullable=False, comment="forgotten after this"),
    sa.Column("held", sa.Integer, nullable=False),
    sa.Column("event_id", Id, nullable=False),
    sa.Index("memory_until", "until"),
)

mutes = sa.Table(
    "mutes",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False, comment="rule, channel, case or source"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
    sa.Column("ended_at", sa.Double),
    sa.Column("held", sa.Text, nullable=False, comment="JSON: channel -> how many it silenced"),
    _part("mutes_open", "until", where="ended_at IS NULL"),
)


class NewDelivery(msgspec.Struct, kw_only=True):
    """A delivery to be inserted. With `slot` it is in hand already, for its first attempt."""

    id: int
    event_id: int
    rule: str
    channel: str
    case_key: str | None
    ruleset: str
    created_at: float
    moment: float
    due_at: float
    turn: int = NEXT
    state: str = "pending"
    reason: str | None = None
    slot: int | None = None
    message_id: int | None = None
    resend_of: int | None = None
    fallback_of: int | None = None
    step: int = 0
    digest: str | None = None
    carried_by: int | None = None
    held: int = 0

    def row(self) -> tuple[Any, ...]:
        """The values in the order of the table's columns."""
        original = self.resend_of is None and self.fallback_of is None and not self.step
        return (
            self.id,
            self.event_id,
            self.rule,
            self.channel,
            self.case_key,
            self.ruleset,
            self.state,
            self.reason,
            self.created_at,
            self.moment,
            self.due_at,
            self.turn,
            None if self.state == "pending" else self.created_at,
            0 if self.slot is None else 1,
            self.slot,
            0,
            self.message_id,
            0 if original else self.id,
            self.resend_of,
            self.fallback_of,
            self.step,
            self.digest,
            self.carried_by,
            self.held,
        )
