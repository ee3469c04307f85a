"""A stage: replicas, database, far end, posters and samplers, while one scenario is played."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from chaos.ending import collect, drain, ready_at_end
from chaos.history import Fault, History
from chaos.ports import free_port
from chaos.posters import Posters
from chaos.proxy import Proxy
from chaos.replica import Replica, wait_until
from chaos.sampling import Sampler, ask
from chaos.sink import Sink
from chaos.supervisor import Supervisor
from chaos.workload import rules_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chaos.cgroup import ThreadLimit
    from chaos.clocks import Clock
    from chaos.network import Network
    from chaos.postgres import Server
    from chaos.rig import Rig
    from chaos.scenario import Act, Scenario

WARM = 2.0
"""Seconds of load before the fault."""
NAMES = "abcdefgh"
TRIES = 200
"""How often a fault is begun anew until it catches a transaction; then it is wherever it is."""


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
        self.service_url = ""
        self.clocks: dict[str, Clock] = {}
        self.thread_limit: ThreadLimit | None = None
        self.log_reader = -1
        self.servers: dict[str, Server] = {}
        self.erased: float | None = None
        self.proxy: Proxy | None = None
        self.replication: Proxy | None = None
        """The proxy that a standby follows its primary through."""
        self.faults: list[Fault] = []
        self._rig = rig

    @property
    def names(self) -> list[str]:
        return list(NAMES[: self.scenario.replicas])

    @property
    def server(self) -> Server:
        return self._rig.server

    @property
    def primary(self) -> Server:
        """The server of a scenario that has its own; with `standby`, the two of a promotion."""
        return self.servers["primary"]

    @property
    def standby(self) -> Server:
        return self.servers["standby"]

    @property
    def network(self) -> Network:
        return self._rig.network

    def replica(self, name: str) -> Replica:
        return next(replica for replica in self.replicas if replica.name == name)

    def wait_ready(self, name: str, limit: float = 30.0) -> bool:
        """Wait until a replica says that it is ready."""
        address = self.replica(name).address
        return wait_until(lambda: ask(address, "/readyz") == 200, limit)

    def any_name(self) -> str:
        """A replica, drawn by the seed."""
        return self.chance.choice(self.names)

    @contextlib.contextmanager
    def fault(
        self, name: str, *victims: str, reachable: bool = True, far_ends: bool = False
    ) -> Iterator[None]:
        """A fault is on within this block."""
        began = time.monotonic()
        current = Fault(name, began, float("inf"), frozenset(victims), reachable, far_ends)
        self.faults.append(current)
        self.supervisor.excused = frozenset() if reachable else frozenset(victims)
        try:
            yield
        finally:
            self.faults.remove(current)
            over = msgspec.structs.replace(current, ended=time.monotonic())
            self.faults.append(over)
            self.supervisor.excused = frozenset()

    def catch_inside(self, victim: str, begin: Act, end: Act) -> None:
        """Begin a fault over and over, until it catches the victim inside a transaction."""
        sql = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
            " AND state = 'idle in transaction'"
        )
        with self.server.connect("postgres") as connection:
            for _ in range(TRIES):
                begin(self)
                time.sleep(0.02)
                row = connection.execute(sql, (victim,)).fetchone()
                if row is not None and row[0]:
                    return
                end(self)
                time.sleep(self.chance.uniform(0.005, 0.05))
        begin(self)

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
            recovered, drained = drain(self)
            ready = ready_at_end(self)
            self.sampler.stop()
            history = collect(
                self, began=began, calm=calm, recovered=recovered, drained=drained, ready=ready
            )
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
        self._start_all()

    def _start_all(self) -> None:
        self.supervisor = Supervisor(self.replicas, self.start)
        self.sampler = Sampler(self.replicas, self.url)
        self.cleanup.callback(self._end_all)
        self.cleanup.callback(self.sampler.stop)
        self.supervisor.start(self.sampler)
        self.sampler.start()
        for number, replica in enumerate(self.replicas):
            self.start(replica)
            if number == 0 and not self.scenario.at_once:
                self.wait_ready(replica.name, 60.0)
        for replica in self.replicas:
            if not self.wait_ready(replica.name, 60.0):
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
        settings = {"ROUTER_DATABASE_URL": self.service_url, **self.settings.get(name, {})}
        if self.scenario.database == "postgresql":
            settings["ROUTER_DATABASE_URL"] += f"?application_name={name}"
        return Replica(name, self.folder / name, address, rules, prefix, **settings)

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
        self.cleanup.callback(self.posters.stop)
        self.posters.start()

    def _end_all(self) -> None:
        self.supervisor.stop()
        _kill_all(self.replicas)


def _kill_all(replicas: Sequence[Replica]) -> None:
    for replica in replicas:
        replica.kill()
