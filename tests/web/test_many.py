"""The page of deliveries: what it lists, and what is done to many at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from far_end import Answer, HttpFarEnd, wait_until
from running import Running

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = """
version: 1
sources:
  atfinity: {{ secret: "${{ATFINITY_SECRET}}" }}
channels:
  gone: {{ webhook: {{ url: "{url}/gone" }} }}
  resting: {{ webhook: {{ url: "{url}/resting" }}, paused: true }}
rules:
  - {{ name: all, when: {{ trigger: case_* }}, notify: [gone, resting] }}
"""
FORM = {"content_type": "application/x-www-form-urlencoded", "accept": "text/html"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Six events, each with a delivery that failed and one that waits for a paused channel."""
    with HttpFarEnd() as far:
        far.by_path = {"/gone": Answer(404, b"no such thing")}.get
        folder = tmp_path_factory.mktemp("deliveries")
        made = Running(folder, RULES.format(url=far.url), {})
        made.start()
        for number in range(6):
            body = {"trigger": "case_created", "case_id": number, "case_name": f"Case {number}"}
            assert made.post(body)[0] == 202
        wait_until(lambda: len(made.deliveries("state=failed")) == 6)
        yield made
        made.stop()


def _page(running: Running, path: str) -> str:
    status, text = running.get(path, accept="text/html")
    assert status == 200
    return str(text)


def _words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def _send(running: Running, path: str, fields: list[tuple[str, Any]]) -> tuple[int, str]:
    status, page = running.request("POST", path, urlencode(fields).encode(), FORM)
    return status, str(page)


def _hidden(page: str) -> list[tuple[str, Any]]:
    return re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)


def test_each_state_has_a_tab_with_its_reasons(running: Running) -> None:
    waiting = _words(_page(running, "/deliveries?state=pending&q=case+1"))
    assert "paused its channel is paused in the rules resting" in waiting
    failed = _words(_page(running, "/deliveries?state=failed"))
    assert failed.count("the far end answered 404 Not Found") == 6
    assert "Nothing was cancelled" not in failed
    assert "Nothing was held back" in _page(running, "/deliveries?state=suppressed")
    assert "Nothing fits these filters" in _page(running, "/deliveries?channel=nowhere")


def test_older_deliveries_are_a_link_away_and_keep_the_filters(running: Running) -> None:
    first = _page(running, "/deliveries?state=failed&limit=4")
    found = re.search(r'href="([^"]+)" rel="next"', first)
    assert found
    address = found[1].replace("&amp;", "&")
    assert address.startswith("/deliveries?state=failed&limit=4&cursor=")
    last = _page(running, address)
    assert last.count('name="id"') == 2
    assert "Newest" in last


def test_the_live_part_is_drawn_only_when_something_changed(running: Running) -> None:
    path = "/deliveries?state=failed"
    status, part, mark = running.live(path)
    assert (status, part.count("<tr data-key=")) == (200, 6)
    assert "<html" not in part
    assert 'name="id"' in part
    assert running.live(path, mark) == (304, "", mark)
    assert running.live("/deliveries?state=pending", mark)[0] == 200


def test_nothing_is_done_before_it_is_confirmed(running: Running) -> None:
    ids = [one["id"] for one in running.deliveries("state=failed")][:2]
    waits = running.deliveries("state=pending")[0]["id"]
    fields = [("act", "resend"), ("kept", ""), *(("id", one) for one in (*ids, waits))]
    status, page = _send(running, "/deliveries/plan", fields)
    assert status == 200
    assert "Send 2 deliveries again?" in page
    assert "1 left alone: it still waits to be sent" in page
    assert len(running.deliveries("channel=gone")) == 6


def test_all_that_match_are_sent_again_once(running: Running) -> None:
    before = len(running.deliveries("channel=gone"))
    kept = "state=failed&q=case+2"
    plan = _send(running, "/deliveries/plan", [("act", "resend"), ("kept", kept), ("every", "1")])[
        1
    ]
    assert "Send 1 delivery again?" in plan
    fields = [*_hidden(plan), ("fresh", "1")]
    status, page = _send(running, "/deliveries/do", fields)
    assert status == 200
    assert "1 delivery is sent again" in page
    assert "1 left alone: was sent again meanwhile" in _send(running, "/deliveries/do", fields)[1]
    wait_until(lambda: len(running.deliveries("channel=gone")) == before + 1)
    assert running.deliveries("channel=gone")[0]["resend_of"] == int(dict(fields)["ids"])


def test_all_that_wait_are_cancelled(running: Running) -> None:
    kept = "state=pending&case=3"
    plan = _send(running, "/deliveries/plan", [("act", "cancel"), ("kept", kept), ("every", "1")])[
        1
    ]
    assert "Cancel 1 delivery?" in plan
    assert "1 delivery is cancelled" in _send(running, "/deliveries/do", _hidden(plan))[1]
    (gone,) = running.deliveries("state=cancelled")
    assert gone["reason"].startswith("cancelled by")
    assert "cancelled by" in _page(running, "/deliveries?state=cancelled")
    again = _send(running, "/deliveries/do", _hidden(plan))[1]
    assert "No delivery is cancelled" in again


@pytest.mark.parametrize(
    ("path", "fields", "advice"),
    [
        ("/deliveries/plan", [("act", "resend")], "nothing is chosen"),
        ("/deliveries/plan", [("act", "burn"), ("id", "1")], "is <code>resend</code> or"),
        ("/deliveries/plan", [("act", "cancel"), ("id", "x")], "an id is a whole number"),
        ("/deliveries/plan", [("act", "cancel"), ("every", "1"), ("kept", "since=x")], "since"),
        ("/deliveries/do", [("act", "cancel"), ("ids", "")], "nothing is chosen"),
        ("/deliveries/do", [("act", "resend"), ("ids", "1")], "make the plan again"),
    ],
)
def test_a_form_that_makes_no_sense_is_answered_in_words(
    running: Running, path: str, fields: list[tuple[str, Any]], advice: str
) -> None:
    status, page = _send(running, path, fields)
    assert status == 400
    assert advice in page
