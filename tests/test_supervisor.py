"""What ends is started again; what ends too often or stands still ends the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.scheduler import NoThread
from router.supervisor import OWN_SILENCE, PAUSES, STOPPED, Supervisor
from stepped import SteppedScheduler

if TYPE_CHECKING:
    from router.supervisor import Beat


class _Watched:
    """A supervisor over one thread that does what it is asked to."""

    def __init__(self) -> None:
        self.scheduler = SteppedScheduler()
        self.lost: list[str] = []
        self.restarted: list[str] = []
        self.supervisor = Supervisor(self.scheduler, self.lost.append, self.restarted.append)
        self.runs = 0
        self.fault: BaseException | None = None

    def keep(self, silence: float = 10.0) -> None:
        self.supervisor.keep("part", self._run, silence=silence)

    def _run(self, beat: Beat) -> None:
        self.runs += 1
        beat()
        if self.fault is not None:
            raise self.fault

    def pass_time(self, seconds: float) -> None:
        """Let time pass as the supervisor's own thread sees it."""
        end = self.scheduler.now + seconds
        while self.scheduler.now < end:
            self.scheduler.now += 0.5
            self.supervisor.step()

    def pass_time_of_loop(self, seconds: float) -> None:
        """Let time pass as the event loop sees it."""
        end = self.scheduler.now + seconds
        while self.scheduler.now < end:
            self.scheduler.now += 0.5
            self.supervisor.ensure()


def test_a_thread_that_ends_is_started_again_and_counted() -> None:
    watched = _Watched()
    watched.keep()
    watched.scheduler.end("part")
    assert watched.supervisor.faults() == ()
    watched.supervisor.step()
    assert watched.scheduler.alive("part")
    assert (watched.runs, watched.restarted, watched.lost) == (2, ["part"], [])


def test_while_it_is_gone_the_process_is_not_alive() -> None:
    watched = _Watched()
    watched.keep()
    watched.scheduler.most = 0
    watched.scheduler.end("part")
    watched.supervisor.step()
    assert watched.supervisor.faults() == ("`part` has ended and is being started again",)
    watched.scheduler.most = 10
    watched.supervisor.step()
    assert watched.supervisor.faults() == ()


def test_a_thread_whose_fault_is_a_system_exit_is_started_again() -> None:
    watched = _Watched()
    watched.fault = SystemExit(3)
    watched.keep()
    watched.fault = None
    watched.supervisor.step()
    assert watched.scheduler.alive("part")


def test_one_that_ends_too_often_ends_the_process_once_and_in_words() -> None:
    watched = _Watched()
    watched.keep()
    for _ in range(60):
        if watched.scheduler.alive("part"):
            watched.scheduler.end("part")
        watched.pass_time(1)
    assert watched.lost == [f"`part` ended {len(PAUSES) + 1} times within 120 s"]
    assert watched.supervisor.faults()[0] == watched.lost[0]


def test_one_that_ends_now_and_then_never_ends_the_process() -> None:
    watched = _Watched()
    watched.keep(silence=1e9)
    for _ in range(50):
        watched.scheduler.end("part")
        watched.pass_time(60)
        assert watched.scheduler.alive("part")
    assert watched.lost == []


def test_one_that_stands_still_is_seen_and_then_ends_the_process() -> None:
    watched = _Watched()
    watched.keep(silence=10)
    watched.pass_time(11)
    assert watched.supervisor.faults() == ("`part` has not moved for 11 s",)
    assert watched.lost == []
    watched.pass_time(10)
    assert watched.lost == ["`part` has not moved for 20 s"]


def test_a_process_that_was_stopped_and_goes_on_is_alive() -> None:
    watched = _Watched()
    watched.keep(silence=10)
    watched.scheduler.now += STOPPED + 1000
    watched.supervisor.step()
    assert (watched.supervisor.faults(), watched.lost) == ((), [])


def test_a_process_that_was_stopped_is_alive_whoever_wakes_first() -> None:
    watched = _Watched()
    watched.supervisor.start()
    watched.keep(silence=10)
    watched.pass_time(5)
    watched.scheduler.now += STOPPED + 1000
    watched.supervisor.ensure()  # the event loop's turn came before the supervisor's
    watched.supervisor.step()
    assert (watched.supervisor.faults(), watched.lost) == ((), [])


