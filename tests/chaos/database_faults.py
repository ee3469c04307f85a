"""Faults of the database itself: it dies, it is locked, another one takes its place."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

from chaos.history import Bounds
from chaos.postgres import Server
from chaos.proxy import Proxy
from chaos.sampling import ask
from chaos.scenario import scenario

if TYPE_CHECKING:
    from chaos.stage import Stage

LOCKED = 50.0
VIEWERS = 40


@scenario("database killed", "PostgreSQL and all its processes are killed, and started again")
def database_killed(stage: Stage) -> None:
    _restart(stage, signal.SIGKILL, 2.0)


@scenario("database restarted", "PostgreSQL is shut down at once, and started again", short=True)
def database_restarted(stage: Stage) -> None:
    _restart(stage, signal.SIGQUIT, 1.0)


@scenario("database away", "PostgreSQL is shut down for the whole fault")
def database_away(stage: Stage) -> None:
    _restart(stage, signal.SIGINT, stage.seconds)


@scenario("database stopped", "all processes of PostgreSQL stand still, and go on")
def database_stopped(stage: Stage) -> None:
    with stage.fault("SIGSTOP of PostgreSQL", *stage.names):
        stage.server.freeze(signal.SIGSTOP)
        stage.wait()
        stage.server.freeze(signal.SIGCONT)


@scenario("table locked", "LOCK TABLE deliveries for 50 s", bounds=Bounds(due=40.0))
def table_locked(stage: Stage) -> None:
    _lock(stage, "deliveries", LOCKED)


@scenario(
    "locked and viewed",
    "40 viewers, while deliveries and lanes are locked for 50 s",
    replicas=1,
    bounds=Bounds(due=40.0),
)
def locked_and_viewed(stage: Stage) -> None:
    over = threading.Event()
    address = stage.replicas[0].address
    viewers = [
        threading.Thread(target=_view, args=(address, over), daemon=True) for _ in range(VIEWERS)
    ]
    for viewer in viewers:
        viewer.start()
    try:
        _lock(stage, "deliveries, lanes", LOCKED)
    finally:
        over.set()
        for viewer in viewers:
            viewer.join(10)


@scenario("viewed", "40 viewers at once of one replica")
def viewed(stage: Stage) -> None:
    over = threading.Event()
    victim = stage.replicas[0]
    with stage.fault("40 viewers", victim.name):
        viewers = [
            threading.Thread(target=_view, args=(victim.address, over), daemon=True)
            for _ in range(VIEWERS)
        ]
        for viewer in viewers:
            viewer.start()
        stage.wait()
        over.set()
        for viewer in viewers:
            viewer.join(10)


def _with_standby(stage: Stage) -> None:
    """A primary of this scenario's own, a standby that follows through a proxy, one before both."""
    primary = Server(stage.folder / "primary")
    primary.create()
    stage.cleanup.callback(primary.stop)
    primary.database("chaos")
    stage.replication = stage.cleanup.enter_context(Proxy(("127.0.0.1", primary.port)))
    standby = Server(stage.folder / "standby")
    stage.cleanup.callback(standby.stop)
    standby.create_standby("127.0.0.1", stage.replication.port)
    stage.proxy = stage.cleanup.enter_context(Proxy(("127.0.0.1", primary.port)))
    stage.url = stage.service_url = primary.url("chaos", port=stage.proxy.port)
    stage.servers = {"primary": primary, "standby": standby}


@scenario(
    "standby promoted",
    "a standby lags, the primary is killed, the standby is promoted behind the same address",
    prepare=_with_standby,
    # What was lost may be acknowledged again only by a process that knows where it begins.
    bounds=Bounds(may_lose=True, may_exit=frozenset({70})),
)
def standby_promoted(stage: Stage) -> None:
    if stage.proxy is None or stage.replication is None:
        raise LookupError("this scenario has no proxy")
    with stage.fault("promotion", *stage.names):
        stage.wait(2.0)
        stage.replication.freeze()
        stage.wait(1.5)
        stage.primary.stop(signal.SIGKILL)
        stage.proxy.target = ("127.0.0.1", stage.standby.port)
        stage.proxy.break_off()
        stage.standby.promote()


def _restart(stage: Stage, number: int, seconds: float) -> None:
    with stage.fault("PostgreSQL down", *stage.names):
        stage.server.stop(number)
        stage.wait(seconds)
        stage.server.start()


def _lock(stage: Stage, tables: str, seconds: float) -> None:
    name = stage.url.rpartition("/")[2]
    with (
        stage.fault(f"lock on {tables}", *stage.names),
        stage.server.connect(name) as connection,
        connection.transaction(),
    ):
        connection.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
        stage.wait(min(seconds, stage.seconds * 4))


def _view(address: tuple[str, int], over: threading.Event) -> None:
    """Ask for pages, one after the other; give up on none of them before its time."""
    while not over.is_set():
        for page in ("/", "/deliveries", "/channels", "/status", "/events"):
            ask(address, page)
            if over.is_set():
                return
        time.sleep(0.05)
