"""For how long the oldest message might have gone."""

from __future__ import annotations

import pytest

from router.ledger import Due
from router.rules import Channel, Rate

CHANNELS = {
    "a": Channel(name="a", service="webhook", options={}),
    "b": Channel(name="b", service="webhook", options={}),
    "paused": Channel(name="paused", service="webhook", options={}, paused=True),
    "rated": Channel(name="rated", service="webhook", options={}, rate=Rate(100.0)),
    "burst": Channel(name="burst", service="webhook", options={}, rate=Rate(100.0, 3)),
}
SPACING = Rate(100.0).spacing


@pytest.mark.parametrize(
    ("channels", "resting", "next_at", "seconds"),
    [
        pytest.param({}, (), {}, 0.0, id="nothing waits"),
        pytest.param({"a": 70.0, "b": 90.0}, (), {}, 30.0, id="the oldest counts"),
        pytest.param({"a": 130.0}, (), {}, 0.0, id="it is due later"),
        pytest.param({"a": 70.0, "b": 90.0}, ("a",), {}, 10.0, id="one rests"),
        pytest.param({"paused": 10.0, "gone": 10.0, "b": 90.0}, (), {}, 10.0, id="paused, or gone"),
        pytest.param({"rated": 10.0}, (), {"rated": 150.0}, 0.0, id="the rate lets none go yet"),
        pytest.param({"rated": 10.0}, (), {"rated": 60.0}, 40.0, id="one might have gone"),
        pytest.param({"rated": 80.0}, (), {"rated": 60.0}, 20.0, id="the rate let it, once due"),
        pytest.param({"rated": 80.0}, (), {}, 20.0, id="none went before"),
        pytest.param(
            {"burst": 10.0}, (), {"burst": 90.0 + 2 * SPACING}, 10.0, id="what is left of a burst"
        ),
        pytest.param({"a": 70.0}, (), {"a": 500.0}, 30.0, id="it had a rate once"),
    ],
)
def test_how_long_the_oldest_might_have_gone(
    channels: dict[str, float],
    resting: tuple[str, ...],
    next_at: dict[str, float],
    seconds: float,
) -> None:
    due = Due(
        channels=channels,
        resting=frozenset(resting),
        next_at=next_at,
        paused=frozenset(),
        failing={},
        newest=1,
    )
    assert due.longest_wait(CHANNELS, 100.0) == pytest.approx(seconds)
