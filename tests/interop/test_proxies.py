"""Through real proxies: no body becomes a request, and every early answer arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxies import KINDS, Proxy
from running import SECRET, Running
from serving import statuses

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.interop

RULES = """
version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { sink: { webhook: { url: "http://127.0.0.1:9/" }, paused: true } }
rules: [{ name: all, when: always, notify: sink }]
"""
TOKEN = "a-token-of-the-tests-0123456789"
MUTE = b'{"name": "all", "for": "2h", "reason": "smuggled"}'
SMUGGLED = (
    b"POST /api/mutes HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-User: anna\r\n"
    b"Sec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(MUTE)
) + MUTE
UPGRADES = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "none": b"",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = {
        "ROUTER_SSO_USER_HEADER": "X-Forwarded-User",
        "ROUTER_SSO_OPERATORS": "anna",
        "ROUTER_TRUSTED_PROXIES": "127.0.0.1",
        "ROUTER_API_TOKEN": TOKEN,
    }
    service = Running(tmp_path_factory.mktemp("router"), RULES, settings)
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module", params=KINDS.values(), ids=list(KINDS))
def proxy(
    request: pytest.FixtureRequest, running: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    with Proxy(request.param, tmp_path_factory.mktemp("proxy"), running.port) as proxy:
        yield proxy


def head(length: int, more: bytes = b"", secret: str = SECRET, close: bool = False) -> bytes:
    end = b"Connection: close\r\n" if close else b""
    path = f"POST /hooks/atfinity/{secret} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
    return path + more + end + b"Content-Length: %d\r\n\r\n" % length


def test_the_smuggled_request_itself_would_be_obeyed(running: Running) -> None:
    """The proxy's word counts: only framing keeps a stranger from speaking in its name."""
    headers = {"Content-Type": "application/json", "X-Forwarded-User": "anna"}
    status, mute = running.request(
        "POST", "/api/mutes", MUTE, {**headers, "Sec-Fetch-Site": "same-origin"}
    )
    assert status == 201, mute
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert running.request("DELETE", f"/api/mutes/{mute['id']}", None, bearer)[0] in (200, 204)


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
def test_no_body_becomes_a_request(proxy: Proxy, running: Running, upgrade: bytes) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    before = running.get("/api/events?limit=1", **bearer)[1]["items"]
    answer = proxy.read_answers(head(len(SMUGGLED), upgrade) + SMUGGLED, 0.5)
    assert statuses(answer) == [400]
    assert b"the body is not JSON" in answer
    (event,) = running.get("/api/events?limit=1", **bearer)[1]["items"]
    assert [event["id"]] != [old["id"] for old in before]
    whole = running.get(f"/api/events/{event['id']}", **bearer)[1]
    assert SMUGGLED.decode() in str(whole["body"])
    assert running.get("/api/mutes", **bearer)[1]["items"] == []


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES)
def test_an_event_is_taken_whatever_its_sender_would_rather_speak(
    proxy: Proxy, upgrade: bytes
) -> None:
    event = b'{"trigger": "case_created", "case_id": 1}'
    assert statuses(proxy.read_answers(head(len(event), upgrade) + event, 0.5)) == [202]


EARLY = {
    "a body that is too large": (SECRET, b"", 413),
    "a wrong secret": ("wrong", b"", 404),
    "a body that is too large, to be upgraded": (SECRET, UPGRADES["h2c"], 413),
}


@pytest.mark.parametrize(("secret", "more", "status"), EARLY.values(), ids=EARLY)
def test_an_early_answer_arrives(proxy: Proxy, secret: str, more: bytes, status: int) -> None:
    """64 times: it used to be lost in one of six, when the connection was closed on the body."""
    body = b"x" * 900_000
    close = not more
    answers = []
    for _ in range(64):
        stream = head(len(body), more, secret, close) + body
        answers.append(statuses(proxy.read_answers(stream, 0.02)))
    assert answers == [[status]] * 64
