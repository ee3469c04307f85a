"""Fixed seeds of the simulation, each played as `python -m simulation` plays it; and that it can
fail: bugs that are planted are found, and the laws of its own go red."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chaos.history import Arrival, Carried, History
from router.clock import Clock
from router.ledger import Ledger, claim, turns
from router.ledger.engine import Engine
from router.supervisor import Supervisor
from simulation import world
from simulation.checker import beyond_rate, out_of_order, unmarked
from simulation.run import Run, empty_database, play
from simulation.workload import COURSES, RULES
from simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

TESTS = Path(__file__).parent.parent
SEEDS = (14, 2, 19, 23, 37)
"""Together these meet every kind of fault."""
QUIET = 19
"""A seed in which a bug that is planted has its occasion, whatever faults there are."""
MORE = range(13, 60)
"""Seeds of which some give its occasion to a bug that needs a fault of one kind: which of them do
changes with every change of the code."""
FAULTS = frozenset(
    {
        *("killed", "frozen", "stopped", "thread ended", "no thread", "clock set"),
        *("I/O error", "disk full", "ambiguous commit", "locked from outside"),
        *(f"far end: {answer}" for answer in ("500", "429", "silence", "closes", "refuses")),
        *("far end: drips", "far end: slow"),
    }
)


def _command(*seeds: int) -> subprocess.CompletedProcess[str]:
    chosen = [text for seed in seeds for text in ("--seed", str(seed))]
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
    return subprocess.run(
        [sys.executable, "-m", "simulation", *chosen],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_fixed_seeds_meet_every_fault_and_break_no_law() -> None:
    done = _command(*SEEDS, SEEDS[0])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    fired = {match[1] for match in re.finditer(r"^ *\d+ (.+)$", done.stdout, re.MULTILINE)}
    assert fired >= FAULTS, f"not met: {sorted(FAULTS - fired)}"
    traces = re.findall(r"^seed (\d+): .* trace (\w+)$", done.stdout, re.MULTILINE)
    assert len(traces) == len(SEEDS) + 1
    assert traces[0] == traces[-1], "one seed, two runs"
    assert len(set(traces)) == len(SEEDS)


def _laws(run: Run) -> set[str]:
    return {finding.law for finding in run.findings}


def test_a_delivery_that_is_dropped_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = empty_database(tmp_path)
    real = Engine.insert
    dropped: list[object] = []

    def insert(
        engine: Engine, connection: Any, table: Any, rows: Sequence[Any], *more: Any
    ) -> None:
        if table.name == "deliveries" and len(rows) > 1 and not dropped:
            dropped.append(rows[-1])
            rows = rows[:-1]
        real(engine, connection, table, rows, *more)

    monkeypatch.setattr(Engine, "insert", insert)
    assert "lost" in _laws(play(QUIET, empty))
    assert dropped


def test_a_repeat_without_its_mark_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = empty_database(tmp_path)
    monkeypatch.setitem(claim._TAKE, "unsure", "0")
    monkeypatch.setattr(claim, "_lapsed", lambda _row: False)
    assert any("unmarked" in _laws(play(seed, empty)) for seed in MORE)


def test_a_thread_that_nobody_starts_again_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = empty_database(tmp_path)
    monkeypatch.setattr(Supervisor, "_start_again", lambda *_: None)
    monkeypatch.setattr(world, "CALM", 60.0)
    assert any("thread" in _laws(play(seed, empty)) for seed in MORE)


def test_a_channel_that_stands_while_all_say_they_are_ready_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = empty_database(tmp_path)
    monkeypatch.setattr(Ledger, "claim", lambda *_: None)
    monkeypatch.setattr(world, "CALM", 120.0)
    assert "dry channel" not in _laws(play(QUIET, empty))
    monkeypatch.setattr(Clock, "_silent", lambda *_: [])
    assert "dry channel" in _laws(play(QUIET, empty))


def test_a_turn_that_is_never_passed_on_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = empty_database(tmp_path)
    monkeypatch.setattr(turns, "_FIRST", "deliveries.id = -1 AND :channel <> :case_key")
    monkeypatch.setattr(world, "CALM", 60.0)
    assert "waits" in _laws(play(QUIET, empty))


def _rules_with_rate(rate: str) -> str:
    return RULES.replace("rate: 2/s, burst: 2,", f"rate: {rate}, burst: 1, overflow: keep,")


def test_what_waits_for_a_slow_rate_makes_nobody_unready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "RULES", _rules_with_rate("30/h"))
    monkeypatch.setattr(world, "KINDS", {"nothing": (lambda _: None, 1)})
    monkeypatch.setattr(world, "CALM", 300.0)
    played = World(QUIET, tmp_path, empty_database(tmp_path))
    played.play()
    history = played.history()
    waited = [row.waited or 0.0 for row in history.deliveries if row.channel == "rated"]
    assert max(waited) > 200, "nothing waits for its rate"
    began = history.began + 10.0
    assert {s.detail for s in history.samples if s.status != 200 and s.at > began} == set()


def test_a_slow_rate_sends_nothing_twice_after_the_clock_was_set_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def set_forward(played: World) -> None:
        played.clock_sets.append(played.baton.now)
        for replica in played.replicas:
            replica.process.skew += 400.0

    monkeypatch.setattr(world, "RULES", _rules_with_rate("10/h"))
    monkeypatch.setattr(world, "KINDS", {"forward": (set_forward, 1)})
    monkeypatch.setattr(world, "CALM", 1500.0)
    monkeypatch.setattr(World, "_make_calm", lambda self: setattr(self, "calm", self.baton.now))
    played = World(3, tmp_path, empty_database(tmp_path))
    played.play()
    history = played.history()
    arrived = [
        carried for one in history.arrivals if one.channel == "rated" for carried in one.carries
    ]
    accepted = [row for row in history.deliveries if row.channel == "rated"]
    assert len(arrived) == len(accepted) == len({carried.event for carried in arrived}) > 2


def _arrival(
    event: int, message_id: str = "a", at: float = 0.0, *, repeat: bool = False
) -> Arrival:
    return Arrival(at, "plain", "everything", message_id, repeat, 1, (Carried(event, event),))


def _history(*arrivals: Arrival) -> History:
    return History(posts=(), arrivals=arrivals, courses=COURSES)


def test_two_arrivals_of_which_none_is_marked_are_red() -> None:
    assert unmarked(_history(_arrival(1), _arrival(1, repeat=True))) == []
    assert unmarked(_history(_arrival(1), _arrival(1))) == ["a at plain, 2 times"]
    assert unmarked(_history(_arrival(1), _arrival(1, "b"))) == ["a at plain, 2 times"]


def test_a_later_event_first_is_red_within_one_case_only() -> None:
    late = _history(_arrival(2), _arrival(1, "b"))
    assert out_of_order(late, {1: 7, 2: 7}) == ["event 1 of case 7 at plain"]
    assert out_of_order(late, {1: 7, 2: 8}) == []


def test_a_rate_that_is_broken_is_red_unless_clocks_differ() -> None:
    many = [(10.0, "rated")] * 9
    assert beyond_rate([(10.0 + n / 2, "rated") for n in range(100)], [], []) == []
    assert beyond_rate([(at, "plain") for at, _ in many], [], []) == []
    assert beyond_rate(many, [], []) == [10.0]
    assert beyond_rate(many, [], [10.0]) == []
