"""Slack's mrkdwn in pieces: drawn as Slack draws it, and never anything but words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.web.mrkdwn import Span, spans


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        pytest.param("as it is", [Span("as it is")], id="plain words"),
        pytest.param("", [], id="nothing"),
        pytest.param(
            "*Case:* KYC-1", [Span("Case:", ("bold",)), Span(" KYC-1")], id="a bold label"
        ),
        pytest.param(
            "_so_ ~gone~ `a*b`",
            [
                Span("so", ("italic",)),
                Span(" "),
                Span("gone", ("strike",)),
                Span(" "),
                Span("a*b", ("code",)),
            ],
            id="each other mark",
        ),
        pytest.param("```x\n*y*```", [Span("x\n*y*", ("code",))], id="a block keeps its signs"),
        pytest.param("snake_case_name 2*3*4", [Span("snake_case_name 2*3*4")], id="signs in words"),
        pytest.param("* no * ~ no ~", [Span("* no * ~ no ~")], id="signs beside blanks"),
        pytest.param("*a\nb*", [Span("*a\nb*")], id="no mark goes over a line"),
        pytest.param(
            "*bold _both_*",
            [Span("bold ", ("bold",)), Span("both", ("bold", "italic"))],
            id="a mark within a mark",
        ),
        pytest.param(
            "<https://a.example/?x=1&amp;y=2|Acme &lt;AG&gt;>",
            [Span("Acme <AG>", url="https://a.example/?x=1&y=2")],
            id="a link with a label",
        ),
        pytest.param(
            "*<http://a.example>*",
            [Span("http://a.example", ("bold",), "http://a.example")],
            id="a bold link without a label",
        ),
        pytest.param(
            "<javascript:alert(1)|x>",
            [Span("<javascript:alert(1)|x>")],
            id="an address that is none stays words",
        ),
        pytest.param(":no_entry: :unknown:", [Span("\u26d4 :unknown:")], id="emoji"),
        pytest.param("&amp;lt; &lt;b&gt;", [Span("&lt; <b>")], id="entities are read once"),
    ],
)
def test_a_text_is_read_as_slack_reads_it(text: str, pieces: list[Span]) -> None:
    assert spans(text) == pieces


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="*_~`<>|&ahtps:/. \n\ue000", max_size=60))
def test_any_text_gives_words_and_no_other_links(text: str) -> None:
    for span in spans(text):
        assert span.words
        assert span.url == "" or span.url.startswith(("http://", "https://"))
