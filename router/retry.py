"""What follows from an attempt: done, again later, or never. Pure; luck and time are arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from router.duration import show_duration

if TYPE_CHECKING:
    from router.message import Outcome
    from router.rules import Retry


class Next(msgspec.Struct, frozen=True):
    """What the delivery becomes; `due_at` (epoch seconds) when it is pending."""

    state: Literal["pending", "sent", "failed"]
    reason: str | None = None
    due_at: float | None = None


def what_next(
    outcome: Outcome, retry: Retry, *, attempt: int, created_at: float, now: float, luck: float
) -> Next:
    """Decide what follows from the outcome of the attempt with this number (from 1).

    The wait doubles from `retry.first` to `retry.at_most`; `luck` (0 to 1) takes up to half of it
    away, so that many that failed together do not come back together. A far end that asks for
    longer gets it. What would fall outside `retry.budget` has failed for good.
    """
    if outcome.kind == "delivered":
        return Next("sent")
    if outcome.kind == "failed":
        return Next("failed", outcome.detail)
    steps = min(attempt - 1, 40)
    wait = min(retry.first * 2**steps, retry.at_most) * (1 - luck / 2)
    due_at = now + max(wait, outcome.retry_after or 0.0)
    if due_at > created_at + retry.budget:
        budget = show_duration(retry.budget)
        return Next("failed", f"gave up after {budget} and {attempt} attempts: {outcome.detail}")
    return Next("pending", outcome.detail, due_at)
