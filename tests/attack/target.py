"""What an attack knows of the router, and the few ways in which it talks to it."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = b"Host: 127.0.0.1\r\n"


class Target(NamedTuple):
    """Where the router listens, and the secret that only the attacks by a real sender use."""

    port: int
    secret: str
    pace: float = 500.0
    """New connections a second of an attack that holds them, or that waits for no answer. How many
    there may be a second is not the router's to bound: a proxy in front does that."""

    def connect(self, seconds: float = 20.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)

    def hook(self, secret: str = "wrong", more: bytes = b"") -> bytes:
        """The head of a post without what says how long its body is."""
        return f"POST /hooks/atfinity/{secret} HTTP/1.1\r\n".encode() + HOST + more

    def signed(self) -> bytes:
        """The same of a post whose body must be read before it is known who sent it."""
        proof = b"webhook-id: 1\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,AAAA\r\n"
        return b"POST /hooks/atfinity HTTP/1.1\r\n" + HOST + proof

    def answer(self, stream: bytes) -> str:
        """Send all of it as far as it is read, and read the answer."""
        with self.connect() as client:
            with contextlib.suppress(OSError):
                client.sendall(stream)
            return read_status(client)


def read_status(client: socket.socket) -> str:
    """The status of the first answer; `closed` without one, `silent` if nothing comes."""
    answer = b""
    try:
        while not (status := re.match(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n", answer)):
            data = client.recv(65536)
            if not data:
                return "closed"
            answer += data
    except TimeoutError:
        return "silent"
    except OSError:
        return "closed"
    return status[1].decode()


def repeat(
    once: Callable[[], str], seconds: float, threads: int = 1, pace: float = 0.0
) -> Counter[str]:
    """Do it again and again in so many threads until the time is over, and count the answers; with
    a `pace`, so many a second and thread at most."""
    deadline = time.monotonic() + seconds
    counts: list[Counter[str]] = [Counter() for _ in range(threads)]

    def work(answers: Counter[str]) -> None:
        while not answers or time.monotonic() < deadline:
            answers[once()] += 1
            time.sleep(1 / pace if pace else 0.0)

    workers = [threading.Thread(target=work, args=(answers,)) for answers in counts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts, Counter())


def hold(
    target: Target, number: int, begin: bytes, seconds: float, drip: bytes = b""
) -> Counter[str]:
    """Keep so many connections open that sent `begin`, each replaced when it is closed; send `drip`
    on each twice a second. Counts what ended them."""
    deadline = time.monotonic() + seconds
    answers: Counter[str] = Counter()
    clients: list[socket.socket] = []
    while time.monotonic() < deadline:
        clients = [client for client in clients if _still_open(client, drip, answers)]
        next_look = time.monotonic() + 0.5
        while time.monotonic() < min(deadline, next_look):
            if len(clients) < number:
                with contextlib.suppress(OSError):
                    client = target.connect(2.0)
                    clients.append(client)
                    client.sendall(begin)
                    client.setblocking(False)
            time.sleep(1 / target.pace)
    answers["open"] += len(clients)
    for client in clients:
        client.close()
    return answers


def _still_open(client: socket.socket, drip: bytes, answers: Counter[str]) -> bool:
    with contextlib.suppress(BlockingIOError):
        status = _ended(client, drip)
        answers[status] += 1
        client.close()
        return False
    return True


def _ended(client: socket.socket, drip: bytes) -> str:
    """What ended a connection; raises BlockingIOError if nothing did."""
    try:
        data = client.recv(65536)
    except BlockingIOError:
        if drip:
            with contextlib.suppress(ConnectionError):
                client.sendall(drip)
        raise
    except OSError:
        return "closed"
    return data[9:12].decode() if data.startswith(b"HTTP/1.1 ") else "closed"
