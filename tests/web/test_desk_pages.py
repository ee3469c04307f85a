"""Channels, rules, timers and status, as they are answered: what they say, and what they refuse."""

from __future__ import annotations

import re
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest

from far_end import Answer, HttpFarEnd, wait_until
from running import SECRET, Running

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = 'a <b>name</b> & "more"'

RULES = """
version: 1
sources:
  atfinity: {{ secret: "${{ATFINITY_SECRET}}" }}
channels:
  fine: {{ webhook: {{ url: "{far}/fine" }} }}
  gone: {{ webhook: {{ url: "{far}/gone" }}, fallback: fine }}
  parked: {{ webhook: {{ url: "{far}/parked" }}, paused: true }}
  'a <b>name</b> & "more"': {{ webhook: {{ url: "{far}/hostile" }} }}
rules:
  - name: approved
    when: {{ trigger: case_approved }}
    notify: [fine, gone, parked]
    title: "approved {{{{ case_id }}}}"
  # Two days.
  - when: {{ trigger: case_state_changed, current_state_key: in_review }}
    name: stuck
    after: 2d
    unless: {{ trigger: case_state_changed, previous_state_key: in_review }}
    notify: fine
    title: still

  - name: "never <i>said</i>"
    when: {{ trigger: case_finished }}
    notify: 'a <b>name</b> & "more"'
    title: x
tests:
  - name: approvals are told
    event: {{ trigger: case_approved }}
    expect:
      - {{ rule: approved, channel: fine }}
      - {{ rule: approved, channel: gone }}
      - {{ rule: approved, channel: parked }}
"""


@pytest.fixture(scope="module")
def far() -> Iterator[HttpFarEnd]:
    with HttpFarEnd() as one:
        one.by_path = {"/gone": Answer(404, b"no such hook")}.get
        yield one


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, far: HttpFarEnd) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("desk"), RULES.format(far=far.url), {})
    made.start()
    made.post({"trigger": "case_approved", "case_id": 1, "case_user_readable_id": "K-1"})
    for case in (2, 3, 4):
        fields = {"case_id": case, "case_user_readable_id": f"K-{case}"}
        made.post({"trigger": "case_state_changed", "current_state_key": "in_review", **fields})
    made.post({"trigger": "case_comment", "case_id": 5, "case_user_readable_id": "K-5"})
    wait_until(lambda: len(made.deliveries("state=sent")) == 2)
    yield made
    made.stop()


def page(running: Running, path: str, status: int = 200) -> str:
    got, text = running.get(path, accept="text/html")
    assert got == status, text
    return " ".join(re.sub(r"<[^>]*>", " ", str(text)).replace("&#34;", '"').split())


def form(running: Running, path: str, **fields: str) -> tuple[int, str]:
    data = urllib.parse.urlencode(fields).encode()
    kind = "application/x-www-form-urlencoded"
    headers = {"content-type": kind, "accept": "text/html", "origin": running.url}
    status, text = running.request("POST", path, data, headers)
    return status, " ".join(re.sub(r"<[^>]*>", " ", str(text)).split())


def call(running: Running, path: str, body: bytes = b"") -> Any:
    return running.request("POST", path, body, {"content-type": "application/json"})


def channel(running: Running, name: str) -> dict[str, Any]:
    items = running.get("/api/channels")[1]["items"]
    return next(one for one in items if one["name"] == name)


def test_a_channel_says_how_it_does_and_why(running: Running) -> None:
    gone = channel(running, "gone")
    assert (gone["state"], gone["failed_24h"]) == ("refused", 1)
    assert "404" in gone["last_error"]
    assert channel(running, "fine")["sent_24h"] == 2
    words = page(running, "/channels")
    assert words.index("gone refused") < words.index("fine works")
    assert "the far end answered 404 Not Found: no such hook" in words
    assert "parked paused" in words


def test_a_test_message_says_what_the_far_end_answered(running: Running, far: HttpFarEnd) -> None:
    status, told = call(running, "/api/channels/fine/test")
    assert (status, told["outcome"], told["status"]) == (200, "delivered", 200)
    assert b"A test from the router" in far.posted[-1].body
    status, words = form(running, "/channels/test", channel="gone")
    assert status == 200
    assert "Test message to gone was not delivered (404)" in words


