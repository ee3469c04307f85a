"""Faults of a replica's process: it stands still, is killed, or is told to end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from chaos.scenario import scenario

if TYPE_CHECKING:
    from chaos.stage import Stage


@scenario("no fault", "nothing happens")
def no_fault(stage: Stage) -> None:
    with stage.fault("none"):
        stage.wait(stage.seconds / 2)


@scenario("started together", "replicas start at once on an empty database", at_once=True)
def started_together(stage: Stage) -> None:
    no_fault(stage)


@scenario(
    "started together on SQLite",
    "replicas start at once where there is no file yet",
    database="sqlite",
    at_once=True,
)
def started_together_on_sqlite(stage: Stage) -> None:
    no_fault(stage)


@scenario("stopped", "SIGSTOP of a replica under load, then SIGCONT")
def stopped(stage: Stage) -> None:
    victim = stage.any_name()
    with stage.fault("SIGSTOP", victim, reachable=False):
        stage.replica(victim).signal(signal.SIGSTOP)
        stage.wait()
        stage.replica(victim).signal(signal.SIGCONT)


@scenario("stopped inside", "SIGSTOP of a replica inside a transaction, then SIGCONT", short=True)
def stopped_inside(stage: Stage) -> None:
    victim = stage.any_name()
    process = stage.replica(victim)
    with stage.fault("SIGSTOP", victim, reachable=False):
        stage.catch_inside(
            victim,
            lambda _: process.signal(signal.SIGSTOP),
            lambda _: process.signal(signal.SIGCONT),
        )
        stage.wait()
        process.signal(signal.SIGCONT)


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
    for _ in range(max(2, round(stage.seconds / 3))):
        victim = stage.any_name()
        with stage.fault("SIGKILL", victim, reachable=False):
            stage.replica(victim).kill()
            stage.wait(stage.chance.uniform(0.2, 1.5))
            stage.start(stage.replica(victim))
            stage.wait_ready(victim)
        stage.wait(stage.chance.uniform(0.5, 1.0))


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
            stage.wait_ready(victim)
        stage.wait(0.5)
