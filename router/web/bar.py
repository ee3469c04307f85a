"""The last 24 hours as a bar: how much was received, sent, held back, and failed in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.ledger.desk import Desk
    from router.ledger.tallies import Kind

HOUR = 3600.0
HOURS = 24
WIDTH, HEIGHT = 30, 64
"""Of the place of one hour, in the units of the drawing."""
_KINDS: tuple[Kind, ...] = ("received", "sent", "suppressed", "failed")
THICK = 11
_LEAST = 2.0
"""However few there are, they are seen."""


Fate: TypeAlias = Literal["received", "sent", "held", "failed"]


class Hour(msgspec.Struct, frozen=True):
    """What was counted in the hour that begins `at`; events were received, deliveries the rest."""

    at: float
    received: int = 0
    sent: int = 0
    held: int = 0
    failed: int = 0

    @property
    def told(self) -> int:
        return self.sent + self.held + self.failed


class Part(msgspec.Struct, frozen=True):
    """One rectangle of the drawing."""

    kind: Fate
    x: float
    y: float
    height: float


def last_day(desk: Desk, now: float) -> list[Hour]:
    """The last 24 hours from the ledger's tallies, the one that is not over last."""
    first = now - now % HOUR - (HOURS - 1) * HOUR
    found: dict[str, dict[float, int]] = {kind: {} for kind in _KINDS}
    for kind in _KINDS:
        for tally in desk.tallies(kind, first):
            found[kind][tally.at] = found[kind].get(tally.at, 0) + tally.number
    steps = (first + number * HOUR for number in range(HOURS))
    return [Hour(at, *(found[kind].get(at, 0) for kind in _KINDS)) for at in steps]


def total(hours: list[Hour]) -> Hour:
    """All hours as one."""
    names = ("received", "sent", "held", "failed")
    return Hour(hours[0].at, *(sum(getattr(hour, name) for hour in hours) for name in names))


def draw(hours: list[Hour]) -> list[list[Part]]:
    """For each hour its rectangles: what was received, and beside it what became of it."""
    most = max((max(hour.received, hour.told) for hour in hours), default=0)
    return [_column(hour, number * WIDTH, most) for number, hour in enumerate(hours)]


def _column(hour: Hour, left: float, most: int) -> list[Part]:
    came: list[tuple[Fate, int]] = [("received", hour.received)]
    told: list[tuple[Fate, int]] = [
        ("sent", hour.sent),
        ("held", hour.held),
        ("failed", hour.failed),
    ]
    return _stack(left + 3, came, most) + _stack(left + 4 + THICK, told, most)


def _stack(x: float, counts: Sequence[tuple[Fate, int]], most: int) -> list[Part]:
    """Rectangles upon each other; they are made lower where the least would not leave room."""
    shown = [(kind, number) for kind, number in counts if number]
    heights = [max(_LEAST, HEIGHT * number / most) for _, number in shown]
    scale = min(1.0, HEIGHT / sum(heights)) if heights else 1.0
    parts, y = [], float(HEIGHT)
    for (kind, _), height in zip(shown, heights, strict=True):
        y -= height * scale
        parts.append(Part(kind, x, round(y, 2), round(height * scale, 2)))
    return parts
