"""The threads that send: one pool for all channels, as large as what is sent at one moment.

A channel is served by as many threads as its `concurrency`, so a far end that hangs holds up
nobody else. Where the system gives no more threads, those that live serve every channel in turn:
it is slower, and nobody is silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.log import get_logger
from router.scheduler import Empty, NoThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from router.lane import Lane
    from router.scheduler import Queue, Scheduler, Thread

MAX_THREADS = 512
IDLE = 30.0
"""Seconds after which a thread that has nothing to send ends."""
STUCK = 180.0
"""Seconds after which a send is taken for lost and another thread takes its place: a send has a
deadline of its own long before; the delivery itself is due again when its lease ends."""
MAX_STUCK = 32
"""Lost sends after which only a restart of the process helps."""
UNSERVED = 5.0
"""Seconds that a lane may hold deliveries of which none moves, before it is served anew."""
THREADLESS = 60.0
"""Seconds that something waits without a single thread, after which only a restart helps."""

_log = get_logger()


class Job:
    """One send of a lane that a thread is at. `lost`: it was written off, and its place is free."""

    __slots__ = ("begun_at", "lane", "lost")

    def __init__(self, lane: Lane, begun_at: float) -> None:
        self.lane = lane
        self.begun_at = begun_at
        self.lost = False


class Senders:
    """A pool of threads that serve lanes; `send_next` sends the next delivery of a job's lane."""

    def __init__(
        self,
        scheduler: Scheduler,
        send_next: Callable[[Job], None],
        concurrency: Callable[[str], int],
    ) -> None:
        self._scheduler = scheduler
        self._send_next = send_next
        self._concurrency = concurrency
        self._ready: Queue[Lane | None] = scheduler.queue()
        self._lock = scheduler.lock()
        self._threads: dict[int, Thread] = {}
        self._jobs: dict[int, Job] = {}
        self._number = 0
        self._idle = 0
        self._stuck = 0
        self._refused = False  # the system gave no thread when one was last asked for
        self._threadless_since: float | None = None
        self._stopping = False

    def serve(self, lane: Lane) -> None:
        """Have a lane served that got another delivery; never raises, whatever threads there are.

        Called after the delivery was put into the lane's queue.
        """
        with lane.lock:
            if lane.serving >= self._concurrency(lane.channel):
                return
            lane.serving += 1
        self._ready.put(lane)
        if self._ready.qsize() > self._idle:
            self._grow()

    def step(self, lanes: Iterable[Lane]) -> None:
        """Start threads for what waits without one, and write off sends that are lost.

        A thread that ended as it took a lane leaves one that nobody serves: it is served again.
        """
        now = self._scheduler.monotonic()
        for number, job in list(self._jobs.items()):
            if now - job.begun_at > STUCK and self._jobs.pop(number, None) is not None:
                with self._lock:
                    self._threads.pop(number, None)
                    self._stuck += 1
                _log.error("send_lost", channel=job.lane.channel, seconds=round(now - job.begun_at))
                with job.lane.lock:
                    job.lost = True
                    job.lane.serving -= 1
                    job.lane.held -= 1
                self.serve(job.lane)
        for lane in lanes:
            if lane.queue.qsize() and now - max(lane.moved_at, lane.mended_at) > UNSERVED:
                with lane.lock:
                    lane.mended_at = now
                    lane.serving = sum(job.lane is lane for job in list(self._jobs.values()))
                self.serve(lane)
        if self._ready.qsize() > self._idle:
            self._grow()
        if self._threads or not self._ready.qsize():
            self._threadless_since = None
        elif self._threadless_since is None:
            self._threadless_since = now

    def faults(self) -> tuple[str, ...]:
        """Why nothing, or not everything, can be sent; nothing if it can."""
        since = self._threadless_since
        if since is not None and (silent := self._scheduler.monotonic() - since) > THREADLESS:
            return (f"no thread to send with could be started for {round(silent)} s",)
        if self._stuck > MAX_STUCK:
            return (f"{self._stuck} sends never came back",)
        return ()

    @property
    def size(self) -> int:
        """How many threads there are."""
        return len(self._threads)

    def stop(self, seconds: float) -> int:
        """End the threads when they have sent what they are at; returns how many had not ended."""
        self._stopping = True
        threads = list(self._threads.values())
        for _ in threads:
            self._ready.put(None)
        end = self._scheduler.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, end - self._scheduler.monotonic()))
        return sum(thread.is_alive() for thread in threads)

    def _grow(self) -> None:
        with self._lock:
            if len(self._threads) >= MAX_THREADS or self._stopping:
                return
            self._number += 1
            number = self._number
            try:
                thread = self._scheduler.start(f"sender-{number}", lambda: self._run(number))
            except NoThread as error:
                if not self._refused:
                    self._refused = True
                    _log.error("no_more_threads", threads=len(self._threads), reason=str(error))
                return
            self._threads[number] = thread
            self._refused = False

    def _run(self, number: int) -> None:
        try:
            while self._next(number):
                pass
        finally:
            with self._lock:
                self._threads.pop(number, None)

    def _next(self, number: int) -> bool:
        """Wait for a lane and serve it; False when this thread is not needed any more."""
        with self._lock:
            self._idle += 1
        try:
            lane = self._ready.get(timeout=IDLE)
        except Empty:
            lane = None
        finally:
            with self._lock:
                self._idle -= 1
        if lane is None:
            # Between the wait's end and this line a lane may have counted on this thread.
            return self._ready.qsize() > 0 and not self._stopping
        while lane is not None:
            job = self._jobs[number] = Job(lane, self._scheduler.monotonic())
            try:
                self._send_next(job)
            except BaseException:  # noqa: BLE001 - one delivery's fault ends no thread
                _log.exception("sender_fault", channel=lane.channel)
            if self._jobs.pop(number, None) is None:
                return False  # it was written off, and another thread has taken its place
            lane = self._again(lane)
        return True

    def _again(self, lane: Lane) -> Lane | None:
        """The lane to serve next: the same one, unless it is empty or others wait for a thread."""
        crowded = self._ready.qsize() > self._idle
        with lane.lock:
            if not lane.queue.qsize() or self._stopping:
                lane.serving = max(0, lane.serving - 1)
                return None
        if not crowded:
            return lane
        self._ready.put(lane)
        return None
