"""The pages as they are answered: what they say, and the headers they come with."""

from __future__ import annotations

import re
import urllib.request
from typing import TYPE_CHECKING

import pytest

from far_end import Answer, HttpFarEnd, SmtpFarEnd, wait_until
from running import SECRET, Running

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT = {
    "trigger": "case_approved",
    "case_id": 7,
    "case_user_readable_id": "KYC-0007",
    "case_name": "Acme <b>Corp</b>",
    "case_url": "https://tenant.example/cases/7",
    "process_key": "kyc_process",
}


def _rules(far: str, smtp: int) -> str:
    mailbox = f"{{ host: 127.0.0.1, port: {smtp}, security: none, from: a@b.example, to: %s }}"
    return f"""
version: 1
sources:
  atfinity: {{ secret: "${{ATFINITY_SECRET}}" }}
channels:
  gone: {{ webhook: {{ url: "{far}/gone" }}, fallback: post }}
  busy: {{ webhook: {{ url: "{far}/busy" }} }}
  resting: {{ email: {mailbox % "resting@b.example"}, paused: true }}
  post: {{ email: {mailbox % "post@b.example"} }}
rules:
  - name: approved
    when: {{ trigger: case_approved, process_key: kyc_* }}
    notify: [gone, busy, resting]
  - name: declined
    when: {{ trigger: case_declined, process_key: kyc_* }}
    notify: post
  - name: comments
    when: {{ trigger: case_comment }}
    notify: post
    title: "{{{{ 1 / (case_version - 3) }}}}"
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One approved case: one channel fails for good, one asks to wait, one is paused."""
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        later = Answer(503, b"later", (("retry-after", "600"),))
        far.by_path = {"/gone": Answer(404, b"no <i>such</i> thing"), "/busy": later}.get
        made = Running(tmp_path_factory.mktemp("pages"), _rules(far.url, mail.port), {})
        made.start()
        assert made.post(EVENT)[1]["event"] == 1
        assert made.post({**EVENT, "trigger": "case_comment", "case_version": 3})[0] == 202
        wait_until(lambda: len(made.deliveries("state=sent")) == 2)
        wait_until(lambda: made.deliveries("channel=busy")[0]["reason"])
        yield made
        made.stop()


def _page(running: Running, path: str) -> str:
    status, text = running.get(path, accept="text/html")
    assert status == 200
    return str(text)


def _words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_the_first_page_says_what_did_not_go_out_and_why(running: Running) -> None:
    words = _words(_page(running, "/?trigger=case_approved"))
    assert "gone failed" in words
    assert "the far end answered 404 Not Found" in words
    assert re.search(r"busy waits next attempt in \d+ (s|min)\b.*503", words)
    assert "resting paused its channel is paused in the rules" in words
    assert re.search(r"post in place of gone sent", words)


def test_the_first_page_says_when_a_template_failed(running: Running) -> None:
    assert "its template failed" in _words(_page(running, "/?trigger=case_comment"))
    assert "The built-in words spoke, because the template failed" in _page(running, "/events/2")


def test_an_event_says_why_each_rule_spoke_or_not(running: Running) -> None:
    words = _words(_page(running, "/events/1"))
    assert "1 of 3 spoke" in words
    assert words.index("matched approved") < words.index("no match declined")
    assert words.index("no match declined") < words.index("no match comments")
    assert "1 of 2 lines hold" in words
    assert "trigger is case_approved , not case_declined" in words


def test_a_message_that_waits_is_shown_as_it_would_go_out_now(running: Running) -> None:
    resting = running.deliveries("channel=resting")[0]["id"]
    assert "As it would go out now" in _page(running, "/events/1")
    assert "Acme &lt;b&gt;Corp" in _page(running, f"/events/1/deliveries/{resting}/mail")


def test_words_from_outside_are_escaped_everywhere(running: Running) -> None:
    for path in ("/", "/events/1", "/events/2"):
        page = _page(running, path)
        assert "Acme &lt;b&gt;Corp" in page
        assert "<b>Corp" not in page
        assert "<i>such" not in page


def test_a_mail_is_framed_under_a_policy_that_lets_it_do_nothing(running: Running) -> None:
    post = running.deliveries("channel=post")[0]
    path = f"/events/{post['event']}/deliveries/{post['id']}/mail"
    with urllib.request.urlopen(running.url + path, timeout=5) as answer:
        policy = answer.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert "sandbox" in policy
    assert "frame-ancestors 'self'" in policy
    gone = running.deliveries("channel=gone")[0]["id"]
    for wrong in (f"/events/2/deliveries/{gone}/mail", f"/events/1/deliveries/{gone}/mail"):
        assert running.get(wrong)[0] == 404


def test_static_files_are_kept_for_ever_by_an_address_that_changes_with_them(
    running: Running,
) -> None:
    addresses = set(re.findall(r'"(/static/[^"]+)"', _page(running, "/")))
    assert len(addresses) == 5
    for address in addresses:
        assert "?" in address
        with urllib.request.urlopen(running.url + address, timeout=5) as answer:
            assert "immutable" in answer.headers["cache-control"]
    assert running.get("/static/..%2fpages.py")[0] == 404
    assert running.get("/static/nothing.css")[0] == 404


def test_no_page_has_a_script_a_style_or_an_address_of_another_host_in_it(
    running: Running,
) -> None:
    for path in ("/", "/events/1", "/events/2", "/?q=nothing"):
        page = _page(running, path)
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=\"/static/)", page)
        assert not re.search(r"(src|action)=\"(?!/)", page)
        assert SECRET not in page


def test_older_events_are_a_link_away_and_keep_the_filters(running: Running) -> None:
    first = _page(running, "/?limit=1&source=atfinity")
    found = re.search(r'href="([^"]+)" rel="next"', first)
    assert found
    address = found[1].replace("&amp;", "&")
    assert address == "/?source=atfinity&limit=1&cursor=2"
    last = _page(running, address)
    assert "/events/1" in last
    assert "Older" not in last
    assert "Newest" in last


def test_a_filter_of_something_gone_stays_chosen(running: Running) -> None:
    page = _page(running, "/?channel=no-longer-there&until=2020-01-01&source=other")
    assert "<option selected>no-longer-there</option>" in page
    assert "<option selected>other</option>" in page
    assert 'name="until" value="2020-01-01"' in page
    assert "Nothing fits these filters" in page


@pytest.mark.parametrize(
    ("path", "status", "advice"),
    [
        ("/?state=snet", 400, "did you mean <code>sent</code>?"),
        ("/?since=monday", 400, "write a time like"),
        ("/events/999", 404, "there is no event 999"),
        ("/nowhere", 404, "the list of events is at /"),
    ],
)
def test_a_page_that_cannot_be_shown_says_what_to_do(
    running: Running, path: str, status: int, advice: str
) -> None:
    found, page = running.get(path, accept="text/html")
    assert found == status
    assert advice in page


def test_the_line_after_sending_again_cannot_be_forged(running: Running) -> None:
    for said in ("1", "999", "you%20won"):
        page = _page(running, f"/events/1?said={said}")
        assert "is sent again" not in page
        assert "you won" not in page
