"""A test that was written from an event passes, and tells nothing of the event's case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.delivery import formats, inspect
from router.event import TRIGGERS, Event
from router.rulebook import Built, Files, as_test, build, prove, read_files

ROOT = Path(__file__).parent.parent.parent
SHIPPED = read_files(str(ROOT / "rules.yaml"))
HEAD = """version: 1
sources: { atfinity: { secret: "${A}" }, other: { secret: "${B}" } }
channels: { ops: { webhook: { url: http://127.0.0.1:9/ } } }
calendars: { office: { timezone: Europe/Zurich, days: mon-fri, hours: "08:00-18:00" } }
rules:
"""
RULES = """\
  - { name: vip, when: { case_name: [Known AG, "VIP*"] }, notify: ops, title: "{{ case_name }}" }
  - { name: team, when: { by.team: red }, notify: ops,
      title: "{% if by is defined %}{{ by.team }} {{ by.name }}{% endif %}" }
  - { name: again, when: { trigger: case_created }, remind: { every: 1d }, notify: ops,
      unless: { trigger: case_finished } }
  - { name: held, when: { trigger: case_comment }, hours: office, notify: ops }
  - { name: theirs, when: { source: other }, notify: ops, title: "{{ received_at }}" }
  - { name: daily, when: { trigger: case_finished }, notify: ops,
      digest: { at: "09:00", calendar: office } }
"""


def built(files: Files, tests: str = "") -> Built:
    name = files.name
    text = files.rules[name].split("\ntests:")[0]
    whole = f"{text}\ntests:\n{tests}" if tests else text
    found = build(
        Files(name, {name: whole}, files.templates),
        environment={},
        read_file=str,
        inspect_channel=inspect,
        outbound="capture",
    )
    return prove(found, formats)


OWN = Files("rules.yaml", {"rules.yaml": HEAD + RULES}, {})
PLAIN = {files.name: built(files) for files in (SHIPPED, OWN)}


def posted(fields: dict[str, Any], source: str = "atfinity") -> Event:
    return Event(1841, source, 1_772_800_123.4, json.dumps(fields).encode(), fields)


def written(event: Event, files: Files) -> str:
    plain = PLAIN[files.name]
    ruleset = plain.ruleset
    assert ruleset is not None, plain.problems
    text = as_test(event, "a name: with signs", ruleset, formats(ruleset.channels)).text
    indented = "".join(f"  {line}\n" for line in text.splitlines())
    found = built(files, indented)
    assert [one.faults for one in found.tested] == [()], text
    assert [p.text for p in found.problems if p.severity == "error"] == []
    return text


@pytest.mark.parametrize("path", sorted((ROOT / "router" / "samples").glob("*.json")), ids=str)
def test_the_samples_become_tests_of_the_shipped_rules(path: Path) -> None:
    fields = json.loads(path.read_bytes())
    text = written(posted(fields), SHIPPED)
    for name in ("case_name", "case_user_readable_id", "case_url", "case_id"):
        assert str(fields[name]) not in text


def test_a_test_names_only_what_matters() -> None:
    fields = json.loads((ROOT / "router" / "samples" / "7_case_approved.json").read_bytes())
    assert written(posted(fields), SHIPPED).splitlines()[1] == (
        "  event: { trigger: case_approved, process_key: kyc_process }"
    )


@pytest.mark.parametrize(
    ("fields", "source", "has", "has_not"),
    [
        ({"trigger": "x", "case_name": "Smith"}, "other", ["source: other", "start:"], ["Smith"]),
        ({"trigger": "x", "case_name": "Known AG"}, "atfinity", ["Known AG"], ["start:"]),
        ({"trigger": "x", "case_name": "VIP Smith"}, "atfinity", ["expect: []"], ["Smith"]),
        (
            {"trigger": "x", "by": {"team": "red", "name": "Jo", "Ann Lee": 7}},
            "atfinity",
            ["team: red", "red text"],
            ["Jo", "Ann"],
        ),
        ({"trigger": "case_created"}, "atfinity", ["until: 2d", "at: 2d"], ["at: 3d"]),
        ({"trigger": "case_comment"}, "atfinity", ["start: 2026-03-06T12:28:43Z"], ["at:"]),
        ({"trigger": "case_finished"}, "atfinity", ["start:", "events: 1"], []),
        (
            {"trigger": "x", "case_user_readable_id": "KYC-2024-77", "case_id": "Meier", "n": 4.5},
            "atfinity",
            [],
            ["2024", "77", "Meier", "4.5"],
        ),
    ],
    ids=[
        "another source", "a name that the rules tell", "a name that a pattern met",
        "fields of a newer atfinity", "without end", "by a calendar", "a digest", "odd ids",
    ],
)  # fmt: skip
def test_what_is_written(
    fields: dict[str, Any], source: str, has: list[str], has_not: list[str]
) -> None:
    text = written(posted(fields, source), OWN)
    assert [part for part in has if part not in text] == []
    assert [part for part in has_not if part in text] == []


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.text(max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=3,
)
some = st.sampled_from(["case_id", "case_name", "process_key", "action"])
fields_of = st.dictionaries(st.one_of(some, st.text(max_size=5)), values, max_size=5)


@settings(max_examples=20, deadline=None)
@given(trigger=st.one_of(st.sampled_from(sorted(TRIGGERS)), st.text(min_size=1, max_size=8)),
       fields=fields_of)  # fmt: skip
def test_any_event_becomes_a_test_that_passes(trigger: str, fields: dict[str, Any]) -> None:
    written(posted({**fields, "trigger": trigger}), OWN)
