"""The watchdog's thread: one, whoever asks for it at once; over simulated time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.delivery.watchdog import IDLE, LOOK, STANDS, Watchdog
from simulation.scheduler import SimulatedScheduler, play_story

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.baton import Baton

SENDERS = 12


class _Exchange:
    """What is watched: `cuts` counts how often it was cut off."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.cuts = 0

    def cut(self) -> None:
        self.cuts += 1


class _Counting(SimulatedScheduler):
    """Counts the threads that live."""

    living = 0

    def start(self, name: str, run: Callable[[], None]):  # type: ignore[no-untyped-def]
        def counted() -> None:
            self.living += 1
            try:
                run()
            finally:
                self.living -= 1

        return super().start(name, counted)


@pytest.mark.parametrize("seed", range(4))
def test_many_that_begin_at_once_are_watched_by_one_thread(seed: int) -> None:
    def story(baton: Baton) -> None:
        scheduler = _Counting(baton)
        watchdog = Watchdog(scheduler)
        exchanges = [_Exchange(baton.now + 5.0) for _ in range(SENDERS)]
        for exchange in exchanges:
            baton.start("sender", lambda exchange=exchange: watchdog.watch(exchange))  # type: ignore[misc]
        scheduler.sleep(3 * LOOK)
        assert scheduler.living == 1
        scheduler.sleep(5.0)
        assert all(exchange.cuts for exchange in exchanges)
        for exchange in exchanges:
            watchdog.leave(exchange)
        scheduler.sleep(IDLE + 1.0)
        assert scheduler.living == 0
        late = _Exchange(baton.now)
        watchdog.watch(late)
        scheduler.sleep(3 * LOOK)
        assert (scheduler.living, late.cuts > 0) == (1, True)

    play_story(story, seed, restless=0.5)


def test_a_thread_that_stood_still_and_moves_again_leaves_it_to_the_other() -> None:
    def story(baton: Baton) -> None:
        scheduler = _Counting(baton)
        watchdog = Watchdog(scheduler)

        class Slow(_Exchange):
            def cut(self) -> None:
                super().cut()
                if self.cuts == 1:
                    scheduler.sleep(4 * STANDS)

        watchdog.watch(Slow(baton.now))
        scheduler.sleep(2 * STANDS)
        other = _Exchange(baton.now)
        watchdog.watch(other)
        scheduler.sleep(3 * LOOK)
        assert (scheduler.living, other.cuts > 0) == (2, True)
        scheduler.sleep(4 * STANDS)
        assert scheduler.living == 1

    play_story(story)


@pytest.mark.parametrize("how", ["ends", "stands still"])
def test_what_is_sent_is_cut_off_though_the_thread_is_lost_and_nothing_else_is_sent(
    how: str,
) -> None:
    def story(baton: Baton) -> None:
        scheduler = _Counting(baton)
        watchdog = Watchdog(scheduler)

        class Fatal(_Exchange):
            def cut(self) -> None:
                watchdog.leave(self)
                if how == "ends":
                    raise SystemExit
                scheduler.sleep(1000.0)

        drips = _Exchange(baton.now + 30.0)
        watchdog.watch(Fatal(baton.now))
        watchdog.watch(drips)
        for _ in range(20):  # the worker's clock comes by
            scheduler.sleep(2.0)
            watchdog.ensure()
        assert drips.cuts

    play_story(story)
