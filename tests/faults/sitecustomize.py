"""Faults from within a real process: on this folder in PYTHONPATH, a process listens on the socket
that FAULTS_SOCKET names. It is sent `end NAME` or `hold NAME`: the threads whose names begin so are
ended by an exception, or stand still, wherever they are at that moment."""

import os
import socket
import threading
from pathlib import Path

from striking import FAULTS, strike_thread  # type: ignore[import-not-found]  # beside this one


def _listen(path: str) -> None:
    Path(path).unlink(missing_ok=True)  # of the process before
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        while True:
            connection, _ = server.accept()
            with connection:
                fault, _, name = connection.recv(200).decode().partition(" ")
                hit = [t for t in threading.enumerate() if t.name.startswith(name)]
                struck = sum(strike_thread(thread, FAULTS[fault]) for thread in hit)
                connection.sendall(str(struck).encode())


if "FAULTS_SOCKET" in os.environ:
    _path = os.environ["FAULTS_SOCKET"]
    threading.Thread(target=_listen, args=(_path,), name="faults", daemon=True).start()
