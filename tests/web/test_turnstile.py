"""The turnstile: one at a time, in order, and seldom while an event is being written down."""

from __future__ import annotations

import asyncio

import pytest

from router.pools import Crowded
from router.web.turnstile import PAUSE, Turnstile


def test_one_passes_in_each_round_of_the_loop_in_order() -> None:
    async def story() -> tuple[list[int], list[int]]:
        turnstile, passed, rounds = Turnstile(lambda: False), [], []

        async def ask(number: int) -> None:
            await turnstile.pass_through()
            passed.append(number)

        tasks = [asyncio.create_task(ask(number)) for number in range(20)]
        while not all(task.done() for task in tasks):
            before = len(passed)
            await asyncio.sleep(0)
            rounds.append(len(passed) - before)
        return passed, rounds

    passed, rounds = asyncio.run(story())
    assert passed == list(range(20))
    assert max(rounds) == 1


def test_while_events_are_written_down_they_pass_now_and_then() -> None:
    async def story(*, accepting: bool) -> float:
        turnstile = Turnstile(lambda: accepting)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(turnstile.pass_through() for _ in range(10)))
        return loop.time() - began

    assert asyncio.run(story(accepting=True)) > 8 * PAUSE
    assert asyncio.run(story(accepting=False)) < 8 * PAUSE


def test_too_many_are_told_at_once_and_who_goes_away_takes_no_turn() -> None:
    async def story() -> list[str]:
        turnstile, passed = Turnstile(lambda: False, most=3), []

        async def ask(name: str) -> None:
            await turnstile.pass_through()
            passed.append(name)

        tasks = [asyncio.create_task(ask(name)) for name in "abcd"]
        await asyncio.sleep(0)
        tasks[1].cancel()
        with pytest.raises(Crowded):
            await ask("e")
        await asyncio.gather(*tasks, return_exceptions=True)
        await ask("f")
        return passed

    assert asyncio.run(story()) == ["a", "c", "d", "f"]
