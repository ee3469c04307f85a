"""Faults of a replica's process: it stands still, is killed, or is told to end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from chaos.scenario import scenario

if TYPE_CHECKING:
    from chaos.stage import Stage


@scenario("no fault", "nothing happens", short=True)
def no_fault(stage: Stage) -> None:
    with stage.fault("none"):
        stage.wait(stage.seconds / 2)


@scenario("stopped", "SIGSTOP of a replica under load, then SIGCONT", short=True)
def stopped(stage: Stage) -> None:
    victim = stage.any_name()
    with stage.fault("SIGSTOP", victim, reachable=False):
        stage.replica(victim).signal(signal.SIGSTOP)
        stage.wait()
        stage.replica(victim).signal(signal.SIGCONT)


@scenario("stuttering", "SIGSTOP and SIGCONT of replicas in turn, many short ones")
def stuttering(stage: Stage) -> None:
    for _ in range(max(3, round(stage.seconds / 2))):
        victim = stage.any_name()
        with stage.fault("SIGSTOP", victim, reachable=False):
            stage.replica(victim).signal(signal.SIGSTOP)
            stage.wait(stage.chance.uniform(0.2, 2.5))
            stage.replica(victim).signal(signal.SIGCONT)
        stage.wait(stage.chance.uniform(0.1, 1.0))


@scenario("killed", "kill -9 of replicas, started again", short=True)
def killed(stage: Stage) -> None:
    for _ in range(max(2, round(stage.seconds / 5))):
        victim = stage.any_name()
        with stage.fault("SIGKILL", victim, reachable=False):
            stage.replica(victim).kill()
            stage.wait(stage.chance.uniform(0.5, 2.0))
            stage.start(stage.replica(victim))
            stage.wait(2.0)


@scenario("killed on SQLite", "kill -9 of replicas over one file", database="sqlite", short=True)
def killed_on_sqlite(stage: Stage) -> None:
    killed(stage)


@scenario(
    "stopped on SQLite",
    "SIGSTOP of a replica over one file, then SIGCONT",
    database="sqlite",
    replicas=2,
)
def stopped_on_sqlite(stage: Stage) -> None:
    stopped(stage)


@scenario("terminated", "SIGTERM of replicas, started again")
def terminated(stage: Stage) -> None:
    for _ in range(max(2, round(stage.seconds / 5))):
        victim = stage.any_name()
        with stage.fault("SIGTERM", victim, reachable=False):
            status = stage.replica(victim).stop()
            if status != 0:
                raise AssertionError(f"{victim} ended with {status} on SIGTERM")
            stage.wait(stage.chance.uniform(0.2, 1.0))
            stage.start(stage.replica(victim))
            stage.wait(2.0)
