"""Faults of what is around a replica: far ends, signals, its rules, its database file."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

from chaos.history import Bounds
from chaos.scenario import scenario

if TYPE_CHECKING:
    from chaos.stage import Stage

SIGNALS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH, signal.SIGPIPE)


@scenario("far ends hang", "the far ends of all channels take messages and say nothing")
def far_ends_hang(stage: Stage) -> None:
    with stage.fault("hang", far_ends=True):
        stage.sink.manners = {}
        stage.sink.default = "hang"
        stage.wait()


@scenario("far ends hang for long", "the same, for longer than a send may take", replicas=2)
def far_ends_hang_long(stage: Stage) -> None:
    with stage.fault("hang", far_ends=True):
        stage.sink.manners = {}
        stage.sink.default = "hang"
        stage.wait(max(40.0, stage.seconds))


@scenario("far ends down", "the far ends of all channels answer 503")
def far_ends_down(stage: Stage) -> None:
    with stage.fault("down", far_ends=True):
        stage.sink.manners = {}
        stage.sink.default = "down"
        stage.wait()


@scenario("signals", "SIGHUP, SIGUSR1, SIGWINCH and SIGPIPE, 100 a second, to a replica")
def signals(stage: Stage) -> None:
    victim = stage.any_name()
    with stage.fault("signals", victim):
        deadline = time.monotonic() + stage.seconds
        while time.monotonic() < deadline:
            sample = stage.sampler.latest(victim, "readyz")
            if sample is not None and sample.status == 200:  # none while it starts
                stage.replica(victim).signal(stage.chance.choice(SIGNALS))
            stage.wait(0.01)


@scenario("rules replaced", "the rules of all replicas are replaced ten times a second")
def rules_replaced(stage: Stage) -> None:
    sound = stage.replicas[0].rules.read_text(encoding="utf-8")
    broken = (
        sound[: len(sound) // 2],
        "",
        "version: 1\nrules: [\n",
        sound.replace("notify: fast", "notify: fist"),
    )
    with stage.fault("rules"):
        for turn in range(round(stage.seconds * 10)):
            text = f"{sound}# {turn}\n" if turn % 3 else stage.chance.choice(broken)
            for replica in stage.replicas:
                _write(replica.rules, text, whole=bool(turn % 2))
            stage.wait(0.1)
        for replica in stage.replicas:
            _write(replica.rules, sound, whole=True)


@scenario(
    "odd file name",
    "a file whose name is no UTF-8 appears beside the rules and among the templates",
)
def odd_file_name(stage: Stage) -> None:
    with stage.fault("name", "a"):
        folder = bytes(stage.replica("a").folder)
        templates = folder + b"/templates"
        Path(templates.decode()).mkdir()
        for place in (folder, templates):
            name = place + b"/caf\xe9.txt.j2"
            with open(name, "wb") as file:  # noqa: PTH123 - a name that is bytes
                file.write(b"{% block title %}x{% endblock %}")
        stage.wait()
        for place in (folder, templates):
            Path((place + b"/caf\xe9.txt.j2").decode(errors="surrogateescape")).unlink()


@scenario(
    "deleted file",
    "the SQLite file is deleted while two replicas run; in the end they are started again",
    database="sqlite",
    replicas=2,
    bounds=Bounds(may_exit=frozenset({70})),
)
def deleted_file(stage: Stage) -> None:
    with stage.fault("deleted", *stage.names):
        path = Path(stage.url.removeprefix("sqlite:///"))
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        stage.erased = time.monotonic()
        stage.wait()
        _restart_all(stage)


@scenario(
    "restored backup",
    "a backup of the SQLite file is put back, and the replica started again",
    database="sqlite",
    replicas=1,
)
def restored_backup(stage: Stage) -> None:
    replica = stage.replicas[0]
    path = Path(stage.url.removeprefix("sqlite:///"))
    backup = stage.folder / "backup.db"
    with stage.fault("restore", replica.name, reachable=False):
        replica.stop()
        _back_up(path, backup)
        stage.start(replica)
        stage.wait_ready(replica.name)
        stage.wait(stage.seconds / 2)
        replica.stop()
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        shutil.copy(backup, path)
        stage.erased = time.monotonic()
        stage.start(replica)
        stage.wait_ready(replica.name)


def _back_up(path: Path, copy: Path) -> None:
    """Copy a database with what its log still holds, as `.backup` of sqlite3 does."""
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def _restart_all(stage: Stage) -> None:
    for replica in stage.replicas:
        replica.stop()
    for replica in stage.replicas:
        stage.start(replica)
    for replica in stage.replicas:
        stage.wait_ready(replica.name)


def _write(path: Path, text: str, *, whole: bool) -> None:
    """Write a file in place, or beside it and renamed over it."""
    if not whole:
        path.write_text(text, encoding="utf-8")
        return
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
