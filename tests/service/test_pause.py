"""A pause over all processes, and a status that answers when the database does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg

from databases import fresh_database
from far_end import HttpFarEnd, wait_until
from running import Running

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels: {{ sink: {{ webhook: {{ url: {url}/in }}, rate: 5/s }} }}
rules:
  - {{ name: all, when: always, notify: sink, title: "{{{{ case_version }}}}" }}
"""


def replicas(tmp_path: Path, far: HttpFarEnd, database: str) -> list[Running]:
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        settings = {"ROUTER_DATABASE_URL": database}
        made.append(Running(tmp_path / name, RULES.format(url=far.url), settings))
        made[-1].start()
    return made


def event(version: int) -> dict[str, Any]:
    return {"trigger": "case_comment", "case_id": version, "case_version": version}


def test_a_pause_holds_in_every_process_and_nothing_is_lost(postgres: str, tmp_path: Path) -> None:
    with HttpFarEnd() as far:
        first, second = replicas(tmp_path, far, fresh_database(postgres))
        for version in range(20):
            assert second.post(event(version))[0] == 202
        wait_until(lambda: far.posted)
        told = first.request("POST", "/api/channels/sink/pause", b'{"reason": "r"}', {})
        assert told[1]["changed"] is True
        for running in (first, second):
            assert running.post(event(99))[0] == 202
        # At five a second the next one would be there by then.
        wait_until(lambda: _quiet_for(far, 1.0))
        waiting = second.deliveries("state=pending")
        assert len(waiting) >= 2
        assert len(waiting) + len(far.posted) == 22
        second.request("POST", "/api/channels/sink/resume", b"", {})
        wait_until(lambda: len(first.deliveries("state=sent")) == 22)
        assert len(far.posted) == 22
        assert first.stop() == second.stop() == 0


def test_the_status_answers_when_the_database_does_not(postgres: str, tmp_path: Path) -> None:
    database = fresh_database(postgres)
    name = database.partition("?")[0].rpartition("/")[2]
    with HttpFarEnd() as far:
        running = Running(tmp_path, RULES.format(url=far.url), {"ROUTER_DATABASE_URL": database})
        running.start()
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(ended, (name,))
        status, page = running.get("/status", accept="text/html")
        assert status == 200
        assert "This process is not ready" in page
        assert "it cannot write" in page
        for path in ("/channels", "/rules", "/timers"):
            status, page = running.get(path, accept="text/html")
            assert status == 503
            assert "the database cannot be used now" in page.lower()
        running.kill()


def _quiet_for(far: HttpFarEnd, seconds: float) -> bool:
    """Whether nothing arrives for so long (or something did: then it begins anew)."""
    before, end = len(far.posted), time.monotonic() + seconds
    wait_until(lambda: len(far.posted) > before or time.monotonic() > end)
    return len(far.posted) == before
