"""Time, as an operator meets it: waits, digests, throttles, rates, failures, through a kill."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from far_end import Answer, HttpFarEnd, SmtpFarEnd, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from running import Running

RULES = """\
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels:
  sink:
    webhook: {{ url: {sink}/in }}
    retry: {{ first: 100ms, at_most: 300ms }}
    fallback: other
  other: {{ webhook: {{ url: {sink}/other }} }}
  slow: {{ webhook: {{ url: {sink}/slow }}, rate: 2/s }}
  post:
    email: {{ host: 127.0.0.1, port: {smtp}, security: none, from: a@b.example, to: c@d.example }}
    retry: {{ first: 100ms }}
rules:
{rules}
"""


@pytest.fixture
def far() -> Iterator[HttpFarEnd]:
    with HttpFarEnd() as one:
        yield one


def _start(router: Callable[..., Running], far: HttpFarEnd, rules: str, smtp: int = 9) -> Running:
    return router(RULES.format(sink=far.url, smtp=smtp, rules=rules), ROUTER_LOG_LEVEL="debug")


def _said(far: HttpFarEnd, path: str = "/in") -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in list(far.posted) if one.path == path]


def _titles(far: HttpFarEnd, path: str = "/in") -> list[str]:
    return [one["message"]["title"] for one in _said(far, path)]


def _event(case: int, trigger: str = "case_created", **more: Any) -> dict[str, Any]:
    names = {"case_id": case, "case_user_readable_id": f"KYC-{case}", "case_name": f"Client {case}"}
    return {"trigger": trigger, **names, **more}


PLAIN = """\
  - { name: all, when: always, notify: sink, title: "{{ case_id }}.{{ case_version }}" }
"""


def test_500_503_and_a_reset_are_tried_again_until_it_is_delivered(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    far.answers.extend([Answer(500), Answer(503), Answer(deed="reset")])
    running = _start(router, far, PLAIN)
    running.post(_event(1))
    wait_until(lambda: running.deliveries("state=sent"))
    (delivery,) = running.deliveries()
    found = running.get(f"/api/deliveries/{delivery['id']}")[1]
    kinds = [attempt["outcome"] for attempt in found["attempts"]]
    assert kinds == ["retry", "retry", "ambiguous", "delivered"]
    assert found["possible_repeat"]


def test_a_429_is_waited_for_to_the_second(router: Callable[..., Running], far: HttpFarEnd) -> None:
    far.answers.append(Answer(429, headers=(("retry-after", "3"),)))
    running = _start(router, far, PLAIN)
    running.post(_event(1))
    wait_until(lambda: "429" in str((running.deliveries() or [{}])[0].get("reason")))
    running.post(_event(2))  # the whole channel waits
    wait_until(lambda: len(far.posted) == 3)
    first, *later = [one.at for one in far.posted]
    assert 3.0 <= later[0] - first < 10.0
    assert 3.0 <= later[1] - first < 10.0


def test_a_404_is_not_tried_again_and_the_fallback_is_told(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    far.by_path = lambda path: Answer(404) if path == "/in" else None
    running = _start(router, far, PLAIN)
    running.post(_event(1))
    wait_until(lambda: _said(far, "/other"))
    wait_until(lambda: not running.deliveries("state=pending"))
    assert len(_said(far)) == 1
    failed = running.deliveries("state=failed")[0]
    told = running.deliveries("channel=other")[0]
    assert told["fallback_of"] == failed["id"]
    assert "404" in failed["reason"]


def test_six_messages_of_two_cases_come_in_order_through_a_failure(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    far.answers.extend([Answer(503), Answer(500), Answer(503)])
    running = _start(router, far, PLAIN)
    for version in (1, 2, 3):
        for case in (1, 2):
            running.post(_event(case, case_version=version))
    wait_until(lambda: len(running.deliveries("state=sent")) == 6)
    delivered = _titles(far)[3:]
    for name in ("1", "2"):
        assert [t for t in delivered if t[0] == name] == [f"{name}.{n}" for n in (1, 2, 3)]


def test_twenty_events_go_in_one_digest(router: Callable[..., Running], far: HttpFarEnd) -> None:
    rules = """\
  - { name: digest, when: always, notify: sink, digest: { every: 5s, by: process_key } }
