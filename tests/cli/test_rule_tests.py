"""`router test`, and what else the command line does with tests of rules."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from far_end import wait_until
from router.delivery import inspect
from router.event import Event
from router.ledger import Draft, open_ledger
from router.route import RoutingTable
from router.rulebook import Files, build
from router.secret import Secret
from typed import ROOT, run, run_in

RULES = """version: 1
sources: { bank: { secret: "${SECRET}" } }
channels: { desk: { webhook: { url: http://127.0.0.1:9/ } } }
rules:
  - { name: approved, when: { trigger: case_approved }, notify: desk, title: "{{ case_name }}" }
  - { name: comments, when: { trigger: case_comment }, notify: desk,
      throttle: { once_per: 1h, by: case_id } }
"""
PASSES = """\
  - name: an approval is told
    event: { trigger: case_approved }
    expect: [{ rule: approved, channel: desk, title: Acme Corp }]
"""
FAILS = """\
  - name: a comment is not
    event: { trigger: case_comment }
    expect: []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(f"{RULES}tests:\n{PASSES}", encoding="utf-8")
    return tmp_path


def test_tests_that_pass_are_counted(folder: Path) -> None:
    done = run_in(folder, ["test"], {})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 test in rules.yaml: 1 passed, 0 failed\n"


def test_a_test_that_fails_is_shown_with_both_sides(folder: Path) -> None:
    with (folder / "rules.yaml").open("a", encoding="utf-8") as rules:
        rules.write(FAILS)
    done = run_in(folder, ["test"], {})
    assert done.returncode == 1
    assert (
        done.stdout
        == """\
rules.yaml:12:11: test `a comment is not` fails
    |
 12 |   - name: a comment is not
    |           ^^^^^^^^^^^^^^^^
    --- expected
    +++ said
    @@ -0,0 +1,4 @@
    +- rule: comments
    +  channel: desk
    +  at: 0s
    +  title: "New comment: KYC-0042 Acme Corp"

2 tests in rules.yaml: 1 passed, 1 failed
"""
    )
    checked = run_in(folder, ["check"], {"SECRET": "a-secret-of-the-tests"})
    assert checked.returncode == 1
    assert "rules.yaml:12:11: test `a comment is not` fails" in checked.stdout
    assert "the service would not load this" in checked.stdout


def test_some_tests_are_chosen_by_their_names(folder: Path) -> None:
    (folder / "more.test.yaml").write_text(f"tests:\n{FAILS}", encoding="utf-8")
    assert "1 passed, 1 failed" in run_in(folder, ["test"], {}).stdout
    chosen = run_in(folder, ["test", "-k", "approval"], {})
    assert (chosen.returncode, chosen.stdout.count("passed")) == (0, 1)
    assert "more.test.yaml:2:11" in run_in(folder, ["test", "-k", "comment"], {}).stdout
    beside = run_in(folder, ["test", "more.test.yaml"], {})
    assert (beside.returncode, "name the rules file beside it" in beside.stderr) == (2, True)
    none = run_in(folder, ["test", "-k", "nothing like it"], {})
    assert none.returncode == 2
    assert "no test has `nothing like it` in its name" in none.stderr


def test_without_tests_it_says_how_to_write_one_that_passes(folder: Path) -> None:
    (folder / "rules.yaml").write_text(f"{RULES}tests:\n", encoding="utf-8")
    done = run_in(folder, ["test"], {})
    assert done.returncode == 0
    assert done.stdout.startswith("there are no tests in rules.yaml; write some")
    shown = re.search(r"^tests:\n.*?\n\n", done.stdout, re.DOTALL | re.MULTILINE)
    assert shown is not None
    (folder / "rules.test.yaml").write_text(shown[0], encoding="utf-8")
    assert "1 passed, 0 failed" in run_in(folder, ["test"], {}).stdout


def test_rules_with_problems_are_told_as_check_tells_them(folder: Path) -> None:
    text = (folder / "rules.yaml").read_text(encoding="utf-8")
    (folder / "rules.yaml").write_text(text.replace("notify: desk,\n", "notify: dsk,\n"))
    done = run_in(folder, ["test", "--junit", "out.xml"], {})
    assert done.returncode == 1
    assert "tells unknown channel `dsk`" in done.stdout
    assert done.stdout.endswith("in rules.yaml; correct them first, then the tests can run\n")
    assert ElementTree.parse(folder / "out.xml").getroot().get("errors") == "1"
    assert run_in(folder, ["test", "no.yaml"], {}).returncode == 1
    assert run_in(folder, ["test", "--junit", "no/such/folder.xml"], {}).returncode == 2


def test_coverage_names_what_is_not_reached_and_fails_if_strict(folder: Path) -> None:
    done = run_in(folder, ["test", "--coverage"], {})
    assert done.returncode == 0
    assert "rules.yaml:6:13: warning: no test reaches rule `comments`" in done.stdout
    assert done.stdout.endswith("no test reaches 1 place in rules.yaml\n")
    assert run_in(folder, ["test", "--coverage", "--strict"], {}).returncode == 1
    shipped = run("test", "--coverage", "--strict")
    assert shipped.returncode == 0
    assert shipped.stdout.endswith("tests reach every rule, trigger and branch of `any`\n")


def test_junit_has_a_case_for_each_test(folder: Path) -> None:
    odd = FAILS.replace("a comment is not", '"<&\\x01>"')
    (folder / "more.test.yaml").write_text(f"tests:\n{odd}", encoding="utf-8")
    run_in(folder, ["test", "--junit", "out.xml"], {})
    root = ElementTree.parse(folder / "out.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "1", "0")
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert set(cases) == {"an approval is told", "<&\ufffd>"}
    failure = cases["<&\ufffd>"].find("failure")
    assert failure is not None
    assert "not expected" in str(failure.get("message"))
    assert "+- rule: comments" in str(failure.text)


def test_watch_runs_again_when_a_file_changes_and_ends_with_ctrl_c(folder: Path) -> None:
    out = folder / "out.txt"
    with out.open("w") as to:
        process = subprocess.Popen(
            [sys.executable, "-m", "router", "test", "--watch"],
            cwd=folder, stdout=to, stderr=subprocess.STDOUT, env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
    try:
        wait_until(lambda: "Ctrl-C ends" in out.read_text())
        (folder / "more.test.yaml").write_text(f"tests:\n{FAILS}", encoding="utf-8")
        wait_until(lambda: "1 passed, 1 failed" in out.read_text())
        wait_until(lambda: out.read_text().count("Ctrl-C ends") == 2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in out.read_text()


def test_a_stored_event_becomes_a_test_that_passes(folder: Path) -> None:
    url = f"sqlite:///{folder / 'router.db'}"
    found = build(
        Files("rules.yaml", {"rules.yaml": RULES}, {}),
        environment={"SECRET": "a-secret-of-the-tests"},
        read_file=str,
        inspect_channel=inspect,
        outbound="capture",
    )
    assert found.ruleset is not None
    table = RoutingTable(found.ruleset)
    drafts = []
    for number, trigger in enumerate(("case_approved", "case_comment", "case_comment")):
        fields = {"trigger": trigger, "case_id": 77, "case_name": "Meier", "note": "of Meier"}
        event = Event(0, "bank", time.time() + number, json.dumps(fields).encode(), fields)
        routing = table.route(event)
        drafts.append(Draft(event, found.ruleset.hash, len(routing.matched), routing.planned))
    ledger = open_ledger(Secret(url), time.time)
    ledger.start()

    async def accept() -> None:
        for draft in drafts:
            await ledger.accept(draft)

    asyncio.run(accept())
    ledger.close()
    text = ""
    for stored in ("1", "3"):
        done = run_in(folder, ["explain", stored, "--as-test"], {"ROUTER_DATABASE_URL": url})
        assert (done.returncode, done.stderr) == (0, "")
        text += "".join(f"  {line}\n" for line in done.stdout.splitlines())
    assert "Meier" not in text
    assert "77" not in text
    assert '  - name: "event 1: case_approved"' in text
    assert "    # when it came, `comments` to `desk` was suppressed: throttled" in text
    (folder / "rules.yaml").write_text(f"{RULES}tests:\n{text}", encoding="utf-8")
    assert "2 passed, 0 failed" in run_in(folder, ["test"], {}).stdout
    no = run_in(folder, ["explain", "9", "--as-test"], {"ROUTER_DATABASE_URL": url})
    assert (no.returncode, no.stderr.startswith("there is no event 9")) == (1, True)


def test_a_file_becomes_a_test() -> None:
    done = run("explain", "router/samples/7_case_approved.json", "--as-test")
    assert done.returncode == 0
    assert done.stdout.startswith(
        "- name: a case_approved event\n  event: { trigger: case_approved"
    )
    assert str(ROOT) not in done.stdout
