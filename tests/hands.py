"""Hands for tests of the ledger: they take what they have places for; and a clock to be set."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING

import msgspec

from router.event import Event, decode
from router.ledger import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from router.ledger import Claim, InHand, Ledger
    from router.rules import Rate
    from router.timing import Planned


class Hands:
    """Takes what it has places for, and remembers."""

    def __init__(self, places: int = 0) -> None:
        self.places = places
        self.held: list[InHand] = []
        self.claims: list[tuple[str, Claim]] = []
        self.waiting: list[str] = []
        self.unable: list[str] = []
        self.moments: list[float] = []
        self.pace: Rate | None = None

    def room(self, _channel: str) -> int:
        return self.places

    free = room

    def rate(self, _channel: str) -> Rate | None:
        return self.pace

    def later(self, moment: float) -> None:
        self.moments.append(moment)

    def take(self, in_hand: Sequence[InHand]) -> None:
        self.held.extend(in_hand)

    def wait(self, channel: str) -> None:
        self.waiting.append(channel)

    def claimed(self, channel: str, claim: Claim) -> None:
        self.held.extend(claim.in_hand)
        self.claims.append((channel, claim))

    def unwritten(self, what: str, reason: str) -> None:
        self.unable.append(f"{what}: {reason}")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold SQLite's lock, as another process does that writes."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def accept_many(ledger: Ledger, number: int, planned: Planned) -> None:
    """Have so many events written down that came at 1,000 s, each with the same delivery."""
    body = msgspec.json.encode({"trigger": "case_created"})
    draft = Draft(Event(0, "atfinity", 1_000.0, body, decode(body)), "hash", 1, (planned,))

    async def all_of_them() -> None:
        await asyncio.gather(*(ledger.accept(draft) for _ in range(number)))

    asyncio.run(all_of_them())
