"""Limits of templates: nothing in the language runs long or grows large, whatever the event."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.event import Event
from router.match import ExpressionError
from router.render import ExpressionSyntax, Renderer, TemplateFault, compile_expression
from router.render.expression import _sandbox
from router.render.sandbox import _METHODS
from router.rules import Channel, Rule, Target
from strategies import json_values

WORST = Path(__file__).parent / "worst.py"
TEXT, LISTS, DEEP, MAPPING, TEXTS = (
    *("case_name", "document_keys", "action"),
    *("process_key", "transition_key"),
)
EVERY = (TEXT, LISTS, DEEP, MAPPING, TEXTS, "case_id", "1.5", "[]", "none", "nothing")
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "batch": ("300000000, 'x'", "10000, document_keys", "0", "-1", "'x'"),
    "slice": ("300000000", "10000, document_keys", "0"),
    "round": ("99999999, 'ceil'", "-99999999, 'floor'", "15, 'ceil'", "'x'", "1, 'x'"),
    "truncate": ("2", "0", "-5", "3, true, case_name", "5, false, '...', -9", "case_id"),
    "sum": ("start=[]", "start=document_keys", "attribute='x'", "start='x'"),
    "int": ("0, 99", "0, 2", "document_keys, 36", "0, case_id"),
    "replace": ("'', 'x'", "'K', case_name", "case_name, case_name", "' ', document_keys"),
    "join": ("case_name", "document_keys", "', ', 'x'"),
    "date": ("'%99999999d'", "case_name", "'%Y', '../../etc/passwd'", "'%Y', 'Europe'"),
    "default": ("document_keys", "case_name, true"),
    "d": ("document_keys",),
    "map": ("'upper'", "'batch', 300000000", "attribute=case_name", "'map', 'map'", "'default'"),
    "select": ("'in', document_keys", "'divisibleby', 0", "'eq', document_keys", "'nothing'"),
    "reject": ("'in', document_keys", "'eq', action"),
    "selectattr": ("case_name", "'x', 'in', document_keys"),
    "rejectattr": ("case_name", "'x', 'eq', action"),
    "sort": ("attribute=case_name", "true, true", "attribute='0,0,0,0,0,0,0,0'"),
    "groupby": ("case_name", "0", "'x', default=document_keys"),
    "unique": ("true", "attribute=case_name"),
    "dictsort": ("true, 'value'", "false, 'x'"),
    "min": ("attribute=case_name",),
    "max": ("attribute=case_name",),
    "trim": ("case_name",),
    "concat": (),
}
TESTED = ("document_keys", "0", "case_id", "case_name", "'x'", "action")
OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">=", "in", "not in")
DOUBLED = "{% set a = ['x'] %}" + "{% set a = [a, a] %}" * 60
LANGUAGE = (
    DOUBLED + "{{ a }}",
    DOUBLED + "{{ a == a }}",
    DOUBLED.replace("[a, a]", "(a, a)") + "{{ a < a }}",
    "{% set a = {'x': 1} %}" + "{% set a = {'x': a, 'y': a} %}" * 60 + "{{ a|string }}",
    "{% set a = ['x'] %}" + "{% set a = [a, a]|list %}" * 60 + "{{ a in a }}",
    "{% macro m() %}{{ m(varargs, varargs) }}{% endmacro %}{{ m('x', 'x') }}",
    "{% macro m() %}{{ m(a=kwargs, b=kwargs) }}{% endmacro %}{{ m(a='x') }}",
    "{% macro m(n) %}{{ m(n + 1) }}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "{% macro m() %}{{ caller() }}{{ caller() }}{% endmacro %}"
    + "{% call m() %}" * 40
    + "x"
    + "{% endcall %}" * 40,
    "{% set x %}{% for a in transition_key %}" + "w" * 60_000 + "{% endfor %}{% endset %}",
    "{% macro m() %}{% for a in transition_key %}" + "w" * 60_000 + "{% endfor %}{% endmacro %}"
    "{{ m()|length }}",
    "{% filter upper %}{% for a in transition_key %}" + "w" * 9000 + "{% endfor %}{% endfilter %}",
    "{% for a in transition_key recursive %}{{ loop(transition_key) }}{% endfor %}",
    "{% for a in transition_key %}{% for b in transition_key %}{% endfor %}{% endfor %}",
    "{% for a in transition_key %}{% if document_keys == document_keys %}{% endif %}{% endfor %}",
    "{% for a in transition_key %}{{ loop.cycle(document_keys, action) }}{% endfor %}",
    "{% for a in transition_key %}{{ loop.length }}{{ loop.last }}{% endfor %}",
    "{% for a in transition_key %}{{ case_name[::-1]|length }}{% endfor %}",
    "{% for a in transition_key %}{% set x = document_keys[1:] %}{% endfor %}",
    "{% include 't.txt.j2' %}",
    "{% include 't.txt.j2' %}{% include 't.txt.j2' %}",
    "{% for a in transition_key %}{% include ['nothing', 't.txt.j2'] ignore missing %}{% endfor %}",
    "{% import 't.txt.j2' as t %}{{ t }}",
    "{% from 't.txt.j2' import m with context %}{{ m() }}",
    "{% extends 't.txt.j2' %}",
    "{% block title %}{{ self.title() }}{{ self.title() }}{% endblock %}",
    "{% block body %}{{ super() }}{% endblock %}",
    "{% autoescape false %}{{ case_name }}{% endautoescape %}",
    "{{ 1e400 }}",
    "{{ 1e400|int }}",
    "{{ " + "9" * 5000 + " }}",
    "{{ 0x" + "f" * 5000 + " * 2 }}",
    "{{ 'a' * 10**9 }}{{ [1] * 10**9 }}",
    "{{ 'a'|batch(300000000, 'x')|list }}",
    "{{ ['x']|join(case_name) * 10 }}",
    "{{ case_name.upper }}{{ m }}",
    "{% macro m() %}{% endmacro %}{{ m }}",
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{{ " + "not " * 3000 + "1 }}",
    "{{ 1" + " + 1" * 5000 + " }}",
    "{{ case_name" + "|upper" * 3000 + " }}",
    "{{ case_name" + ".a" * 3000 + " }}",
    "{% for a in 'x' %}" * 30 + "{% endfor %}" * 30,
    "{% if 1 %}" * 300 + "{% endif %}" * 300,
    "{% macro m() %}" * 100 + "{% endmacro %}" * 100,
    "{{ case_version }}" * 15_000,
    "x" * 300_000,
    "{{" * 50_000,
    "{#" * 50_000,
)


def run(cases: list[tuple[str, str]]) -> list[str]:
    """What came of each, in a process that its limits end if one of them blows up."""
    found = subprocess.run(
        [sys.executable, str(WORST)],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = found.stdout.splitlines()
    at = cases[len(lines)][1][:200] if len(lines) < len(cases) else ""
    assert found.returncode == 0, f"it ended at `{at}`: {found.stderr[-2000:]}"
    outcomes: list[str] = [json.loads(line) for line in lines]
    assert len(outcomes) == len(cases)
    assert not [text for text in outcomes if "Error" in text or "Exception" in text]
    return outcomes


def filter_cases() -> list[tuple[str, str]]:
    names = sorted(
        name
        for name in _sandbox.filters
        if name not in ("each step", "weigh", "concat", "fetch") and name.isidentifier()
    )
    return [
        ("if", f"({value})|{name}" + (f"({arguments})" if arguments else ""))
        for name in names
        for value in EVERY
        for arguments in ("", *ARGUMENTS.get(name, ()))
    ]


def test_no_filter_blows_up() -> None:
    outcomes = run(filter_cases())
    assert sum(text.startswith("value") for text in outcomes) > 100
    assert sum(text.startswith("error") for text in outcomes) > 100


def test_no_test_or_operator_blows_up() -> None:
    symbols = [name for name in _sandbox.tests if name.isalpha()]
    cases = [
        ("if", f"({value}) is {name}" + (f"({argument})" if argument else ""))
        for name in symbols
        for value in EVERY
        for argument in ("", *TESTED)
    ]
    cases += [
        ("if", f"({left}) {operator} ({right})")
        for operator in OPERATORS
        for left in EVERY
        for right in EVERY
    ]
    cases += [("if", f"{sign} ({value})") for sign in ("-", "+", "not") for value in EVERY]
    outcomes = run(cases)
    assert sum(text.startswith("value") for text in outcomes) > 100


def test_no_method_blows_up() -> None:
    receivers: dict[type, tuple[str, ...]] = {str: (TEXT,), dict: (MAPPING,), list: (LISTS, TEXTS)}
    cases = [
        ("if", f"{receiver}.{name}({arguments})")
        for kind, names in _METHODS.items()
        for receiver in receivers.get(kind, ())
        for name in sorted(names)
        for arguments in ("", "'A'", TEXT, LISTS, f"{TEXT}, {TEXT}", "'', 'x'", "case_id")
    ]
    outcomes = run(cases)
    assert sum(text.startswith("value") for text in outcomes) > 10


def test_no_statement_blows_up() -> None:
    outcomes = run([("template", source) for source in LANGUAGE])
    assert sum(text.startswith(("error", "syntax")) for text in outcomes) > len(LANGUAGE) // 2


def test_no_text_takes_long_to_be_turned_into_another_format() -> None:
    pieces = ("[", "](", "[x](http://", "<http://a", "<http://a|", "<!", "**", "\\[", "`", "a")
    outcomes = run([("convert", piece) for piece in pieces])
    assert all(text.startswith("value") for text in outcomes)


NAMES = ("case_id", "case_name", "document_keys", "action", "event", "nothing")
values = st.sampled_from((*NAMES, "1", "0", "-1", "2.5", "'x'", "''", "none", "true", "[]", "{}"))
filters = st.sampled_from(sorted(n for n in _sandbox.filters if n.isidentifier()))
tested = st.sampled_from(sorted(n for n in _sandbox.tests if n.isidentifier()))


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({})|{}".format, inner, filters),
        st.builds("({})|{}({})".format, inner, filters, inner),
        st.builds("({})|{}({}, {})".format, inner, filters, inner, inner),
        st.builds("({}) is {}".format, inner, tested),
        st.builds("({}) is {}({})".format, inner, tested, inner),
        st.builds("({}) {} ({})".format, inner, st.sampled_from(OPERATORS), inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({})[{}:]".format, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("({}, {})".format, inner, inner),
        st.builds("{{'a': {}, 'b': {}}}".format, inner, inner),
        st.builds("({}) if ({}) else ({})".format, inner, inner, inner),
        st.builds(
            "({}).{}({})".format,
            inner,
            st.sampled_from(sorted(frozenset().union(*_METHODS.values()))),
            inner,
        ),
    )


expressions = st.recursive(values, _larger, max_leaves=6)
posted = st.dictionaries(st.sampled_from(NAMES[:4]), json_values, max_size=4)


@settings(max_examples=1500, deadline=None)
@given(expressions, posted)
def test_any_expression_answers_or_says_why_not(source: str, fields: dict[str, Any]) -> None:
    try:
        answer: object = compile_expression(source)(fields)
    except (ExpressionSyntax, ExpressionError) as error:
        answer = str(error)
    assert answer is False or answer


@settings(max_examples=500, deadline=None)
@given(expressions, posted)
def test_any_template_makes_a_message(source: str, fields: dict[str, Any]) -> None:
    renderer = Renderer({}, base_url="http://r.example")
    rule = Rule(name="r", when=None, targets=(), title="t", body="{{ " + source + " }}")
    asked: dict[str, Any] = {
        "event": Event(1, "s", 0.0, b"", {"trigger": "case_created", **fields}),
        "rule": rule,
        "target": Target("c"),
        "channel": Channel(name="c", service="webhook", options={}),
        "format": "text",
    }
    message = renderer.render(**asked)
    assert message.body
    fault = None
    try:
        renderer.strict(**asked)
    except TemplateFault as error:
        fault = str(error)
    assert message.fault == fault
    assert (message.rung == "template") == (fault is None)
