"""Tests of rules: what passes and what fails, as the rules, the clock and the words have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.delivery import formats, inspect
from router.problem import Position
from router.rulebook import (
    Built,
    Files,
    Proved,
    RuleTest,
    build,
    prove,
    read_files,
    shape_test,
    unreached,
)
from router.rulebook.compare import fits, side_by_side
from router.rulebook.prove import Proof
from router.rulebook.rule_test import Expected
from router.rulebook.tests import Known, read_tests
from router.rulebook.tree import parse
from router.rulebook.validate import validate

ROOT = Path(__file__).parent.parent.parent
HEAD = """version: 1
sources: { atfinity: { secret: "${A}" }, other: { secret: "${B}" } }
channels:
  ops: { webhook: { url: http://127.0.0.1:9/ } }
  desk: { email: { host: h, from: a@b.example, to: c@d.example } }
  chat: { slack: { token: "${C}", to: "#c" }, hide: [case_name] }
calendars:
  office: { timezone: Europe/Zurich, days: mon-fri, hours: "08:00-18:00" }
rules:
"""
STATE = "trigger: case_state_changed"
RULES = """\
  - name: approved
    when: { trigger: case_approved }
    notify: [ops, desk]
    title: "{{ case_user_readable_id }} {{ case_name }} approved"
    body: "{{ case_name }} it is"
  - name: stuck
    when: { trigger: case_state_changed, current_state_key: in_review }
    after: 2d
    unless: { trigger: case_state_changed, previous_state_key: in_review }
    notify: ops
  - name: papers
    when: { trigger: case_documents_updated }
    digest: { every: 1h, by: process_key }
    notify: desk
  - name: comments
    when: { trigger: case_comment }
    throttle: { once_per: 1h, by: case_id }
    notify: chat
  - { name: proofs, when: { trigger: case_proofs_updated }, hours: office, notify: ops }
  - { name: changes, when: { trigger: case_changed }, dedupe: 30m, notify: ops }
  - { name: theirs, when: { source: other }, notify: ops, title: theirs }
"""


def run(tests: str, rules: str = RULES) -> list[Proved]:
    found = proved(tests, rules)
    assert len(found.tested) == len(found.tests) > 0, found.problems
    return list(found.tested)


def proved(tests: str, rules: str = RULES, **beside: str) -> Built:
    text = f"{HEAD}{rules}{'tests:' + chr(10) if tests else ''}{tests}"
    found = build(
        Files("rules.yaml", {"rules.yaml": text}, {}, tests=beside),
        environment={},
        read_file=str,
        inspect_channel=inspect,
        outbound="capture",
    )
    return prove(found, formats)


def one(body: str) -> Proved:
    (found,) = run(f"  - name: a test\n    {body}\n")
    return found


APPROVED = "event: { trigger: case_approved }"
BOTH = "{ rule: approved, channel: ops }, { rule: approved, channel: desk }"


OPS, DESK = "{ rule: approved, channel: ops }", "{ rule: approved, channel: desk }"
OTHER = "event: { trigger: case_finished, source: other }"


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        (f"{APPROVED}\n    expect: [{OPS}, {DESK}]", True),
        (f"{APPROVED}\n    expect: [{DESK}, {OPS}]", True),
        (f"{APPROVED}\n    expect: [{OPS}]", False),
        (f"{APPROVED}\n    partial: true\n    expect: [{DESK}]", True),
        (f"{APPROVED}\n    partial: true\n    expect: [{OPS}, {DESK}, {OPS}]", False),
        (f"{APPROVED}\n    expect: [{OPS}, {DESK}, {{ rule: stuck, channel: ops }}]", False),
        (f"{APPROVED}\n    expect: []", False),
        ("event: { trigger: case_finished }\n    expect: []", True),
        (f"{OTHER}\n    expect: [{{ rule: theirs, channel: ops }}]", True),
    ],
    ids=[
        "all that is said", "at the same moment in any order", "one too few", "partial allows more",
        "partial forgives nothing", "one too many", "silence where something is said", "silence",
        "the source that the event names",
    ],
)  # fmt: skip
def test_everything_that_is_said_is_expected(body: str, passes: bool) -> None:
    assert one(body).passes is passes


@pytest.mark.parametrize(
    ("words", "passes"),
    [
        ("title: KYC-0042 Acme Corp approved", True),
        ("title: KYC-0042 Acme Corp approve", False),
        ("title_contains: Acme Corp", True),
        ("title_contains: acme corp", False),
        ("body: Acme Corp it is", True),
        ('body: "Acme Corp it is\\n"', True),
        ("body: Acme Corp it", False),
        ("body_contains: it is", True),
        ("body_contains: it was", False),
        ("at: 0s", True),
        ("at: 1ms", False),
        ("events: 1", True),
        ("events: 2", False),
    ],
)
@pytest.mark.parametrize("channel", ["ops", "desk"])
def test_the_words_are_those_of_the_channel(words: str, channel: str, passes: bool) -> None:
    expected = f"{{ rule: approved, channel: {channel}, {words} }}"
    assert one(f"{APPROVED}\n    partial: true\n    expect: [{expected}]").passes is passes


def test_a_mails_body_may_be_its_html() -> None:
    expected = '{ rule: approved, channel: desk, body_contains: "<html" }'
    assert one(f"{APPROVED}\n    partial: true\n    expect: [{expected}]").passes


def test_what_a_channel_hides_is_hidden() -> None:
    event = "event: { trigger: case_comment, case_name: Secret AG }"
    said = "{ rule: comments, channel: chat, body_contains: Secret }"
    assert not one(f"{event}\n    expect: [{said}]").passes


ENTERS = f"event: {{ {STATE}, current_state_key: in_review }}"
LEAVES = f"event: {{ {STATE}, previous_state_key: in_review, current_state_key: done }}"
SAID = "{ rule: stuck, channel: ops, at: 2d }"


DONE = f"event: {{ {STATE}, current_state_key: done }}"
ANOTHER = f"event: {{ {STATE}, previous_state_key: in_review, case_id: 7 }}"


@pytest.mark.parametrize(
    ("steps", "until", "expected"),
    [
        (f"{{ at: 0h, {ENTERS} }}", None, SAID),
        (f"{{ at: 0h, {ENTERS} }}", "2d", SAID),
        (f"{{ at: 0h, {ENTERS} }}", "47h", ""),
        (f"{{ at: 0h, {ENTERS} }}, {{ at: 5h, {LEAVES} }}", "5d", ""),
        (f"{{ at: 0h, {ENTERS} }}, {{ at: 3d, {LEAVES} }}", None, SAID),
        (f"{{ at: 0h, {ENTERS} }}, {{ at: 5h, {DONE} }}", None, ""),
        (f"{{ at: 0h, {ENTERS} }}, {{ at: 5h, {ANOTHER} }}", None, SAID),
        (f"{{ at: 1h, {ENTERS} }}", None, SAID.replace("2d", "2d1h")),
    ],
    ids=[
        "the clock runs until it is said", "up to the moment itself", "not a minute further",
        "cancelled in time", "cancelled too late", "a case leaves the state it is in",
        "another case cancels nothing", "from the start on, not from the event on",
    ],
)  # fmt: skip
def test_time_passes_as_it_would(steps: str, until: str | None, expected: str) -> None:
    end = f"until: {until}\n    " if until else ""
    assert one(f"steps: [{steps}]\n    {end}expect: [{expected}]").faults == ()


@pytest.mark.parametrize(
    ("start", "at"),
    [
        ("start: 2026-03-07T12:00", "1d20h"),
        ("start: 2026-03-07 12:00:00", "1d20h"),
        ("start: 2026-03-07T11:00Z", "1d20h"),
        ("start: 2026-03-07", "2d8h"),
        ("until: 1h", "0s"),
    ],
    ids=["the calendars' clocks", "a blank", "its own zone", "midnight", "a Monday at ten"],
)  # fmt: skip
def test_a_start_is_for_calendars(start: str, at: str) -> None:
    said = f"{{ rule: proofs, channel: ops, at: {at} }}"
    body = f"{start}\n    event: {{ trigger: case_proofs_updated }}\n    expect: [{said}]"
    assert one(body).faults == ()


def test_digests_throttles_and_repeats_are_the_services_own() -> None:
    papers = "trigger: case_documents_updated"
    found = run(f"""\
  - name: a digest for each process
    steps:
      - {{ at: 0m, event: {{ {papers}, case_id: 1 }} }}
      - {{ at: 5m, event: {{ {papers}, case_id: 2 }} }}
      - {{ at: 9m, event: {{ {papers}, case_id: 3, process_key: p }} }}
    expect:
      - {{ rule: papers, channel: desk, at: 1h, events: 2 }}
      - {{ rule: papers, channel: desk, at: 1h9m, events: 1 }}
  - name: once an hour
    steps:
      - {{ at: 0m, event: {{ trigger: case_comment }} }}
      - {{ at: 5m, event: {{ trigger: case_comment, case_version: 3 }} }}
      - {{ at: 6m, event: {{ trigger: case_comment, case_id: 9 }} }}
      - {{ at: 3h, event: {{ trigger: case_comment, case_id: 42 }} }}
    expect:
      - {{ rule: comments, channel: chat, at: 0m }}
      - {{ rule: comments, channel: chat, at: 6m }}
      - {{ rule: comments, channel: chat, at: 3h, body_contains: 1 more like it }}
  - name: the same again
    steps:
      - {{ at: 0m, event: {{ trigger: case_changed, action: a }} }}
      - {{ at: 1m, event: {{ trigger: case_changed, action: b }} }}
      - {{ at: 2m, event: {{ trigger: case_changed, action: a }} }}
    expect:
      - {{ rule: changes, channel: ops, at: 0m }}
      - {{ rule: changes, channel: ops, at: 1m }}
""")
    assert [one.faults for one in found] == [()] * 3


def test_a_failing_test_shows_both_sides_and_why() -> None:
    found = one(
        "steps:\n      - { at: 0h, event: { trigger: case_comment } }\n"
        "      - { at: 1m, event: { trigger: case_comment, case_version: 2 } }\n"
        "    expect:\n      - { rule: comments, channel: chat, at: 1h, events: 1 }\n"
        "      - { rule: comments, channel: chat, at: 2h }"
    )
    assert [line for line in found.diff if line[0] in "+-"] == [
        "--- expected",
        "+++ said",
        "-  at: 1h",
        "+  at: 0s",
        "-- rule: comments",
        "-  channel: chat",
        "-  at: 2h",
    ]
    (reason,) = found.reasons
    assert reason.startswith("not said: `comments` to `chat`: suppressed at 1m: throttled: event 1")


REASON = "trigger is `case_state_changed`, not `case_comment`"


def test_what_was_not_said_is_said_why() -> None:
    expected = "{ rule: stuck, channel: ops }, { rule: comments, channel: chat }"
    found = one(f"{ENTERS}\n    until: 1d\n    expect: [{expected}]")
    assert found.reasons == (
        "not said: `stuck` to `ops`: waits until 2d: its time has not come yet",
        "not said: `comments` to `chat`: the event does not match: " + REASON,
    )


def test_a_wrong_order_is_told_as_one() -> None:
    found = one(
        "steps:\n      - { at: 0h, event: { trigger: case_comment } }\n"
        "      - { at: 1h, event: { trigger: case_proofs_updated } }\n    expect:\n"
        "      - { rule: proofs, channel: ops }\n      - { rule: comments, channel: chat }"
    )
    assert not found.passes
    assert any("in another order" in reason for reason in found.reasons)


def test_rules_with_failing_tests_are_not_used() -> None:
    found = proved(f"  - name: a test\n    {APPROVED}\n    expect: []\n")
    assert found.ruleset is None
    (problem,) = found.problems
    assert problem.text == "test `a test` fails"


def test_tests_of_rules_with_other_problems_are_not_run() -> None:
    found = proved(f"  - name: a test\n    {APPROVED}\n    expect: []\n", "  - name: nobody\n")
    assert (found.ruleset, found.tested) == (None, ())
    assert not any("fails" in problem.text for problem in found.problems)


def test_tests_beside_the_rules_are_theirs_and_no_part_of_them() -> None:
    beside = f"tests:\n  - name: beside\n    {APPROVED}\n    expect: []\n"
    found = proved("", **{"x.test.yaml": beside})
    (problem,) = found.problems
    assert (problem.position.file, problem.position.line) == ("x.test.yaml", 2)
    assert found.files["x.test.yaml"] == beside
    passing = proved("", **{"x.test.yaml": beside.replace("[]", f"[{BOTH}]")})
    alone = proved("")
    assert passing.ruleset is not None
    assert alone.ruleset is not None
    assert passing.ruleset.hash == alone.ruleset.hash
    assert "x.test.yaml" not in passing.ruleset.files


def test_files_of_tests_are_found_beside_every_rules_file(tmp_path: Path) -> None:
    parts = tmp_path / "rules.d"
    parts.mkdir()
    for file in ("rules.yaml", "rules.test.yaml", "rules.d/a.yaml", "rules.d/a.test.yaml"):
        (tmp_path / file).write_text('version: 1\ninclude: ["rules.d/*.yaml"]\n', encoding="utf-8")
    found = read_files(str(tmp_path / "rules.yaml"))
    assert [*found.rules] == [str(tmp_path / "rules.yaml"), str(parts / "a.yaml")]
    assert [*found.tests] == [str(tmp_path / "rules.test.yaml"), str(parts / "a.test.yaml")]


def test_what_is_unmatched_can_be_expected() -> None:
    rules = RULES + "watch:\n  - { unmatched: always, notify: desk }\n"
    expected = '{ rule: "watch: unmatched", channel: desk }'
    event = "event: { trigger: case_finished }"
    (found,) = run(f"  - name: a\n    {event}\n    expect: [{expected}]\n", rules)
    assert found.faults == ()


COVERED = """\
  - name: many
    when:
      trigger: [case_approved, case_declined]
      any: [{ process_key: a }, { case_version: { gt: 5 } }]
    notify: ops
  - name: ends
    when: { trigger: case_created }
    after: 1d
    unless: { any: [{ trigger: case_finished }, { trigger: case_declined }] }
    notify: ops
  - { name: parked, enabled: false, when: { trigger: case_comment }, notify: ops }
  - { name: rest, otherwise: true, notify: desk }
"""


@pytest.mark.parametrize(
    ("events", "missed"),
    [
        ([], [f"no test reaches rule `{name}`" for name in ("many", "ends", "rest")]),
        (
            [f"trigger: case_{one}" for one in ("approved, process_key: a", "created", "comment")],
            [
                "rule `many`: no test reaches it with `case_declined`",
                "rule `many`: no test reaches this branch of `any`",
                "rule `ends`: no test cancels by this branch of `any`",
                "rule `ends`: no test cancels by this branch of `any`",
            ],
        ),
        (
            [
                "trigger: case_approved, process_key: a",
                "trigger: case_declined, case_version: 6",
                "trigger: case_created",
                "trigger: case_finished",
            ],
            [],
        ),
    ],
    ids=["no test at all", "some", "all"],
)  # fmt: skip
def test_coverage_names_what_no_test_reaches(events: list[str], missed: list[str]) -> None:
    rest = "partial: true, expect: [{ rule: many, channel: ops }]"
    tests = "".join(
        f"  - {{ name: t{n}, event: {{ {event} }}, {rest} }}\n" for n, event in enumerate(events)
    )
    text = f"{HEAD}{COVERED}tests:{chr(10) + tests if tests else ' []'}\n"
    found = build(
        Files("rules.yaml", {"rules.yaml": text}, {}),
        environment={},
        read_file=str,
        inspect_channel=inspect,
        outbound="capture",
    )
    problems = unreached(found)
    assert [problem.text for problem in problems] == missed
    assert all(text.splitlines()[p.position.line - 1] for p in problems)


def test_a_secret_in_the_file_hides_no_rule_from_coverage() -> None:
    text = HEAD.replace('"${A}"', "a-literal-secret") + RULES
    found = build(
        Files("rules.yaml", {"rules.yaml": text}, {}),
        environment={},
        read_file=str,
        inspect_channel=inspect,
        outbound="capture",
    )
    assert found.ruleset is not None
    missed = [problem.text for problem in unreached(found)]
    for rule in found.ruleset.rules:
        assert f"no test reaches rule `{rule.name}`" in missed


def shipped() -> Built:
    return build(
        read_files(str(ROOT / "rules.yaml")),
        environment={},
        read_file=str,
        inspect_channel=inspect,
        outbound="capture",
    )


def test_the_shipped_rules_pass_their_tests_which_reach_all_of_them() -> None:
    found = prove(shipped(), formats)
    assert found.problems == []
    assert len(found.tested) >= 14
    assert unreached(found) == []


PLAIN = build(
    Files("rules.yaml", {"rules.yaml": HEAD + RULES}, {}),
    environment={},
    read_file=str,
    inspect_channel=inspect,
    outbound="capture",
)
TRIGGERS = (
    "approved",
    "state_changed",
    "documents_updated",
    "comment",
    "proofs_updated",
    "changed",
)
drawn_steps = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.fixed_dictionaries(
            {
                "trigger": st.sampled_from([f"case_{trigger}" for trigger in TRIGGERS]),
                "case_id": st.integers(1, 2),
                "current_state_key": st.sampled_from(["in_review", "done"]),
            }
        ),
    ),
    min_size=1,
    max_size=6,
)


def rehearsed(proof: Proof, drawn: list[tuple[int, dict[str, Any]]]) -> RuleTest:
    """A test of these steps that expects what is said, to the letter."""
    lines = [
        f"      - {{ at: {at}m, event: {msgspec.json.encode(event).decode()} }}"
        for at, event in sorted(drawn, key=lambda one: one[0])
    ]
    text = "tests:\n  - name: drawn\n    expect: []\n    steps:\n" + "\n".join(lines)
    known = Known(["atfinity"], {}, [], {})
    tests = read_tests([parse(text, "rules.yaml")], known)
    (test,) = tests
    expect = tuple(
        Expected(
            rule=one.said.rule,
            channel=one.said.channel,
            title=one.message.title,
            body=one.message.body,
            at=one.at,
            events=len(one.said.events),
        )
        for one in proof.hear(test).spoken
    )
    return msgspec.structs.replace(test, expect=expect)


CHANGES: tuple[dict[str, Any], ...] = (
    {"rule": "theirs"},
    {"channel": "nobody"},
    {"title": "another"},
    {"body": "another"},
    {"title_contains": "another"},
    {"body_contains": "no such words"},
    {"at": 12345.678},
    {"events": 99},
)


@settings(max_examples=15, deadline=None)
@given(drawn=drawn_steps, data=st.data())
def test_what_is_rehearsed_passes_and_any_change_of_it_fails(
    drawn: list[tuple[int, dict[str, Any]]], data: st.DataObject
) -> None:
    assert PLAIN.ruleset is not None
    proof = Proof(PLAIN.ruleset, formats(PLAIN.ruleset.channels))
    test = rehearsed(proof, drawn)
    assert proof.run(test).passes
    fewer = data.draw(st.integers(0, max(0, len(test.expect) - 1)))
    without = (*test.expect[:fewer], *test.expect[fewer + 1 :])
    changed = [(*test.expect, Expected(rule="approved", channel="ops"))]
    if test.expect:
        change = data.draw(st.sampled_from(CHANGES))
        other = msgspec.structs.replace(test.expect[fewer], **change)
        changed += [without, (*test.expect[:fewer], other, *test.expect[fewer + 1 :])]
        assert proof.run(msgspec.structs.replace(test, expect=without, partial=True)).passes
    for expect in changed:
        assert not proof.run(msgspec.structs.replace(test, expect=expect)).passes


@settings(max_examples=15, deadline=None)
@given(drawn=drawn_steps, order=st.randoms(use_true_random=False), partial=st.booleans())
def test_what_fits_has_a_partner_each_and_what_is_paired_keeps_its_order(
    drawn: list[tuple[int, dict[str, Any]]], order: Any, partial: bool
) -> None:
    assert PLAIN.ruleset is not None
    proof = Proof(PLAIN.ruleset, formats(PLAIN.ruleset.channels))
    test = rehearsed(proof, drawn)
    spoken = proof.hear(test).spoken
    expect = list(test.expect)
    order.shuffle(expect)
    pairs = side_by_side(expect, spoken)
    assert [pair.expected for pair in pairs if pair.expected is not None] == expect
    assert len([pair for pair in pairs if pair.spoken is not None]) == len(spoken)
    if fits(expect, spoken, partial=partial):
        assert all(pair.expected and pair.spoken for pair in pairs)


def test_many_messages_of_one_moment_are_told_apart() -> None:
    """Who takes whose message must not decide whether all find theirs."""
    event = "event: { trigger: case_approved, case_name: Acme }"
    steps_of = ", ".join(f"{{ at: 0s, {event.replace('Acme', f'Acme {n}')} }}" for n in range(3))
    narrow = "{ rule: approved, channel: ops, title_contains: Acme 1 }"
    wide = "{ rule: approved, channel: ops, title_contains: Acme }"
    mails = ", ".join(["{ rule: approved, channel: desk }"] * 3)
    for expected in ([wide, wide, narrow], [narrow, wide, wide]):
        found = one(f"steps: [{steps_of}]\n    expect: [{', '.join(expected)}, {mails}]")
        assert found.faults == ()
    found = one(f"steps: [{steps_of}]\n    expect: [{narrow}, {narrow}, {wide}, {mails}]")
    assert not found.passes


def test_the_position_of_a_test_is_where_its_name_stands() -> None:
    (test,) = proved(f"  - name: a test\n    {APPROVED}\n    expect: [{BOTH}]\n").tests
    line = (HEAD + RULES).count("\n") + 2
    assert test.position == Position("rules.yaml", line, 11, 6)


anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8),
        st.sampled_from(["0h", "5h", "2d", "2026-03-05T16:00", "9999-12-31", "approved", "ops"]),
        st.sampled_from(["case_approved", "case_comment", "other", "stuck", "desk", "\ud800"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                "name event steps at start until expect rule channel title body title_contains"
                " events partial trigger source case_id case_user_readable_id".split()
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


KEYS = st.sampled_from("name event steps expect at until start partial".split())


@settings(max_examples=40, deadline=None)
@given(data=st.lists(st.dictionaries(KEYS, anything), max_size=2))
def test_whatever_stands_under_tests_is_read_or_told(data: list[Any]) -> None:
    text = "tests: " + json.dumps([{"name": f"t{n}", **one} for n, one in enumerate(data)])
    tree = parse(text, "rules.yaml")
    sound = validate(tree, shape_test.TestFileShape)
    assert PLAIN.ruleset is not None
    known = Known(["atfinity"], {rule.name: rule for rule in PLAIN.ruleset.rules}, ["ops"], {})
    found = read_tests([tree], known)
    if sound and not tree.problems:
        proof = Proof(PLAIN.ruleset, formats(PLAIN.ruleset.channels))
        assert all(isinstance(proof.run(test), Proved) for test in found)
