"""The gateway against real far ends: each kind of channel, each way it can end."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import apprise.plugins.email.base
import msgspec
import pytest
import requests

from far_end import Answer, HttpFarEnd, SmtpFarEnd, text_of, wait_until
from faults.striking import Hold, strike_thread
from router.delivery import ChannelError, Gateway, inspect
from router.delivery.seam import _request
from router.delivery.service import REFUSED_SCHEMES, schemes
from router.delivery.slack import split
from router.delivery.smtp import Controller
from router.event import HIDDEN, Event
from router.message import Delivery, Message
from router.rules import Channel
from router.secret import Redactor, Secret

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

CANARY = "canary-secret-0123456789"
EVENT = Event(5, "atfinity", 1_770_000_000.0, b'{"trigger":"case_created","case_id":7}',
              {"trigger": "case_created", "case_id": 7})  # fmt: skip
MESSAGE = Message(
    title="Case & created", body="*Name:* Acme &amp; Co", format="slack", text="Name: Acme & Co",
    severity="success", colour="#1f8a4c", link="https://tenant.example/cases/7",
    because="You get this because of the rule \u201cr\u201d.", rung="template",
)  # fmt: skip
MAIL = Message(
    title="Zürich: Case created", body="<p>Hällo <b>Acme</b></p>", format="html", text="Hällo Acme",
    severity="info", colour="#2f6fde", link=None, because="why", rung="template",
)  # fmt: skip


def gateway(service: Any, options: dict[str, Any], **more: Any) -> Gateway:
    channel = Channel(name="c", service=service, options=options)
    return Gateway(
        {"c": channel},
        outbound=more.pop("outbound", "live"),
        ca_bundle=more.pop("ca_bundle", None),
        redactor=Redactor([Secret(CANARY)]),
        **more,
    )


def delivery(**more: Any) -> Delivery:
    given = {"id": 1, "key": "u-1", "event": EVENT, "rule": "r", "channel": "c", "attempt": 1}
    return Delivery(**{**given, **more})


def send(made: Gateway, message: Message = MESSAGE, **more: Any) -> Any:
    try:
        return made.send(delivery(**more), message)
    finally:
        made.close()


@pytest.mark.parametrize(
    ("answer", "kind", "detail"),
    [
        pytest.param(Answer(200), "delivered", "delivered", id="200"),
        pytest.param(Answer(204, b""), "delivered", "delivered", id="204"),
        pytest.param(Answer(301), "failed", "a redirect; redirects are not followed", id="301"),
        pytest.param(Answer(400, b"bad"), "failed", "400 Bad Request: bad", id="400"),
        pytest.param(Answer(401), "failed", "401 Unauthorized", id="401"),
        pytest.param(Answer(404), "failed", "404 Not Found", id="404"),
        pytest.param(Answer(408), "retry", "408 Request Timeout", id="408"),
        pytest.param(Answer(410), "failed", "410 Gone", id="410"),
        pytest.param(
            Answer(429, headers=(("Retry-After", "7"),)), "retry", "asks to wait 7.0 s", id="429"
        ),
        pytest.param(
            Answer(429, headers=(("Retry-After", "9999999"),)),
            "retry",
            "429 Too Many Requests: ok; it asks to wait 115 d 17 h",
            id="429 for long",
        ),
        pytest.param(Answer(500, b"<h1>oh</h1>"), "retry", "500 Internal", id="500"),
        pytest.param(Answer(503), "retry", "503 Service Unavailable", id="503"),
        pytest.param(Answer(deed="reset"), "ambiguous", "may have arrived", id="a reset"),
        pytest.param(
            Answer(deed="close"), "ambiguous", "closed the connection unanswered", id="a close"
        ),
        pytest.param(
            Answer(deed="garbage"),
            "ambiguous",
            "answered with something that is not HTTP; it may have arrived",
            id="garbage",
        ),
        pytest.param(Answer(deed="hang"), "ambiguous", "did not answer in time", id="a hang"),
        pytest.param(Answer(deed="drip"), "ambiguous", "did not answer in time", id="a drip"),
    ],
)
def test_every_answer_of_a_far_end_has_its_outcome(answer: Answer, kind: str, detail: str) -> None:
    with HttpFarEnd() as far:
        far.usual = answer
        began = time.monotonic()
        outcome = send(gateway("webhook", {"url": far.url + "/x"}, deadline=0.4))
        assert (outcome.kind, detail in outcome.detail) == (kind, True), outcome
        assert time.monotonic() - began < 15  # a hang is 20
        assert len(far.posted) == 1


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "drop"),
    [
        pytest.param(b"HTTP/1.1 ", b"2", id="a status line"),
        pytest.param(b"HTTP/1.1 200 ", b"O", id="the reason in a status line"),
        pytest.param(OK + b"X: y", b".", id="a line of a head"),
        pytest.param(OK, b"X: y\r\n", id="lines of a head"),
        pytest.param(OK + b"\r\n", b".", id="a body that ends with its connection"),
        pytest.param(CHUNKED, b"1\r\n.\r\n", id="chunks"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="100 Continue"),
        pytest.param(b"", HINTS, id="103 Early Hints"),
    ],
)
def test_an_answer_that_never_ends_is_none(raw: bytes, drop: bytes) -> None:
    with HttpFarEnd() as far:
        far.usual = Answer(deed="drip", raw=raw or drop, drop=drop)
        outcome = send(gateway("webhook", {"url": far.url}, deadline=0.4))
        assert (outcome.kind, outcome.status) == ("ambiguous", None), outcome
        assert outcome.detail == "127.0.0.1 did not answer in time; it may have arrived"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"HTTP/1.1 200 OK", id="in the status line"),
        pytest.param(OK, id="after the status line"),
        pytest.param(OK + b"X: y", id="in the head"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\nX: y", id="in the head of a refusal"),
        pytest.param(HINTS, id="before the answer itself"),
        pytest.param(OK + b"Content-Length: 9\r\n\r\nok", id="in the body"),
        pytest.param(CHUNKED + b"5\r\nok", id="in a chunk"),
    ],
)
def test_an_answer_that_breaks_off_is_none(raw: bytes) -> None:
    with HttpFarEnd() as far:
        far.usual = Answer(deed="close", raw=raw)
        outcome = send(gateway("webhook", {"url": far.url}))
        detail = "the answer of 127.0.0.1 could not be read to its end; it may have arrived"
        assert (outcome.kind, outcome.status) == ("ambiguous", None), outcome
        assert outcome.detail == detail


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(OK + b"\r\nok", id="with its connection"),
        pytest.param(HINTS + OK + b"Content-Length: 2\r\n\r\nok", id="after early hints"),
        pytest.param(OK + b"Content-Length: 99999\r\n\r\n" + b"x" * 80_000, id="far enough"),
    ],
)
def test_an_answer_that_ends_delivers(raw: bytes) -> None:
    with HttpFarEnd() as far:
        far.usual = Answer(deed="close", raw=raw)
        outcome = send(gateway("webhook", {"url": far.url}))
        assert (outcome.kind, outcome.status) == ("delivered", 200), outcome


@pytest.mark.parametrize(
    ("service", "options"),
    [
        ("slack", lambda far: {"webhook": f"{far.url}/services/T0/B0/x"}),
        ("url", lambda far: {"url": f"json://127.0.0.1:{far.port}/x"}),
    ],
)
def test_half_an_answer_is_none_for_other_services_either(
    service: str, options: Callable[[HttpFarEnd], dict[str, Any]]
) -> None:
    with HttpFarEnd() as far:
        far.usual = Answer(deed="drip", raw=OK + b"X: y")
        outcome = send(gateway(service, options(far), deadline=0.4))
        assert (outcome.kind, "in time" in outcome.detail) == ("ambiguous", True), outcome


def test_half_an_answer_is_none_over_tls_either(authority: tuple[ssl.SSLContext, str]) -> None:
    with HttpFarEnd(authority[0]) as far:
        far.usual = Answer(deed="drip", raw=OK + b"X: y")
        made = gateway("webhook", {"url": far.url}, ca_bundle=authority[1], deadline=0.4)
        outcome = send(made)
        assert (outcome.kind, "in time" in outcome.detail) == ("ambiguous", True), outcome


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("fault", [ValueError, Hold])
def test_a_drip_ends_in_time_also_after_the_watchdog_has_ended_or_stands_still(
    fault: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.delivery.watchdog.STANDS", 0.5)
    with HttpFarEnd() as far:
        made = gateway("webhook", {"url": far.url + "/x"}, deadline=0.4)
        made.send(delivery(), MESSAGE)
        watchdog = made._wire.watchdog
        thread = watchdog._thread
        assert isinstance(thread, threading.Thread)
        assert strike_thread(thread, fault)
        if fault is ValueError:
            thread.join(20)
        else:
            wait_until(lambda: time.monotonic() - watchdog.looked_at > 0.5)
        far.usual = Answer(deed="drip")
        began = time.monotonic()
        outcome = send(made)
        assert (outcome.kind, "in time" in outcome.detail) == ("ambiguous", True)
        assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("7", 7.0), ("-5", 0.0), ("9999999", 9999999.0), ("0.5", 0.5), ("soon", None)),
        *(("1e999", math.inf), ("nan", None), ("Thu, 01 Jan 99999999999 00:00:00 GMT", None)),
    ],
)
def test_retry_after_is_read_as_it_was_asked(text: str, seconds: float | None) -> None:
    with HttpFarEnd() as far:
        far.usual = Answer(503, headers=(("Retry-After", text),))
        assert send(gateway("webhook", {"url": far.url})).retry_after == seconds


def test_a_wait_that_is_no_date_makes_no_repeat_of_what_was_delivered() -> None:
    with HttpFarEnd() as far:
        moment = "Thu, 01 Jan 2026 00:00:00 +99999999999999999999"
        far.usual = Answer(200, headers=(("Retry-After", moment),))
        assert send(gateway("webhook", {"url": far.url})).kind == "delivered"


def test_retry_after_may_be_a_date() -> None:
    with HttpFarEnd() as far:
        moment = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
        far.usual = Answer(503, headers=(("Retry-After", moment),))
        asked = send(gateway("webhook", {"url": far.url})).retry_after
        assert 40 < asked <= 60


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        pytest.param("http://127.0.0.1:9/", "refuses connections", id="nobody listens"),
        pytest.param("http://nowhere.invalid/", "no address for nowhere.invalid", id="no address"),
    ],
)
def test_what_cannot_be_reached_is_tried_again(url: str, detail: str) -> None:
    outcome = send(gateway("webhook", {"url": url}))
    assert outcome.kind == "retry"
    assert detail in outcome.detail


def test_a_certificate_that_nobody_trusts_is_told(authority: tuple[ssl.SSLContext, str]) -> None:
    context, bundle = authority
    with HttpFarEnd(context) as far:
        outcome = send(gateway("webhook", {"url": far.url}))
        assert outcome.kind == "retry"
        assert "no trusted connection" in outcome.detail
        assert send(gateway("webhook", {"url": far.url}, ca_bundle=bundle)).kind == "delivered"


def test_a_connection_is_used_again(authority: tuple[ssl.SSLContext, str]) -> None:
    context, bundle = authority
    with HttpFarEnd(context) as far:
        made = gateway("webhook", {"url": far.url}, ca_bundle=bundle)
        for _ in range(5):
            assert made.send(delivery(), MESSAGE).kind == "delivered"
        made.close()
        assert len(far.posted) == 5


# --- Slack ---


def _slack_names_here(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Slack's names lead to loopback: the TLS server there has a certificate for them."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, asked: Any, *more: Any, **named: Any) -> Any:
        if host in ("hooks.slack.com", "slack.com"):
            return real("127.0.0.1", port, *more, **named)
        return real(host, asked, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_an_incoming_webhook_gets_block_kit_over_tls(
    authority: tuple[ssl.SSLContext, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, bundle = authority
    with HttpFarEnd(context) as far:
        _slack_names_here(monkeypatch, far.port)
        hook = {"webhook": Secret("https://hooks.slack.com/services/T1/B2/xyz")}
        outcome = send(gateway("slack", hook, ca_bundle=bundle), possible_repeat=True)
        assert outcome.kind == "delivered"
        assert far.posted[0].path == "/services/T1/B2/xyz"
        told = json.loads(far.posted[0].body)
        assert told["text"] == "Case &amp; created"
        assert told["blocks"][0] == {
            "type": "header",
            "text": {"type": "plain_text", "text": "Case & created", "emoji": False},
        }
        attached = told["attachments"][0]
        assert attached["color"] == "#1f8a4c"
        kinds = [block["type"] for block in attached["blocks"]]
        assert kinds == ["section", "actions", "context"]
        assert attached["blocks"][0]["text"]["text"] == "*Name:* Acme &amp; Co"
        assert attached["blocks"][1]["elements"][0]["url"] == "https://tenant.example/cases/7"
        assert "possible repeat" in attached["blocks"][2]["elements"][0]["text"]


@pytest.mark.parametrize(
    ("answer", "kind", "detail"),
    [
        pytest.param({"ok": True, "ts": "17.5"}, "delivered", "delivered", id="ok"),
        pytest.param({"ok": False, "error": "ratelimited"}, "retry", "ratelimited", id="limited"),
        pytest.param(
            {"ok": False, "error": "channel_not_found"}, "failed", "channel_not_found", id="lost"
        ),
        pytest.param({"ok": False, "error": "invalid_auth"}, "failed", "invalid_auth", id="auth"),
        pytest.param(["?"], "failed", "the far end answered", id="nonsense"),
    ],
)
def test_a_bots_answer_is_read(
    authority: tuple[ssl.SSLContext, str],
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
    kind: str,
    detail: str,
) -> None:
    context, bundle = authority
    with HttpFarEnd(context) as far:
        _slack_names_here(monkeypatch, far.port)
        far.usual = Answer(200, json.dumps(answer).encode())
        bot = {"token": Secret("xoxb-1-abc"), "to": "#kyc"}
        outcome = send(gateway("slack", bot, ca_bundle=bundle))
        assert (outcome.kind, detail in outcome.detail) == (kind, True)
        assert far.posted[0].path == "/api/chat.postMessage"
        assert far.posted[0].headers["authorization"] == "Bearer xoxb-1-abc"
        assert json.loads(far.posted[0].body)["channel"] == "#kyc"
        assert outcome.thread == ("17.5" if kind == "delivered" else None)


def test_a_bot_keeps_one_thread_per_case(
    authority: tuple[ssl.SSLContext, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, bundle = authority
    with HttpFarEnd(context) as far:
        _slack_names_here(monkeypatch, far.port)
        far.usual = Answer(200, b'{"ok": true, "ts": "18.0"}')
        bot = {"token": Secret("xoxb-1-abc"), "to": "#kyc"}
        outcome = send(gateway("slack", bot, ca_bundle=bundle), thread="17.5")
        assert json.loads(far.posted[0].body)["thread_ts"] == "17.5"
        assert outcome.thread is None


def test_a_webhook_of_slack_that_answers_another_word_has_failed() -> None:
    with HttpFarEnd() as far:
        far.usual = Answer(200, b"invalid_payload")
        outcome = send(gateway("slack", {"webhook": far.url}))
        assert outcome.kind == "failed"
        assert "invalid_payload" in outcome.detail


def test_a_long_body_is_cut_into_sections_at_the_ends_of_lines() -> None:
    body = "\n".join(f"line {n} " + "&amp;" * 20 for n in range(200))
    parts = split(body)
    assert all(len(part) <= 3000 for part in parts)
    assert "\n".join(parts) == body
    assert all("&" not in part.replace("&amp;", "") for part in split("&amp;" * 2000))


# --- email ---


def _mail(port: int, **more: Any) -> dict[str, Any]:
    given = {"host": "127.0.0.1", "port": port, "security": "none"}
    return {**given, "from": "Router <router@bank.example>", "to": "kyc@bank.example", **more}


@pytest.mark.parametrize(
    ("text", "repeat", "small"),
    [
        pytest.param("B", False, ["why"], id="a rule's own words"),
        pytest.param("B", True, ["why Possible repeat."], id="a possible repeat"),
        pytest.param("B\n\nwhy", False, [], id="words that say why themselves"),
        pytest.param("B\n\nwhy", True, ["Possible repeat."], id="such words, repeated"),
    ],
)
def test_a_teams_card_says_once_why_it_came(text: str, *, repeat: bool, small: list[str]) -> None:
    message = msgspec.structs.replace(MAIL, body=text, format="markdown", text=text)
    with HttpFarEnd() as far:
        made = gateway("teams", {"webhook": far.url})
        send(made, message, possible_repeat=repeat)
        (attached,) = json.loads(far.posted[0].body)["attachments"]
    assert [one["text"] for one in attached["content"]["body"]] == [MAIL.title, text, *small]


def test_a_mail_has_html_and_text_a_stable_id_and_its_cases_thread() -> None:
    with SmtpFarEnd() as far:
        made = gateway("email", _mail(far.port, cc=["x@bank.example"], reply_to="y@bank.example"))
        assert made.send(delivery(), MAIL).kind == "delivered"
        assert made.send(delivery(attempt=2, possible_repeat=True), MAIL).kind == "delivered"
        made.close()
        first, second = far.mails
        assert first["subject"] == "Zürich: Case created"
        assert first["message-id"] == second["message-id"] == "<u-1@bank.example>"
        assert first["references"] == second["references"]
        assert first["references"].startswith("<case-")
        assert first["x-router-possible-repeat"] is None
        assert second["x-router-possible-repeat"] == "yes"
        assert text_of(first, "html").strip() == "<p>Hällo <b>Acme</b></p>"
        assert text_of(first, "plain").strip() == "Hällo Acme"
        assert first["cc"] == "x@bank.example"
        assert far.envelopes[0][1] == ["kyc@bank.example", "x@bank.example"]


@pytest.mark.parametrize(
    ("where", "answer", "kind", "status"),
    [
        pytest.param("rcpt", "550 no such user", "failed", 550, id="an unknown recipient"),
        pytest.param("rcpt", "451 try later", "retry", 451, id="a recipient later"),
        pytest.param("data", "554 spam", "failed", 554, id="refused content"),
        pytest.param("data", "452 full", "retry", 452, id="a full disk"),
        pytest.param("data", "close", "ambiguous", None, id="silence after the content"),
    ],
)
def test_every_answer_of_a_mail_server_has_its_outcome(
    where: str, answer: str, kind: str, status: int | None
) -> None:
    with SmtpFarEnd() as far:
        (far.rcpt_answers if where == "rcpt" else far.data_answers).append(answer)
        outcome = send(gateway("email", _mail(far.port)), MAIL)
        assert (outcome.kind, outcome.status) == (kind, status), outcome


@pytest.mark.parametrize(("where", "kind"), [("rcpt", "retry"), ("data", "ambiguous")])
def test_a_mail_server_that_answers_garbage_is_not_said_to_have_closed_the_connection(
    where: str, kind: str
) -> None:
    with SmtpFarEnd() as far:
        (far.rcpt_answers if where == "rcpt" else far.data_answers).append("\x00 garbage")
        outcome = send(gateway("email", _mail(far.port)), MAIL)
        assert (outcome.kind, outcome.status) == (kind, None), outcome
        assert outcome.detail == "the mail server answered with something that is not SMTP"


def test_a_copy_that_is_refused_does_not_keep_the_mail_from_its_recipient() -> None:
    with SmtpFarEnd() as far:
        far.rcpt_answers.extend(["250 OK", "550 unknown"])
        outcome = send(gateway("email", _mail(far.port, cc="x@bank.example")), MAIL)
        assert outcome.kind == "delivered"
        assert "a copy was refused: unknown" in outcome.detail


def test_a_user_logs_in_over_tls(authority: tuple[ssl.SSLContext, str]) -> None:
    context, bundle = authority
    with SmtpFarEnd(context, {"router": CANARY}) as far:
        options = _mail(far.port, security="starttls", user="router", password=Secret(CANARY))
        assert send(gateway("email", options, ca_bundle=bundle), MAIL).kind == "delivered"
        wrong = {**options, "password": Secret("another-one")}
        outcome = send(gateway("email", wrong, ca_bundle=bundle), MAIL)
        assert (outcome.kind, outcome.status) == ("failed", 535)


def test_a_server_without_starttls_is_not_written_to() -> None:
    with SmtpFarEnd() as far:
        outcome = send(gateway("email", _mail(far.port, security="starttls")), MAIL)
        assert outcome.kind == "failed"
        assert "does not offer" in outcome.detail
        assert far.mails == []


def test_a_mail_server_that_is_not_there_is_tried_again() -> None:
    outcome = send(gateway("email", _mail(9)), MAIL)
    assert outcome.kind == "retry"
    assert outcome.detail == "127.0.0.1:9 refuses connections"


# --- any other service ---


def test_any_service_of_apprise_is_sent_through_the_same_wire() -> None:
    with HttpFarEnd() as far:
        url = f"json://127.0.0.1:{far.port}/path"
        assert send(gateway("url", {"url": url})).kind == "delivered"
        assert json.loads(far.posted[0].body)["title"] == "Case & created"
        far.usual = Answer(503)
        assert send(gateway("url", {"url": url})).kind == "retry"
        far.usual = Answer(404)
        assert send(gateway("url", {"url": url})).kind == "failed"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("https://example.org/x", "is a web address", id="a web address"),
        pytest.param("slak://a/b/c", "did you mean `slack://`?", id="a scheme misspelt"),
        pytest.param("syslog://", "is not available here", id="a local service"),
        pytest.param("json://host/?retry=3", "`retry` is not available", id="apprise's own retry"),
        pytest.param("json://host/?methd=PUT", "did you mean `method`?", id="a parameter misspelt"),
        pytest.param("slack://T1/B1/x/#a/#b", "names 2 recipients", id="two recipients"),
        pytest.param(f"tgram://{CANARY}/1", "does not take this", id="an address it refuses"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_without_its_secrets(url: str, words: str) -> None:
    (text,) = inspect(Channel(name="c", service="url", options={"url": Secret(url)}))
    assert words in text
    assert CANARY not in text


def test_every_scheme_of_apprise_is_let_in_or_refused_on_purpose() -> None:
    known = set(schemes())
    assert known >= REFUSED_SCHEMES, "a refused scheme is gone from apprise"
    assert len(known - REFUSED_SCHEMES) > 150


@pytest.mark.parametrize(
    ("service", "options", "words"),
    [
        pytest.param("slack", {"token": "", "to": "#a"}, "`token` is empty", id="no token"),
        pytest.param("slack", {"token": "abc", "to": "#a"}, "not a Slack token", id="no bot"),
        pytest.param("slack", {"webhook": "x"}, "no web address", id="no address"),
        pytest.param("webhook", {"url": "ftp://x"}, "no web address", id="another protocol"),
        pytest.param("email", {"host": "h", "from": "a", "to": "b@c"}, "`from`", id="no address"),
        pytest.param(
            "email", {"host": "h", "from": "a@b", "to": "b@c, d@e"}, "`to`", id="two addresses"
        ),
        pytest.param(
            "email", {"host": "h", "from": "a@b", "to": "c@d", "user": "u"}, "`password` is empty",
            id="no password",
        ),
        pytest.param("webhook", {"url": "http://x", "secret": "whsec_*"}, "base64", id="no key"),
        pytest.param("webhook", {"url": "http://"}, "no web address", id="no host"),
        pytest.param("webhook", {"url": "http://x:99999/"}, "no web address", id="no port"),
        pytest.param(
            "webhook", {"url": "http://x", "headers": {"A B": "c"}}, "`A B` cannot be set",
            id="no header",
        ),
        pytest.param(
            "webhook", {"url": "http://x", "headers": {"Content-Length": "3"}}, "cannot be set",
            id="a header that frames the request",
        ),
        pytest.param(
            "email", {"host": "h:25", "from": "a@b", "to": "c@d"}, "goes into `port`",
            id="no host name",
        ),
    ],
)  # fmt: skip
def test_a_channel_that_cannot_be_used_is_told_in_words(
    service: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ChannelError, match=words):
        gateway(service, options)


def test_a_webhook_never_gets_what_its_channel_hides() -> None:
    body = b'{"trigger":"case_created","case_id":7,"case_name":"Acme Corp"}'
    fields = {"trigger": "case_created", "case_id": 7, "case_name": "Acme Corp"}
    event = Event(5, "atfinity", 1_770_000_000.0, body, fields)
    with HttpFarEnd() as far:
        options = {"url": far.url}
        hide = frozenset({"case_name", "case_id"})
        channel = Channel(name="c", service="webhook", options=options, hide=hide)
        made = Gateway({"c": channel}, outbound="live", ca_bundle=None, redactor=Redactor([]))
        made.send(delivery(event=event, events=(event, event)), MESSAGE)
        made.close()
    posted = json.loads(far.posted[0].body)
    for told in (posted["event"], *posted["events"]):
        assert told["body"] == {"trigger": "case_created", "case_id": HIDDEN, "case_name": HIDDEN}
        assert told["case_id"] == HIDDEN


@pytest.mark.parametrize("host", ["smtp.bank.example", "mail_1", "10.0.0.7", "::1", "[fe80::1]"])
def test_a_mail_server_may_be_named_or_numbered(host: str) -> None:
    gateway("email", {"host": host, "from": "a@b", "to": "c@d"}).close()


# --- capture, seams, secrets ---


@pytest.mark.parametrize(
    ("service", "options", "kind"),
    [
        pytest.param("slack", {"token": "", "to": "#kyc"}, "http", id="a bot without a token"),
        pytest.param("slack", {"webhook": ""}, "http", id="a webhook without an address"),
        pytest.param(
            "email", {"host": "", "user": "u", "from": "a@b.example", "to": "c@d.example"}, "smtp",
            id="a mailbox without a server",
        ),
        pytest.param("teams", {"webhook": ""}, "http", id="Teams without an address"),
        pytest.param("webhook", {"url": ""}, "http", id="a server without an address"),
        pytest.param("url", {"url": "pover://u@" + "a" * 30}, "http", id="a service"),
    ],
)  # fmt: skip
def test_capture_keeps_the_exact_request_and_needs_no_secret(
    service: Any, options: dict[str, Any], kind: str
) -> None:
    outcome = send(gateway(service, options, outbound="capture"))
    assert (outcome.kind, outcome.detail) == ("delivered", "captured, not sent")
    assert outcome.captured["kind"] == kind
    assert "Case" in json.dumps(outcome.captured)


def test_both_seams_are_in_place() -> None:
    gateway("webhook", {"url": "http://x"}).close()
    assert requests.request is _request
    assert requests.api.request is _request
    assert apprise.plugins.email.base.AppriseSMTPController is Controller
    with pytest.raises(RuntimeError, match="outside a delivery"):
        requests.request("POST", "http://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("service", "options"),
    [
        ("webhook", {"url": "U/" + CANARY, "headers": {"X-Key": Secret(CANARY)}}),
        ("slack", {"webhook": Secret("U/" + CANARY)}),
        ("url", {"url": Secret("JSON/" + CANARY)}),
    ],
)
@pytest.mark.parametrize("outbound", ["live", "capture"])
def test_no_secret_is_in_any_outcome(service: Any, options: Any, outbound: str) -> None:
    with HttpFarEnd() as far:
        far.usual = Answer(400, b"you sent " + CANARY.encode())

        def here(value: Any) -> Any:
            text = value.reveal() if isinstance(value, Secret) else value
            if not isinstance(text, str):
                return {name: here(inner) for name, inner in text.items()}
            text = text.replace("JSON", f"json://127.0.0.1:{far.port}").replace("U/", far.url + "/")
            return Secret(text) if isinstance(value, Secret) else text

        made: Callable[..., Any] = gateway
        outcome = send(made(service, here(options), outbound=outbound))
        assert CANARY not in repr(outcome)
