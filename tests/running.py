"""The router as a process of its own, as an operator runs it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SECRET = "a-secret-of-the-tests-0123456789"


class Running:
    """One router process over a folder: its rules, its database, its log."""

    def __init__(self, folder: Path, rules: str, settings: dict[str, str]) -> None:
        self.folder = folder
        self.rules = folder / "rules.yaml"
        self.rules.write_text(rules, encoding="utf-8")
        self.log = folder / "router.log"
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("ROUTER_", "COLUMNS"))},
            "ROUTER_RULES": str(self.rules),
            "ROUTER_DATABASE_URL": f"sqlite:///{folder / 'router.db'}",
            "ROUTER_PORT": str(self.port),
            "ROUTER_LOG_FORMAT": "json",
            "ROUTER_DRAIN": "2s",
            "ATFINITY_SECRET": SECRET,
            **settings,
        }
        self.wrapper: tuple[str, ...] = ()
        """A command that the process is started by, like `prlimit`."""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Start the process and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, sys.executable, "-m", "router", "serve", *arguments],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended:\n{self.log.read_text()}")
            if self.get("/readyz")[0] == 200:
                return
            time.sleep(0.05)
        raise AssertionError(f"never ready:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> int:
        """End it as an operator would; returns the exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=30)
        self.process = None
        return status

    def post(self, body: Any, path: str = f"/hooks/atfinity/{SECRET}", **headers: str) -> Any:
        """Post an event; returns (status, answer)."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", path, data, headers)

    def get(self, path: str, **headers: str) -> Any:
        """Get an address; returns (status, answer), the answer read as JSON where it is."""
        return self.request("GET", path, None, headers)

    def request(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Any:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, data, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, _read(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _read(error)
        except OSError:
            return 0, None

    def live(self, path: str, mark: str = "") -> tuple[int, str, str]:
        """The live part of a page as htmx asks for it: its status, its text and its ETag."""
        headers = {"HX-Request": "true", "If-None-Match": mark}
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode(), answer.headers["etag"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers["etag"]

    def deliveries(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/api/deliveries?limit=500&{query}")[1]["items"]
        return found

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the router beside the service."""
        return subprocess.run(
            [sys.executable, "-m", "router", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=60,
            check=False,
        )


def _read(answer: Any) -> Any:
    body = answer.read()
    kind = answer.headers.get("content-type", "")
    return json.loads(body) if "json" in kind else body.decode("utf-8", "replace")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
