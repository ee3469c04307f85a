"""What would be done to many deliveries: decided for each, with the reason for those left alone."""

from __future__ import annotations

from typing import Any

import pytest

from router.ledger import DeliveryRow
from router.web.plan import Act, plan


def _row(number: int, state: Any, channel: str = "c", **more: Any) -> DeliveryRow:
    given: dict[str, Any] = {
        "id": number,
        "event_id": number,
        "rule": "r",
        "channel": channel,
        "state": state,
        "reason": None,
        "created_at": 0.0,
        "due_at": 0.0,
        "ended_at": None,
        "attempt": 0,
        "unsure": 0,
        "ruleset": "x",
        "in_hand": False,
    }
    return DeliveryRow(**{**given, **more})


ROWS = [
    _row(1, "sent"),
    _row(2, "failed", "d"),
    _row(3, "pending"),
    _row(4, "pending", in_hand=True),
    _row(5, "pending", carried_by=9),
    _row(6, "failed", "gone"),
    _row(7, "suppressed"),
    _row(8, "cancelled"),
]


@pytest.mark.parametrize(
    ("act", "ids", "channels", "left"),
    [
        pytest.param(
            "resend",
            (1, 2, 7, 8),
            {"c": 3, "d": 1},
            {"still waits to be sent": 3, "has a channel that is no longer in the rules": 1},
            id="what has ended is sent again",
        ),
        pytest.param(
            "cancel",
            (3,),
            {"c": 1},
            {
                "is failed already": 2,
                "is being sent, or is part of a message that is": 2,
                "is sent already": 1,
                "is suppressed already": 1,
                "is cancelled already": 1,
            },
            id="what waits is cancelled",
        ),
    ],
)
def test_each_delivery_is_decided_on(
    act: Act, ids: tuple[int, ...], channels: dict[str, int], left: dict[str, int]
) -> None:
    made = plan(act, ROWS, {"c", "d"})
    assert (made.ids, made.channels, made.left) == (ids, channels, left)
