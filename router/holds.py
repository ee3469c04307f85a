"""What holds a delivery up that nothing of its own holds: its channel is paused, rests, or has a
rate. In sentences, for those who ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.duration import show_duration
from router.view import minute

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from router.ledger import DeliveryRow, LaneRow
    from router.rules import Channel

IN_HAND = "it is being sent, or next in line on its channel"
BUSY = (
    "an earlier message of the same case comes first, the channel is busy, or no process delivers"
)


def why_paused(channels: Mapping[str, Channel], lanes: Mapping[str, LaneRow]) -> dict[str, str]:
    """The channels that are paused, and why."""
    told = {}
    for name, channel in channels.items():
        pause = lanes[name].pause if name in lanes else None
        if channel.paused:
            told[name] = "its channel is paused in the rules"
        elif pause is not None:
            told[name] = f"its channel is paused by {pause.author}: {pause.reason}"
    return told


def why_held(
    channels: Mapping[str, Channel], lanes: Mapping[str, LaneRow], now: float
) -> dict[str, str]:
    """The channels on which what is due has to wait, paused ones aside, and why."""
    told = {}
    for name, channel in channels.items():
        lane = lanes.get(name)
        if lane is None:
            continue
        if lane.rests_until > now:
            told[name] = f"its channel fails and is tried again at {minute(lane.rests_until)}"
        elif channel.rate is not None and channel.rate.free_at(lane.next_at) > now:
            every = show_duration(channel.rate.interval)
            told[name] = f"its channel takes one message every {every}"
    return told


def with_reasons(
    rows: Iterable[DeliveryRow],
    channels: Mapping[str, Channel],
    lanes: Mapping[str, LaneRow],
    now: float,
) -> list[DeliveryRow]:
    """Deliveries with the reason why each waits, also where that is its channel's."""
    paused, held = why_paused(channels, lanes), why_held(channels, lanes, now)
    return [_with_reason(row, paused, held, now) for row in rows]


def _with_reason(
    row: DeliveryRow, paused: Mapping[str, str], held: Mapping[str, str], now: float
) -> DeliveryRow:
    if row.state != "pending":
        return row
    if row.in_hand:
        return msgspec.structs.replace(row, reason=row.reason or IN_HAND)
    if row.channel in paused:
        return msgspec.structs.replace(row, reason=paused[row.channel])
    if row.reason is not None or row.due_at > now:
        return row
    return msgspec.structs.replace(row, reason=held.get(row.channel, BUSY))
