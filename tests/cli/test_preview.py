"""`router preview`: what each channel would get, on the terminal and on a page of its own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from far_end import HttpFarEnd, wait_until
from typed import ROOT, SAMPLE, run, run_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from running import Running

RULES = """
version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET:-a-secret-of-the-tests-0123456789}" } }
channels:
  team: { slack: { token: "${SLACK:-}", to: "#kyc" } }
  post: { email: { host: 127.0.0.1, from: a@b.example, to: c@d.example } }
  resting: { webhook: { url: "http://127.0.0.1:9/" }, paused: true }
calendars:
  never: { timezone: UTC, days: mon, hours: "00:00-00:01" }
rules:
  - { name: now, when: { trigger: case_comment }, notify: team, title: "Now {{ case_name }}" }
  - { name: later, when: { trigger: case_comment }, notify: post, after: 2d, title: later }
  - { name: daily, when: { trigger: case_comment }, notify: post, digest: { every: 1h } }
  - name: shut
    when: { trigger: case_comment }
    notify: post
    hours: { calendar: never, outside: drop }
    title: shut
  - name: rests
    when: { trigger: case_comment }
    notify: resting
    title: "{{ 1 / (case_version - 3) }}"
"""
EVENT = {
    "trigger": "case_comment",
    "case_id": 1,
    "case_name": '<b onload="x">\x1b[31mAcme</b> & Co',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "event.json").write_text(json.dumps(EVENT))
    return tmp_path


def test_the_terminal_says_what_is_said_at_once_waits_is_collected_or_dropped(
    folder: Path,
) -> None:
    shown = run_in(folder, ["preview", "event.json"], {}).stdout
    assert "team  Slack, info, rule `now`: at once\n  Now <b onload" in shown
    assert "rule `later`: waits until 20" in shown
    assert "rule `daily`: collected for a digest until 20" in shown
    assert "rule `shut`: dropped: never is closed" in shown
    assert "once its channel is no longer paused" in shown
    assert "the template failed" in shown
    assert "\x1b" not in shown


def test_the_page_stands_alone_and_holds_every_message(folder: Path) -> None:
    given = ["preview", "event.json", "--html", "out.html"]
    assert run_in(folder, given, {}).stdout == "5 messages in out.html\n"
    page = (folder / "out.html").read_text(encoding="utf-8")
    assert page.count('<section class="card sheet"') == 5
    assert page.count("<iframe") == page.count("srcdoc=") == page.count(" sandbox ") == 3
    assert not re.search(r'(src|href)="(?!https://|http://)|<script|<link|url\(', page)
    assert "<b onload" not in page
    assert "Dropped: never is closed" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert "chat.postMessage" in page


def test_the_page_is_shown_in_the_browser(folder: Path) -> None:
    browser = folder / "browser"
    browser.write_text('#!/bin/sh\nprintf %s "$1" > seen\n')
    browser.chmod(0o755)
    given = {"BROWSER": f"{browser} %s", "TMPDIR": str(folder)}
    done = run_in(folder, ["preview", "event.json", "--channel", "team", "--open"], given)
    assert done.returncode == 0
    address = wait_until(lambda: (folder / "seen").exists() and (folder / "seen").read_text())
    assert address.startswith(f"file://{folder}/router-preview-")
    assert done.stdout.startswith("1 message in ")


def test_nothing_to_say_points_to_explain(folder: Path) -> None:
    (folder / "event.json").write_text('{"trigger": "case_created"}')
    done = run_in(folder, ["preview", "event.json"], {})
    assert done.returncode == 0
    assert "no rule speaks about this event" in done.stdout
    assert "`router explain event.json` says why" in done.stdout


def test_a_channel_that_is_not_told_or_not_there_is_answered_in_words() -> None:
    done = run("preview", str(SAMPLE), "--channel", "operations")
    assert "nothing would be told to `operations`, but to kyc-team, compliance" in done.stdout
    done = run("preview", str(SAMPLE), "--channel", "complaince")
    assert (done.returncode, done.stderr) == (
        2, "there is no channel `complaince`; did you mean `compliance`?\n",
    )  # fmt: skip
    done = run("preview", str(SAMPLE), "--json", "--html", str(ROOT / "nowhere" / "x.html"))
    assert done.returncode == 2


def test_a_stored_event_is_previewed_by_the_rules_on_disk(router: Callable[..., Running]) -> None:
    with HttpFarEnd() as far:
        running = router(RULES.replace("http://127.0.0.1:9/", far.url), ROUTER_OUTBOUND="capture")
        running.post({**EVENT, "case_name": "Acme"})
        running.post(b"[]")
        running.rules.write_text(RULES.replace("Now {{", "Then {{"))
        told = json.loads(running.command("preview", "1", "--json", "--channel", "team").stdout)
        assert [(one["title"], one["when"]) for one in told] == [("Then Acme", "at once")]
        assert "rejected" in running.command("preview", "2").stderr
        assert running.command("preview", "3").stderr.startswith("there is no event 3")