def test_a_paused_channel_waits_and_goes_on_by_the_api(running: Running) -> None:
    status, told = call(running, "/api/channels/fine/pause", b'{"reason": "they move house"}')
    assert (status, told["changed"], told["pause"]["reason"]) == (200, True, "they move house")
    assert call(running, "/api/channels/fine/pause", b'{"reason": "x"}')[1]["changed"] is False
    event = running.post({"trigger": "case_approved", "case_id": 9})[1]["event"]
    wait_until(lambda: channel(running, "fine")["pending"] == 5)
    assert "anyone paused it: they move house" in page(running, "/channels")
    why = "its channel is paused by anyone: they move house"
    assert {one["reason"] for one in running.deliveries("channel=fine&state=pending")} == {why}
    made = running.get(f"/api/events/{event}")[1]["deliveries"]
    assert why in [one["reason"] for one in made]
    assert why in running.command("deliveries", "--channel", "fine").stdout
    assert call(running, "/api/channels/fine/resume")[1]["changed"] is True

    def sent() -> bool:
        made = running.get(f"/api/events/{event}")[1]["deliveries"]
        return any(d["channel"] == "fine" and d["state"] == "sent" for d in made)

    wait_until(sent)
    assert call(running, "/api/channels/fine/resume")[1]["changed"] is False


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/api/channels/nobody/pause", b'{"reason": "x"}', 404, "there is no channel `nobody`"),
        ("/api/channels/fin/pause", b'{"reason": "x"}', 404, "did you mean `fine`?"),
        ("/api/channels/fine/pause", b"{}", 400, "a pause needs a `reason`"),
        ("/api/channels/fine/pause", b'{"reason": "  "}', 400, "a pause needs a `reason`"),
        ("/api/channels/fine/pause", b'{"reason": 7}', 400, "a pause needs a `reason`"),
        ("/api/channels/parked/pause", b'{"reason": "x"}', 400, "paused in the rules already"),
        ("/api/channels/parked/resume", b"", 400, "take `paused: true` out of"),
        ("/api/channels/nobody/test", b"", 404, "there is no channel"),
        ("/api/timers/cancel", b"{}", 400, "say which"),
        ("/api/timers/cancel", b'{"rul": "stuck"}', 400, "did you mean `rule`?"),
        ("/api/timers/cancel", b'{"rule": 3}', 400, "are names"),
    ],
)
def test_what_makes_no_sense_is_told(
    running: Running, path: str, body: bytes, status: int, words: str
) -> None:
    got, told = call(running, path, body)
    assert got == status
    assert words in told["detail"]


def test_forms_that_make_no_sense_are_told(running: Running) -> None:
    for path, fields, words in (
        ("/channels/pause", {"channel": "fine"}, "a pause needs a reason"),
        ("/channels/pause", {"channel": "x" * 5000, "reason": "y"}, "there is no channel"),
        ("/channels/mute", {"channel": "fine", "for": "soon", "reason": "y"}, "not a duration"),
        ("/channels/mute", {"channel": "fine", "for": "9w9w9w", "reason": ""}, "needs a reason"),
        ("/timers/mute", {"name": "", "for": "1h", "reason": "y"}, "a mute needs a name"),
        ("/timers/mute", {"name": "stuk", "for": "1h", "reason": "y"}, "did you mean stuck ?"),
        ("/timers/mute", {"name": "stuck", "for": "900w", "reason": "y"}, "longer than ten years"),
        ("/timers/cancel", {}, "nothing was ticked"),
        ("/timers/cancel", {"id": "one"}, "is a whole number"),
        ("/timers/unmute", {"id": "77"}, "there is no mute 77"),
    ):
        status, told = form(running, path, **fields)
        assert status in (400, 404), (path, fields)
        assert words in told.replace("`", ""), told
    for path in ("/rules?show=odd", "/rules?from=-1", "/timers?cursor=x", "/timers?cursor=nan-1"):
        page(running, path, 400)
    page(running, "/status/diff", 400)
    page(running, "/status/diff?old=abc&new=def", 404)


def test_status_says_for_how_long_the_oldest_message_is_due(running: Running) -> None:
    """What is due on a channel that is paused in the rules is nobody's fault."""
    assert running.deliveries("state=pending&channel=parked")
    assert running.get("/api/status")[1]["oldest_due_seconds"] == 0.0
    assert "Oldest due nothing is late" in " ".join(page(running, "/status").split())


