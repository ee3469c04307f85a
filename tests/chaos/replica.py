"""A replica: `router serve` as a process, with its own port, folder and log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from chaos.workload import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parent.parent.parent
LAST_WILL = ("setpriv", "--pdeathsig", "KILL")
"""What is started ends with whoever started it, also where that is killed."""


class Replica:
    """One replica. `prefix` is a command that runs the service within limits or a namespace."""

    def __init__(
        self,
        name: str,
        folder: Path,
        address: tuple[str, int],
        rules: str,
        prefix: Sequence[str] = (),
        **settings: str,
    ) -> None:
        self.name = name
        self.folder = folder
        self.address = address
        self.prefix = list(prefix)
        self.log = folder / "router.log"
        self.rules = folder / "rules.yaml"
        self.process: subprocess.Popen[bytes] | None = None
        self.expected_down = False
        """Whether somebody ended it on purpose: its supervisor then leaves it alone."""
        self.lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self.rules.write_text(rules, encoding="utf-8")
        host, port = address
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("ROUTER_")},
            "PYTHONPATH": str(ROOT),
            "ROUTER_RULES": str(self.rules),
            "ROUTER_HOST": host,
            "ROUTER_PORT": str(port),
            "ROUTER_INSECURE_NO_AUTH": "1",
            "ROUTER_LOG_FORMAT": "json",
            "ROUTER_LOG_LEVEL": "warning",
            "ROUTER_DRAIN": "2s",
            "ATFINITY_SECRET": SECRET,
            **settings,
        }

    def start(self, stdout: int | IO[bytes] | None = None) -> None:
        """Start the process; it is ready a few seconds later."""
        with self.lock, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*LAST_WILL, *self.prefix, sys.executable, "-m", "router", "serve"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log if stdout is None else stdout,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
            self.expected_down = False

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal, if there is a process."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.expected_down = True
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(10)

    def stop(self, limit: float = 20.0) -> int | None:
        """End it as an operator would; None where it had to be killed."""
        self.expected_down = True
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if self.process is None:
            return 0
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def last_line(self) -> str:
        """The last line of its log, shortened."""
        lines = self.log.read_bytes().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else ""


def wait_until(condition: Callable[[], bool], limit: float, pause: float = 0.1) -> bool:
    """Wait for a condition; whether it came true within the limit."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(pause)
    return condition()
