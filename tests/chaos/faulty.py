"""A router whose threads can be ended or held up from outside (tests/faults)."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from running import Running

FAULTS = str(Path(__file__).parent.parent / "faults")


def start(folder: Path, rules: str, **settings: str) -> Running:
    """Start a router that listens for faults as well."""
    running = Running(folder, rules, settings)
    paths = [FAULTS, os.environ.get("PYTHONPATH", "")]
    running.environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    running.environment["FAULTS_SOCKET"] = str(folder / "faults.sock")
    running.start()
    return running


def strike(running: Running, fault: str, name: str) -> int:
    """End (`end`) or hold up (`hold`) the threads whose names begin so; returns how many."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(running.environment["FAULTS_SOCKET"])
        client.sendall(f"{fault} {name}".encode())
        return int(client.recv(20))
