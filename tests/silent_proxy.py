"""A proxy in front of a PostgreSQL that can fall silent: it keeps connections, and says nothing."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from typing import Self

TICK = 0.05


class SilentProxy:
    """Forwards 127.0.0.1:`port` to the server that an address names, until it is silenced."""

    def __init__(self, address: str) -> None:
        split = urlsplit(address)
        folder = Path(parse_qs(split.query)["host"][0])
        self._server = str(folder / ".s.PGSQL.5432")
        self._talks = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._pairs: list[_Pair] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql://postgres@127.0.0.1:{self._socket.getsockname()[1]}{split.path}"

    def silence(self, *, new_ones_too: bool = True) -> None:
        """Forward nothing more of the connections there are, and of `new_ones_too`."""
        with self._lock:
            for pair in self._pairs:
                pair.talks.clear()
        if new_ones_too:
            self._talks.clear()

    def talk(self) -> None:
        """Forward again, also what was kept back."""
        self._talks.set()
        with self._lock:
            for pair in self._pairs:
                pair.talks.set()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            pair = _Pair(client, server, self._closed)
            if self._talks.is_set():
                pair.talks.set()
            with self._lock:
                self._pairs.append(pair)
            pair.start()

    def __enter__(self) -> Self:
        self._talks.set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for pair in self._pairs:
            pair.join()


class _Pair:
    """One connection and its way to the server."""

    def __init__(
        self, client: socket.socket, server: socket.socket, closed: threading.Event
    ) -> None:
        self.talks = threading.Event()
        self._closed = closed
        self._sockets = (client, server)
        self._threads = [
            threading.Thread(target=self._pump, args=ends, daemon=True)
            for ends in ((client, server), (server, client))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        for end in self._sockets:
            end.close()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        source.settimeout(TICK)
        while not self._closed.is_set():
            if not self.talks.wait(TICK):
                continue
            try:
                data = source.recv(65_536)
                if self._wait_for_talk():
                    target.sendall(data) if data else target.shutdown(socket.SHUT_WR)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return

    def _wait_for_talk(self) -> bool:
        """Keep back what came while it fell silent; False once the proxy is closed."""
        while not self._closed.is_set():
            if self.talks.wait(TICK):
                return True
        return False
