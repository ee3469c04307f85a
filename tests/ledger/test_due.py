"""For how long the oldest message is due where it could go."""

from __future__ import annotations

import pytest

from router.ledger import Due


@pytest.mark.parametrize(
    ("channels", "resting", "seconds"),
    [
        pytest.param({}, (), 0.0, id="nothing waits"),
        pytest.param({"a": 70.0, "b": 90.0}, (), 30.0, id="the oldest counts"),
        pytest.param({"a": 130.0}, (), 0.0, id="it is due later"),
        pytest.param({"a": 70.0, "b": 90.0}, ("a",), 10.0, id="one rests"),
        pytest.param({"paused": 10.0, "gone": 10.0, "b": 90.0}, (), 10.0, id="paused in the rules"),
    ],
)
def test_how_long_the_oldest_is_due(
    channels: dict[str, float], resting: tuple[str, ...], seconds: float
) -> None:
    due = Due(
        channels=channels,
        resting=frozenset(resting),
        paused=frozenset(),
        failing={},
        newest=1,
    )
    assert due.longest_wait(frozenset({"a", "b"}), 100.0) == seconds
