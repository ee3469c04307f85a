"""Bounds on a process aside that the system keeps, whatever the process is at."""

from __future__ import annotations

import os
import resource
import signal

NICE = 5
"""What somebody tries yields to what is accepted and sent."""
GRACE = 2
"""Seconds beyond which a question's own bound has failed, and the system ends the process."""


def confine(memory: int) -> None:
    """Bound this process to so many bytes, and have it yield to the service."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends this


def begin_work(seconds: float) -> None:
    """Let the system end this process unless `end_work` comes within so many seconds and so much
    time of a core. Should the parent be gone, nobody else does."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cores = int(used.ru_utime + used.ru_stime + seconds) + GRACE
    resource.setrlimit(resource.RLIMIT_CPU, (cores, resource.RLIM_INFINITY))
    signal.alarm(int(seconds) + GRACE)


def end_work() -> None:
    """The work that was begun is done."""
    signal.alarm(0)
