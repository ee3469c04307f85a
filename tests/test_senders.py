"""The pool of threads that send, where the system gives no more of them: over simulated time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router.lane import Lane
from router.scheduler import NoThread
from router.senders import THREADLESS, Job, Senders
from simulation.scheduler import SimulatedScheduler, play_story

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.baton import Baton


class _Scheduler(SimulatedScheduler):
    """Gives threads while `gives` says so."""

    gives = True

    def start(self, name: str, run: Callable[[], None]) -> Any:
        if not self.gives:
            raise NoThread("can't start new thread")
        return super().start(name, run)


class _Play:
    """Two lanes, each send of which takes a second; `sent` names the lane of each."""

    def __init__(self, baton: Baton) -> None:
        self.baton = baton
        self.scheduler = _Scheduler(baton)
        self.senders = Senders(self.scheduler, self._send, lambda channel: 1)
        self.lanes = {name: Lane(name, self.scheduler) for name in ("a", "b")}
        self.sent: list[str] = []

    def deliver(self, name: str) -> None:
        lane: Any = self.lanes[name]
        lane.queue.put(name)
        self.senders.serve(lane)

    def pass_by(self, seconds: float) -> tuple[str, ...]:
        """Let time pass, looked after as the worker's clock does; returns what the pool says."""
        end = self.baton.now + seconds
        while self.baton.now < end:
            self.scheduler.sleep(0.5)
            self.senders.step(self.lanes.values())
        return self.senders.faults()

    def _send(self, job: Job) -> None:
        self.scheduler.sleep(1)
        self.sent.append(str(job.lane.queue.get_nowait()))


def test_threads_that_had_nothing_to_send_are_not_missed() -> None:
    def story(baton: Baton) -> None:
        play = _Play(baton)
        play.deliver("a")
        play.scheduler.gives = False
        play.deliver("b")  # wants a second thread, and there is none
        assert play.pass_by(10) == ()
        assert sorted(play.sent) == ["a", "b"]
        for _ in range(20):
            assert play.pass_by(30) == ()
        assert play.senders.size == 0

    play_story(story)


def test_only_what_waits_without_any_thread_for_long_ends_the_process() -> None:
    def story(baton: Baton) -> None:
        play = _Play(baton)
        play.deliver("a")
        play.scheduler.gives = False
        play.deliver("b")
        assert play.pass_by(600) == ()
        play.deliver("a")
        assert play.pass_by(THREADLESS - 1) == ()
        reasons = play.pass_by(5)
        assert len(reasons) == 1
        assert reasons[0].startswith("no thread to send with could be started for ")
        play.scheduler.gives = True
        assert play.pass_by(5) == ()
        assert sorted(play.sent) == ["a", "a", "b"]

    play_story(story)
