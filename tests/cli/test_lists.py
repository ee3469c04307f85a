"""`router events`, `deliveries` and `resend`: what is found, what is said, what is sent again."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from far_end import Answer, HttpFarEnd, wait_until
from router.cli.table import Table
from router.ledger import open_ledger
from router.secret import Secret
from running import Running
from typed import run, run_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = """
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels:
  sink: {{ webhook: {{ url: "{url}/in" }} }}
  list: {{ webhook: {{ url: "{url}/list" }} }}
  idle: {{ webhook: {{ url: "{url}/idle" }} }}
rules:
  - {{ name: each, when: {{ trigger: case_comment }}, notify: sink, title: "C {{{{ case_id }}}}" }}
  - name: all in one
    when: {{ trigger: case_changed }}
    digest: {{ every: 1s }}
    notify: list
    title: "{{{{ count }}}} changes"
  - {{ name: never, when: {{ trigger: case_created, case_id: 77 }}, notify: idle, title: x }}
"""


@pytest.fixture(scope="module")
def far() -> Iterator[HttpFarEnd]:
    with HttpFarEnd() as made:
        yield made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, far: HttpFarEnd) -> Iterator[Running]:
    """Twelve comments and a digest of three, and every one of them was refused for good."""
    far.usual = Answer(404)
    made = Running(tmp_path_factory.mktemp("lists"), RULES.format(url=far.url), {})
    made.start()
    for case in range(12):
        made.post({"trigger": "case_comment", "case_id": case, "case_name": f"Acme {case}"})
    for case in range(3):
        made.post({"trigger": "case_changed", "case_id": case, "process_key": "kyc"})
    made.post(b"[]")
    wait_until(lambda: len(made.deliveries("state=failed")) == 15)
    far.usual = Answer()
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (["--state", "failed"], 15),
        (["--channel", "list"], 3),
        (["--rule", "each", "--case", "3"], 1),
        (["--trigger", "case_changed", "--since", "1h"], 3),
        (["--source", "atfinity", "--until", "1h"], 0),
        (["-q", "acme 7"], 1),
        (["--limit", "4"], 4),
    ],
)
def test_every_filter_narrows_both_lists(running: Running, given: list[str], number: int) -> None:
    told = json.loads(running.command("deliveries", *given, "--json").stdout)
    assert len(told) == number
    assert all(one["attempts"] for one in told)
    assert len(json.loads(running.command("events", *given, "--json").stdout)) == number


def test_lists_are_tables_that_say_how_to_see_more(running: Running) -> None:
    shown = running.command("deliveries", "--limit", "2", "--channel", "sink").stdout.splitlines()
    assert shown[0].split()[:3] == ["delivery", "event", "made"]
    assert "failed" in shown[1]
    assert "404 Not Found" in shown[1]
    assert shown[-1] == "the newest 2; there are more: --limit shows more, filters fewer"
    events = running.command("events").stdout
    assert "rejected: the body is JSON, but not an object" in events
    assert "sink failed" in events


def test_an_empty_answer_says_what_to_do_and_a_wrong_name_gets_a_guess(running: Running) -> None:
    empty = running.command("deliveries", "--channel", "idle")
    assert (empty.returncode, empty.stdout) == (
        0, "no deliveries meet these filters; leave one out, or look further back\n",
    )  # fmt: skip
    for name, wrong, guess in (
        ("channel", "sinc", "did you mean `sink`?"),
        ("rule", "eech", "did you mean `each`?"),
        ("trigger", "case_aproved", "did you mean `case_approved`?"),
        ("source", "atfinty", "did you mean `atfinity`?"),
    ):
        done = running.command("events", f"--{name}", wrong)
        assert (done.returncode, done.stderr) == (2, f"there is no {name} `{wrong}`; {guess}\n")


def test_filters_that_make_no_sense_are_wrong_usage(tmp_path: Path) -> None:
    done = run("events", "--state", "faild")
    assert done.returncode == 2
    assert "there is no state `faild`; did you mean `failed`?" in done.stderr
    done = run("deliveries", "--since", "1h", "--until", "2h")
    assert (done.returncode, done.stderr) == (2, "--since 1h is not before --until 2h\n")
    assert run("deliveries", "--since", "2099-01-01").returncode == 2
    assert "is neither a time nor a duration" in run("events", "--since", "yesterday").stderr
    done = run_in(tmp_path, ["events"], {})
    assert (done.returncode, list(tmp_path.iterdir())) == (1, [])
    assert "`router serve` makes it" in done.stderr


def test_a_database_that_fails_is_told_in_words(tmp_path: Path) -> None:
    open_ledger(Secret(f"sqlite:///{tmp_path / 'router.db'}"), lambda: 0.0).close()
    with sqlite3.connect(tmp_path / "router.db") as broken:
        broken.execute("DROP TABLE deliveries")
    broken.close()
    for given in (["deliveries"], ["resend", "1"]):
        done = run_in(tmp_path, given, {})
        told = "the database does not do its part: no such table: deliveries\n"
        assert (done.returncode, done.stderr) == (1, told)


def test_a_resend_needs_ids_or_filters_that_can_be_sent_again(running: Running) -> None:
    assert running.command("resend").returncode == 2
    assert running.command("resend", "1", "--state", "failed").returncode == 2
    assert "still waits" in running.command("resend", "--state", "pending").stderr
    refused = running.command("resend", "999")
    assert (refused.returncode, refused.stdout) == (
        1, "delivery 999: there is no delivery 999\n",
    )  # fmt: skip


def test_resend_finds_all_once_and_a_digest_goes_as_one_message(
    running: Running, far: HttpFarEnd
) -> None:
    dry = running.command("resend", "--state", "failed", "--since", "1d", "--dry-run")
    assert dry.stdout.endswith("15 would be sent again, in 13 messages\n")
    before = len(far.posted)
    done = running.command("resend", "--state", "failed")
    assert done.returncode == 0
    assert "one message with all 3 that it lists" in done.stdout
    wait_until(lambda: len(running.deliveries("state=sent")) == 15)
    bodies = [json.loads(one.body) for one in far.posted[before:]]
    assert len(bodies) == 13
    (digest,) = (body for body in bodies if body["type"] == "case_changed")
    assert digest["message"]["title"] == "3 changes"
    assert [event["case_id"] for event in digest["events"]] == [0, 1, 2]
    again = running.command("resend", "--state", "failed", "--yes").stdout
    assert "15 more were sent again before, and left out" in again
    assert "0 would be sent again" in again
    linked = json.loads(running.command("deliveries", "--state", "sent", "--json").stdout)
    assert {one["resend_of"] for one in linked} == set(range(1, 16))
    fresh = running.command("resend", "1", "--fresh")
    assert fresh.stdout == "delivery 1: sent again as delivery 31\n"


def test_what_comes_from_outside_cannot_order_a_terminal_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = Table("name", "why")
    table.add_row("\x1b[2Ja", "line\nbreak\x07")
    table.show()
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert len(shown.splitlines()) == 2


@pytest.mark.parametrize("columns", ["50", "80", "200"])
def test_a_table_keeps_to_the_terminal(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    table = Table("delivery", "case", "channel", "state", "why")
    table.add_row("1", "KYC-1042", "relationship-managers", "failed", "word " * 30)
    table.show()
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= int(columns)
    assert "KYC-1042" in shown[1]
