"""The pages as they are answered: what they say, and the headers they come with."""

from __future__ import annotations

import html
import json
import re
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from far_end import Answer, HttpFarEnd, SmtpFarEnd, wait_until
from running import SECRET, Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    with urllib.request.urlopen(running.url + path, timeout=20) as answer:
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
    assert len(addresses) == 7
    for address in addresses:
        assert "?" in address
        with urllib.request.urlopen(running.url + address, timeout=20) as answer:
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
        ("/?since=monday&q=acme", 400, 'href="/?q=acme">Show it without since'),
        ("/?since=1h&until=2h", 400, "no time lies between them"),
        ("/?colour=red", 400, "there is no filter <code>colour</code>"),
        ("/?cursor=-1", 400, "a whole number above 0"),
        (f"/events/{10**30}", 404, "there is nothing with the id"),
        ("/events/1/deliveries/999/raw", 404, "event 1 has no delivery 999"),
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


def test_the_live_part_is_drawn_only_when_something_changed(running: Running) -> None:
    status, part, mark = running.live("/?trigger=case_approved")
    assert (status, part.count("<tr data-key=")) == (200, 1)
    assert "<html" not in part
    assert json.dumps({"If-None-Match": mark}) in html.unescape(part)
    assert running.live("/?trigger=case_approved", mark) == (304, "", mark)
    assert running.live("/?trigger=case_comment", mark)[0] == 200


def test_the_last_day_is_drawn_and_told_as_a_table(running: Running) -> None:
    page = _page(running, "/")
    words = _words(page)
    assert re.search(r"Last 24 hours \d+ received \d+ sent 0 held back 1 failed", words)
    assert page.count("<g><title>") == 24
    assert page.count('<th scope="row">') == 24
    assert '<rect class="failed"' in page


def test_what_failed_stands_first_until_somebody_takes_care_of_it(running: Running) -> None:
    assert "Failed, and not sent again" not in _page(running, "/")  # a fallback was told


def test_an_event_shows_the_other_events_of_its_case(running: Running) -> None:
    page = _page(running, "/events/1")
    assert "The case so far" in page
    assert 'href="/events/2">case_comment' in page


def test_what_carries_a_message_is_shown_without_a_secret(running: Running) -> None:
    gone = running.deliveries("channel=gone")[0]["id"]
    text = _page(running, f"/events/1/deliveries/{gone}/raw")
    assert text.startswith("POST http://127.0.0.1:")
    assert '"trigger": "case_approved"' in text or '"case_approved"' in text
    post = running.deliveries("channel=post&trigger=case_approved")[0]["id"]
    assert "Subject:" in _page(running, f"/events/1/deliveries/{post}/raw")


def test_what_waits_is_cancelled_from_its_event(running: Running) -> None:
    number = running.post({**EVENT, "case_id": 8, "case_user_readable_id": "KYC-8"})[1]["event"]
    waits = running.deliveries("channel=resting&case=KYC-8")[0]["id"]
    assert running.request("POST", f"/deliveries/{waits}/cancel", b"", {})[0] == 200
    page = _page(running, f"/events/{number}?said={waits}")
    assert "is cancelled: nobody is told" in page
    status, page = running.request(
        "POST", f"/deliveries/{waits}/cancel", b"", {"accept": "text/html"}
    )
    assert status == 409
    assert "it is cancelled already" in page
    gone = running.deliveries("channel=gone")[-1]["id"]
    assert "is cancelled" not in _page(running, f"/events/1?said={gone}")


def test_a_large_body_is_shown_as_far_as_it_is_read(running: Running) -> None:
    large = {**EVENT, "case_id": 9, "case_user_readable_id": "KYC-9", "note": "y" * 200_000}
    number = running.post(large)[1]["event"]
    page = _page(running, f"/events/{number}")
    assert "bytes is left out here" in page
    assert page.count("y" * 1000) < 25
    assert "KYC-9" in _page(running, "/?case=KYC-9")


def test_an_event_becomes_a_test_that_can_be_copied(running: Running) -> None:
    assert "Make a test of this" in _page(running, "/events/1")
    text = _page(running, "/events/1/test")
    assert text.startswith('- name: "event 1: case_approved"')
    assert "rule: approved" in text


def test_a_database_that_does_not_answer_is_told_on_a_page_that_says_what_to_do(
    router: Callable[..., Running],
) -> None:
    made = router(_rules("http://127.0.0.1:9", 9))
    with closing(sqlite3.connect(made.folder / "router.db")) as connection:
        connection.execute("ALTER TABLE events RENAME TO lost")
    for path in ("/", "/events/1", "/deliveries?state=failed"):
        status, page = made.get(path, accept="text/html")
        assert status == 503
        assert "Nothing that was answered 202 is lost" in page
        assert f'href="{path}">Try again' in page