"""
    running = _start(router, far, rules)
    for number in range(20):
        running.post(_event(number % 15, "case_documents_updated", process_key="kyc"))
    running.post(_event(99, process_key="credit"))
    wait_until(lambda: len(_said(far)) == 2)
    wait_until(lambda: not running.deliveries("state=pending"))
    big = max(_said(far), key=lambda one: len(one["message"]["body"]))
    assert big["message"]["title"] == "20 \u00d7 Documents updated"
    assert all(f"KYC-{number}" in big["message"]["body"] for number in range(15))
    assert "KYC-0 (2 times)" in big["message"]["body"]
    assert len(big["events"]) == 20
    assert len(_said(far)) == 2
    carriers = {one["carried_by"] for one in running.deliveries("state=sent")}
    assert len(carriers) == 2


TIMER = """\
  - name: stuck
    when: { trigger: case_state_changed, current_state_key: in_review }
    after: 4s
    unless: { trigger: case_state_changed, previous_state_key: in_review }
    notify: sink
    title: "stuck {{ case_id }}"
"""


def test_a_timer_speaks_and_its_twin_is_cancelled(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    running = _start(router, far, TIMER)
    entered = {"trigger": "case_state_changed", "current_state_key": "in_review"}
    left = {"trigger": "case_state_changed", "previous_state_key": "in_review"}
    began = time.time()
    for case in (1, 2):
        assert running.post({**entered, "case_id": case})[1]["deliveries"] == 1
    running.post({**left, "case_id": 2, "current_state_key": "approved"})
    wait_until(lambda: _said(far))
    assert 4.0 <= far.posted[0].at - began < 15.0
    wait_until(lambda: not running.deliveries("state=pending"))
    assert _titles(far) == ["stuck 1"]
    (cancelled,) = running.deliveries("state=cancelled")
    assert cancelled["reason"] == "event 3 met its `unless`"


def test_a_timer_set_before_a_kill_speaks_after_it(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    running = _start(router, far, TIMER)
    running.post({"trigger": "case_state_changed", "current_state_key": "in_review", "case_id": 1})
    running.kill()
    running.start()
    wait_until(lambda: _titles(far) == ["stuck 1"])


def test_a_timer_whose_rule_is_gone_is_cancelled_with_that_reason(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    running = _start(router, far, TIMER)
    running.post({"trigger": "case_state_changed", "current_state_key": "in_review", "case_id": 1})
    running.rules.write_text(running.rules.read_text().replace("name: stuck", "name: other"))
    assert running.request("POST", "/api/reload", b"", {})[0] == 200
    (cancelled,) = wait_until(lambda: running.deliveries("state=cancelled"))
    assert cancelled["reason"] == "rule `stuck` is no longer in the rules"
    assert not running.deliveries("state=pending")
    assert not far.posted


def test_the_first_speaks_and_the_rest_are_counted_in_the_next(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    rules = """\
  - { name: t, when: always, notify: sink, title: "{{ case_version }}",
      throttle: { once_per: 4s, by: [case_id] } }
