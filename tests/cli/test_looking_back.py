"""The commands that look at what happened: graph, coverage, backtest."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.delivery import inspect
from router.event import Event
from router.ledger import Draft, open_ledger
from router.route import RoutingTable
from router.rulebook import Files, build
from router.secret import Secret

RULES = """version: 1
sources: { bank: { secret: "${SECRET}" } }
channels:
  team: { webhook: { url: http://127.0.0.1:9/ } }
  desk: { webhook: { url: http://127.0.0.1:9/ } }
rules:
  - { name: approved, when: { trigger: case_approved }, notify: team, title: "Yes {{ case_id }}" }
  - { name: rest, otherwise: true, notify: desk, title: "{{ trigger }}" }
"""
SECRET = "a-secret-of-the-tests-0123456789"


class Folder:
    """A folder with rules and a history, and the commands run in it."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url
        (path / "rules.yaml").write_text(RULES)

    def write(self, events: list[dict[str, Any]], *, began: float) -> None:
        """Accept events under the folder's rules, a minute apart."""
        found = build(
            Files("rules.yaml", {"rules.yaml": RULES}, {}, {}),
            environment={"SECRET": SECRET},
            read_file=str,
            inspect_channel=inspect,
            outbound="capture",
        )
        assert found.ruleset is not None, found.problems
        table = RoutingTable(found.ruleset)
        drafts = []
        for number, fields in enumerate(events):
            event = Event(0, "bank", began + 60 * number, msgspec.json.encode(fields), fields)
            routing = table.route(event)
            drafts.append(Draft(event, found.ruleset.hash, len(routing.matched), routing.planned))
        ledger = open_ledger(Secret(self.url), time.time)
        ledger.start()

        async def accept() -> None:
            await asyncio.gather(*map(ledger.accept, drafts))

        asyncio.run(accept())
        ledger.close()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("ROUTER_", "COLUMNS"))
        }
        environment |= {
            "SECRET": SECRET,
            "ROUTER_DATABASE_URL": self.url,
            "COLUMNS": "120",
        }
        return subprocess.run(
            [sys.executable, "-m", "router", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            cwd=self.path,
            timeout=60,
            check=False,
        )


@pytest.fixture
def folder(tmp_path: Path, database_url: str) -> Folder:
    return Folder(tmp_path, database_url)


def test_graph_draws_the_rules_with_what_happened(folder: Folder) -> None:
    events = [{"trigger": "case_approved", "case_id": n} for n in range(3)]
    folder.write([*events, {"trigger": "case_comment", "case_id": 1}], began=time.time() - 900)
    drawn = folder.run("graph", "--format", "mermaid")
    assert (drawn.returncode, drawn.stderr) == (0, "")
    assert 's0(["bank #40;4#41;"])' in drawn.stdout
    assert 's0 -->|"3"| r0' in drawn.stdout
    assert 'r1 -->|"1"| c1' in drawn.stdout
    assert folder.run("graph").stdout.startswith("<svg ")
    assert folder.run("graph", "--format", "dot").stdout.startswith("digraph")
    assert '"0"' in folder.run("graph", "--format", "mermaid", "--since", "1m").stdout
    wrong = folder.run("graph", "--since", "soon")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("--since: `soon` is neither a time nor a duration")


def test_graph_without_history_makes_none(tmp_path: Path) -> None:
    folder = Folder(tmp_path, f"sqlite:///{tmp_path / 'router.db'}")
    assert 's0(["bank"])' in folder.run("graph", "--format", "mermaid").stdout
    assert not (tmp_path / "router.db").exists()


def test_coverage_tells_first_what_no_rule_speaks_about(folder: Folder) -> None:
    told = {"trigger": "case_approved", "process_key": "kyc"}
    silent = {
        "trigger": "case_state_changed",
        "process_key": "kyc",
        "previous_state_key": "draft",
        "current_state_key": "in_review",
        "transition_key": "submit",
    }
    folder.write([told, silent, told], began=time.time() - 900)
    done = folder.run("coverage")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("3 events since ")
    assert ", of 2 kinds; read in " in lines[0]
    assert lines.index("No rule speaks about") < lines.index("Rules speak about")
    (row,) = [line for line in lines if "case_state_changed" in line]
    assert row.split()[:7] == ["1", "1", "bank", "case_state_changed", "kyc", "in_review", "submit"]
    assert row.rstrip().endswith("otherwise rest")
    as_json = json.loads(folder.run("coverage", "--json").stdout)
    assert [(kind["trigger"], kind["silent"]) for kind in as_json["kinds"]] == [
        ("case_state_changed", 1),
        ("case_approved", 0),
    ]
    assert as_json["kinds"][1]["rules"] == {"approved": 2}


def test_the_words_that_came_are_ready_to_be_pasted_into_the_rules(tmp_path: Path) -> None:
    folder = Folder(tmp_path, f"sqlite:///{tmp_path / 'router.db'}")
    words = ("kyc", "no", "3.5", "a: b", "#x")
    events = [{"trigger": "case_approved", "process_key": word, "risk_key": 7} for word in words]
    folder.write([*events, {"trigger": "case_comment", "note": "Acme"}], began=time.time() - 900)
    block = folder.run("coverage", "--known").stdout
    with (folder.path / "rules.yaml").open("a") as rules:
        rules.write(block)
    checked = folder.run("check", "--strict")
    assert checked.returncode == 0, checked.stdout
    assert "risk_key: [7]" in block
    assert "Acme" not in block


def test_coverage_without_history_says_what_to_do(tmp_path: Path) -> None:
    folder = Folder(tmp_path, f"sqlite:///{tmp_path / 'router.db'}")
    done = folder.run("coverage", "--since", "2d")
    assert done.returncode == 0
    assert done.stdout == (
        "no events since then (2d); widen --since, or post one to /hooks/SOURCE/SECRET\n"
    )
    assert folder.run("coverage", "--known").stdout == "known: {}\n"
    assert not (tmp_path / "router.db").exists()


def changed(folder: Folder, **texts: str) -> str:
    """New rules beside those in force."""
    new = RULES
    for before, after in texts.items():
        new = new.replace(before, after)
    (folder.path / "new.yaml").write_text(new)
    return "new.yaml"


def test_backtest_tells_what_would_be_said_otherwise(folder: Folder) -> None:
    approved = [{"trigger": "case_approved", "case_id": n} for n in range(5)]
    folder.write([*approved, {"trigger": "case_comment", "case_id": 1}], began=time.time() - 900)
    same = folder.run("backtest", "rules.yaml", "--fail-on-change")
    assert (same.returncode, same.stderr) == (0, "")
    first, counts, last = same.stdout.splitlines()
    assert first.startswith("6 events, ")
    assert counts == ("messages: 0 newly said, 0 no longer said, 0 said differently; 6 as before")
    assert last == "nothing changes"
    new = changed(folder, case_approved="case_comment", Yes="No")
    done = folder.run("backtest", new)
    assert (done.returncode, done.stderr) == (0, "")
    assert "messages: 6 newly said, 6 no longer said, 0 said differently" in done.stdout
    assert "approved -> team: no longer said, 5, for example" in done.stdout
    assert "  0  event 1  " in done.stdout
    assert '"Yes 0"' in done.stdout
    assert "now: trigger is `case_approved`, not `case_comment`" in done.stdout
    assert folder.run("backtest", new, "--fail-on-change").returncode == 1
    told = json.loads(folder.run("backtest", new, "--json").stdout)
    assert (told["events"], told["new"], told["gone"], told["changed"]) == (6, 6, 6, True)
    rows = {(row["rule"], row["channel"]): row for row in told["rows"]}
    assert rows["approved", "team"]["examples"][0]["before"]["title"] == "Yes 0"
    assert folder.run("backtest", new, "--since", "1m").stdout.startswith("no events since then")


def test_backtest_of_broken_rules_tells_their_problems(tmp_path: Path) -> None:
    folder = Folder(tmp_path, f"sqlite:///{tmp_path / 'router.db'}")
    done = folder.run("backtest", changed(folder, otherwise="otherwize"))
    assert done.returncode == 1
    assert "new.yaml:8:19: unknown key `otherwize` in rule `rest`" in done.stderr
    assert "did you mean `otherwise`?" in done.stderr
    assert folder.run("backtest").returncode == 2
    nothing = folder.run("backtest", "rules.yaml")
    assert nothing.returncode == 0
    assert nothing.stdout.startswith("no events since then")
