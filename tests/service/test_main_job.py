"""The story from end to end: post this, the far ends get that."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from far_end import Answer, HttpFarEnd, SmtpFarEnd, text_of, wait_until
from running import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

    from running import Running

EVENT = {
    "trigger": "case_approved",
    "case_id": 7,
    "case_user_readable_id": "KYC-0007",
    "case_name": "Acme Corp",
    "case_url": "https://tenant.example/cases/7",
    "case_version": 3,
    "process_key": "kyc_process",
}
HOSTILE = "<!channel> <b>Zürich</b> *AG* [x](http://evil.example) {{ 7*7 }} @everyone\r\nBcc: a@b.c"


def _rules(sink: str, smtp: int, hook: str = "") -> str:
    return f"""
version: 1
sources:
  atfinity: {{ secret: "${{ATFINITY_SECRET}}" }}
channels:
  sink:
    webhook: {{ url: {sink}/in, secret: "${{ATFINITY_SECRET}}" }}
    retry: {{ first: 50ms, at_most: 100ms }}
    fallback: post
  post:
    email: {{ host: 127.0.0.1, port: {smtp}, security: none, from: router@bank.example,
             to: kyc@bank.example }}
    rate: 1000/s
    retry: {{ first: 50ms, at_most: 100ms }}
  chat:
    slack: {{ webhook: "{hook or sink + "/slack"}" }}
    rate: 1000/s
    overflow: keep
    retry: {{ first: 50ms, at_most: 100ms }}
rules:
  - name: approved
    when: {{ trigger: case_approved }}
    notify: [sink, post, chat]
    title: "{{{{ case_user_readable_id }}}} {{{{ case_name }}}} approved"
  - name: only the sink
    when: {{ trigger: case_comment }}
    notify: sink
    title: "comment {{{{ case_version }}}}"
