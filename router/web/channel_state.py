"""How a channel does, as its page and the API tell it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from router.duration import show_duration
from router.ledger import MOST, LaneRow, Mute, Pause, Tally, Waiting
from router.view import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from router.rules import Channel, Rate

HOUR = 3600.0
HOURS = 24
LOOKS_BACK = 6 * 24 * HOUR
"""Seconds that the last success is looked for."""


class Hour(msgspec.Struct, frozen=True):
    """What a channel sent, and what failed for good, in one hour that begins `at`."""

    at: float
    sent: int
    failed: int


class ChannelState(msgspec.Struct, frozen=True, kw_only=True):
    """One channel: a word, the reason for it in a sentence, and what it did and has to do.

    `why` is a whole sentence without moments: its page and the API tell those beside it, each in
    its own form. `place` is its place in the rules.
    """

    channel: Channel
    place: int
    word: str
    why: str
    lane: LaneRow | None
    waiting: Waiting
    last_sent: float | None
    hours: tuple[Hour, ...]
    mute: Mute | None

    @property
    def pause(self) -> Pause | None:
        return self.lane.pause if self.lane is not None else None

    @property
    def sent(self) -> int:
        return sum(hour.sent for hour in self.hours)

    @property
    def failed(self) -> int:
        return sum(hour.failed for hour in self.hours)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger knows of all channels."""

    lanes: Mapping[str, LaneRow]
    waiting: Mapping[str, Waiting]
    sent: Mapping[str, list[Tally]]
    failed: Mapping[str, list[Tally]]
    mutes: tuple[Mute, ...]


def channel_states(channels: Iterable[Channel], known: Known, now: float) -> list[ChannelState]:
    """Every channel's state; those that something is wrong with come first."""
    states = [_state(channel, place, known, now) for place, channel in enumerate(channels)]
    return sorted(states, key=lambda state: _URGENT.get(state.word, len(_URGENT)))


def rate_in_words(rate: Rate | None) -> str:
    """`1 a second, 5 at once after a rest`; what is beyond it goes as one message or waits."""
    if rate is None:
        return "as fast as it takes them"
    many = 1 / rate.interval
    words = f"{many:g} a second" if many >= 1 else f"1 every {show_duration(rate.interval)}"
    burst = f", {rate.burst} at once after a rest" if rate.burst > 1 else ""
    return words + burst + ("; what is more goes as one message" if rate.gather else "")


def many(number: int) -> str:
    """A count as it is shown: of MOST it is not known how many more there are."""
    return f"{number:,}" if number < MOST else f"{MOST:,} or more"


def bars(hours: Iterable[Hour], height: int) -> list[tuple[float, float, float]]:
    """A sparkline's columns: the height of what was sent, of what failed, and their sum."""
    counted = list(hours)
    most = max((hour.sent + hour.failed for hour in counted), default=0) or 1
    scale = height / most
    made = []
    for hour in counted:
        # What there is at all can be seen.
        sent = max(1.0, hour.sent * scale) if hour.sent else 0.0
        failed = max(1.5, hour.failed * scale) if hour.failed else 0.0
        made.append((round(sent, 1), round(failed, 1), round(min(height, sent + failed), 1)))
    return made


def channel_view(state: ChannelState, now: float) -> dict[str, Any]:
    """A channel as the API tells it."""
    channel, lane, pause = state.channel, state.lane, state.pause
    rate = channel.rate
    rests = lane is not None and lane.rests_until > now
    return {
        "name": channel.name,
        "service": channel.service,
        "state": state.word,
        "why": state.why,
        "fallback": channel.fallback,
        "paused": channel.paused or pause is not None,
        "pause": None if pause is None else pause_view(pause),
        "pending": state.waiting.queued + state.waiting.later,
        "waiting_since": None if state.waiting.since is None else iso(state.waiting.since),
        "rate": None if rate is None else round(1 / rate.interval, 4),
        "burst": None if rate is None else rate.burst,
        "overflow": "digest" if rate and rate.gather else "keep",
        "failures": 0 if lane is None else lane.failures,
        "failing_since": _iso(lane.failing_since if lane else None),
        "rests_until": iso(lane.rests_until) if lane is not None and rests else None,
        "error": lane.error if lane else None,
        "last_sent": _iso(state.last_sent),
        "last_error": lane.last_error if lane else None,
        "last_error_at": _iso(lane.last_error_at if lane else None),
        "sent_24h": state.sent,
        "failed_24h": state.failed,
    }


def pause_view(pause: Pause) -> dict[str, Any]:
    """A pause as the API tells it."""
    return {"since": iso(pause.at), "author": pause.author, "reason": pause.reason}


def _state(channel: Channel, place: int, known: Known, now: float) -> ChannelState:
    name = channel.name
    lane, waiting = known.lanes.get(name), known.waiting.get(name, Waiting())
    sent, failed = known.sent.get(name, []), known.failed.get(name, [])
    mute = next((one for one in known.mutes if (one.kind, one.name) == ("channel", name)), None)
    last_sent = max((tally.last for tally in sent), default=None)
    word, why = _word(channel, lane, mute, last_sent, now)
    return ChannelState(
        channel=channel,
        place=place,
        word=word,
        why=why,
        lane=lane,
        waiting=waiting,
        last_sent=last_sent,
        hours=_hours(sent, failed, now),
        mute=mute,
    )


def _word(
    channel: Channel, lane: LaneRow | None, mute: Mute | None, last_sent: float | None, now: float
) -> tuple[str, str]:
    if channel.paused:
        return "paused", "what is for it waits"
    if lane is not None and lane.pause is not None:
        return "paused", f"{lane.pause.author} paused it: {lane.pause.reason}"
    if lane is not None and lane.failing_since is not None:
        tries = "1 attempt" if lane.failures == 1 else f"{lane.failures:,} attempts in a row"
        return ("rests" if lane.rests_until > now else "fails"), f"{tries} failed"
    if mute is not None:
        return "muted", f"{mute.author} muted it: {mute.reason}"
    if lane is not None and lane.last_error_at is not None:
        refused = last_sent is None or last_sent < lane.last_error_at
        if refused:
            return "refused", "the last message was refused for good"
    return ("works", "") if last_sent is not None else ("idle", "nothing was sent lately")


def _hours(sent: Iterable[Tally], failed: Iterable[Tally], now: float) -> tuple[Hour, ...]:
    good = {tally.at: tally.number for tally in sent}
    bad = {tally.at: tally.number for tally in failed}
    first = now - now % HOUR - (HOURS - 1) * HOUR
    starts = [first + number * HOUR for number in range(HOURS)]
    return tuple(Hour(at, good.get(at, 0), bad.get(at, 0)) for at in starts)


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)


_URGENT = {
    word: place for place, word in enumerate(("rests", "fails", "refused", "paused", "muted"))
}
