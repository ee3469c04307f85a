"""Who waits for the process aside waits for what others try, and not for its start."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from far_end import wait_until
from questions import question, titles
from router.pools import Crowded
from router.trial import Aside
from router.trial.aside import PATIENCE, STARTING
from router.trial.turns import Turns


class Skipping(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward."""

    skipped = 0.0

    def time(self) -> float:
        return super().time() + self.skipped


async def skip(seconds: float) -> None:
    """Let what was begun begin, put the clock forward, and let what is due then happen."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Skipping)
    await _settle()
    loop.skipped += seconds
    await _settle()


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def in_a_skipping_loop(story: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(story)
    def test(**given: Any) -> None:
        with asyncio.Runner(loop_factory=Skipping) as runner:
            runner.run(story(**given))

    return test


async def _take(turns: Turns, who: str, ends: asyncio.Event) -> str:
    async with turns.of(who, PATIENCE):
        await ends.wait()
    return who


@in_a_skipping_loop
async def test_seconds_that_do_not_count_end_nobodys_patience() -> None:
    turns, ends = Turns(), asyncio.Event()
    first = asyncio.create_task(_take(turns, "first", ends))
    await asyncio.sleep(0)
    before = asyncio.create_task(_take(turns, "before", ends))
    await skip(PATIENCE - 3)
    with turns.uncounted(STARTING):
        within = asyncio.create_task(_take(turns, "within", ends))
        await skip(STARTING - 3)
        assert not before.done()
    await skip(1)
    assert not before.done()
    await skip(3)
    with pytest.raises(TimeoutError):
        await before
    await skip(1)
    assert not within.done(), "its patience began when seconds counted again"
    ends.set()
    assert (await first, await within) == ("first", "within")


@in_a_skipping_loop
async def test_who_comes_while_no_seconds_count_loses_patience_as_anybody() -> None:
    turns, ends = Turns(), asyncio.Event()
    first = asyncio.create_task(_take(turns, "first", ends))
    await asyncio.sleep(0)
    with turns.uncounted(STARTING):
        within = asyncio.create_task(_take(turns, "within", ends))
        await skip(2)
    await skip(PATIENCE - 1)
    assert not within.done()
    await skip(2)
    with pytest.raises(TimeoutError):
        await within
    ends.set()
    await first


@in_a_skipping_loop
async def test_seconds_count_if_what_they_were_for_has_failed() -> None:
    turns, ends = Turns(), asyncio.Event()
    first = asyncio.create_task(_take(turns, "first", ends))
    await skip(0)
    waiting = asyncio.create_task(_take(turns, "waiting", ends))
    with pytest.raises(OSError, match="no process"), turns.uncounted(STARTING):  # noqa: PT012
        await skip(PATIENCE + 1)
        assert not waiting.done()
        raise OSError("no process")
    with pytest.raises(TimeoutError):
        await waiting
    ends.set()
    await first


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that is started stops at once, as on a machine that is too busy."""
    stops = "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n"
    (tmp_path / "sitecustomize.py").write_text(stops, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)


def _stopped_process(aside: Aside) -> int:
    """The process aside, once it has stopped."""
    wait_until(lambda: aside.process is not None)
    assert aside.process is not None
    os.waitid(os.P_PID, aside.process.pid, os.WSTOPPED | os.WNOWAIT)
    return aside.process.pid


@pytest.mark.usefixtures("stopped")
@in_a_skipping_loop
async def test_a_process_that_starts_slowly_is_nobodys_fault(tmp_path: Path) -> None:
    aside = Aside()
    asked = [
        asyncio.create_task(aside.ask(part, question(tmp_path, number=n), viewer))
        for n, (part, viewer) in enumerate([("try", "me"), ("tests", "me"), ("try too", "you")])
    ]
    process = await asyncio.to_thread(_stopped_process, aside)
    await skip(PATIENCE + 1)
    assert not any(task.done() for task in asked)
    os.kill(process, signal.SIGCONT)
    assert [titles(answer) for answer in await asyncio.gather(*asked)] == [["said"]] * 3
    await aside.close()


@pytest.mark.parametrize(
    ("viewer", "told"),
    [
        ("me", "what you are trying already takes long; try again in 10 seconds"),
        ("you", "others are trying rules just now; try again in 10 seconds"),
    ],
)
@in_a_skipping_loop
async def test_who_is_alone_is_not_told_of_others(tmp_path: Path, viewer: str, told: str) -> None:
    aside = Aside(seconds=600, shared=600)
    assert titles(await aside.ask("try", question(tmp_path), "me")) == ["said"]
    assert aside.process is not None
    os.kill(aside.process.pid, signal.SIGSTOP)
    slow = asyncio.create_task(aside.ask("try", question(tmp_path, number=1), "me"))
    await skip(0)
    waiting = asyncio.create_task(aside.ask("tests", question(tmp_path, number=2), viewer))
    await skip(PATIENCE + 1)
    with pytest.raises(Crowded) as refused:
        await waiting
    assert str(refused.value) == told
    os.kill(aside.process.pid, signal.SIGCONT)
    assert titles(await slow) == ["said"]
    await aside.close()
