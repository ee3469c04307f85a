"""Building a ruleset: what rules.yaml says becomes what is meant, whatever the file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.condition import (
    Absent,
    AllOf,
    Always,
    AnyOf,
    Compare,
    Condition,
    Equals,
    Every,
    Field,
    Glob,
    If,
    Not,
    NotTest,
    OneOf,
    Together,
)
from router.delivery import inspect
from router.event import TRIGGERS
from router.route import RoutingTable
from router.rulebook import Built, Files, build, read_files, rebuild, schema
from router.rulebook.outside import Environment, fill
from router.rulebook.samples import sample
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
HEAD = """version: 1
sources:
  s: { secret: "${SECRET}" }
channels:
  a: { webhook: { url: http://127.0.0.1:9/ } }
  b: { webhook: { url: http://127.0.0.1:9/ }, hide: [case_name], concurrency: 2, paused: true }
"""
SECRET = "a-secret-from-outside"
SIGNS = "a:-{}[]&*!|>'\"\n \t#,?%@`~0"


def built(text: str, templates: dict[str, str] | None = None, **environment: str) -> Built:
    return build(
        Files("rules.yaml", {"rules.yaml": text}, templates or {}),
        environment={"SECRET": SECRET, **environment},
        read_file=lambda path: {"/run/x": "from a file\n"}[path],
        inspect_channel=inspect,
        outbound="live",
    )


def when(text: str) -> Condition | None:
    rule = f"rules:\n  - name: r\n    when: {text}\n    notify: a\n"
    found = built(HEAD.replace("  b:", "  #b:") + rule)
    assert found.ruleset is not None, found.problems
    return found.ruleset.rules[0].when


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("always", Always()),
        ("{ process_key: kyc }", Field("process_key", Equals("kyc"))),
        ("{ case_version: 5 }", Field("case_version", Equals(5))),
        ("{ a_flag: true }", Field("a_flag", Equals(True))),
        ('{ case_version: "5" }', Field("case_version", Equals("5"))),
        ("{ process_key: null }", Field("process_key", Absent())),
        ("{ process_key: }", Field("process_key", Absent())),
        ("{ process_key: kyc_* }", Field("process_key", Glob("kyc_*"))),
        ('{ process_key: "kyc\\\\*" }', Field("process_key", Equals("kyc*"))),
        ("{ case_name: 'a [b' }", Field("case_name", Equals("a [b"))),
        ("{ case_name: '[ab]c' }", Field("case_name", Glob("[ab]c"))),
        (
            "{ process_key: [kyc, c_*, null] }",
            Field("process_key", OneOf((Equals("kyc"), Glob("c_*"), Absent()))),
        ),
        ("{ process_key: { not: kyc } }", Field("process_key", NotTest(Equals("kyc")))),
        (
            "{ process_key: { not: [kyc, null] } }",
            Field("process_key", NotTest(OneOf((Equals("kyc"), Absent())))),
        ),
        (
            "{ case_version: { gte: 5, lt: 9.5 } }",
            Field("case_version", Together((Compare("gte", 5), Compare("lt", 9.5)))),
        ),
        (
            "{ trigger: case_documents_updated, document_keys: { every: form_* } }",
            AllOf(
                (
                    Field("trigger", Equals("case_documents_updated")),
                    Field("document_keys", Every(Glob("form_*"))),
                )
            ),
        ),
        (
            "{ any: [{ case_version: 1 }, { not: { case_version: 2 } }] }",
            AnyOf((Field("case_version", Equals(1)), Not(Field("case_version", Equals(2))))),
        ),
        (
            '{ process_key: kyc, if: "case_version > 5" }',
            AllOf((Field("process_key", Equals("kyc")), If("case_version > 5"))),
        ),
        ("{ archived_by.team: ops }", Field("archived_by.team", Equals("ops"))),
        ("{ case_name: 2026-12-25 }", Field("case_name", Equals("2026-12-25"))),
    ],
)
def test_a_condition_is_read_as_it_is_meant(text: str, condition: Condition) -> None:
    assert when(text) == condition


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "alpha"),
        ("x${A}y", "xalphay"),
        ("${MISSING:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("${A:-default}", "alpha"),
        ("${A:?why}", "alpha"),
        ("${file:/run/x}", "from a file"),
        ("$$A and $${A}", "$A and ${A}"),
        ("$A", "$A"),
    ],
)
def test_values_from_outside_are_filled_in(text: str, expected: str) -> None:
    outside = Environment({"A": "alpha", "EMPTY": ""}, lambda _: "from a file\n", lenient=False)
    assert fill(text, outside) == expected


def test_a_value_from_outside_cannot_change_the_structure() -> None:
    text = HEAD.replace("http://127.0.0.1:9/", '"${URL}"') + (
        "rules:\n  - { name: r, when: always, notify: [a, b] }\n"
    )
    found = built(text, URL="http://x.example/ }, b: { url: evil")
    assert found.ruleset is None
    assert "no web address" in found.problems[0].text


def test_values_in_an_address_are_encoded_but_not_the_address_itself() -> None:
    outside = Environment({"P": "p@ss:w/rd", "U": "json://host/x"}, lambda _: "", lenient=False)
    assert fill("pover://user@${P}", outside, in_address=True) == "pover://user@p%40ss%3Aw%2Frd"
    assert fill("${U}", outside, in_address=True) == "json://host/x"


def test_groups_defaults_and_channels_become_what_they_mean() -> None:
    text = HEAD + (
        "groups: { all: [a, b] }\n"
        "defaults: { notify: all, severity: warning, retry: { for: 1h } }\n"
        "rules:\n"
        "  - { name: one, when: always, title: x }\n"
        "  - { name: two, otherwise: true, notify: [{ channel: b, template: _case }, all],"
        " severity: info, enabled: false }\n"
    )
    ruleset = built(text).ruleset
    assert ruleset is not None
    one, two = ruleset.rules
    assert [t.channel for t in one.targets] == ["a", "b"]
    assert (one.severity, two.severity, two.enabled, two.when) == ("warning", "info", False, None)
    assert [(t.channel, t.template) for t in two.targets] == [("b", "_case"), ("a", None)]
    channel = ruleset.channels["b"]
    assert (channel.retry.budget, channel.concurrency, channel.paused) == (3600, 2, True)
    assert channel.hide == {"case_name"}


def test_included_files_add_rules_and_problems_name_their_own_file(tmp_path: Path) -> None:
    (tmp_path / "rules.d").mkdir()
    rule = "  - { name: NAME, when: always, notify: a }\n"
    main = HEAD.replace("  b:", "  #b:") + "include: [rules.d/*.yaml]\nrules:\n"
    (tmp_path / "rules.yaml").write_text(main + rule.replace("NAME", "main"))
    (tmp_path / "rules.d" / "b.yaml").write_text("rules:\n" + rule.replace("NAME", "bee"))
    (tmp_path / "rules.d" / "a.yaml").write_text("rules:\n" + rule.replace("NAME, when", "ay, whn"))
    files = read_files(str(tmp_path / "rules.yaml"))
    found = build(
        files, environment={"SECRET": SECRET}, read_file=str, inspect_channel=inspect,
        outbound="live",
    )  # fmt: skip
    errors = [p for p in found.problems if p.severity == "error"]
    assert {Path(p.position.file).name for p in errors} == {"a.yaml"}
    (tmp_path / "rules.d" / "a.yaml").write_text("rules:\n" + rule.replace("NAME", "ay"))
    sound = build(
        read_files(str(tmp_path / "rules.yaml")), environment={"SECRET": SECRET},
        read_file=str, inspect_channel=inspect, outbound="live",
    )  # fmt: skip
    assert sound.ruleset is not None
    assert [rule.name for rule in sound.ruleset.rules] == ["main", "ay", "bee"]


def test_a_kept_ruleset_is_built_again_without_its_environment() -> None:
    text = HEAD.replace("${SECRET}", "literal-secret") + (
        "rules:\n  - { name: one, when: { trigger: case_created }, notify: [a, b], template: t }\n"
    )
    templates = {"t.txt.j2": "{{ case_name }}"}
    ruleset = built(text, templates).ruleset
    assert ruleset is not None
    assert "literal-secret" not in json.dumps(ruleset.files)
    again = rebuild(ruleset.files)
    assert again.rules[0].when == ruleset.rules[0].when
    assert again.templates == templates
    event = sample("case_created", null=False)
    assert RoutingTable(again).route(event) == RoutingTable(ruleset).route(event)


def test_a_file_that_cannot_be_read_is_a_problem_in_words(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"version: 1 # \xff\n")
    (tmp_path / "large.yaml").write_text("# x\n" * 400_000)
    for name, words in (
        ("none.yaml", "no such file"),
        ("latin.yaml", "not UTF-8"),
        ("large.yaml", "larger than 1 MiB"),
        (".", "it is a folder"),
    ):
        (problem,) = read_files(str(tmp_path / name)).problems
        assert words in problem.text


def test_the_shipped_rules_have_no_problem_and_speak_about_every_trigger() -> None:
    files = read_files(str(ROOT / "rules.yaml"))
    found = build(files, environment={}, read_file=str, inspect_channel=inspect, outbound="capture")
    assert found.problems == []
    assert found.ruleset is not None
    table = RoutingTable(found.ruleset)
    for trigger in TRIGGERS:
        for null in (False, True):
            assert table.route(sample(trigger, null=null)).planned
    assert files.rules[files.name].startswith("# yaml-language-server: $schema=./rules.schema")


def test_the_shipped_schema_is_the_one_the_code_makes() -> None:
    kept = json.loads((ROOT / "rules.schema.json").read_text(encoding="utf-8"))
    assert kept == schema()


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(st.text(max_size=200), st.text(alphabet="a:-{}[]&*!|>'\"\n \t#,?%@`~0", max_size=80))
)
@example("\x00")
@example("a: &a [*a]")
@example("? [x]\n: y")
@example("%YAML 9.9\n---\n")
@example("[" * 5000)
@example("- " * 5000)
@example("version: 1\nrules: [{name: x, when: {any: [{a: {not: {every: }}}]}}]")
def test_any_text_is_a_ruleset_or_problems(text: str) -> None:
    found = built(text)
    assert found.ruleset is not None or found.problems


KEYS = st.sampled_from(
    (
        "version sources channels groups defaults known include rules name when notify template"
        " title body severity stop enabled otherwise secret allow slack email webhook url token to"
        " from host any all not if regex gt every retry for first fallback hide concurrency"
        " trigger case_name channel"
    ).split()
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False),
    st.sampled_from(["a", "b", "always", "${SECRET}", "case_created", "{{ case_name }}", "", "x*"]),
)  # fmt: skip
STRUCTURES = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, STRUCTURES, max_size=6), STRUCTURES, STRUCTURES)
def test_any_structure_is_a_ruleset_or_problems(data: dict[str, Any], rule: Any, more: Any) -> None:
    base = {"version": 1, "sources": {"s": {"secret": "${SECRET}"}}, "channels": {"a": more}}
    rules = [rule, {"name": "r", "when": rule, "notify": "a"}, {"name": "q", **data}]
    text = yaml.safe_dump({**base, "rules": rules, **data}, sort_keys=False)
    found = built(text)
    assert found.ruleset is not None or found.problems
    for problem in found.problems:
        assert problem.position.line >= 1
        assert SECRET not in problem.text


WHOLE = """
version: 1
sources: { s: { secret: "${SECRET}", allow: [10.0.0.0/8] } }
channels:
  a: { webhook: { url: "https://a.example/in", headers: { X-A: b } }, hide: [case_name], rate: 1/s }
  b: { email: { host: h, port: 25, from: a@b.example, to: c@d.example, cc: [e@f.example] } }
groups: { g: [b] }
known: { process_key: [kyc] }
calendars:
  office: { timezone: UTC, hours: { mon: ["08:00-12:00"] }, holidays: ["2026-12-25"] }
  week: { days: mon-fri, hours: "08:00-12:00" }
rules:
  - name: one
    when: { trigger: case_created, process_key: [kyc], any: [{ case_name: { contains: AG } }] }
    after: 1d
    unless: { not: { process_key: kyc } }
    escalate: [{ after: 2d, notify: a }]
    hours: { calendar: office, outside: drop }
    throttle: { once_per: 1h, by: [case_id] }
    notify: [{ channel: g, template: case_created }]
  - { name: two, otherwise: true, digest: { at: "09:00", calendar: office }, notify: a }
watch:
  - { channel_failing: b, for: 15m, notify: [a] }
  - { unmatched: { process_key: kyc }, notify: a }
tests:
  - { name: t, event: { trigger: case_comment }, until: 2d, expect: [{ rule: two, channel: a }] }
"""


def _places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    whole = data if isinstance(data, dict | list) else ()
    for key, part in whole.items() if isinstance(whole, dict) else enumerate(whole):
        yield from _places(part, (*path, key))


@pytest.mark.parametrize("value", [None, {"a": {}}], ids=["nothing", "a mapping"])
def test_what_stands_in_a_wrong_place_is_told_in_the_readers_words(value: Any) -> None:
    for path in _places(yaml.safe_load(WHOLE)):
        data = part = yaml.safe_load(WHOLE)
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        for problem in built(yaml.safe_dump(data, sort_keys=False)).problems:
            for text in (problem.text, *problem.notes):
                assert "{'" not in text, path
                assert "None" not in text, path


def test_a_secret_of_the_ruleset_is_a_secret() -> None:
    rule = "rules:\n  - { name: r, when: always, notify: [a, b] }\n"
    ruleset = built(HEAD + rule).ruleset
    assert ruleset is not None
    assert ruleset.secrets() == [Secret(SECRET)]
    assert SECRET not in repr(ruleset)


@pytest.mark.parametrize(
    "when",
    [
        "{ risk: { gt: 80 } }",
        "{ trigger: case_created, any: [{ risk: 1 }, { all: [{ risk: 2 }, { tier: b }] }] }",
        "{ risk: { not: null } }",
        "{ risk: { regex: '^h' } }",
        "{ risk.of.team: red }",
    ],
)
def test_a_field_nobody_knows_can_be_said_where_the_rule_demands_it(when: str) -> None:
    words = '    body: "{{ risk }}"\n'
    rule = f"rules:\n  - name: one\n    when: {when}\n    notify: a\n"
    assert not [p for p in built(HEAD + rule + words).problems if p.severity == "error"]
    shared = {"risky.txt.j2": "{% block body %}{{ risk }}{% endblock %}"}
    said = built(HEAD + rule + "    template: risky\n", shared)
    assert not [p for p in said.problems if p.severity == "error"]


@pytest.mark.parametrize(
    "when",
    ["always", "{ risk: null }", "{ risk: { not: high } }", "{ any: [{ risk: 1 }, { tier: 1 }] }"],
)
def test_a_field_that_may_be_missing_needs_a_default(when: str) -> None:
    rule = f"rules:\n  - name: one\n    when: {when}\n    notify: a\n"
    (fault,) = [
        p for p in built(HEAD + rule + '    body: "{{ risk }}"\n').problems if p.severity == "error"
    ]
    assert "there is no variable `risk`" in fault.text
    forgiven = built(HEAD + rule + "    body: \"x {{ risk | default('') }}\"\n")
    assert not [p for p in forgiven.problems if p.severity == "error"]
