"""Pools of threads: bounds on what waits, and threads that are there again."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time

import pytest

from faults.striking import strike_thread
from router.pools import Crowded, NoPoolThread, Pool


def test_a_pool_says_at_once_that_it_is_crowded() -> None:
    release = threading.Event()

    async def story() -> list[str]:
        pool = Pool("test", threads=1, waiting=1, wait=1.0)
        tasks = [asyncio.create_task(pool.run(release.wait, 20)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Crowded):
            await pool.run(release.wait, 20)
        tasks[0].cancel()  # who goes away leaves the thread at work
        await asyncio.sleep(0)
        with pytest.raises(Crowded):
            await pool.run(release.wait, 20)
        release.set()
        assert await tasks[1]
        return [await pool.run(str, "free")]

    assert asyncio.run(story()) == ["free"]


def test_what_gets_no_thread_in_time_is_told_and_never_done() -> None:
    release = threading.Event()
    done: list[str] = []

    async def story() -> None:
        pool = Pool("test", threads=1, waiting=5, wait=1.0, patience=0.05)
        working = asyncio.create_task(pool.run(release.wait, 20))
        await asyncio.sleep(0)
        with pytest.raises(Crowded):
            await pool.run(done.append, "late")
        leaving = asyncio.create_task(pool.run(done.append, "gone"))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        release.set()
        assert await working  # what has begun is waited for
        await pool.run(done.append, "next")

    asyncio.run(story())
    assert done == ["next"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_is_replaced() -> None:
    async def story() -> None:
        pool = Pool("test", threads=1, waiting=5, wait=1.0, patience=0.2)
        before = await pool.run(threading.current_thread)
        while before.is_alive():
            # It may die of the next call, which is then not begun; or survive, inside a future.
            strike_thread(before, ValueError)
            with contextlib.suppress(Crowded, ValueError):
                await pool.run(str, "x")
        assert await pool.run(threading.current_thread) != before

    asyncio.run(story())


def test_a_thread_that_stands_still_is_written_off_and_replaced() -> None:
    release = threading.Event()

    async def story() -> None:
        pool = Pool("test", threads=1, waiting=2, wait=1.0, patience=20.0, longest=0.05)
        for still in (1, 2):
            stuck = asyncio.create_task(pool.run(release.wait, 20))
            behind = asyncio.create_task(pool.run(str, "next"))
            with pytest.raises(Crowded, match="it took too long"):
                await stuck
            assert pool.stands_still() == (still > 1)
            # What waits already has no thread until somebody asks for one.
            assert await pool.run(str, "asked later") == "asked later"
            assert await behind == "next"
        release.set()
        while pool.stands_still():  # noqa: ASYNC110 - those that move again are threads like others
            await asyncio.sleep(0.01)
        assert await pool.run(str, "well") == "well"

    asyncio.run(story())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_takes_nothing_any_more_is_written_off_and_replaced() -> None:
    release = threading.Event()

    class Held(BaseException):
        def __init__(self) -> None:
            release.wait(20)

    async def story() -> None:
        pool = Pool("test", threads=1, waiting=2, wait=1.0, patience=0.1)
        found = before = await pool.run(threading.current_thread)
        strike_thread(before, Held)
        while found is before:
            with contextlib.suppress(Crowded):
                found = await pool.run(threading.current_thread)
        assert before.is_alive()
        release.set()
        await asyncio.to_thread(before.join, 20)
        assert await pool.run(str, "well") == "well"

    asyncio.run(story())


def test_calls_that_come_too_late_leave_no_thread_for_lost() -> None:
    """Many are given up just as their thread takes them."""

    async def story() -> bool:
        pool = Pool("test", threads=1, waiting=64, wait=1.0, patience=0.01)
        crowded = 0
        for _ in range(60):
            calls = [pool.run(time.sleep, 0.0003) for _ in range(60)]
            for answer in await asyncio.gather(*calls, return_exceptions=True):
                crowded += isinstance(answer, Crowded)
        assert crowded > 0
        while True:
            with contextlib.suppress(Crowded):
                await pool.run(time.sleep, 0)
                return pool.stands_still()

    assert not asyncio.run(story())


def test_a_system_exit_ends_neither_the_thread_nor_the_event_loop() -> None:
    async def story() -> str:
        pool = Pool("test", threads=1, waiting=5, wait=1.0)
        with pytest.raises(RuntimeError, match="it was ended by SystemExit"):
            await pool.run(sys.exit, 3)
        return await pool.run(str, "well")

    assert asyncio.run(story()) == "well"


def test_what_fails_is_raised_where_it_was_asked_and_ends_no_thread() -> None:
    async def story() -> None:
        pool = Pool("test", threads=1, waiting=5, wait=1.0)
        before = await pool.run(threading.get_ident)
        with pytest.raises(ZeroDivisionError):
            await pool.run(divmod, 1, 0)
        assert await pool.run(threading.get_ident) == before

    asyncio.run(story())


def test_where_the_system_gives_no_thread_it_is_crowded_until_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = threading.Thread.start

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def story() -> str:
        pool = Pool("test", threads=2, waiting=5, wait=1.0)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(NoPoolThread, match="gives this process no more threads"):
            await pool.run(str, "x")
        monkeypatch.setattr(threading.Thread, "start", begin)
        return await pool.run(str, "well")

    assert asyncio.run(story()) == "well"
