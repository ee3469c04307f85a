"""Hands for tests of the ledger: they take what they have places for; and a clock to be set."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.ledger import Claim, InHand
    from router.rules import Rate


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