def test_one_that_was_released_may_end() -> None:
    watched = _Watched()
    watched.keep()
    watched.supervisor.release("part")
    watched.scheduler.end("part")
    watched.pass_time(200)
    assert (watched.runs, watched.supervisor.faults(), watched.lost) == (1, (), [])


def test_where_the_system_gives_no_thread_for_long_the_process_ends() -> None:
    watched = _Watched()
    watched.keep()
    watched.scheduler.most = 0
    watched.scheduler.end("part")
    watched.pass_time(30)
    assert watched.lost == []
    watched.pass_time(40)
    assert watched.lost == ["`part` cannot be started: can't start new thread"]


def test_what_is_only_watched_is_seen_when_it_stands_still() -> None:
    watched = _Watched()
    beat = watched.supervisor.watch("event-loop", silence=10)
    watched.pass_time(9)
    beat()
    watched.pass_time(9)
    assert watched.supervisor.faults() == ()
    watched.pass_time(2)
    assert watched.supervisor.faults() == ("`event-loop` has not moved for 11 s",)


def test_a_demand_that_is_not_met_ends_the_process() -> None:
    watched = _Watched()
    reasons: list[str] = []
    watched.supervisor.demand(lambda: tuple(reasons))
    watched.pass_time(5)
    assert watched.lost == []
    reasons.append("no thread to send with")
    watched.pass_time(5)
    assert watched.lost == ["no thread to send with"]


def test_the_supervisor_itself_is_started_again_by_the_event_loop() -> None:
    watched = _Watched()
    watched.supervisor.ensure()
    assert watched.scheduler.alive("supervisor")
    watched.supervisor.ensure()
    assert watched.scheduler.started.count("supervisor") == 1
    watched.scheduler.end("supervisor")
    watched.supervisor.ensure()
    assert watched.scheduler.alive("supervisor")
    assert watched.restarted == ["supervisor"]


def test_a_supervisor_that_stands_still_ends_the_process_but_one_that_was_stopped_goes_on() -> None:
    watched = _Watched()
    watched.supervisor.ensure()
    watched.scheduler.now += 1000  # SIGSTOP and SIGCONT: the event loop did not move either
    watched.supervisor.ensure()
    assert watched.lost == []
    watched.pass_time_of_loop(50)
    assert watched.lost == ["`supervisor` has not moved for a while"]


def test_without_a_thread_to_be_had_the_supervisor_is_started_once_there_is_one() -> None:
    watched = _Watched()
    watched.supervisor.ensure()
    watched.scheduler.most = 0
    watched.scheduler.end("supervisor")
    watched.supervisor.ensure()
    watched.scheduler.now += OWN_SILENCE + 1
    watched.supervisor.ensure()
    assert watched.supervisor.faults() == ("`supervisor` has not moved for a while",)
    watched.scheduler.most = 10
    watched.supervisor.ensure()
    assert watched.scheduler.alive("supervisor")
    assert (watched.supervisor.faults(), watched.restarted) == ((), ["supervisor"])


def test_without_a_thread_for_a_supervisor_for_long_the_event_loop_ends_the_process() -> None:
    watched = _Watched()
    watched.supervisor.start()
    watched.scheduler.most = 0
    watched.scheduler.end("supervisor")
    watched.pass_time_of_loop(50)
    assert watched.lost == []
    watched.pass_time_of_loop(50)
    assert watched.lost == ["`supervisor` cannot be started: can't start new thread"]


def test_a_supervisor_that_stands_still_ends_the_process_without_another_thread_too() -> None:
    watched = _Watched()
    watched.supervisor.start()
    watched.scheduler.most = 0
    watched.pass_time_of_loop(50)
    assert watched.lost == ["`supervisor` has not moved for a while"]


def test_a_supervisor_that_cannot_begin_says_so() -> None:
    watched = _Watched()
    watched.scheduler.most = 0
    with pytest.raises(NoThread):
        watched.supervisor.start()
