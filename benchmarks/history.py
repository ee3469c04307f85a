"""A long history, written straight into a database: what the pages are measured over."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec

from router.event import TRIGGERS
from router.ledger import open_ledger
from router.message import Message
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAYS = 89
STEP = 20_000
CHANNELS = ("kyc-team", "compliance", "relationship-managers", "credit-team")
RULES = ("review finished", "KYC approved", "comments", "proofs")
NAMES = ("Nordlicht Holding AG", "Seefeld Immobilien GmbH", "Rossi & Figli S.r.l.", "Acme Corp")
# Of a thousand deliveries so many ended in this way; what waits is added at the end.
FATES = ("sent",) * 985 + ("failed",) * 5 + ("suppressed",) * 5 + ("cancelled",) * 5


def write_history(database: Path, events: int, waiting: int = 2_000) -> None:
    """Fill a new ledger with so many events, spread over 89 days, and their deliveries."""
    open_ledger(Secret(f"sqlite:///{database}"), time.time).close()
    luck = random.Random(7)
    now = time.time()
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        delivery = 0
        for first in range(1, events + 1, STEP):
            rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _COLUMNS}
            for number in range(first, min(first + STEP, events + 1)):
                at = now - DAYS * 86400 * (1 - number / events)
                rows["events"].append(_event(number, at, luck))
                left = events - number < waiting
                for made in _deliveries(number, at, luck, waits=left):
                    delivery += 1
                    _add(rows, delivery, number, made)
            connection.execute("BEGIN")
            for table, columns in _COLUMNS.items():
                marks = ", ".join("?" * len(columns))
                sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
                connection.executemany(sql, rows[table])
            connection.execute("COMMIT")
        connection.executemany("INSERT INTO tallies VALUES (?, ?, ?, 0, ?, ?)", _tallies(now))
        for name, value in (("events", events), ("deliveries", delivery), ("messages", delivery)):
            connection.execute("UPDATE counters SET value = ? WHERE name = ?", (value, name))


_COLUMNS = {
    "events": (
        *("id", "received_at", "source", "trigger", "case_key", "case_ref"),
        *("words", "body", "ruleset", "matched"),
    ),
    "deliveries": (
        *("id", "event_id", "rule", "channel", "case_key", "ruleset", "state", "reason"),
        *("created_at", "moment", "due_at", "turn", "ended_at", "attempt", "unsure"),
        *("message_id", "copy", "step", "held"),
    ),
    "attempts": ("delivery_id", "number", "at", "elapsed", "outcome", "status", "detail"),
    "messages": ("id", "content"),
}
_TRIGGERS = tuple(TRIGGERS)


def _tallies(now: float) -> Iterator[tuple[Any, ...]]:
    """What the service counts as it writes: rules by day, channels and the source by hour."""
    for day in range(60):
        at = (now // 86400 - day) * 86400
        yield from (("matched", rule, at, 2_000, at) for rule in RULES)
    for hour in range(24 * 6):
        at = (now // 3600 - hour) * 3600
        yield ("received", "atfinity", at, 450, at)
        for kind, number in (("sent", 160), ("failed", 1), ("suppressed", 1)):
            yield from ((kind, channel, at, number, at) for channel in CHANNELS)


def _event(number: int, at: float, luck: random.Random) -> tuple[Any, ...]:
    case, name, trigger = number // 5, luck.choice(NAMES), luck.choice(_TRIGGERS)
    fields = {
        "trigger": trigger,
        "case_id": case,
        "case_user_readable_id": f"KYC-{case}",
        "case_name": name,
        "case_url": f"https://tenant.example/cases/{case}",
        "case_version": 7,
        "process_key": "kyc_process",
        "previous_state_key": "in_review",
        "current_state_key": "approved",
        "note": "x" * 200,
    }
    words = f"kyc-{case} {name} kyc_process".lower()
    body = json.dumps(fields).encode()
    key = f"atfinity:{case}"
    return (number, at, "atfinity", trigger, key, f"KYC-{case}", words, body, "none", 1)


def _deliveries(
    number: int, at: float, luck: random.Random, *, waits: bool
) -> Iterator[tuple[Any, ...]]:
    for channel in luck.sample(CHANNELS, 1 + number % 2):
        state = luck.choice(FATES)
        reason = None if state == "sent" else "the far end answered 404 Not Found"
        yield (luck.choice(RULES), channel, state, reason, at, at, at + luck.random())
    if waits:
        # For later, so that nobody sends it while the pages are measured; by a rule that is there.
        yield ("all", "sink", "pending", "its time has not come yet", at, at + 9e6, None)


def _add(rows: dict[str, list[tuple[Any, ...]]], delivery: int, number: int, made: Any) -> None:
    rule, channel, state, reason, at, due, ended = made
    key, tried = f"atfinity:{number // 5}", int(ended is not None)
    head = (delivery, number, rule, channel, key, "none", state, reason, at, due, due)
    tail = (0 if ended is None else 2, ended, tried, 0, delivery if tried else None, 0, 0, 0)
    rows["deliveries"].append((*head, *tail))
    if tried:
        rows["attempts"].append((delivery, 1, at, 0.2, "delivered", 200, "delivered"))
        rows["messages"].append((delivery, _MESSAGE))


_MESSAGE = msgspec.json.encode(
    Message(
        title="KYC-1042 Nordlicht Holding AG approved",
        body="The case has been approved.\n*Case:* KYC-1042\n" * 4,
        format="slack",
        text="The case has been approved. Case: KYC-1042. " * 4,
        severity="success",
        colour="#2f9e5b",
        link="https://tenant.example/cases/1042",
        because="You get this because of the rule.",
        rung="template",
    )
).decode()
