"""A lane keeps the moments of its sends apart, however many threads ask at once."""

from __future__ import annotations

import pytest

from router.lane import Lane
from router.rules import Rate
from stepped import SteppedScheduler


@pytest.mark.parametrize("burst", [1, 2])
def test_threads_that_ask_at_once_begin_one_after_the_other(burst: int) -> None:
    rate = Rate(1.0, burst)
    lane = Lane("c", SteppedScheduler())
    waits = [lane.spacing(rate, 1000.0, 60.0) for _ in range(5)]
    expected = [max(0, number + 1 - burst) * rate.spacing for number in range(5)]
    assert waits == pytest.approx(expected)


def test_another_rate_holds_at_once() -> None:
    lane = Lane("c", SteppedScheduler())
    for _ in range(3):
        lane.spacing(Rate(3600.0), 1000.0, 86400.0)
    waits = [lane.spacing(Rate(0.1), 1000.0, 60.0) for _ in range(2)]
    assert waits == pytest.approx([0.0, 0.102])
    assert lane.spacing(None, 1000.0, 60.0) == 0.0
