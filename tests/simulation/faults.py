"""The faults of a run: each kind is a function that draws what it does from the seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos.history import Fault
from simulation.far_ends import ANSWERS
from simulation.process import Sickness, ThreadFault, Trap

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.process import Illness
    from simulation.replica import Replica
    from simulation.world import World

PLACES = (
    *("begin", "statement", "commit", "committed"),
    *("send", "sent", "receive", "put", "get", "lock", "set", "start", "wait"),
)
THREADS = ("ledger-writer", "worker-clock", "supervisor", "sender", "watchdog", "rules-watch")
SERVED = ("plain", "rated", "timed", "gathered", "backup")


def kill(world: World) -> None:
    """A process ends at once, wherever it is."""
    for replica in _some(world):
        place = world.chance.choice(PLACES)

        def spring(replica: Replica = replica, place: str = place) -> None:
            replica.process.count(f"killed at {place}")
            world.counts["killed"] += 1
            world.end(replica, "killed")
            world.baton.check()

        _trap(world, replica, (place,), spring)


def freeze(world: World) -> None:
    """A process stands still for a while, inside of a transaction or not."""
    replica = world.any()
    seconds = world.chance.choice((2.0, 8.0, 30.0, 30.0, 90.0, 320.0))
    place = world.chance.choice(PLACES)

    def spring() -> None:
        began = world.baton.now
        replica.process.count(f"frozen at {place} for {seconds:g} s")
        world.counts["frozen"] += 1
        replica.process.frozen_until = began + seconds
        world.note("frozen", replica, began, began + seconds)

    _trap(world, replica, (place,), spring)


def end_thread(world: World) -> None:
    """A thread meets what nobody expects, where it begins or waits."""
    replica = world.any()
    thread = world.chance.choice(THREADS)

    def spring() -> None:
        replica.process.count(f"{thread} ends")
        world.counts["thread ended"] += 1
        raise ThreadFault(f"{thread} was ended")

    _trap(world, replica, ("get", "wait", "sleep", "thread"), spring, (thread,))


def no_threads(world: World) -> None:
    """The system gives no more threads for a while."""
    replica = world.any()
    replica.process.gives_threads = False

    def over() -> None:
        replica.process.gives_threads = True

    world.later(world.chance.choice((1.0, 10.0, 40.0)), over)


def database(world: World) -> None:
    """Statements or commits fail for a while: for one process, or for all."""
    kind: Illness = world.chance.choice(("io", "full", "ambiguous"))
    share = world.chance.choice((0.03, 0.1, 0.9))
    until = world.baton.now + world.chance.choice((1.0, 5.0, 15.0))
    for replica in _some(world):
        replica.process.sickness = Sickness(kind, share, until)


def locked(world: World) -> None:
    """Somebody else holds the database's lock."""
    seconds = world.chance.choice((1.0, 4.0, 12.0, 30.0))
    if world.lock_database():
        world.counts["locked from outside"] += 1
        world.later(seconds, world.unlock_database)


def clock(world: World) -> None:
    """A clock is set."""
    process = world.any().process
    by = world.chance.choice((-3.0, -40.0, -400.0, 3.0, 40.0, 400.0)) * world.chance.random()
    process.skew += by
    process.count("clock set back" if by < 0 else "clock set forward")
    world.counts["clock set"] += 1
    world.clock_sets.append(world.baton.now)


def far_end(world: World) -> None:
    """A far end that was well is not, for a while."""
    channel = world.chance.choice(SERVED)
    answer = world.chance.choice(ANSWERS)
    share = world.chance.choice((0.3, 1.0))
    world.far.moods[channel] = lambda: answer if world.chance.random() < share else "200"
    seconds = world.chance.choice((2.0, 10.0, 25.0))
    now = world.baton.now
    world.faults.append(Fault(f"{channel}: {answer}", now, now + seconds + 95, far_ends=True))
    world.later(seconds, lambda: world.far.moods.pop(channel, None) and None)


def stop(world: World) -> None:
    """A process is asked to stop, as at an update."""
    world.any().stop()
    world.counts["stopped"] += 1


KINDS: dict[str, tuple[Callable[[World], None], int]] = {
    "kill": (kill, 4),
    "freeze": (freeze, 3),
    "end thread": (end_thread, 4),
    "no threads": (no_threads, 2),
    "database": (database, 4),
    "locked": (locked, 2),
    "clock": (clock, 2),
    "far end": (far_end, 3),
    "stop": (stop, 1),
}
"""Every kind of fault, and how often it is drawn."""


def _some(world: World) -> list[Replica]:
    """One process, or now and then all of them."""
    return list(world.replicas) if world.chance.random() < 0.2 else [world.any()]


def _trap(
    world: World,
    replica: Replica,
    places: tuple[str, ...],
    spring: Callable[[], None],
    threads: tuple[str, ...] = (),
) -> None:
    left = world.chance.choice((1, 2, 5, 20))
    replica.process.traps.append(Trap(frozenset(places), left, spring, threads))
