"""`router doctor`: a line for each thing, what to do, an exit status, and never a secret."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from far_end import Answer, HttpFarEnd, wait_until
from router.doctor import of_ledger, of_settings
from router.ledger import Looked, look, open_ledger
from router.secret import Secret
from router.settings import Settings
from typed import run, run_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from running import Running

NOW = 1.8e9
RULES = """
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels:
  sink: {{ webhook: {{ url: "{url}/in/${{HOOK_TOKEN}}" }}, retry: {{ for: 1m }} }}
rules:
  - {{ name: all, when: always, notify: sink, title: "{{{{ case_id }}}}" }}
"""
TOKEN = "hook-token-that-nobody-sees"


def states(found: Any) -> dict[str, str]:
    return {finding.about: finding.state for finding in found}


def test_a_sound_service_is_well_and_a_failing_channel_is_a_fault(
    router: Callable[..., Running],
) -> None:
    with HttpFarEnd() as far:
        running = router(RULES.format(url=far.url), HOOK_TOKEN=TOKEN)
        done = running.command("doctor")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("\nall is well\n")
        assert "is ready" in done.stdout
        assert f"127.0.0.1:{far.port} answers in the clear" in done.stdout
        assert far.posted == []
        far.usual = Answer(500)
        running.post({"trigger": "case_comment", "case_id": 1})
        wait_until(lambda: far.posted)
        wait_until(lambda: running.command("doctor", "--json").returncode == 1)
        told = json.loads(running.command("doctor", "--json").stdout)
        assert told["well"] is False
        (fault,) = (one for one in told["findings"] if one["state"] == "fault")
        assert fault["about"] == "channel sink"
        assert "sending fails since" in fault["text"]
        assert "router send-test sink" in fault["advice"]
        assert TOKEN not in json.dumps(told)


def test_what_is_missing_is_a_fault_and_in_capture_mode_a_warning(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "version: 1\n"
        'sources: { atfinity: { secret: "${ATFINITY_SECRET:-}" } }\n'
        'channels: { team: { slack: { token: "${SLACK:-}", to: "#kyc" } } }\n'
        "rules: [{ name: all, when: always, notify: team, title: x }]\n"
    )
    done = run_in(tmp_path, ["doctor"], {})
    assert done.returncode == 1
    assert "fault    secrets       source `atfinity`: `secret` is empty" in done.stdout
    assert "fault    channel team  `token` is empty" in done.stdout
    assert "= set it in the environment" in done.stdout
    assert not list(tmp_path.glob("router.db*"))
    done = run_in(tmp_path, ["doctor"], {"ROUTER_OUTBOUND": "capture"})
    assert done.returncode == 0
    assert "capture: messages are kept and shown, nothing is sent" in done.stdout
    assert "warning  channel team  `token` is empty" in done.stdout


def test_wrong_settings_and_rules_are_faults_in_words(tmp_path: Path) -> None:
    done = run("doctor", ROUTER_PORT="x", ROUTER_OUTBOND="live")
    assert done.returncode == 1
    assert "ROUTER_PORT: `x` is not a port" in done.stdout
    assert "did you mean `ROUTER_OUTBOUND`?" in done.stdout
    (tmp_path / "rules.yaml").write_text("version: 1\nruels: []\n")
    (tmp_path / "router.db").write_text("this is no database, whatever its name says" * 9)
    done = run_in(tmp_path, ["doctor"], {"ROUTER_CA_BUNDLE": str(tmp_path / "rules.yaml")})
    assert done.returncode == 1
    assert "`router check` shows each" in done.stdout
    assert "SQLite router.db: file is not a database" in done.stdout
    assert "ROUTER_CA_BUNDLE" in done.stdout
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("given", "about", "words"),
    [
        ({"host": "0.0.0.0", "insecure_no_auth": True}, "login", "no password is asked for"),
        ({"admin_password": Secret("short")}, "login", "ROUTER_ADMIN_PASSWORD is shorter than 12"),
        ({"host": "0.0.0.0", "api_token": Secret("x" * 20)}, "address", "0.0.0.0:8000"),
        (
            {"host": "0.0.0.0", "api_token": Secret("x" * 20), "url": "http://r.example"},
            "address",
            "in the clear",
        ),
        ({"trusted_proxies": ("0.0.0.0/0",)}, "proxies", "anybody may say"),
        ({"retention": 3600.0}, "retention", "60 min"),
    ],
)
def test_doubtful_settings_are_warnings(given: dict[str, Any], about: str, words: str) -> None:
    found = {finding.about: finding for finding in of_settings(Settings(**given))}
    assert found[about].state == "warning"
    assert words in found[about].text
    assert found[about].advice


@pytest.mark.parametrize(
    ("looked", "about", "state"),
    [
        (Looked(place="x", fault="no"), "database", "fault"),
        (Looked(place="x"), "database", "ok"),
        (Looked(place="x", schema="older"), "database", "warning"),
        (Looked(place="x", free=1 << 20), "disk", "fault"),
        (Looked(place="x", free=500 << 20), "disk", "warning"),
        (Looked(place="x", newest=NOW + 3600), "clock", "fault"),
        (Looked(place="x", newest=NOW - 3600), "clock", "ok"),
        (Looked(place="x", clock=NOW - 60), "clock", "warning"),
    ],
)
def test_the_database_its_disk_and_the_clock_are_judged(
    looked: Looked, about: str, state: str
) -> None:
    assert states(of_ledger(looked, NOW))[about] == state
    assert states(of_ledger(looked, 1.0))["clock"] == "fault"


def test_a_database_that_another_process_holds_needs_no_other_address(database_url: str) -> None:
    open_ledger(Secret(database_url), lambda: NOW).close()
    with _held(database_url):
        locked = look(Secret(database_url), NOW)
    assert locked.cause == "locked"
    (fault,) = (one for one in of_ledger(locked, NOW) if one.about == "database")
    assert fault.advice == "wait, or end the process that holds it"


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("full", "make room"),
        ("newer", "start that version"),
        ("silent", "see that it runs"),
        ("other", "correct ROUTER_DATABASE_URL"),
    ],
)
def test_what_is_to_do_follows_from_what_is_the_matter(cause: Any, words: str) -> None:
    found = {one.about: one for one in of_ledger(Looked(place="x", fault="no", cause=cause), NOW)}
    assert words in (found["database"].advice or "")


def test_a_look_changes_no_schema(database_url: str, tmp_path: Path) -> None:
    first = look(Secret(database_url), NOW)
    assert (first.schema, first.fault) == ("none", None)
    assert not (tmp_path / "router.db").exists()
    open_ledger(Secret(database_url), lambda: NOW).close()
    second = look(Secret(database_url), NOW)
    assert (second.schema, second.fault, second.pending) == ("current", None, 0)
    assert "password" not in second.place
    gone = look(Secret("postgresql://u:a-password@127.0.0.1:9/x"), NOW)
    assert gone.fault is not None
    assert "a-password" not in gone.fault + gone.place


@contextlib.contextmanager
def _held(database_url: str) -> Iterator[None]:
    """Another process holds what the doctor would write."""
    if database_url.startswith("sqlite"):
        file = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
        file.execute("BEGIN IMMEDIATE")
        yield
        file.close()
    else:
        with psycopg.connect(database_url) as server:
            server.execute("LOCK TABLE meta IN ACCESS EXCLUSIVE MODE")
            yield
            server.rollback()
