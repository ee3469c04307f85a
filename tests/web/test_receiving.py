"""Receiving: who is let in, and what anything else is answered."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import resource
import sqlite3
import time
import urllib.parse
from typing import TYPE_CHECKING

import pytest

from running import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

    from running import Running

RULES = """
version: 1
sources:
  atfinity: { secret: ["${ATFINITY_SECRET}", "${OLD_SECRET}"] }
  elsewhere: { secret: "${ATFINITY_SECRET}", allow: [10.0.0.0/8] }
  signed: { secret: whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ= }
channels:
  sink: { webhook: { url: "http://127.0.0.1:9/" }, paused: true }
rules:
  - { name: all, when: always, notify: sink }
"""
FORM = "application/x-www-form-urlencoded"
OLD = "an-older-secret-of-the-tests"
EVENT = {"trigger": "case_created", "case_id": 1}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> object:
    from running import Running  # noqa: PLC0415 - one process for the module

    made = Running(tmp_path_factory.mktemp("web"), RULES, {"OLD_SECRET": OLD})
    made.environment["ROUTER_MAX_BODY"] = "2KiB"
    made.start()
    yield made
    made.stop()


def _basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"any:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param(f"/hooks/atfinity/{SECRET}", {}, id="the secret in the path"),
        pytest.param(f"/hooks/atfinity/{OLD}", {}, id="the other secret"),
        pytest.param("/hooks/atfinity", {"Authorization": f"Bearer {SECRET}"}, id="bearer"),
        pytest.param("/hooks/atfinity", {"Authorization": _basic(SECRET)}, id="basic"),
        pytest.param("/hooks/atfinity", {"X-Router-Secret": SECRET}, id="a header of its own"),
    ],
)
def test_every_form_of_the_secret_is_accepted(
    running: Running, path: str, headers: dict[str, str]
) -> None:
    status, answer = running.post(EVENT, path, **headers)
    assert status == 202
    assert answer["deliveries"] == 1


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/hooks/atfinity/wrong", {}, id="a wrong secret"),
        pytest.param(f"/hooks/nobody/{SECRET}", {}, id="an unknown source"),
        pytest.param("/hooks/atfinity", {}, id="no secret"),
        pytest.param("/hooks/atfinity/", {}, id="an empty secret"),
        pytest.param("/hooks/", {}, id="nothing at all"),
        pytest.param(f"/hooks/elsewhere/{SECRET}", {}, id="the wrong network"),
        pytest.param("/hooks/atfinity", {"Authorization": "Basic !!!"}, id="broken basic"),
        pytest.param(
            f"/hooks/elsewhere/{SECRET}",
            {"X-Forwarded-For": "10.1.2.3"},
            id="a forwarded address that nobody trusts",
        ),
        pytest.param(
            "/hooks/signed",
            {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"},
            id="a wrong signature",
        ),
    ],
)
def test_whoever_is_not_let_in_learns_nothing(
    running: Running, path: str, headers: dict[str, str]
) -> None:
    status, answer = running.request("POST", path, json.dumps(EVENT).encode(), headers)
    assert status == 404
    assert answer["detail"] == "there is no such hook, or its secret is wrong"


def _signature(body: bytes, moment: int) -> dict[str, str]:
    signed = f"msg_1.{moment}.".encode() + body
    digest = hmac.new(b"secret-secret-secret", signed, hashlib.sha256).digest()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(moment),
        "webhook-signature": f"v1,AAAA v1,{base64.b64encode(digest).decode()}",
    }


def test_a_standard_webhooks_signature_is_accepted_while_it_is_fresh(running: Running) -> None:
    body = json.dumps(EVENT).encode()
    now = int(time.time())
    assert running.request("POST", "/hooks/signed", body, _signature(body, now))[0] == 202
    assert running.request("POST", "/hooks/signed", body, _signature(body, now - 600))[0] == 404
    assert running.request("POST", "/hooks/signed", body + b" ", _signature(body, now))[0] == 404


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        pytest.param(b"nonsense", 400, "not JSON", id="no JSON"),
        pytest.param(b"[]", 400, "not an object", id="an array"),
        pytest.param(b"{}", 400, "trigger", id="no trigger"),
        pytest.param(b'{"trigger": "x", "a": ' + b"[" * 900, 400, "", id="deep nesting"),
        pytest.param(b"\x1f\x8b\x08", 400, "compressed", id="gzip"),
        pytest.param(b'{"trigger": "\xff"}', 400, "UTF-8", id="a wrong encoding"),
        pytest.param(b'{"trigger": "x", "b": "' + b"y" * 4000, 413, "larger", id="too large"),
    ],
)
def test_a_bad_body_is_answered_with_what_is_wrong(
    running: Running, body: bytes, status: int, reason: str
) -> None:
    found, answer = running.post(body)
    assert found == status
    assert reason in answer["detail"]


def test_a_rejected_body_is_kept_with_its_reason(running: Running) -> None:
    number = running.post(b"\x00 what is this")[1]["event"]
    kept = running.get(f"/api/events/{number}")[1]
    assert kept["body"] == "\x00 what is this"
    assert kept["rejected"].startswith("the body is not JSON")
    assert "This was not an event" in running.get(f"/events/{number}", accept="text/html")[1]


def test_only_post_is_a_hook(running: Running) -> None:
    assert running.get(f"/hooks/atfinity/{SECRET}")[0] == 405


def test_nulls_everywhere_are_an_event(running: Running) -> None:
    names = ("case_id", "case_name", "case_url", "process_key", "document_keys")
    status, answer = running.post({"trigger": "case_created", **dict.fromkeys(names)})
    assert status == 202
    assert running.get(f"/events/{answer['event']}", accept="text/html")[0] == 200


@pytest.mark.parametrize(
    ("path", "word"),
    [
        pytest.param("/api/events/999999", "there is no event 999999", id="no such event"),
        pytest.param("/api/deliveries/999999", "there is no delivery", id="no such delivery"),
        pytest.param("/api/events?state=lost", "is not a state", id="a state that is none"),
        pytest.param("/api/events?stat=sent", "did you mean `state`?", id="a filter misspelt"),
        pytest.param("/api/events?since=monday", "neither a time nor", id="a time that is none"),
        pytest.param("/api/events?cursor=x", "whole number", id="a cursor that is none"),
        pytest.param("/nowhere", "there is no such address", id="no such address"),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_in_words(
    running: Running, path: str, word: str
) -> None:
    status, answer = running.get(path)
    assert status in (400, 404)
    assert answer["status"] == status
    assert word in answer["detail"]
    page = running.get(path, accept="text/html")[1]
    assert "<h1>" in page


def test_lists_are_paged_newest_first(running: Running) -> None:
    for case in range(5):
        running.post({"trigger": "case_created", "case_id": f"page-{case}"})
    first = running.get("/api/events?limit=2")[1]
    second = running.get(f"/api/events?limit=2&cursor={first['next']}")[1]
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 4
    found = running.get("/api/events?case=page-3")[1]["items"]
    assert [item["case_id"] for item in found] == ["page-3"]


def test_another_site_cannot_use_an_open_router(running: Running) -> None:
    assert running.get("/api/events", Host="evil.example")[0] == 421
    status, _ = running.request("POST", "/api/reload", b"", {"Origin": "http://evil.example"})
    assert status == 403
    status, _ = running.request("POST", "/api/reload", b"", {"Sec-Fetch-Site": "cross-site"})
    assert status == 403


def test_a_password_closes_everything_but_hooks_and_health(
    router: Callable[..., Running],
) -> None:
    closed = router(RULES, OLD_SECRET=OLD, ROUTER_ADMIN_PASSWORD="pass-word-pass")
    for path in ("/", "/api/events", "/metrics", "/events/1"):
        assert closed.get(path)[0] == 401
    assert closed.get("/livez")[0] == 200
    assert closed.get("/static/router.css")[0] == 200  # the page to log in on needs it
    assert closed.post(EVENT)[0] == 202
    assert closed.get("/api/events", Authorization=_basic("pass-word-pass"))[0] == 200
    assert closed.get("/api/events", Authorization=_basic("pass-word"))[0] == 401


def _old_session(running: Running, password: str) -> str:
    """The cookie of somebody who logged in some minutes ago: their next page is written down."""
    form = urllib.parse.urlencode({"name": "anna", "password": password}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    connection.request("POST", "/login", form, {"Content-Type": FORM, "Origin": running.url})
    cookie = connection.getresponse().headers["Set-Cookie"].partition(";")[0]
    connection.close()
    with sqlite3.connect(running.folder / "router.db") as database:
        changed = database.execute("UPDATE sessions SET seen_at = seen_at - 600").rowcount
    database.close()
    assert changed == 1
    return cookie


def test_on_a_full_disk_who_looks_after_it_comes_in_still(router: Callable[..., Running]) -> None:
    full = router(RULES, OLD_SECRET=OLD, ROUTER_ADMIN_PASSWORD="pass-word-pass")
    assert full.process is not None
    token = full.command("token", "new", "prometheus", "--role", "viewer").stdout.split()[-1]
    cookie = _old_session(full, "pass-word-pass")
    limits = resource.prlimit(full.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(full.process.pid, resource.RLIMIT_FSIZE, (1024, limits[1]))
    known = _basic("pass-word-pass")
    for path in ("/", "/api/status", "/metrics", "/api/events"):
        assert full.get(path, Authorization=known)[0] == 200
        assert full.get(path, Authorization=f"Bearer {token}")[0] == 200
        assert full.get(path, Cookie=cookie)[0] == 200
    # Nobody may try passwords more often than on another day.
    tried = [full.get("/metrics", Authorization=_basic(f"wrong-{n}"))[0] for n in range(40)]
    assert set(tried) == {401, 429}
    assert '"what":"failed login"' in full.log.read_text()
    assert full.get("/metrics", Authorization=known)[0] == 200
    resource.prlimit(full.process.pid, resource.RLIMIT_FSIZE, limits)
    assert full.post(EVENT)[0] == 202


def test_a_disk_that_cannot_be_written_is_answered_503_and_nothing_is_claimed(
    router: Callable[..., Running],
) -> None:
    full = router(RULES, OLD_SECRET=OLD)
    before = len(full.get("/api/events?limit=500")[1]["items"])
    # A size limit on the process' files is what a full disk is to SQLite.
    assert full.process is not None
    limits = resource.prlimit(full.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(full.process.pid, resource.RLIMIT_FSIZE, (1024, limits[1]))
    status, answer = full.post({**EVENT, "case_name": "x" * 1500})
    assert status == 503
    assert "send it again" in answer["detail"]
    assert full.get("/readyz")[0] == 503
    resource.prlimit(full.process.pid, resource.RLIMIT_FSIZE, limits)
    assert len(full.get("/api/events?limit=500")[1]["items"]) == before
    assert full.post(EVENT)[0] == 202
