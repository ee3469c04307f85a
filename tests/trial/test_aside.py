"""The process aside: it answers, it is stopped when it takes too long, and it knows no secret."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from questions import question, titles
from router.pools import Crowded
from router.trial import Answer, Aside, TooMuch
from router.trial.__main__ import MEMORY
from router.trial.confine import NICE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

LOOPS = "{% for a in 'xxxxxxxxxx' %}" * 4 + "a" + "{% endfor %}" * 4


def in_a_loop(story: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, as one that is none."""

    @wraps(story)
    def test(**given: Any) -> None:
        asyncio.run(story(**given))

    return test


def heavy(number: int) -> str:
    return "".join(
        f'  - {{ name: r{n}, when: always, notify: sink, body: "{n}{LOOPS}" }}\n'
        for n in range(number)
    )


@in_a_loop
async def test_what_takes_too_long_is_stopped_and_the_next_is_answered(tmp_path: Path) -> None:
    aside = Aside(seconds=3)
    assert titles(await aside.ask("me", question(tmp_path))) == ["said"]
    with pytest.raises(TooMuch, match="longer than 3 seconds"):
        await aside.ask("me", question(tmp_path, heavy(600)))
    assert titles(await aside.ask("me", question(tmp_path, number=1))) == ["said"]
    await aside.close()


@in_a_loop
async def test_a_newer_question_overtakes_those_of_the_same_page(tmp_path: Path) -> None:
    aside = Aside()
    asked = [aside.ask("me", question(tmp_path, number=n)) for n in range(5)]
    other = aside.ask("another", question(tmp_path, number=9))
    *found, last = await asyncio.gather(*asked, other)
    assert [one is None for one in found] == [False, True, True, True, False]
    assert titles(last) == ["said"]
    await aside.close()


@in_a_loop
async def test_who_does_not_wait_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    aside = Aside()
    for who in ("running", "waiting"):
        asked = [asyncio.create_task(aside.ask(who, question(tmp_path, heavy(20)))) for _ in "ab"]
        await asyncio.sleep(0)
        for task in asked if who == "running" else asked[1:]:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        assert titles(await aside.ask("me", question(tmp_path, number=1))) == ["said"]
    await aside.close()


@in_a_loop
async def test_a_question_has_less_time_once_another_viewer_waits(tmp_path: Path) -> None:
    aside = Aside(seconds=60, shared=0.5)
    slow = asyncio.create_task(aside.ask("a", question(tmp_path, heavy(2_000)), "a"))
    await asyncio.wait({slow}, timeout=1.5)  # by then it is being answered, or the process starts
    assert not slow.done()
    assert titles(await aside.ask("b", question(tmp_path, number=1), "b")) == ["said"]
    with pytest.raises(TooMuch, match=r"longer than 0\.5 seconds, and others wait"):
        await slow
    await aside.close()


@in_a_loop
async def test_a_viewers_own_pages_do_not_shorten_each_other(tmp_path: Path) -> None:
    aside = Aside(shared=0.000_001)
    asked = [aside.ask(page, question(tmp_path, number=page), "me") for page in range(6)]
    assert [titles(answer) for answer in await asyncio.gather(*asked)] == [["said"]] * 6
    await aside.close()


@in_a_loop
async def test_one_viewer_has_six_questions_waiting_at_most(tmp_path: Path) -> None:
    aside = Aside()
    asked = [aside.ask(page, question(tmp_path), "me") for page in range(16)]
    other = aside.ask("another", question(tmp_path, number=1), "another")
    *mine, last = await asyncio.gather(*asked, other, return_exceptions=True)
    assert sum(isinstance(one, Answer) for one in mine) == 6
    assert {one.wait for one in mine if isinstance(one, Crowded)} == {10.0}
    assert isinstance(last, Answer)
    await aside.close()


ENDLESS = {
    "an infinite number": "{{ 1e400|int }}",
    "a wide rounding": "{{ case_id|round(99999999,'ceil') }}",
    "a large batch": "{{ [1]|batch(300000000,'x')|list }}",
    "doubling": "{% set ns = namespace(a=[1]) %}{% for _ in range(99) %}"
    "{% set ns.a = [ns.a,ns.a]|sum(start=[]) %}{% endfor %}",
}


@pytest.mark.parametrize("words", ENDLESS.values(), ids=ENDLESS)
@in_a_loop
async def test_words_without_an_end_are_bounded_here_too(tmp_path: Path, words: str) -> None:
    aside = Aside()
    rule = f'  - {{ name: r, when: always, notify: sink, title: "{words}" }}\n'
    answer = await aside.ask("me", question(tmp_path, rule))
    assert answer is not None
    assert answer.problems
    assert titles(await aside.ask("me", question(tmp_path, number=1))) == ["said"]
    await aside.close()


@in_a_loop
async def test_the_system_bounds_the_process_and_it_yields_to_the_service(tmp_path: Path) -> None:
    aside = Aside()
    await aside.ask("me", question(tmp_path))
    assert aside.process is not None
    limits = resource.prlimit(aside.process.pid, resource.RLIMIT_AS)
    assert limits == (MEMORY, MEMORY)
    assert os.getpriority(os.PRIO_PROCESS, aside.process.pid) == os.getpriority(0, 0) + NICE
    await aside.close()


@pytest.mark.parametrize("limit", ["time.sleep(60)", "list(iter(int, 1))"], ids=["waits", "works"])
def test_the_system_ends_what_its_parent_no_longer_can(limit: str) -> None:
    work = f"import time; from router.trial.confine import begin_work; begin_work(0); {limit}"
    ended = subprocess.run([sys.executable, "-c", work], timeout=30, check=False)
    assert ended.returncode in (-signal.SIGALRM, -signal.SIGXCPU)


@in_a_loop
async def test_too_many_at_once_are_told_to_wait(tmp_path: Path) -> None:
    aside = Aside()
    asked = [aside.ask(n, question(tmp_path), n) for n in range(20)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, Answer) for one in found) == 16
    assert {str(one) for one in found if isinstance(one, Exception)} == {
        "others are trying rules just now; try again in 10 seconds"
    }
    await aside.close()


@in_a_loop
async def test_a_process_that_was_killed_is_started_again(tmp_path: Path) -> None:
    aside = Aside()
    await aside.ask("me", question(tmp_path))
    assert aside.process is not None
    os.kill(aside.process.pid, signal.SIGKILL)
    assert titles(await aside.ask("me", question(tmp_path, number=1))) == ["said"]
    await aside.close()


@in_a_loop
async def test_the_process_knows_nothing_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SINK", "https://a-secret.example/")
    aside = Aside()
    await aside.ask("me", question(tmp_path))
    assert aside.process is not None
    environment = Path(f"/proc/{aside.process.pid}/environ")
    given = await asyncio.to_thread(environment.read_bytes)
    assert b"a-secret" not in given
    assert b"PATH=" in given
    await aside.close()
