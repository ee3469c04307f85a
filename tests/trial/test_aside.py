"""The process aside: it answers, it is stopped when it takes too long, and it knows no secret."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from router.rulebook import read_files
from router.trial import Answer, Aside, Question, TooMuch

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

RULES = """
version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { sink: { webhook: { url: "${SINK:?needed}" } } }
rules:
  - { name: all, when: always, notify: sink, title: "said" }
"""
LOOPS = "{% for a in 'xxxxxxxxxx' %}" * 4 + "a" + "{% endfor %}" * 4


def in_a_loop(story: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine, as one that is none."""

    @wraps(story)
    def test(**given: Any) -> None:
        asyncio.run(story(**given))

    return test


def question(folder: Path, edit: str = "", number: int = 0) -> Question:
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    files = read_files(str(folder / "rules.yaml"))
    body = b'{"trigger": "case_created"}'
    edits = {files.name: f"{RULES}{edit}# {number}"}
    return Question(files=files, edits=edits, base_url="http://x", body=body, source="atfinity")


def heavy(number: int) -> str:
    return "".join(
        f'  - {{ name: r{n}, when: always, notify: sink, body: "{n}{LOOPS}" }}\n'
        for n in range(number)
    )


def titles(answer: Answer | None) -> list[str]:
    assert answer is not None, "overtaken"
    return [one.message.title for one in answer.messages]


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
async def test_too_many_at_once_are_told_to_wait(tmp_path: Path) -> None:
    aside = Aside()
    asked = [aside.ask(n, question(tmp_path), n) for n in range(20)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, Answer) for one in found) == 16
    assert {str(one) for one in found if isinstance(one, Exception)} == {
        "too many try rules at once; wait a moment, then type on"
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
