"""What holds a delivery up that nothing of its own holds, in sentences."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.holds import BUSY, IN_HAND, with_reasons
from router.ledger import DeliveryRow, LaneRow, Pause
from router.rules import Channel, Rate

NOW = 1_800_000_000.0
ROW = DeliveryRow(
    id=1,
    event_id=1,
    rule="r",
    channel="c",
    state="pending",
    reason=None,
    created_at=NOW - 60,
    due_at=NOW - 1,
    ended_at=None,
    attempt=0,
    unsure=0,
    ruleset="h",
    in_hand=False,
)
FINE = LaneRow("c", 0, None, 0.0, None, 0.0)
PAUSED = msgspec.structs.replace(FINE, pause=Pause(NOW - 9, "anna", "maintenance"))
RESTS = msgspec.structs.replace(FINE, failures=3, rests_until=NOW + 600, error="503")
SPENT = msgspec.structs.replace(FINE, next_at=NOW + 30)


@pytest.mark.parametrize(
    ("row", "lane", "channel", "reason"),
    [
        pytest.param({}, None, {}, BUSY, id="never heard of"),
        pytest.param({}, FINE, {}, BUSY, id="its case or the channel"),
        pytest.param({}, PAUSED, {}, "its channel is paused by anna: maintenance", id="paused"),
        pytest.param({}, FINE, {"paused": True}, "its channel is paused in the rules", id="parked"),
        pytest.param(
            {},
            RESTS,
            {},
            "its channel fails and is tried again at 2027-01-15 08:10 UTC",
            id="rests",
        ),
        pytest.param(
            {}, SPENT, {"rate": Rate(60.0)}, "its channel takes one message every 60 s", id="rate"
        ),
        pytest.param({}, SPENT, {"rate": Rate(10.0, 9)}, BUSY, id="the burst is not used up"),
        pytest.param({"reason": "office is closed"}, RESTS, {}, "office is closed", id="its own"),
        pytest.param({"due_at": NOW + 5}, RESTS, {}, None, id="not due yet"),
        pytest.param({"in_hand": True}, PAUSED, {}, IN_HAND, id="on its way"),
        pytest.param({"in_hand": True, "reason": "503"}, FINE, {}, "503", id="tried before"),
        pytest.param({"state": "sent"}, PAUSED, {}, None, id="sent"),
    ],
)
def test_whatever_is_due_and_waits_says_why(
    row: dict[str, Any], lane: LaneRow | None, channel: dict[str, Any], reason: str | None
) -> None:
    channels = {"c": Channel(name="c", service="webhook", options={}, **channel)}
    lanes = {} if lane is None else {"c": lane}
    (told,) = with_reasons([msgspec.structs.replace(ROW, **row)], channels, lanes, NOW)
    assert told.reason == reason
