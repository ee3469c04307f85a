"""The router, a bare Litestar and Alertmanager as processes on a core of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "bench-secret-0123456789"
HOOK = f"/hooks/bench/{SECRET}"
RULES = """
version: 1
sources: {{ bench: {{ secret: {secret} }} }}
channels: {{ sink: {{ webhook: {{ url: "http://127.0.0.1:{port}/" }}, concurrency: 4, paused: {paused} }} }}
rules:
  - {{ name: all, when: {{ trigger: "case_*" }}, notify: sink, title: "{{{{ case_id }}}}", body: "{{{{ case_name }}}}" }}
"""  # noqa: E501 - one rule is one line
BARE = """
import uvicorn
from litestar import Litestar, post
@post("/", status_code=202)
async def nothing() -> None:
    return None
app = Litestar([nothing], openapi_config=None, logging_config=None)
uvicorn.run(app, port={port}, loop="uvloop", http="httptools", access_log=False, log_config=None, ws="none", lifespan="off")
"""  # noqa: E501 - the arguments are the router's
ALERTMANAGER = """
route: {{ receiver: sink, group_by: ['...'], group_wait: 0s, group_interval: 1s }}
receivers: [{{ name: sink, webhook_configs: [{{ url: "http://127.0.0.1:{port}/", send_resolved: false }}] }}]
"""  # noqa: E501 - the shortest that sends each alert by itself


class Process:
    """A server process, pinned to one core."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], began: float) -> None:
        self.port = port
        self.process = process
        self.began = began

    def memory(self) -> float:
        """Resident memory in MB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = next(line for line in text.splitlines() if line.startswith("VmRSS"))
        return int(found.split()[1]) / 1024

    def cpu(self) -> float:
        """Seconds of CPU used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def router(
    folder: Path,
    sink: int,
    *,
    paused: bool = False,
    rules: str | None = None,
    database: str | None = None,
) -> Iterator[Process]:
    """The router on SQLite (synchronous=FULL) or `database`, with one rule that tells one webhook,
    or `rules`."""
    usual = RULES.format(secret=SECRET, port=sink, paused="true" if paused else "false")
    (folder / "rules.yaml").write_text(rules or usual, encoding="utf-8")
    port = _free_port()
    settings = {
        "ROUTER_RULES": str(folder / "rules.yaml"),
        "ROUTER_DATABASE_URL": database or f"sqlite:///{folder / 'router.db'}",
        "ROUTER_PORT": str(port),
        "ROUTER_LOG_LEVEL": "warning",
    }
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ROUTER_")}
    with _process(
        [sys.executable, "-m", "router", "serve"], port, "/readyz", {**environment, **settings}
    ) as made:
        yield made


@contextlib.contextmanager
def bare() -> Iterator[Process]:
    """A Litestar handler that does nothing, on the same server."""
    port = _free_port()
    with _process([sys.executable, "-c", BARE.format(port=port)], port, "/", None) as made:
        yield made


@contextlib.contextmanager
def alertmanager(folder: Path, sink: int) -> Iterator[Process]:
    """Debian's Alertmanager, one notice per alert to a webhook."""
    (folder / "am.yaml").write_text(ALERTMANAGER.format(port=sink), encoding="utf-8")
    port = _free_port()
    command = [
        str(alertmanager_path()),
        f"--config.file={folder / 'am.yaml'}",
        f"--storage.path={folder / 'am'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
    ]
    with _process(command, port, "/-/ready", {**os.environ, "GOMAXPROCS": "1"}) as made:
        yield made


def alertmanager_path() -> str | None:
    return shutil.which("prometheus-alertmanager")


@contextlib.contextmanager
def _process(
    command: list[str], port: int, path: str, environment: dict[str, str] | None
) -> Iterator[Process]:
    began = time.perf_counter()
    process = subprocess.Popen(
        ["taskset", "-c", "0", *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None and not _answers(port, path):
            time.sleep(0.01)
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]} ended")
        made = Process(port, process, began)
        made.began = time.perf_counter() - began
        yield made
    finally:
        process.terminate()
        process.wait()


def _answers(port: int, path: str) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1).close()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
