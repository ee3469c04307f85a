"""Turns: who had it least comes first, nobody waits for ever, and none is lost."""

from __future__ import annotations

import asyncio

import pytest

from router.trial.turns import Turns


def test_who_had_it_least_comes_first() -> None:
    async def story() -> list[str]:
        turns, order = Turns(), []

        async def take(who: str, seconds: float) -> None:
            async with turns.of(who, 20):
                order.append(who)
                await asyncio.sleep(seconds)

        await take("slow", 0.05)
        tasks = [asyncio.create_task(take("holder", 0.05))]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(take("slow", 0)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(take("other", 0)))
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(story()) == ["slow", "holder", "other", "slow", "slow", "slow"]


def test_who_waits_too_long_is_told_and_the_others_go_on() -> None:
    async def story() -> str:
        turns = Turns()
        holding, over = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with turns.of("a", 20):
                holding.set()
                await over.wait()

        task = asyncio.create_task(hold())
        await holding.wait()
        with pytest.raises(TimeoutError):
            async with turns.of("b", 0.01):
                raise AssertionError("it is a's turn")
        over.set()
        await task
        async with turns.of("c", 20):
            return "c"

    assert asyncio.run(story()) == "c"


def test_a_turn_that_comes_as_it_is_given_up_goes_to_the_next() -> None:
    async def story() -> int:
        turns, had = Turns(), 0

        async def take(patience: float) -> None:
            nonlocal had
            try:
                async with turns.of(object(), patience):
                    had += 1
                    await asyncio.sleep(0)
            except TimeoutError:
                pass

        for round_ in range(50):
            tasks = [asyncio.create_task(take(0.0001 * (round_ % 5) + 1e-9)) for _ in range(10)]
            await asyncio.gather(*tasks)
        await take(20)
        return had

    assert asyncio.run(story()) >= 51
