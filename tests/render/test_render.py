"""Rendering: words that are safe in every format, and a message that is never lost."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.event import KNOWN_FIELDS, TRIGGERS, Event
from router.match import ExpressionError
from router.message import Format, Message
from router.render import ExpressionSyntax, Renderer, TemplateFault, compile_expression
from router.render.check import inspect
from router.render.convert import html_to_text, markdown_to_html, markdown_to_slack
from router.render.escape import safe_url
from router.rulebook.samples import sample
from router.rules import Channel, Rule, Target
from strategies import json_values

FORMATS: tuple[Format, ...] = ("html", "slack", "markdown", "text")
CHANNEL = Channel(name="c", service="webhook", options={})
NAME = '<!channel> <b>Z\u00fcrich</b> & "S\u00f6hne" *AG* [x](http://evil.example) {{ 7*7 }} @everyone\r\nBcc: a@b.c \u202egpj.exe'  # noqa: E501 - one hostile name


def event(trigger: str = "case_created", **fields: Any) -> Event:
    found = sample(trigger, null=False)
    return msgspec.structs.replace(found, fields={**found.fields, **fields})


def render(templates: dict[str, str], posted: Event, kind: Format = "text", **rule: Any) -> Message:
    made = Rule(name="r", when=None, targets=(), **{"template": "t", **rule})
    renderer = Renderer(templates, base_url="http://r.example")
    target = Target("c")
    return renderer.render(event=posted, rule=made, target=target, channel=CHANNEL, format=kind)


def body(source: str, posted: Event | None = None, kind: Format = "text", **rule: Any) -> Message:
    suffix = {"html": "html", "slack": "slack", "markdown": "md", "text": "txt"}[kind]
    wrapped = "{% block title %}T{% endblock %}{% block body %}" + source + "{% endblock %}"
    return render({f"t.{suffix}.j2": wrapped}, posted or event(), kind, **rule)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.mark.parametrize(
    ("kind", "present", "absent"),
    [
        pytest.param("html", "&lt;!channel&gt; &lt;b&gt;", "<b>", id="html"),
        pytest.param("slack", "&lt;!channel&gt;", "<", id="slack"),
        pytest.param("markdown", "\\[x\\]\\(http", "[x](", id="markdown"),
        pytest.param("text", "<!channel>", "@everyone", id="text"),
    ],
)
def test_a_hostile_name_is_harmless_in_every_format(
    kind: Format, present: str, absent: str
) -> None:
    message = body("{{ case_name }}", event(case_name=NAME), kind)
    assert present in message.body
    assert absent not in message.body
    assert "\n" not in message.body
    assert "\u202e" not in message.body
    assert "{{ 7*7 }}" in message.body.replace("\\", "")


def test_a_title_is_one_line_of_plain_text() -> None:
    posted = event(case_name=NAME)
    message = render({}, posted, "slack", template=None, title="A & {{ case_name }}\nB")
    assert message.title.startswith('A & <!channel> <b>Z\u00fcrich</b> & "S')
    assert "\n" not in message.title
    assert message.title.endswith(" B")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://",
        "//evil.example",
        "https://x\ny",
        "ftp://x/y",
        "https://exa mple.org",
        7,
        None,
        "https://[::1",
    ],
)
def test_what_is_no_web_address_is_no_link(url: object) -> None:
    message = body('<a href="{{ case_url }}">x</a>', event(case_url=url), "html")
    assert message.link is None
    assert '<a href="">' in message.body


def test_an_address_cannot_leave_its_place() -> None:
    url = safe_url('https://x.example/a"onclick="b|c>d')
    assert url is not None
    assert not set('"<>|') & set(url)


ATTACKS = [
    "{{ 'a'.ljust(10**9) }}",
    "{{ 'a' | center(1000000000) }}",
    "{{ '%0900000000d' | format(1) }}",
    "{{ 'a' * 100000000 }}",
    "{{ 2 ** 99999 }}",
    "{{ 9999999999 * 9999999999 * 9999999999 }}",
    "{{ '%s' % 5 }}",
    "{{ lipsum(n=2000) }}",
    "{{ range(1000000) }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ '' | attr('__class__') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ '{0.__class__}'.format_map({}) }}",
    "{{ event.update({'a': 1}) }}",
    "{{ document_keys.append('x') }}",
    "{{ cycler.__init__ }}",
    "{{ case_name | safe }}",
    "{% for a in l %}{% for b in l %}{% for c in l %}x{% endfor %}{% endfor %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% for a in l recursive %}{{ loop(l) }}{% endfor %}",
    "{% include 't.txt.j2' %}",
    "{% set x = 'a' %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}",
    "{% set x = ['a'] %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
    "{{ 'aaaaaaaa' | replace('a', 'b' * 10) | replace('b', 'cc') }}",
    "{{ l | map('string') | join('x' * 5) }}",
    "{{ received_at | date('%0900000000d') }}",
    "{{ received_at.__class__ }}",
    "{{ unknown_thing }}",
    "{{ case_version + case_name }}",
    "{{ 1 / 0 }}",
    "{% extends 't.txt.j2' %}",
    "{% import 'nowhere' as x %}",
    "{{ ",
]


@pytest.mark.parametrize("source", ATTACKS)
def test_what_a_template_may_not_do_is_stopped_and_the_message_is_not_lost(source: str) -> None:
    began = time.monotonic()
    message = body(source, event(l=list(range(2000))))
    assert message.rung == "built-in"
    assert message.fault is not None
    assert message.fault.startswith("template ")
    assert "Acme" not in message.fault
    assert "Acme Corp" in message.body
    assert time.monotonic() - began < 20


def test_a_fault_names_the_template_and_the_line() -> None:
    source = "{% block body %}\n\n{{ case_version + case_name }}\n{% endblock %}"
    message = render({"t.txt.j2": source}, event())
    assert message.fault is not None
    assert message.fault.startswith("template `t.txt.j2`, line 3: ")


def test_the_last_rung_is_a_plain_line() -> None:
    renderer = Renderer({f"_case.{kind}.j2": "{{ 1 / 0 }}" for kind in ("slack", "html")},
                        base_url="")  # fmt: skip
    rule = Rule(name="r", when=None, targets=())
    message = renderer.render(
        event=event(), rule=rule, target=Target("c"), channel=CHANNEL, format="slack"
    )
    assert (message.rung, message.body) == ("plain", "Case created: KYC-0042")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("trigger", [*TRIGGERS, "case_archived"])
@pytest.mark.parametrize("null", [False, True], ids=["with all fields", "with nulls"])
def test_the_built_in_words_speak_for_every_trigger(kind: Format, trigger: str, null: bool) -> None:
    message = render({}, sample(trigger, null=null), kind, template=None)
    assert (message.rung, message.fault) == ("built-in", None)
    assert "KYC-0042" in message.title
    assert "Acme Corp" in message.body.replace("\\", "")
    assert "None" not in message.body


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from([*TRIGGERS, "<b>new</b>"]),
    st.dictionaries(
        st.sampled_from([*sorted(KNOWN_FIELDS - {"trigger"}), "rule", "links", "event", "self"]),
        st.one_of(json_values, st.text(max_size=20), st.just(NAME)),
        max_size=6,
    ),
    st.sampled_from(FORMATS),
)
def test_any_event_makes_a_message_that_is_safe(
    trigger: str, fields: dict[str, Any], kind: Format
) -> None:
    posted = Event(1, "s", 1.7e9, b"{}", {**fields, "trigger": trigger})
    message = render({}, posted, kind, template=None)
    assert message.title
    assert "\n" not in message.title
    assert message.body
    if kind == "slack":
        assert "<" not in message.body
    if kind == "html":
        reader = Tags()
        reader.feed(message.body)
        allowed = "html head meta title style body div table tr td h1 p span a".split()
        for tag, attributes in reader.seen:
            assert tag in allowed
            assert not any(name.startswith("on") for name in attributes)
            href = attributes.get("href") or "https://"
            assert href.startswith(("http://", "https://"))


@pytest.mark.parametrize(
    ("given_as", "wanted", "expected"),
    [
        pytest.param("t.md.j2", "html", "<strong>Acme", id="markdown as html"),
        pytest.param("t.md.j2", "slack", "*Acme Corp*", id="markdown as slack"),
        pytest.param("t.md.j2", "text", "**Acme Corp**", id="markdown as text"),
        pytest.param("t.txt.j2", "html", "**Acme Corp** &lt;x&gt;", id="text as html"),
        pytest.param("t.txt.j2", "slack", "**Acme Corp** &lt;x&gt;", id="text as slack"),
        pytest.param("t.txt.j2", "markdown", "\\*\\*Acme Corp\\*\\*", id="text as markdown"),
    ],
)
def test_a_missing_member_is_taken_from_the_nearest(
    given_as: str, wanted: str, expected: str
) -> None:
    source = "{% block body %}**{{ case_name }}** <x>{% endblock %}"
    message = render({given_as: source}, event(), cast("Format", wanted))
    assert message.rung == "template"
    assert expected in message.body


def test_html_becomes_text_that_reads_well() -> None:
    page = (
        "<head><style>x</style></head><h1>Hi</h1><table><tr><td>A</td><td>1</td></tr>"
        "<tr><td>B</td><td>2</td></tr></table><p>See <a href='https://x.example/'>here</a></p>"
    )
    assert html_to_text(page) == "Hi\n\nA: 1\nB: 2\n\nSee here (https://x.example/)"


def test_what_follows_a_list_in_html_has_its_own_line_and_what_is_hidden_stays_so() -> None:
    page = (
        "<ul><li>a</li><li>b</li></ul><i>after</i><input hidden> it"
        "<div hidden>x<div>y</div>z</div><h4>End</h4>of it"
    )
    assert html_to_text(page) == "- a\n- b\nafter it\nEnd\nof it"


def test_markdown_of_a_template_is_converted_without_letting_html_through() -> None:
    assert "<script>" not in markdown_to_html("<script>x</script>")
    assert markdown_to_slack("# T\n- **a** [l](https://x.example/) <!here>") == (
        "*T*\n\u2022 *a* <https://x.example/|l> &lt;!here&gt;"
    )


def test_a_fault_names_no_types_of_the_language_it_is_written_in() -> None:
    for source in ("{{ weird[1] }}", "{{ event.nothing }}", "{{ case_name.nothing }}"):
        fault = body(source, event(weird=5)).fault
        assert fault is not None
        assert not re.search(r"\b(int|dict|str|object)\b", fault), fault


def test_values_are_printed_as_people_write_them() -> None:
    body = (
        "{{ rule }}/{{ rule.name }}/{{ channel }}/{{ rule == 'r' }}/{{ rule == 'q' }}/"
        "{{ document_keys }}/{{ 'is: ' ~ document_keys }}/{{ team }}"
    )
    rule = Rule(name="r", when=None, targets=(), body=body)
    message = Renderer({}, base_url="").render(
        event=event(document_keys=["form_a", "form_b"], team={"name": "ops", "on": True}),
        rule=rule,
        target=Target("c"),
        channel=Channel(name="c", service="webhook", options={}),
        format="text",
    )
    words = "r/r/c/true/false/form_a, form_b/is: form_a, form_b/name: ops, on: true"
    assert message.body == words


def test_hidden_fields_are_masked_on_their_channel() -> None:
    channel = Channel(name="c", service="webhook", options={}, hide=frozenset({"case_name"}))
    rule = Rule(name="r", when=None, targets=(), body="{{ case_name }} {{ event.case_name }}")
    message = Renderer({}, base_url="").render(
        event=event(), rule=rule, target=Target("c"), channel=channel, format="text"
    )
    assert "Acme" not in message.body + message.title + message.text


def test_a_rules_own_words_replace_only_their_block() -> None:
    templates = {"t.txt.j2": "{% block title %}T{% endblock %}{% block body %}B{% endblock %}"}
    assert render(templates, event(), title="mine").body == "B"
    assert render(templates, event(), body="mine").title == "T"
    html = render({}, event(), "html", template=None, body="a < b\n{{ case_name }}")
    assert "a &lt; b<br>\nAcme Corp" in html.body


def test_our_names_cannot_be_taken_by_a_field() -> None:
    posted = event(rule="x", links="y", source="z", channel="q")
    words = "{{ rule.name }} {{ links.event }} {{ source }} {{ channel.name }} {{ event.rule }}"
    assert body(words, posted).body == "r http://r.example/events/1 source c x"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ process_key | humanize }}", "KYC process"),
        ("{{ received_at | date('%d.%m.%Y %H:%M', 'Europe/Zurich') }}", "02.02.2026 03:40"),
        ("[{{ document_keys | default([]) | join(', ') }}]", "[]"),
        ("{{ transition_key or 'none' }}", "none"),
        ("{{ archived_by | default('nobody') }}", "nobody"),
        ("{{ [case_color, None, 'x'] | select | join('/') }}", "green/x"),
        ("{% for k in [1, 2] %}{{ loop.index }}{{ ',' if not loop.last }}{% endfor %}", "1,2"),
    ],
)
def test_what_templates_may_use(source: str, expected: str) -> None:
    message = body(source)
    assert (message.fault, message.body) == (None, expected)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param("{{ case_nmae }}", "did you mean `case_name`?", id="a name misspelt"),
        pytest.param("{{ x | sfae }}", "no filter named", id="an unknown filter"),
        pytest.param("{% if %}", "", id="an empty if"),
        pytest.param("{% include 'lay.html.j2' %}", "there is no template", id="no template"),
    ],
)
def test_what_is_wrong_in_a_template_is_found_without_an_event(source: str, words: str) -> None:
    (fault, *_) = inspect({"t.txt.j2": source})
    assert words in fault.text
    assert fault.line == 1


def test_strict_rendering_raises_what_the_ladder_catches() -> None:
    renderer = Renderer({"t.txt.j2": "{{ nope }}"}, base_url="")
    rule = Rule(name="r", when=None, targets=(), template="t")
    with pytest.raises(TemplateFault, match="undefined"):
        renderer.strict(
            event=event(), rule=rule, target=Target("c"), channel=CHANNEL, format="text"
        )


def test_an_expression_answers_or_fails_but_never_lies() -> None:
    ask = compile_expression("case_version > 5 and case_color != previous_color")
    assert ask({"case_version": 9, "case_color": "red", "previous_color": "green"}) is True
    with pytest.raises(ExpressionError, match="`previous_color` is undefined"):
        ask({"case_version": 9})
    with pytest.raises(ExpressionError, match="different kinds"):
        ask({"case_version": None})
    assert compile_expression("process_key is none")({}) is True
    with pytest.raises(ExpressionSyntax):
        compile_expression("case_version >")
