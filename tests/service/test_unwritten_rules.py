"""Rules that are well while the database takes nothing: they wait, and nobody calls them broken."""

from __future__ import annotations

import json
import resource
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import psycopg

from databases import fresh_database
from far_end import wait_until
from hands import locked

if TYPE_CHECKING:
    from collections.abc import Callable

    from running import Running

RULES = """\
version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { ops: { webhook: { url: "http://127.0.0.1:9/in" } } }
rules:
  - { name: all, when: { trigger: case_created }, notify: ops, title: "first" }
"""
CHANGED = RULES.replace("first", "second")
ANSWERED = 6.0
"""Seconds within which a reload is answered while SQLite is locked."""


def reload_now(running: Running) -> tuple[int, str | None, dict[str, Any], float]:
    """Ask for a reload: its status, `Retry-After`, its answer, and the seconds it took."""
    request = urllib.request.Request(f"{running.url}/api/reload", b"", method="POST")
    began = time.monotonic()
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        body = json.loads(answer.read())
    return answer.status, answer.headers["retry-after"], body, time.monotonic() - began


def logged(running: Running, event: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in running.log.read_text().splitlines())
    return [line for line in lines if line["event"] == event]


def successful(running: Running) -> str:
    metrics: str = running.get("/metrics")[1]
    return metrics.partition("\nrouter_config_last_reload_successful ")[2].partition("\n")[0]


def on_disk(running: Running) -> str:
    status: str = running.get("/api/status")[1]["rules_on_disk"]
    return status


def test_rules_that_a_locked_database_does_not_take_wait_and_are_not_called_broken(
    router: Callable[..., Running],
) -> None:
    running = router(RULES, ROUTER_OUTBOUND="capture")
    before = running.get("/api/rules")[1]["ruleset"]
    with locked(running.folder / "router.db"):
        running.rules.write_text(CHANGED)
        for _ in range(3):  # the second and the third come while it is tried again by itself
            status, again, body, took = reload_now(running)
            assert (status, again) == (503, "5")
            assert took < ANSWERED
            assert "well" in body["detail"]
            assert "database is locked" in body["detail"]
        assert successful(running) == "0.0"
        assert on_disk(running) == "unwritten"
        assert running.get("/api/rules")[1]["broken"] is None
        assert running.get("/api/rules")[1]["ruleset"] == before
        for path in ("/", "/status"):
            page = running.get(path, accept="text/html")[1]
            assert "The rules on disk are well, but cannot be written down now" in page
            assert "database is locked" in page
            assert "broken" not in page
    wait_until(lambda: successful(running) == "1.0")
    assert running.get("/api/rules")[1]["ruleset"] != before
    assert "cannot be written down" not in running.get("/", accept="text/html")[1]
    assert logged(running, "rules_broken") == []
    (line,) = logged(running, "rules_unwritten")
    assert line["level"] == "warning"
    assert line["reason"] == "the database does not take them: database is locked"
    assert len(logged(running, "rules_unwritten_over")) == 1


def test_rules_that_are_broken_are_called_so_though_the_database_is_locked(
    router: Callable[..., Running],
) -> None:
    running = router(RULES, ROUTER_OUTBOUND="capture")
    with locked(running.folder / "router.db"):
        running.rules.write_text(RULES.replace("notify: ops", "notify: opps"))
        wait_until(lambda: on_disk(running) == "broken")
        running.rules.write_text(CHANGED)
        wait_until(lambda: on_disk(running) == "unwritten")
        # Those in force were written down when they came into force.
        running.rules.write_text(RULES)
        wait_until(lambda: on_disk(running) == "unchanged")
        assert successful(running) == "1.0"


def test_rules_that_a_full_disk_does_not_take_wait_for_room(
    router: Callable[..., Running],
) -> None:
    running = router(RULES, ROUTER_OUTBOUND="capture")
    assert running.process is not None
    # A size limit on the process' files is what a full disk is to SQLite.
    limits = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (1024, limits[1]))
    running.rules.write_text(CHANGED)
    status, again, body, _ = reload_now(running)
    assert (status, again) == (503, "5")
    assert "well" in body["detail"]
    assert on_disk(running) == "unwritten"
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, limits)
    wait_until(lambda: on_disk(running) in ("changed", "unchanged"))
    assert logged(running, "rules_broken") == []


def test_rules_that_postgresql_does_not_take_wait(
    postgres: str, router: Callable[..., Running]
) -> None:
    database = fresh_database(postgres)
    running = router(RULES, ROUTER_OUTBOUND="capture", ROUTER_DATABASE_URL=database)
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE rulesets IN ACCESS EXCLUSIVE MODE")
        running.rules.write_text(CHANGED)
        status, again, body, _ = reload_now(running)
        assert (status, again) == (503, "5")
        assert "lock timeout" in body["detail"]
        assert on_disk(running) == "unwritten"
        other.rollback()
    wait_until(lambda: on_disk(running) in ("changed", "unchanged"))
    assert logged(running, "rules_broken") == []


def test_a_start_names_the_database_that_takes_nothing_and_not_the_rules(
    router: Callable[..., Running],
) -> None:
    running = router(RULES, ROUTER_OUTBOUND="capture")
    running.stop()
    with locked(running.folder / "router.db"):
        ended = running.command("serve")
        assert running.command("check").returncode == 0
    assert ended.returncode == 1
    assert "the database cannot be used: database is locked" in ended.stderr
    assert "router doctor" in ended.stderr
    assert "rules.yaml" not in ended.stderr
    running.start()
