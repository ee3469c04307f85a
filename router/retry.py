"""What follows from an attempt: done, again later, or never. Pure; luck and time are arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from router.duration import show_duration

if TYPE_CHECKING:
    from router.message import Outcome
    from router.rules import Retry

MAX_ASKED_WAIT = 86400.0
"""Seconds that a far end which asks for more is left alone, at most."""


class Next(msgspec.Struct, frozen=True):
    """What the delivery becomes.

    `again_at` (epoch seconds) is when the far end may be tried again, for outcomes that may pass:
    by this delivery when it is pending, by others when it has failed for good. Those wait no
    longer than they are tried, so that what a far end asks for fails none that was never sent.
    """

    state: Literal["pending", "sent", "failed"]
    reason: str | None = None
    again_at: float | None = None


def what_next(
    outcome: Outcome, retry: Retry, *, attempt: int, moment: float, now: float, luck: float
) -> Next:
    """Decide what follows from the outcome of the attempt with this number (from 1).

    The wait doubles from `retry.first` to `retry.at_most`; `luck` (0 to 1) takes up to half of it
    away, so that many that failed together do not come back together. A far end that asks for
    longer gets it, up to MAX_ASKED_WAIT. What would fall outside `retry.budget`, counted from the
    `moment` at which the delivery was first due, has failed for good.
    """
    if outcome.kind == "delivered":
        return Next("sent")
    if outcome.kind == "failed":
        return Next("failed", outcome.detail)
    steps = min(attempt - 1, 40)
    wait = min(retry.first * 2**steps, retry.at_most) * (1 - luck / 2)
    asked = min(outcome.retry_after or 0.0, MAX_ASKED_WAIT)
    again_at = now + max(wait, asked)
    if again_at <= moment + retry.budget:
        return Next("pending", outcome.detail, again_at)
    budget = show_duration(retry.budget)
    if now <= moment + retry.budget < now + asked:
        asks = show_duration(outcome.retry_after or 0.0)
        told = f"it asks to wait {asks}, past the {budget} for which it is tried: {outcome.detail}"
    else:
        tries = "1 attempt" if attempt == 1 else f"{attempt} attempts"
        told = f"gave up after {tries}; it is tried for {budget}: {outcome.detail}"
    return Next("failed", told, min(again_at, now + retry.budget))
