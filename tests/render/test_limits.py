"""Nothing in a template or an expression grows or runs without a bound: its worst, one by one.

Each runs in a process with bounds of its own, so that what grows is a failed test and no dead
machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from render_within import SECONDS
from router.match import ExpressionError
from router.render import TemplateFault
from router.render.expression import ExpressionSyntax, compile_expression
from router.render.sandbox import FILTERS, TESTS, Sandbox
from router.render.templates import Templates

DOUBLING = "{% set a = [1] %}" + "{% set a = [a, a] %}" * 40
WORST = {
    "round up": "{{ case_id|round(99999999, 'ceil') }}",
    "round, negative": "{{ case_id|round(-99999999, 'floor') }}",
    "batch": "{{ [1]|batch(300000000, 'x')|list }}",
    "batch in a loop": "{% for x in [1]|batch(300000000, 'x') %}{{ x }}{% endfor %}",
    "slice": "{{ [1]|slice(300000000)|list }}",
    "lists joined by sum": "{% for x in long %}{% if loop.first %}{{ [[1], [1]]|sum(start=[]) }}"
    "{% endif %}{% endfor %}",
    "lists that double, printed": DOUBLING + "{{ a }}",
    "lists that double, compared": DOUBLING + "{% set b = [1] %}" + "{% set b = [b, b] %}" * 40
    + "{{ a == b }}",
    "lists that double, searched": DOUBLING + "{{ a in [a, [a]] }}",
    "tuples that double": "{% set a = (1,) %}" + "{% set a = (a, a) %}" * 40 + "{{ a }}",
    "mappings that double": "{% set a = {} %}" + "{% set a = {'a': a, 'b': a} %}" * 40 + "{{ a }}",
    "texts that double by ~": "{% set a = 'xx' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
    "texts that double by +": "{% set a = 'xx' %}" + "{% set a = a + a %}" * 40 + "{{ a }}",
    "texts that double in blocks": "{% set a %}xx{% endset %}"
    + "{% set a %}{{ a }}{{ a }}{% endset %}" * 40 + "{{ a }}",
    "texts that double in macros": "{% macro m(a, n) %}{{ a }}{{ a }}{% endmacro %}"
    "{% set a = 'xx' %}" + "{% set a = m(a) %}" * 40 + "{{ a }}",
    "texts that double by join": "{% set a = 'xx' %}" + "{% set a = [a, a]|join %}" * 40,
    "texts that double by replace": "{% set a = 'xx' %}"
    + "{% set a = a|replace('x', 'xx') %}" * 40 + "{{ a }}",
    "a number that squares": "{% set a = 3 %}" + "{% set a = a * a %}" * 60 + "{{ a }}",
    "a power": "{{ 9 ** 9 ** 9 }}",
    "a text many times": "{{ 'x' * 10 ** 9 }}",
    "a text many times, folded": "{{ 'x' * 1000000000 }}",
    "a list many times": "{{ [1] * 1000000000 }}",
    "a format": "{{ '%0900000000d' % 1 }}",
    "infinity": "{{ 1e400|int }}",
    "infinity of a text": "{{ 'inf'|float|int }}",
    "infinity rounded": "{{ 'inf'|float|round }}",
    "nan": "{{ 'nan'|float|round(2, 'ceil') }}",
    "a long number": "{{ " + "9" * 5000 + " }}",
    "a long number of a text": "{{ ('9' ~ long_text)|int(base=16) }}",
    "a number of an event": "{{ huge * huge * huge }}",
    "a number of an event in a loop": "{% for x in long %}{{ huge * huge }}{% endfor %}",
    "loops in loops": "{% for a in long %}{% for b in long %}{% for c in long %}{% endfor %}"
    "{% endfor %}{% endfor %}",
    "long words in a loop": "{% for a in long %}" + "x" * 60_000 + "{% endfor %}",
    "long words in a loop that is kept": "{% set a %}{% for a in long %}" + "x" * 60_000
    + "{% endfor %}{% endset %}{{ a|length }}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a macro that calls itself twice": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}"
    "{% endif %}{% endmacro %}{{ m(35) }}",
    "a loop that calls itself": "{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
    "includes that double": "{% include 'i0' %}",
    "imports that double": "{% import 'm0' as m %}{{ m.x }}",
    "an include of itself": "{% include 'self' %}",
    "an include of itself in a loop": "{% include 'selves' %}",
    "slices in a loop": "{% for x in long %}{% set a = long_text[::-1] %}{% endfor %}",
    "searches in a loop": "{% for x in long %}{{ long_text.count('a') }}{% endfor %}",
    "splits in a loop": "{% for x in long %}{{ long_text.split('a')|length }}{% endfor %}",
    "a sort of lists": "{{ [long, long, long]|sort|length }}",
    "truncate too short": "{{ case_name|truncate(2) }}",
    "truncate to nothing": "{{ case_name|truncate(0, true, '', 0) }}",
    "truncate by far": "{{ case_name|truncate(10 ** 18) }}",
    "a date of many letters": "{{ received_at|date('%Y' * 1000) }}",
    "a deep expression": "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
    "deep lists": "{{ " + "[" * 5_000 + "]" * 5_000 + " }}",
    "deep blocks": "{% if 1 %}" * 3_000 + "{% endif %}" * 3_000,
    "many operators": "{{ " + "1 + " * 20_000 + "1 }}",
    "many filters": "{{ case_name" + "|upper" * 3_000 + " }}",
    "a comparison chain": "{{ " + " < ".join(["1"] * 5_000) + " }}",
}  # fmt: skip


def run(what: str, source: str) -> str:
    """What a process says of a source; fails if it needs too much, or ends in a traceback."""
    program = Path(__file__).parent.parent / "render_within.py"
    ended = subprocess.run(
        [sys.executable, str(program), what],
        input=json.dumps(source),
        capture_output=True,
        text=True,
        timeout=3 * SECONDS,
        check=False,
        env={**os.environ, "PYTHONPATH": str(program.parent.parent)},
    )
    assert ended.returncode == 0, ended.stderr[-2_000:]
    return ended.stdout


@pytest.mark.parametrize("source", WORST.values(), ids=WORST)
def test_the_worst_of_a_template_ends_in_words(source: str) -> None:
    said = run("render", source)
    assert said.startswith(("ok", "fault"))
    assert "Error" not in said


EXPRESSIONS = {
    "truncate too short": "case_name|truncate(2) == 'x'",
    "infinity": "1e400|int > 5",
    "round": "case_id|round(99999999, 'ceil') > 1",
    "batch": "[1]|batch(300000000, 'x')|list|length > 1",
    "sum of lists": "[[1], [1]]|sum(start=[]) == []",
    "a text many times": "'x' * 1000000000 == 'x'",
    "a power": "9 ** 9 ** 9 > 1",
    "a number of an event": "huge * huge > 1",
    "deep": "(" * 5_000 + "1" + ")" * 5_000,
    "long": " or ".join(["case_id == 1"] * 20_000),
    "searches": "long|select('in', long)|list|length > 1",
    "a sort of itself": "long|map('string')|sort|join|length > 1",
}


@pytest.mark.parametrize("source", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_the_worst_of_an_expression_ends_in_words(source: str) -> None:
    assert run("ask", source).startswith(("ok", "fault"))


def test_every_filter_and_test_is_paid_for() -> None:
    sandbox = Sandbox("text")
    sandbox.budget.start()
    for name in (*FILTERS, "join", "replace", "round", "sum", "humanize", "default", "string"):
        with pytest.raises(Exception, match="too much"):
            _spend_all(sandbox, sandbox.filters[name], "a" * 40_000)
    for name in TESTS:
        with pytest.raises(Exception, match="too much"):
            _spend_all(sandbox, sandbox.tests[name], "a" * 40_000)


def _spend_all(sandbox: Sandbox, function: Any, value: Any) -> None:
    """Call something until the budget is spent; its own complaints cost it as well."""
    sandbox.budget.start()
    for _ in range(30_000):
        try:
            function(value)
        except Exception as error:
            if "too much" in str(error):
                raise
    raise AssertionError("it costs nothing")


ATOMS = st.sampled_from(
    ["case_name", "case_id", "long", "nested", "none", "1", "2.5", "'a'", "[]", "{}", "1e400", "-1",
     "huge", "[case_name]", "{'a': case_id}"]
)  # fmt: skip
NAMES = st.sampled_from([*FILTERS, "join", "replace", "round", "sum", "default", "date", "lines"])
CHECKS = st.sampled_from(TESTS[:30])
OPERATORS = st.sampled_from("+ - * / // % ~ < ==".split())
ANY = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("{}|{}".format, inner, NAMES),
        st.builds("{}|{}({})".format, inner, NAMES, inner),
        st.builds(
            "({} {} {})".format, inner, st.sampled_from("+ - * / // % ~ < ==".split()), inner
        ),
        st.builds("({} is {})".format, inner, CHECKS),
        st.builds("({} in {})".format, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
    ),
    max_leaves=6,
)
VALUES = {
    "case_name": "Acme", "case_id": 42, "long": list(range(50)), "nested": [[1, [2]], {"a": None}],
    "none": None, "huge": 10**400,
}  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(ANY)
def test_any_words_are_said_or_are_a_fault_in_words(expression: str) -> None:
    try:
        Templates({"t": "{{ " + expression + " }}"}).whole("html", "t", VALUES)
    except TemplateFault as fault:
        in_words(fault.text)


@settings(max_examples=400, deadline=None)
@given(ANY)
def test_any_expression_has_an_answer_or_a_fault_in_words(expression: str) -> None:
    try:
        assert compile_expression(expression)(VALUES) in (True, False)
    except (ExpressionSyntax, ExpressionError) as fault:
        in_words(str(fault))


def in_words(text: str) -> None:
    assert text
    assert "Error" not in text