"""
    running = _start(router, far, rules)
    for version in range(4):
        running.post(_event(1, case_version=version))
    running.post(_event(2, case_version=9))
    wait_until(lambda: len(_said(far)) == 2)
    assert sorted(_titles(far)) == ["0", "9"]
    throttled = running.deliveries("state=suppressed")
    assert len(throttled) == 3
    assert throttled[0]["reason"].startswith("throttled: event 1 was told")
    time.sleep(4.1)
    running.post(_event(1, case_version=5))
    wait_until(lambda: len(_said(far)) == 3)
    assert "Held back before this one: 3 more" in _said(far)[2]["message"]["body"]


def test_two_a_second_are_two_a_second(router: Callable[..., Running], far: HttpFarEnd) -> None:
    rules = "  - { name: all, when: always, notify: slow }\n"
    running = _start(router, far, rules)
    for case in range(7):
        running.post(_event(case))
    wait_until(lambda: len(_said(far, "/slow")) == 7)
    moments = [one.at for one in far.posted]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert moments[-1] - moments[0] > 2.5  # seven, half a second apart; the first may come late
    assert min(gaps) < 0.9, "the rate is not slower than it says"


def test_a_451_is_tried_again(router: Callable[..., Running], far: HttpFarEnd) -> None:
    with SmtpFarEnd() as mail:
        mail.rcpt_answers.extend(["451 try again", "451 try again"])
        rules = "  - { name: all, when: always, notify: post }\n"
        running = _start(router, far, rules, mail.port)
        running.post(_event(1))
        wait_until(lambda: mail.mails)
        (delivery,) = wait_until(lambda: running.deliveries("state=sent"))
        found = running.get(f"/api/deliveries/{delivery['id']}")[1]
        assert [attempt["status"] for attempt in found["attempts"]] == [451, 451, 250]


def test_a_storm_on_a_chat_channel_becomes_a_handful(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    rules = """\
  - { name: all, when: always, notify: chat }
"""
    text = RULES.format(sink=far.url, smtp=9, rules=rules).replace(
        "rules:\n", f"  chat: {{ slack: {{ webhook: {far.url}/chat }}, rate: 10/min }}\nrules:\n"
    )
    running = router(text)
    began = time.monotonic()
    for number in range(120):
        running.post(_event(number % 30, case_version=number))
    posting = time.monotonic() - began
    wait_until(lambda: len(running.deliveries("state=sent")) == 120)
    # What the rate carries meanwhile and in ten seconds may go by itself; all else goes together.
    assert len(far.posted) < 5 + (posting + 10) / 6
    first = running.deliveries("state=sent")[-1]
    last = running.deliveries("state=sent")[0]
    assert first["carried_by"] is None
    assert last["carried_by"] is not None
    assert last["message"]["title"].endswith("Case created")


def test_a_mute_silences_with_its_reason_and_says_how_much_when_it_ends(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    running = _start(router, far, PLAIN)
    made = running.command("mute", "sink", "--for", "6s", "--reason", "old cases move")
    assert made.returncode == 0, made.stderr
    assert "channel `sink` is muted for 6s" in made.stdout
    for case in (1, 2):
        running.post(_event(case))
    muted = running.deliveries("state=suppressed")
    assert {one["reason"] for one in muted} == {"muted (channel `sink`): old cases move"}
    assert "old cases move" in running.get("/", accept="text/html")[1]
    wait_until(lambda: _said(far))
    (told,) = _said(far)
    assert told["message"]["title"] == "Mute ended: 2 messages held back"
    running.post(_event(3))
    wait_until(lambda: len(_said(far)) == 2)


def test_a_mute_is_set_and_ended_over_the_api(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    running = _start(router, far, PLAIN)
    wish = {"name": "KYC-7", "for": "1h", "reason": "a test case"}
    status, made = running.request("POST", "/api/mutes", json.dumps(wish).encode(), {})
    assert (status, made["kind"]) == (201, "case")
    running.post(_event(7))
    running.post(_event(8))
    wait_until(lambda: _titles(far) == ["8."])
    assert running.get("/api/mutes")[1]["items"][0]["held"] == {"sink": 1}
    assert running.request("DELETE", f"/api/mutes/{made['id']}", None, {})[0] == 200
    running.post(_event(7))
    wait_until(lambda: "7." in _titles(far))
    assert running.request("DELETE", f"/api/mutes/{made['id']}", None, {})[0] == 404
    for bad in ({"name": "snk", "for": "1h", "reason": "x"}, {"name": "sink", "for": "1h"}):
        assert running.request("POST", "/api/mutes", json.dumps(bad).encode(), {})[0] == 400


def test_reminders_and_escalations_go_on_until_they_are_cancelled(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    rules = """\
  - name: r
    when: { trigger: case_created }
    unless: { trigger: case_approved }
    remind: { every: 2s }
    escalate: [{ after: 3s, notify: other }]
    notify: sink
