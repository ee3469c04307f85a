"""The supervisor: threads that must never end are started again, and seen when they stand still.

Each has a name, a beat and a budget. One that ends is started again, after a growing pause; one
that ends too often, or stands still too long, cannot be mended from within: then the process says
so and ends, so that whoever supervises it starts another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.log import Repeated, get_logger
from router.scheduler import NoThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.scheduler import Scheduler, Thread

PERIOD = 0.5
"""Seconds between two looks at all of them."""
PAUSES = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the first, second, ... restart within WINDOW; there are no more than these."""
WINDOW = 120.0
GONE_WITHOUT = 60.0
"""Seconds that a thread may be missing because the system gives no more threads, the supervisor's
own too."""
OWN_SILENCE = 20.0
"""Seconds within which the supervisor itself has looked at all."""
STOPPED = 5.0
"""Seconds between two looks that say that the whole process was stopped meanwhile."""

_log = get_logger()


class Beat:
    """The sign of life of one thread: it is called each time the thread has come round."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.at = monotonic()

    def __call__(self) -> None:
        self.at = self._monotonic()


class _Supervised:
    """One thread, or (without `run`) something that beats and is not ours to start."""

    def __init__(
        self, name: str, run: Callable[[Beat], None] | None, silence: float, beat: Beat
    ) -> None:
        self.name = name
        self.run = run
        self.silence = silence
        self.beat = beat
        self.thread: Thread | None = None
        self.ends: list[float] = []  # when it ended, within WINDOW
        self.start_at = 0.0
        self.missing_since: float | None = None
        self.released = False


class Supervisor:
    """Keeps threads alive. `step` looks at them once; a service's `run` does it for ever."""

    def __init__(
        self,
        scheduler: Scheduler,
        give_up: Callable[[str], None] | None = None,
        restarted: Callable[[str], None] | None = None,
    ) -> None:
        """`give_up` is told, once, why the process has to end; `restarted` which thread was.

        `give_up` is called in a thread that has nothing else to do any more, or in the event loop
        where there is none to be had.
        """
        self._scheduler = scheduler
        self._give_up = give_up
        self._restarted = restarted
        self._supervised: dict[str, _Supervised] = {}
        self._demands: list[Callable[[], tuple[str, ...]]] = []
        self._stopping = scheduler.event()
        # When `step` and `ensure` came by, and the supervisor's sign of life, without stops.
        self._stepped = self._ensured = self._own_beat = scheduler.monotonic()
        self._thread: Thread | None = None
        self._missing_since: float | None = None
        self._own = Repeated("supervisor_not_started")
        self.lost: str | None = None

    def keep(self, name: str, run: Callable[[Beat], None], *, silence: float) -> None:
        """Run a function in a thread, again and again should it end, until it is released.

        It has to call its beat at least every `silence` seconds. Raises NoThread if the
        system gives no thread now.
        """
        entry = _Supervised(name, run, silence, Beat(self._scheduler.monotonic))
        self._start(entry)
        self._supervised[name] = entry

    def watch(self, name: str, *, silence: float) -> Beat:
        """Watch something that runs by itself by the beat that is returned."""
        entry = _Supervised(name, None, silence, Beat(self._scheduler.monotonic))
        self._supervised[name] = entry
        return entry.beat

    def demand(self, *checks: Callable[[], tuple[str, ...]]) -> None:
        """End the process when one of them gives reasons that nothing here can mend."""
        self._demands.extend(checks)

    def release(self, name: str) -> None:
        """Let a thread end when it wants to; unknown names are let go too."""
        entry = self._supervised.get(name)
        if entry is not None:
            entry.released = True

    def join(self, name: str, timeout: float) -> bool:
        """Wait for a released thread; answers whether it has ended within `timeout` seconds."""
        entry = self._supervised.get(name)
        if entry is None or entry.thread is None:
            return True
        entry.thread.join(timeout)
        return not entry.thread.is_alive()

    def start(self) -> None:
        """Begin to look at them, again and again; raises NoThread if the system gives none."""
        self._start_own()

    def step(self) -> None:
        """Look at every thread once: start again what ended, tell what stands still."""
        now = self._scheduler.monotonic()
        gap, self._stepped = now - self._stepped, now
        self._own_beat = now
        if gap > STOPPED:  # SIGSTOP, or a machine that slept: nobody could beat
            for entry in self._supervised.values():
                entry.beat.at += gap
        for entry in list(self._supervised.values()):
            if not entry.released:
                self._look_after(entry, now)
        for check in self._demands:
            if reasons := check():
                self._end(reasons[0])

    def faults(self) -> tuple[str, ...]:
        """Why the process is not alive as it should be, in words; nothing if it is."""
        now = self._scheduler.monotonic()
        reasons = [self.lost] if self.lost else []
        if now - self._own_beat > OWN_SILENCE and not self._stopping.is_set():
            reasons.append("`supervisor` has not moved for a while")
        for entry in list(self._supervised.values()):
            if entry.released:
                continue
            if entry.missing_since is not None:
                reasons.append(f"`{entry.name}` has ended and is being started again")
            elif now - entry.beat.at > entry.silence:
                silent = round(now - entry.beat.at)
                reasons.append(f"`{entry.name}` has not moved for {silent} s")
        return tuple(reasons)

    def ensure(self) -> None:
        """See to the supervisor's own thread: start it if it does not live, end the process if it
        stands still. The event loop calls this, again and again; it never raises."""
        if self._stopping.is_set():
            return
        now = self._scheduler.monotonic()
        gap, self._ensured = now - self._ensured, now
        lives = self._thread is not None and self._thread.is_alive()
        if lives and gap > STOPPED:
            # The whole process was stopped. `_stepped` stays: the next step must see that too.
            self._own_beat = min(now, self._own_beat + gap)
        if not lives:
            self._start_own_again(now)
        elif now - self._own_beat > 2 * OWN_SILENCE:
            self._end_alone("`supervisor` has not moved for a while")

    def _start_own_again(self, now: float) -> None:
        try:
            self._start_own()
        except NoThread as error:  # `faults` says so until there is one
            self._own.note("supervisor", error, expected=False)
            if self._missing_since is None:
                self._missing_since = now
            elif now - self._missing_since > GONE_WITHOUT:
                self._end_alone(f"`supervisor` cannot be started: {error}")
            return
        self._missing_since = None
        self._own.over("supervisor")

    def _start_own(self) -> None:
        before = self._thread
        self._thread = self._scheduler.start("supervisor", self._run)
        self._own_beat = self._scheduler.monotonic()
        if before is not None:
            _log.error("thread_ended", thread="supervisor")
            self._note_restart("supervisor")

    def _end_alone(self, reason: str) -> None:
        """End the process from the event loop, since the supervisor's thread does not."""
        self._stopping.set()  # nobody has to look any more
        try:
            self._scheduler.start("giving-up", lambda: self._end(reason))
        except NoThread:
            self._end(reason)

    def stop(self) -> None:
        """Look after nothing any more."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD):
            try:
                self.step()
            except Exception:  # noqa: BLE001 - it is logged in full, and the next look is near
                _log.exception("supervisor_fault")

    def _look_after(self, entry: _Supervised, now: float) -> None:
        silent = now - entry.beat.at
        if entry.run is not None and (entry.thread is None or not entry.thread.is_alive()):
            self._start_again(entry, now)
        elif silent > 2 * entry.silence:
            self._end(f"`{entry.name}` has not moved for {round(silent)} s")

    def _start_again(self, entry: _Supervised, now: float) -> None:
        if entry.missing_since is None:
            entry.missing_since = now
            entry.ends = [at for at in entry.ends if now - at < WINDOW]
            if len(entry.ends) == len(PAUSES):
                many = len(entry.ends) + 1
                self._end(f"`{entry.name}` ended {many} times within {round(WINDOW)} s")
                return
            entry.start_at = now + PAUSES[len(entry.ends)]
            entry.ends.append(now)
            _log.error("thread_ended", thread=entry.name, ends=len(entry.ends))
        if now < entry.start_at:
            return
        try:
            self._start(entry)
        except NoThread as error:
            if now - entry.missing_since > GONE_WITHOUT:
                self._end(f"`{entry.name}` cannot be started: {error}")
            return
        entry.missing_since = None
        _log.warning("thread_started_again", thread=entry.name)
        self._note_restart(entry.name)

    def _start(self, entry: _Supervised) -> None:
        run = entry.run
        if run is None:
            raise AssertionError("what is only watched is not started")

        def thread() -> None:
            try:
                run(entry.beat)
            except BaseException:  # noqa: BLE001 - a thread that ends is started again
                _log.exception("thread_fault", thread=entry.name)

        entry.beat()
        entry.thread = self._scheduler.start(entry.name, thread)

    def _end(self, reason: str) -> None:
        if self.lost is None:
            self.lost = reason
            _log.critical("gave_up", reason=reason)
            if self._give_up is not None:
                self._give_up(reason)

    def _note_restart(self, name: str) -> None:
        if self._restarted is not None:
            self._restarted(name)
