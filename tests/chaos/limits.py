"""Limits of the machine: threads, descriptors, memory, disk, a log that nobody reads."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from chaos.cgroup import ThreadLimit
from chaos.history import Bounds
from chaos.posters import TIMEOUT
from chaos.scenario import scenario
from chaos.workload import SECRET

if TYPE_CHECKING:
    from chaos.stage import Stage

THREADS = 24
DESCRIPTORS = 256
STRANGERS = 300
DISK = "12m"


def _few_threads(stage: Stage) -> None:
    limit = stage.cleanup.enter_context(ThreadLimit(THREADS))
    stage.thread_limit = limit
    for name in stage.names:
        stage.prefixes[name] = limit.prefix


@scenario(
    "few threads",
    "a replica of 37 channels may have 24 threads",
    database="sqlite",
    replicas=1,
    extra=30,
    prepare=_few_threads,
)
def few_threads(stage: Stage) -> None:
    with stage.fault("threads"):
        stage.wait(stage.seconds * 1.5)
    if stage.thread_limit is not None:
        stage.thread_limit.lift()


def _few_descriptors(stage: Stage) -> None:
    stage.prefixes["a"] = ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"]


@scenario(
    "few descriptors",
    "300 idle connections to a replica that may have 256 descriptors",
    prepare=_few_descriptors,
    needs=("prlimit",),
)
def few_descriptors(stage: Stage) -> None:
    connections: list[socket.socket] = []
    with stage.fault("idle connections", "a"):
        for _ in range(STRANGERS):
            connection = socket.socket()
            connection.settimeout(0.2)
            connections.append(connection)
            if connection.connect_ex(stage.replica("a").address):
                break  # its queue is full
        stage.wait()
    for connection in connections:
        connection.close()


@scenario(
    "little memory",
    "a replica gets no more memory than it has, and large bodies are posted to it",
    bounds=Bounds(may_exit=frozenset({70, -signal.SIGSEGV, -signal.SIGABRT})),
    needs=("prlimit",),
)
def little_memory(stage: Stage) -> None:
    replica = stage.replica("a")
    if replica.process is None:
        raise LookupError("the replica has no process")
    pid = replica.process.pid
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    size = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmSize"))
    most = (size + 8 * 1024) * 1024
    over = threading.Event()
    senders = [
        threading.Thread(target=_post_large, args=(replica.address, over), daemon=True)
        for _ in range(20)
    ]
    with stage.fault("memory", "a"):
        subprocess.run(["prlimit", "--pid", str(pid), f"--as={most}:unlimited"], check=True)
        for sender in senders:
            sender.start()
        stage.wait()
        over.set()
        for sender in senders:
            sender.join(TIMEOUT + 2)
        if replica.process.pid == pid and replica.runs:
            subprocess.run(["prlimit", "--pid", str(pid), "--as=unlimited"], check=True)


def _post_large(address: tuple[str, int], over: threading.Event) -> None:
    """Post bodies that are refused, but have to be read first."""
    body = b'["' + b"x" * 250_000 + b'"]'
    while not over.wait(0.05):
        connection = http.client.HTTPConnection(*address, timeout=TIMEOUT)
        try:
            connection.request("POST", f"/hooks/atfinity/{SECRET}", body)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()


def _small_disk(stage: Stage) -> None:
    disk = stage.folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "chaos", str(disk)], check=True)
    stage.cleanup.callback(subprocess.run, ["umount", "-l", str(disk)], check=True)
    stage.url = stage.service_url = f"sqlite:///{disk / 'router.db'}"


@scenario(
    "disk full",
    "the disk of an SQLite file is full, and has room again",
    database="sqlite",
    replicas=2,
    prepare=_small_disk,
    needs=("mount", "umount"),
)
def disk_full(stage: Stage) -> None:
    filler = stage.folder / "disk" / "filler"
    with stage.fault("disk full", *stage.names):
        with filler.open("wb", buffering=0) as file:  # else closing it would fail as well
            try:
                while file.write(b"x" * 65536):
                    pass
            except OSError:
                stage.wait()  # there is no room left
        filler.unlink()


def _unread_log(stage: Stage) -> None:
    reading, writing = os.pipe()
    stage.pipes["a"] = writing
    stage.settings["a"] = {"ROUTER_LOG_LEVEL": "info"}
    stage.cleanup.callback(os.close, reading)
    stage.cleanup.callback(os.close, writing)
    stage.log_reader = reading


@scenario(
    "unread log",
    "a replica logs to a pipe that nobody reads",
    prepare=_unread_log,
)
def unread_log(stage: Stage) -> None:
    with stage.fault("log pipe", "a"):
        stage.wait(stage.seconds * 2)
    threading.Thread(target=_read_on, args=(os.dup(stage.log_reader),), daemon=True).start()


def _read_on(pipe: int) -> None:
    while os.read(pipe, 65536):
        pass
    os.close(pipe)
