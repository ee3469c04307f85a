"""The clock of a machine is set while the router runs on SQLite: nothing is given up, or stuck."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from chaos.clocks import DAY, Clock, build_clock
from far_end import Answer, HttpFarEnd, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from running import Running

RULES = """\
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels:
  sink: {{ webhook: {{ url: {url}/sink }}, retry: {{ for: 24h, first: 200ms, at_most: 1s }} }}
  listed: {{ webhook: {{ url: {url}/listed }} }}
rules:
  - {{ name: all, when: {{ trigger: case_created }}, notify: sink }}
  - {{ name: some, when: {{ trigger: case_comment }}, notify: listed, digest: {{ every: 3s }} }}
"""


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


@pytest.fixture
def preloaded(tmp_path: Path, clock: Clock) -> dict[str, str]:
    return {"LD_PRELOAD": str(build_clock(tmp_path)), "CHAOS_CLOCK": str(clock.path)}


def _post(running: Running, trigger: str, case: int) -> None:
    assert running.post({"trigger": trigger, "case_id": case})[0] == 202


def _saw(running: Running, what: str) -> Callable[[], bool]:
    return lambda: f'"{what}"' in running.log.read_text()


def test_a_clock_set_forward_a_day_gives_nothing_up(
    router: Callable[..., Running], clock: Clock, preloaded: dict[str, str]
) -> None:
    with HttpFarEnd() as far:
        far.usual = Answer(503)
        running = router(RULES.format(url=far.url), **preloaded)
        for case in range(5):
            _post(running, "case_created", case)
        wait_until(lambda: len(far.posted) > 8)
        clock.set(DAY)
        wait_until(_saw(running, "clock_set_forward"))
        tried = len(far.posted)
        wait_until(lambda: len(far.posted) > tried + 2)
        assert len(running.deliveries("state=pending")) == 5
        far.usual = Answer()
        wait_until(lambda: len(running.deliveries("state=sent")) == 5)


def test_what_a_clock_a_day_ahead_wrote_goes_in_its_time_once_it_is_right(
    router: Callable[..., Running], clock: Clock, preloaded: dict[str, str]
) -> None:
    with HttpFarEnd() as far:
        far.by_path = lambda path: Answer(503) if path == "/sink" else None
        running = router(RULES.format(url=far.url), **preloaded)
        _post(running, "case_created", 1)
        wait_until(lambda: far.posted)
        clock.set(DAY)
        wait_until(_saw(running, "clock_set_forward"))
        tried = len(far.posted)
        wait_until(lambda: len(far.posted) > tried + 2)
        _post(running, "case_comment", 2)
        clock.set(0.0)
        wait_until(_saw(running, "clock_set_back"))
        _post(running, "case_comment", 3)
        far.by_path = None
        wait_until(lambda: len(running.deliveries("state=sent")) == 3)
        listed = [json.loads(one.body) for one in far.posted if one.path == "/listed"]
        assert sum(len(one.get("events") or [0]) for one in listed) == 2


def test_a_process_that_only_receives_goes_by_it_too(
    router: Callable[..., Running], clock: Clock, preloaded: dict[str, str]
) -> None:
    running = router(RULES.format(url="http://127.0.0.1:9"), **preloaded)
    running.stop()
    running.start("--role", "receive")
    _post(running, "case_created", 1)
    clock.set(DAY)

    def ahead() -> float:
        _post(running, "case_created", 2)
        latest, *_, first = (
            datetime.fromisoformat(one["received_at"])
            for one in running.get("/api/events")[1]["items"]
        )
        return (latest - first).total_seconds()

    wait_until(lambda: ahead() >= DAY)