"""
    running = _start(router, far, rules)
    running.post(_event(1))
    wait_until(lambda: len(_said(far)) == 3)
    assert len(_said(far, "/other")) == 1
    running.post(_event(1, "case_approved"))
    wait_until(lambda: not running.deliveries("state=pending"))
    assert len(_said(far)) == 3
    assert len(running.deliveries("state=cancelled")) == 1
    steps = {one["step"] for one in running.deliveries("state=sent")}
    assert steps == {None, "reminder 1", "reminder 2", "escalation 1"}


def test_an_identical_body_within_the_window_is_not_repeated(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    rules = "  - { name: d, when: always, notify: sink, dedupe: 10s }\n"
    running = _start(router, far, rules)
    for case in (1, 1, 2):
        running.post(_event(case))
    wait_until(lambda: len(_said(far)) == 2)
    (same,) = running.deliveries("state=suppressed")
    assert same["reason"] == "a duplicate of event 1"


def test_a_channel_that_is_down_rests_and_others_go_on(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    down = {"on": True}
    far.by_path = lambda path: Answer(503) if path == "/in" and down["on"] else None
    rules = "  - { name: all, when: always, notify: [sink, other] }\n"
    running = _start(router, far, rules)
    for case in range(30):
        running.post(_event(case))
    wait_until(lambda: len(_said(far, "/other")) == 30)
    channels = {one["name"]: one for one in running.get("/api/channels")[1]["items"]}
    assert channels["sink"]["failures"] >= 3
    assert "503" in channels["sink"]["error"]
    tried = sum(bool(one["attempts"]) for one in running.deliveries("channel=sink"))
    assert tried < 15, "those that wait keep their attempts"
    down["on"] = False
    wait_until(lambda: len(running.deliveries("channel=sink&state=sent")) == 30)
    assert running.get("/api/channels")[1]["items"][0]["failures"] == 0


def test_it_tells_that_a_channel_keeps_failing_and_never_through_it(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    far.by_path = lambda path: Answer(503) if path == "/in" else None
    rules = """\
  - { name: all, when: always, notify: sink }
watch:
  - { channel_failing: any, for: 1s, notify: [sink, other] }
  - { silent_source: atfinity, for: 2s, notify: other }
  - { template_error: any, notify: other }
"""
    running = _start(router, far, rules)
    running.post(_event(1))
    wait_until(lambda: len(_said(far, "/other")) == 2)
    titles = _titles(far, "/other")
    assert "Channel sink keeps failing" in titles
    assert "Source atfinity is silent" in titles
    assert all(one["event"]["trigger"] == "case_created" for one in _said(far))
    time.sleep(1.5)
    assert len(_said(far, "/other")) == 2, "once for each occasion"


def test_old_history_is_purged_and_pending_work_stays(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    rules = PLAIN + TIMER.replace("4s", "1h")
    text = RULES.format(sink=far.url, smtp=9, rules=rules)
    running = router(text, ROUTER_RETENTION="1s")
    running.post({"trigger": "case_state_changed", "current_state_key": "in_review", "case_id": 1})
    running.post(_event(2))
    wait_until(lambda: len(_said(far)) == 2)
    running.stop()
    time.sleep(1.1)
    running.start()

    def kept() -> list[int]:
        return [one["id"] for one in running.get("/api/events")[1]["items"]]

    wait_until(lambda: kept() == [1])
    running.post(_event(3))
    assert kept() == [3, 1]
    wait_until(lambda: kept() == [1])  # a short history is looked after as often as it is long
