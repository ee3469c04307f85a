"""One run: replicas, clients, far ends and faults, all drawn from one seed."""

from __future__ import annotations

import heapq
import random
import shutil
import sqlite3
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from chaos.history import Exit, Fault, History
from router.gate import SKEW
from router.secret import Secret
from router.settings import Settings
from simulation.baton import Baton
from simulation.clients import Clients
from simulation.database import simulated_connections
from simulation.far_ends import ANSWERS, FarEnds
from simulation.faults import KINDS
from simulation.observer import Observer
from simulation.process import Process
from simulation.replica import Replica
from simulation.scheduler import SimulatedScheduler
from simulation.workload import COURSES, RULES, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simulation.far_ends import Answer

FAULTY = 60.0
"""Seconds of a run in which there are faults."""
CALM = 1500.0
"""Seconds after them within which all has to be done: a lease, rests, and the longest retry."""
REAL = 120.0
"""Seconds of real time after which a run is given up."""


class World:
    """A run of one seed. `play` plays it; then `history` says what happened."""

    def __init__(self, seed: int, folder: Path, empty: Path) -> None:
        """`empty` is a database with a schema and nothing in it, to begin with a copy of."""
        self.seed = seed
        self.chance = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.baton = Baton(random.Random(seed + 1), self.chance.choice((0.02, 0.1, 0.3)))
        self.scheduler = SimulatedScheduler(self.baton)
        self.far = FarEnds(self.baton, self.counts)
        self.replicas: list[Replica] = []
        self.faults: list[Fault] = []
        self.clock_sets: list[float] = []
        self.apart: list[float] = []
        """Seconds in which clocks differed by more than they may."""
        self.exits: list[Exit] = []
        self.began = self.calm = 0.0
        self.drained: float | None = None
        self._file = folder / "router.db"
        shutil.copy(empty, self._file)
        rules = folder / "rules.yaml"
        rules.write_text(RULES, encoding="utf-8")
        self._environment = {"ATFINITY_SECRET": SECRET}
        self._settings = Settings(
            rules=str(rules), database_url=Secret(f"sqlite:///{self._file}"), insecure_no_auth=True
        )
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._all: list[Replica] = []
        self._outside = sqlite3.connect(
            self._file, timeout=0, check_same_thread=False, isolation_level=None
        )
        self.observer = Observer(self.baton, self._file, lambda: self.replicas)
        self.clients = Clients(
            random.Random(seed + 2), self.scheduler, lambda: self.replicas, self.baton.tell
        )

    def play(self) -> None:
        """Play the run; raises what nobody should meet."""
        random.seed(self.seed)
        try:
            with simulated_connections(self.baton), self.far.reachable():
                self.baton.play("run", self._play, REAL)
        finally:
            self._close()

    def history(self) -> History:
        """What happened."""
        return History(
            posts=tuple(self.clients.posts),
            arrivals=tuple(self.far.arrivals),
            samples=tuple(self.observer.samples),
            due=tuple(self.observer.due),
            faults=tuple(self.faults),
            exits=tuple(self.exits),
            events=self._events,
            deliveries=self._deliveries,
            expected=self.clients.expected,
            courses=COURSES,
            replicas=tuple(sorted({replica.process.name for replica in self._all})),
            began=self.began,
            calm=self.calm,
            drained=self.drained,
            ended=self.baton.now,
            ready=self._ready,
        )

    # --- what faults do ---

    def any(self) -> Replica:
        """One of the replicas."""
        return self.chance.choice(self.replicas)

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Have something done after so many seconds."""
        self._number += 1
        heapq.heappush(self._agenda, (self.baton.now + seconds, self._number, do))

    def end(self, replica: Replica, reason: str) -> None:
        """A process is no more; another takes its place in a while."""
        if replica.process.dead:
            return
        self.baton.tell(f"! {replica.process.name} ended: {reason or 'stopped'}")
        self.exits.append(Exit(self.baton.now, replica.process.name, 70 if reason else 0, reason))
        if reason.startswith(("gave up", "could not start")):
            self.counts[reason.partition(":")[0]] += 1
        replica.kill()
        name, skew = replica.process.name, replica.process.skew
        self.later(self.chance.uniform(0.2, 4.0), lambda: self._start(name, skew, replica))

    def note(self, name: str, replica: Replica, began: float, ended: float) -> None:
        """A process cannot be reached from then to then."""
        self.faults.append(
            Fault(name, began, ended, frozenset({replica.process.name}), reachable=False)
        )

    def lock_database(self) -> bool:
        """Take SQLite's lock as somebody else would; False if it is not free."""
        try:
            self._outside.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        return True

    def unlock_database(self) -> None:
        if self._outside.in_transaction:
            self._outside.execute("ROLLBACK")

    # --- the course of the run ---

    def _play(self) -> None:
        self.began = self.baton.now
        for number in range(self.chance.choice((2, 3))):
            self._start(f"r{number + 1}", self.chance.uniform(-0.25, 0.25), None)
            self._pass(1.0)
        self.far.moods["shaky"] = self._shaky
        self.far.moods["broken"] = self._broken
        pause = self.chance.choice((0.3, 1.0, 3.0))
        self.clients.start(self.chance.choice((1, 3)), FAULTY, pause)
        names = list(KINDS)
        weights = [weight for _, weight in KINDS.values()]
        for name in self.chance.choices(names, weights, k=self.chance.randint(3, 9)):
            act = KINDS[name][0]
            self.later(self.chance.uniform(1.0, FAULTY - 5.0), partial(act, self))
        self._pass(FAULTY)
        self._make_calm()
        end = self.baton.now + CALM
        while self.baton.now < end and (self.clients.open or self.observer.waiting()):
            self._pass(1.0)
        if self.baton.now < end:
            self.drained = self.baton.now
        self._pass(10.0)
        self._events, self._deliveries = self.observer.events(), self.observer.deliveries()
        self._ready = {r.process.name: 503 if r.reasons else 200 for r in self.replicas}

    def _pass(self, seconds: float) -> None:
        """Let time pass: what is on the agenda happens, and once a second somebody looks."""
        end = self.baton.now + seconds
        while self.baton.now < end:
            until = min(end, self.baton.now + 1.0)
            while self._agenda and self._agenda[0][0] <= self.baton.now:
                heapq.heappop(self._agenda)[2]()
            if self._agenda:
                until = min(until, self._agenda[0][0])
            skews = [replica.process.skew for replica in self.replicas]
            if max(skews) - min(skews) > SKEW:
                self.apart.append(self.baton.now)
            self.observer.look(skews)
            self.scheduler.sleep(max(0.001, until - self.baton.now))

    def _make_calm(self) -> None:
        self.baton.tell("! calm")
        self.unlock_database()
        self.far.moods.clear()
        self.far.moods["broken"] = lambda: "500"
        for replica in self.replicas:
            process = replica.process
            process.traps.clear()
            process.sickness = None
            process.gives_threads = True
            process.frozen_until = 0.0
            if abs(process.skew) > 1:
                self.clock_sets.append(self.baton.now)
                process.skew = 0.0
        self.calm = self.baton.now

    def _shaky(self) -> Answer:
        return self.chance.choice(("200", "200", *ANSWERS))

    def _broken(self) -> Answer:
        return self.chance.choice(("500", "refuses", "silence"))

    def _start(self, name: str, skew: float, before: Replica | None) -> None:
        if before is not None:
            self.replicas.remove(before)
        self.baton.tell(f"! {name} starts")
        process = Process(name, self.baton, 0.0 if self.calm else skew, self.counts)
        replica = Replica(process, self.scheduler, self._settings, self._environment, self.end)
        self.replicas.append(replica)
        self._all.append(replica)

    def _close(self) -> None:
        """End all that is left, and let go of files."""
        self.observer.close()
        self._outside.close()
        for replica in self._all:
            replica.kill()
        self.baton.close()
        for replica in self._all:
            replica.close()