def test_rules_say_what_they_matched_and_which_never_did(running: Running) -> None:
    found = {one["name"]: one for one in running.get("/api/rules")[1]["items"]}
    assert found["stuck"]["matched_30d"] == 3
    assert found["approved"]["tests"] == ["approvals are told"]
    assert found["never <i>said</i>"]["state"] == "never matched"
    text = str(running.get("/rules", accept="text/html")[1])
    assert "never &lt;i&gt;said&lt;/i&gt;" in text
    assert "<i>said" not in text
    words = page(running, "/rules")
    assert words.index("No rule speaks about these") < words.index("These never matched")
    assert "1 case_comment in 30 days" in words
    assert "Their 1 test passes." in words
    # The lines of a rule begin at its dash, wherever its name stands.
    assert re.search(r"line 16</p><pre[^>]*>- when: .*?title: still</pre>", text, re.DOTALL)
    narrowed = page(running, "/rules?show=never")
    assert "1 rule , in the order" in narrowed.replace("rule,", "rule ,")
    assert "No rule fits" in page(running, "/rules?q=nothing+like+it")


def test_timers_are_cancelled_by_hand_and_by_filter_after_a_count(running: Running) -> None:
    words = page(running, "/timers")
    assert "trigger is case_state_changed and previous_state_key is in_review" in words
    first = running.get("/api/timers?case=K-2")[1]["items"][0]
    assert form(running, "/timers/cancel", id=str(first["id"]))[0] == 200
    row = running.get(f"/api/deliveries/{first['id']}")[1]
    assert (row["state"], row["reason"]) == ("cancelled", "cancelled by anyone")
    asked = page(running, "/timers/cancel?rule=stuck")
    assert "Cancel 2 timers?" in asked
    dry = call(running, "/api/timers/cancel", b'{"rule": "stuck", "dry_run": true}')
    assert dry == (200, {"would_cancel": 2})
    status, told = form(running, "/timers/cancel", all="1", rule="stuck")
    assert status == 200
    assert "2 messages are not said any more" in told
    assert running.get("/api/timers")[1]["items"] == []


def test_a_mute_begins_and_ends_on_the_page(running: Running) -> None:
    given = {"name": "approved", "for": "2h", "reason": "an <u>import</u>"}
    assert form(running, "/timers/mute", **given)[0] == 200
    assert "&lt;u&gt;import" in str(running.get("/timers", accept="text/html")[1])
    (mute,) = running.get("/api/mutes")[1]["items"]
    assert (mute["kind"], mute["author"]) == ("rule", "anyone")
    assert running.get("/api/rules")[1]["items"][0]["state"] == "muted"
    assert form(running, "/timers/unmute", id=str(mute["id"]))[0] == 200
    assert "Nothing is muted" in page(running, "/timers")


def test_status_tells_what_runs_and_what_changed_without_a_secret(running: Running) -> None:
    before = running.get("/api/status")[1]
    assert (before["ready"], len(before["processes"])) == (True, 1)
    text = running.rules.read_text(encoding="utf-8")
    running.rules.write_text(text.replace("title: still", "title: <s>again</s>"), encoding="utf-8")
    assert running.request("POST", "/api/reload", b"", {})[0] == 200
    after = running.get("/api/status")[1]
    assert after["ruleset"] != before["ruleset"]
    assert [one["hash"] for one in after["rulesets"]] == [after["ruleset"], before["ruleset"]]
    assert after["processes"][0]["ruleset"] == after["ruleset"]
    path = f"/status/diff?old={before['ruleset']}&new={after['ruleset']}"
    words = page(running, path)
    assert "taken out: - title: still" in words
    assert "added: + title: &lt;s&gt;again&lt;/s&gt;" in words
    status = str(running.get("/status", accept="text/html")[1])
    assert SECRET not in status
    assert "ROUTER_DATABASE_URL" in status


def test_broken_rules_on_disk_are_told_as_check_prints_them(running: Running) -> None:
    sound = running.rules.read_text(encoding="utf-8")
    running.rules.write_text(sound.replace("notify: fine", "notify: fin"), encoding="utf-8")
    assert running.request("POST", "/api/reload", b"", {})[0] == 422
    words = page(running, "/rules")
    assert "did you mean `fine`?" in words
    assert "the file on disk is broken" in page(running, "/status")
    running.rules.write_text(sound, encoding="utf-8")
    assert running.request("POST", "/api/reload", b"", {})[0] == 200


def test_the_pages_have_no_script_style_or_foreign_address_in_them(running: Running) -> None:
    for path in ("/channels", "/rules", "/timers", "/status"):
        text = str(running.get(path, accept="text/html")[1])
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=\"/static/)", text), path
        assert not re.search(r"(src|action)=\"(?!/)", text), path