"""


def _start(router: Callable[..., Running], far: HttpFarEnd, mail: SmtpFarEnd) -> Running:
    return router(_rules(far.url, mail.port))


def test_an_event_reaches_a_webhook_a_mailbox_and_slack(router: Callable[..., Running]) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        running = _start(router, far, mail)
        status, answer = running.post(EVENT)
        assert (status, answer["deliveries"]) == (202, 3)
        wait_until(lambda: len(far.posted) == 2 and mail.mails)
        hook = next(p for p in far.posted if p.path == "/in")
        told = json.loads(hook.body)
        assert told["event"]["body"] == EVENT
        assert told["message"]["title"] == "KYC-0007 Acme Corp approved"
        signed = f"{hook.headers['webhook-id']}.{hook.headers['webhook-timestamp']}.".encode()
        digest = hmac.new(SECRET.encode(), signed + hook.body, hashlib.sha256).digest()
        assert hook.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        slack = json.loads(next(p for p in far.posted if p.path == "/slack").body)
        assert slack["text"] == "KYC-0007 Acme Corp approved"
        assert slack["blocks"][0]["text"]["text"] == "KYC-0007 Acme Corp approved"
        assert mail.mails[0]["subject"] == "KYC-0007 Acme Corp approved"
        assert "Acme Corp" in text_of(mail.mails[0], "plain")
        event = wait_until(
            lambda: (
                (e := running.get(f"/api/events/{answer['event']}")[1])
                and all(d["state"] == "sent" for d in e["deliveries"])
                and e
            )
        )
        assert event["decisions"][0]["matched"] is True
        assert event["decisions"][1]["reason"] == "trigger is `case_approved`, not `case_comment`"


def test_a_hostile_name_pings_nobody_links_nowhere_and_adds_no_header(
    router: Callable[..., Running],
) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        _start(router, far, mail).post({**EVENT, "case_name": HOSTILE})
        wait_until(lambda: len(far.posted) == 2 and mail.mails)
        slack = next(p for p in far.posted if p.path == "/slack").body.decode()
        assert "<!channel>" not in json.loads(slack)["text"]
        sections = json.loads(slack)["attachments"][0]["blocks"]
        texts = [b["text"]["text"] for b in sections if b["type"] == "section"]
        assert all("<" not in text for text in texts)
        assert mail.mails[0]["bcc"] is None
        html = text_of(mail.mails[0], "html")
        assert "<b>" not in html
        assert "&lt;b&gt;" in html
        assert 'href="http://evil.example' not in html
        assert "49" not in mail.mails[0]["subject"]


def test_what_fails_for_a_while_is_delivered_and_every_attempt_is_kept(
    router: Callable[..., Running],
) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        far.answers.extend([Answer(500), Answer(503), Answer(deed="reset")])
        running = _start(router, far, mail)
        running.post({**EVENT, "trigger": "case_comment"})
        wait_until(lambda: running.deliveries("state=sent"))
        found = running.get("/api/deliveries/1")[1]
        assert [a["outcome"] for a in found["attempts"]] == [
            "retry",
            "retry",
            "ambiguous",
            "delivered",
        ]
        assert len({p.headers["webhook-id"] for p in far.posted}) == 1
        assert json.loads(far.posted[-1].body)["possible_repeat"] is True
        assert json.loads(far.posted[1].body)["possible_repeat"] is False


def test_what_can_never_be_delivered_is_told_to_the_fallback(
    router: Callable[..., Running],
) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        far.usual = Answer(404, b"no such thing")
        running = _start(router, far, mail)
        running.post({**EVENT, "trigger": "case_comment"})
        wait_until(lambda: mail.mails)
        assert len(far.posted) == 1
        failed = running.deliveries("state=failed")[0]
        assert failed["reason"] == "the far end answered 404 Not Found: no such thing"
        wait_until(lambda: running.deliveries("channel=post&state=sent"))
        assert running.deliveries("channel=post")[0]["fallback_of"] == failed["id"]


def test_one_cases_messages_arrive_in_order_through_a_failure(
    router: Callable[..., Running],
) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        far.answers.extend([Answer(500), Answer(500)])
        running = _start(router, far, mail)
        for version in range(1, 7):
            for case in (1, 2):
                body = {"trigger": "case_comment", "case_id": case, "case_version": version}
                assert running.post(body)[0] == 202
        wait_until(lambda: len(running.deliveries("state=sent")) == 12)
        seen: dict[int, list[int]] = {1: [], 2: []}
        for posted in far.posted:
            told = json.loads(posted.body)["event"]["body"]
            if told["case_version"] not in seen[told["case_id"]]:
                seen[told["case_id"]].append(told["case_version"])
        assert seen == {1: [1, 2, 3, 4, 5, 6], 2: [1, 2, 3, 4, 5, 6]}


def test_retry_after_is_waited_for(router: Callable[..., Running]) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        far.answers.append(Answer(429, headers=(("Retry-After", "1"),)))
        running = _start(router, far, mail)
        running.post({**EVENT, "trigger": "case_comment"})
        wait_until(lambda: len(far.posted) == 2)
        assert far.posted[1].at - far.posted[0].at >= 1.0


def test_a_hanging_far_end_holds_up_no_other_channel(router: Callable[..., Running]) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        far.by_path = lambda path: Answer(deed="hang") if path == "/in" else None
        running = _start(router, far, mail)
        for case in range(8):
            running.post({**EVENT, "case_id": case})
        wait_until(lambda: len(mail.mails) == 8)
        far.stopping.set()


def test_a_resend_sends_the_stored_words_and_is_linked(router: Callable[..., Running]) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        running = _start(router, far, mail)
        running.post({**EVENT, "trigger": "case_comment"})
        wait_until(lambda: running.deliveries("state=sent"))
        status, answer = running.request("POST", "/api/deliveries/1/resend", b"", {})
        assert (status, answer["resend_of"]) == (202, 1)
        wait_until(lambda: len(far.posted) == 2)
        told = [json.loads(p.body)["message"] for p in far.posted]
        assert told[0] == told[1]
        assert far.posted[0].headers["webhook-id"] != far.posted[1].headers["webhook-id"]


def test_a_broken_reload_leaves_the_old_rules_in_force(router: Callable[..., Running]) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        running = _start(router, far, mail)
        sound = running.rules.read_text()
        running.rules.write_text(sound.replace("notify: sink", "notify: sinck"))
        status, answer = running.request("POST", "/api/reload", b"", {})
        assert status == 422
        assert "did you mean `sink`?" in answer["detail"]
        assert "router_config_last_reload_successful 0.0" in running.get("/metrics")[1]
        running.post({**EVENT, "trigger": "case_comment"})
        wait_until(lambda: far.posted)
        page = running.get("/", accept="text/html")[1]
        assert "The rules on disk are broken" in page
        running.rules.write_text(sound.replace("comment {{", "remark {{"))
        wait_until(lambda: running.get("/api/rules")[1]["broken"] is None)
        running.post({**EVENT, "trigger": "case_comment", "case_id": 8})
        wait_until(lambda: len(far.posted) == 2)
        assert json.loads(far.posted[1].body)["message"]["title"] == "remark 3"


def test_rules_with_a_test_that_fails_do_not_come_into_force(
    router: Callable[..., Running],
) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        running = _start(router, far, mail)
        event = "event: { trigger: case_comment, case_version: 3 }"
        told = "expect: [{ rule: only the sink, channel: sink, title_contains: remark }]"
        beside = running.folder / "rules.test.yaml"
        beside.write_text(f"tests:\n  - {{ name: a remark, {event}, partial: true, {told} }}\n")
        status, answer = running.request("POST", "/api/reload", b"", {})
        assert status == 422
        assert "rules.test.yaml:2:13: test `a remark` fails" in answer["detail"]
        assert 'its title is "comment 3"' in answer["detail"]
        sound = running.rules.read_text()
        running.rules.write_text(sound.replace("comment {{", "remark {{"))
        wait_until(lambda: running.get("/api/rules")[1]["broken"] is None)
        running.post({**EVENT, "trigger": "case_comment"})
        wait_until(lambda: far.posted)
        assert json.loads(far.posted[0].body)["message"]["title"] == "remark 3"
        beside.write_text(beside.read_text().replace("remark }", "comment }"))
        wait_until(lambda: running.get("/api/rules")[1]["broken"] is not None)
        running.stop()
        with pytest.raises(AssertionError, match="test `a remark` fails"):
            running.start()


def test_a_removed_channel_fails_what_waits_for_it_in_words(
    router: Callable[..., Running],
) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        far.usual = Answer(500)
        running = _start(router, far, mail)
        text = running.rules.read_text()
        running.rules.write_text(text.replace("first: 50ms, at_most: 100ms", "first: 1h"))
        running.request("POST", "/api/reload", b"", {})
        running.post({**EVENT, "trigger": "case_comment"})
        wait_until(lambda: running.deliveries("state=pending"))
        wait_until(lambda: running.get("/api/deliveries/1")[1]["attempts"])
        gone = running.rules.read_text().replace("  sink:", "  other:")
        running.rules.write_text(gone.replace("[sink, ", "[other, ").replace(": sink", ": other"))
        assert running.request("POST", "/api/reload", b"", {})[0] == 200
        failed = wait_until(lambda: running.deliveries("state=failed"))
        assert failed[0]["reason"] == "its channel is no longer in the rules"


def test_sigterm_finishes_what_is_being_sent_and_exits_with_0(
    router: Callable[..., Running],
) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        running = _start(router, far, mail)
        for case in range(50):
            running.post({**EVENT, "case_id": case})
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 20
        running.start()
        wait_until(lambda: len(running.deliveries("state=sent")) == 150)
        repeats = [d for d in running.deliveries() if d["possible_repeat"]]
        assert repeats == []
        hooks = [p for p in far.posted if p.path == "/in"]
        assert len(hooks) == 50


def test_kill_9_loses_nothing_that_was_answered_202(router: Callable[..., Running]) -> None:
    with HttpFarEnd() as far, SmtpFarEnd() as mail:
        running = _start(router, far, mail)
        accepted: list[int] = []
        for _ in range(5):
            for _ in range(40):
                case = len(accepted)
                body = {"trigger": "case_comment", "case_id": case, "case_version": 1}
                if running.post(body)[0] == 202:
                    accepted.append(case)
            running.kill()
            running.start()
        wait_until(lambda: len(running.deliveries("state=sent")) == len(accepted))
        arrived: dict[int, list[Any]] = {}
        for posted in far.posted:
            told = json.loads(posted.body)
            arrived.setdefault(told["event"]["body"]["case_id"], []).append(told)
        assert sorted(arrived) == accepted
        for told in arrived.values():
            assert all(again["possible_repeat"] for again in told[1:])
