"""A stage: replicas, database, far end, posters and samplers, while one scenario is played."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

from chaos.history import Fault, History
from chaos.ports import free_port
from chaos.posters import Posters
from chaos.proxy import Proxy
from chaos.records import Records, Unreachable
from chaos.replica import Replica, wait_until
from chaos.sampling import Sampler, ask
from chaos.sink import Sink
from chaos.supervisor import Supervisor
from chaos.workload import courses, rules_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from chaos.network import Network
    from chaos.postgres import Server
    from chaos.rig import Rig
    from chaos.scenario import Scenario

WARM = 2.0
"""Seconds of load before the fault."""
TAIL = 3.0
"""Seconds of load after it."""
NAMES = "abcdefgh"


class Stage:
    """What a scenario acts on. Everything that it starts is gone when it is left."""

    def __init__(self, rig: Rig, scenario: Scenario, seed: int, seconds: float) -> None:
        self.scenario = scenario
        self.chance = random.Random(f"{seed} {scenario.name}")
        self.seconds = seconds
        self.folder: Path = rig.folder / f"{scenario.name}-{seed}".replace(" ", "-")
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        self.cleanup = contextlib.ExitStack()
        self.sink = self.cleanup.enter_context(Sink())
        self.replicas: list[Replica] = []
        self.prefixes: dict[str, list[str]] = {}
        self.settings: dict[str, dict[str, str]] = {}
        self.namespaces: dict[str, str] = {}
        self.pipes: dict[str, int] = {}
        """File descriptors that replicas log to, in place of a file."""
        self.url = ""
        self.proxy: Proxy | None = None
        self._faults: list[Fault] = []
        self._rig = rig

    @property
    def names(self) -> list[str]:
        return list(NAMES[: self.scenario.replicas])

    @property
    def server(self) -> Server:
        return self._rig.server

    @property
    def network(self) -> Network:
        return self._rig.network

    def replica(self, name: str) -> Replica:
        return next(replica for replica in self.replicas if replica.name == name)

    def any_name(self) -> str:
        """A replica, drawn by the seed."""
        return self.chance.choice(self.names)

    @contextlib.contextmanager
    def fault(self, name: str, *victims: str, reachable: bool = True) -> Iterator[None]:
        """A fault is on within this block."""
        began = time.monotonic()
        current = Fault(name, began, float("inf"), frozenset(victims), reachable)
        self._faults.append(current)
        self.supervisor.excused = frozenset() if reachable else frozenset(victims)
        try:
            yield
        finally:
            self._faults.remove(current)
            ended = time.monotonic()
            self._faults.append(Fault(name, began, ended, frozenset(victims), reachable))
            self.supervisor.excused = frozenset()

    def wait(self, seconds: float | None = None) -> None:
        """Let the load go on for a while."""
        time.sleep(self.seconds if seconds is None else seconds)

    def play(self) -> History:
        """Set up, act under load, let it calm, and return what happened."""
        with self.cleanup:
            began = time.monotonic()
            self._set_up()
            self._load()
            self.wait(WARM)
            self.sink.manners |= {"shaky": "down"}
            self.scenario.act(self)
            calm = time.monotonic()
            self.sink.recover()
            recovered, drained = self._drain()
            ready = self._ready_at_end()
            self.sampler.stop()
            history = self._history(began, calm, recovered, drained, ready)
            self.supervisor.stop()
            for replica in self.replicas:
                replica.stop()
        return history

    def _set_up(self) -> None:
        scenario = self.scenario
        address = "127.0.0.1"
        if scenario.namespaces:
            address = self.network.address
            self.sink.listen(address)
        if scenario.database == "sqlite":
            self.url = self.service_url = f"sqlite:///{self.folder / 'router.db'}"
        else:
            self.url, self.service_url = self._database(address)
        if scenario.prepare is not None:
            scenario.prepare(self)
        rules = rules_text(f"http://{address}:{self.sink.port}", scenario.extra)
        for name in self.names:
            self.replicas.append(self._make_replica(name, rules))
        self.supervisor = Supervisor(self.replicas, self.start)
        self.cleanup.callback(self._end_all)
        for replica in self.replicas:
            self.start(replica)
        for replica in self.replicas:
            if not wait_until(lambda r=replica: ask(r.address, "/readyz") == 200, 60.0):  # type: ignore[misc]
                raise TimeoutError(f"{replica.name} was never ready: {replica.last_line()}")

    def start(self, replica: Replica) -> None:
        """Start a replica; its log goes where the scenario wants it."""
        replica.start(stdout=self.pipes.get(replica.name))

    def _make_replica(self, name: str, rules: str) -> Replica:
        address = ("127.0.0.1", free_port())
        prefix = self.prefixes.get(name, [])
        if self.scenario.namespaces:
            namespace, host = self.network.join()
            self.namespaces[name] = namespace
            address = (host, 8000)
            prefix = ["ip", "netns", "exec", namespace, *prefix]
        settings = self.settings.get(name, {})
        return Replica(
            name, self.folder / name, self.service_url, address, rules, prefix, **settings
        )

    def _database(self, address: str) -> tuple[str, str]:
        name = f"c{self._rig.next_number()}"
        if address != "127.0.0.1":
            self._rig.listen_on_bridge()
        url = self.server.database(name)
        if self.scenario.through_proxy:
            self.proxy = self.cleanup.enter_context(Proxy(("127.0.0.1", self.server.port)))
        return url, self.server.url(name, address)

    def proxied(self, url: str) -> str:
        """The same database, through the proxy."""
        if self.proxy is None:
            raise LookupError("this scenario has no proxy")
        return url.replace(f":{self.server.port}/", f":{self.proxy.port}/")

    def _load(self) -> None:
        addresses = {replica.name: replica.address for replica in self.replicas}
        self.posters = Posters(addresses, self.chance, extra=self.scenario.extra)
        self.sampler = Sampler(self.replicas, self.url)
        self.cleanup.callback(self.posters.stop)
        self.cleanup.callback(self.sampler.stop)
        self.supervisor.start(self.sampler)
        self.sampler.start()
        self.posters.start()

    def _drain(self) -> tuple[float | None, float | None]:
        """Load for a while longer, then none: when what was due had gone, and when all had."""
        records = Records(self.url)
        bound = self.scenario.bounds.due
        began = time.monotonic()
        last: list[int] = []
        _quietly(lambda: last.append(records.last_event()) is None, bound)
        recovered = None
        if last and _quietly(lambda: records.waiting(until=last[0]) == 0, bound):
            recovered = time.monotonic()
        self.wait(max(0.0, TAIL - (time.monotonic() - began)))
        self.posters.stop()
        empty = _quietly(lambda: records.waiting() == 0, bound)
        drained = time.monotonic() if empty else None
        records.close()
        return recovered, drained

    def _ready_at_end(self) -> dict[str, int]:
        wait_until(
            lambda: all(ask(r.address, "/readyz") == 200 for r in self.replicas),
            self.scenario.bounds.due,
        )
        return {
            replica.name: ask(replica.address, "/readyz") if replica.runs else -1
            for replica in self.replicas
        }

    def _history(
        self,
        began: float,
        calm: float,
        recovered: float | None,
        drained: float | None,
        ready: dict[str, int],
    ) -> History:
        records = Records(self.url)
        history = History(
            posts=tuple(self.posters.posts),
            arrivals=tuple(self.sink.arrivals),
            samples=tuple(sorted(self.sampler.samples, key=lambda sample: sample.at)),
            due=tuple(self.sampler.due),
            faults=tuple(self._faults),
            exits=tuple(self.supervisor.exits),
            events=records.events(),
            deliveries=records.deliveries(),
            expected=dict(self.posters.expected),
            courses=courses(self.scenario.extra),
            uid=records.uid(),
            replicas=tuple(self.names),
            began=began,
            calm=calm,
            recovered=recovered,
            drained=drained,
            ended=time.monotonic(),
            ready=ready,
        )
        records.close()
        return history

    def _end_all(self) -> None:
        self.supervisor.stop()
        _kill_all(self.replicas)


def _kill_all(replicas: Sequence[Replica]) -> None:
    for replica in replicas:
        replica.kill()


def _quietly(condition: Callable[[], bool], limit: float) -> bool:
    """Wait for a condition over a ledger that may not answer yet."""

    def asked() -> bool:
        try:
            return condition()
        except Unreachable:
            return False

    return wait_until(asked, limit, 0.25)
