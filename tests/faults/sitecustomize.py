"""Faults from within a real process: on this folder in PYTHONPATH, a process listens on the socket
that FAULTS_SOCKET names, and ends the thread whose name it is sent by an exception that is
raised wherever that thread is."""

import ctypes
import os
import socket
import threading


def _listen(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        while True:
            connection, _ = server.accept()
            with connection:
                name = connection.recv(200).decode()
                hit = [t for t in threading.enumerate() if t.name.startswith(name)]
                for thread in hit:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
                    )
                connection.sendall(str(len(hit)).encode())


if "FAULTS_SOCKET" in os.environ:
    _path = os.environ["FAULTS_SOCKET"]
    threading.Thread(target=_listen, args=(_path,), name="faults", daemon=True).start()
