"""Edited files: other texts in place of those that were read, and nothing read from disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.delivery import inspect
from router.rulebook import Built, Files, build_unseen, edited, read_files, texts_of

if TYPE_CHECKING:
    from pathlib import Path

MAIN = """
version: 1
include: [teams/*.yaml, more.yaml]
sources: { atfinity: { secret: "${SECRET:?it is needed}" } }
channels: { sink: { webhook: { url: "https://far.example/${file:/etc/hostname}" } } }
calendars: { office: { days: mon-fri, hours: "08:00-18:00", holidays: [{ file: days.txt }] } }
rules:
  - { name: main, when: { trigger: case_created }, notify: sink, hours: office }
"""
RULE = "rules: [{{ name: {0}, when: {{ trigger: case_{0} }}, notify: sink }}]\n"
TEST = """
tests:
  - name: approvals are told
    event: { trigger: case_approved }
    expect: [{ rule: approved, channel: sink }]
"""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "teams").mkdir()
    (tmp_path / "templates").mkdir()
    for name, text in (
        ("rules.yaml", MAIN),
        ("teams/a.yaml", RULE.format("approved")),
        ("more.yaml", RULE.format("declined")),
        ("days.txt", "2026-12-25\n"),
        ("more.test.yaml", TEST),
        ("templates/one.txt.j2", "one"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return read_files(str(tmp_path / "rules.yaml"))


def built(files: Files, **edits: str) -> Built:
    """What the files are, edited by the ends of their names."""
    known = texts_of(files)
    named = {n: text for end, text in edits.items() for n in known if n.endswith(f"{end}.yaml")}
    return build_unseen(edited(files, named), inspect_channel=inspect)


def told(found: Built) -> list[str]:
    return [problem.text for problem in found.problems]


def test_files_that_nobody_edited_are_as_they_were(files: Files) -> None:
    assert edited(files, {}) == files
    found = built(files)
    assert found.untested is not None
    assert [rule.name for rule in found.untested.rules] == ["main", "approved", "declined"]
    assert [test.name for test in found.tests] == ["approvals are told"]


def test_an_included_file_is_edited_and_one_that_is_not_included_any_more_is_gone(
    files: Files,
) -> None:
    found = built(files, a=RULE.format("finished"), rules=MAIN.replace(", more.yaml", ""))
    assert found.ruleset is None, "its test is about a rule that is gone"
    assert found.untested is not None
    assert [rule.name for rule in found.untested.rules] == ["main", "finished"]


@pytest.mark.parametrize("name", ["../secret.yaml", "/etc/passwd", "other.yaml", "**/x", "[", 7])
def test_no_other_file_is_read(files: Files, tmp_path: Path, name: object) -> None:
    (tmp_path / "other.yaml").write_text(RULE.format("other"), encoding="utf-8")
    found = built(files, rules=MAIN.replace("more.yaml", f"'{name}'" if name != 7 else "7"))
    names = [rule.name for rule in found.untested.rules] if found.untested else []
    assert "other" not in names
    assert told(found), "and it is told"


def test_a_file_of_holidays_that_is_not_at_hand_is_told(files: Files) -> None:
    found = built(files, rules=MAIN.replace("days.txt", "/etc/passwd"))
    assert "the file `/etc/passwd` is not at hand; its holidays are left out" in told(found)


def test_what_is_wrong_only_with_tests_keeps_nothing_silent(files: Files) -> None:
    found = built(files, test=TEST.replace("channel: sink", "channel: sank"))
    assert found.ruleset is None
    assert found.untested is not None
    assert built(files, rules=MAIN.replace("sink: {", "sank: {")).untested is None


def test_a_text_that_is_too_large_is_told(files: Files) -> None:
    assert "it is larger than 1 MiB" in told(built(files, rules="#" * 1_100_000))
