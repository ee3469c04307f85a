"""What sending again or cancelling many deliveries would do, before it is done."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from router.ledger import DeliveryRow

Act: TypeAlias = Literal["resend", "cancel"]
ACTS: tuple[Act, ...] = get_args(Act)


class Plan(msgspec.Struct, frozen=True):
    """The deliveries that an act is for, how many of them to each channel, and how many are left
    alone for which reason."""

    act: Act
    ids: tuple[int, ...]
    channels: dict[str, int]
    left: dict[str, int]


def plan(act: Act, rows: Iterable[DeliveryRow], channels: Collection[str]) -> Plan:
    """Decide for each delivery; `channels` are those in the rules now."""
    ids: list[int] = []
    told: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for row in rows:
        reason = _not_sent(row, channels) if act == "resend" else _not_cancelled(row)
        if reason is None:
            ids.append(row.id)
            told[row.channel] += 1
        else:
            left[reason] += 1
    return Plan(act, tuple(ids), dict(told.most_common()), dict(left.most_common()))


def _not_sent(row: DeliveryRow, channels: Collection[str]) -> str | None:
    if row.state == "pending":
        return "still waits to be sent"
    return None if row.channel in channels else "has a channel that is no longer in the rules"


def _not_cancelled(row: DeliveryRow) -> str | None:
    if row.state != "pending":
        return f"is {row.state} already"
    if row.in_hand or row.carried_by is not None:
        return "is being sent, or is part of a message that is"
    return None
