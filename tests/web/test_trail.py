"""Who did what, as it is asked for: by the API, on its page, and by the commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from running import Running

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = """
version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { sink: { webhook: { url: "http://127.0.0.1:9/" }, paused: true } }
rules: [{ name: all, when: always, notify: sink }]
"""
TOKEN = "the-api-token-0123456789"
MINE = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("trail"), RULES, {"ROUTER_API_TOKEN": TOKEN})
    made.start()
    made.post({"trigger": "case_created", "case_id": 1})
    made.post({"trigger": "case_created", "case_id": 2})
    yield made
    made.stop()


def deeds(running: Running, query: str = "") -> list[tuple[str, str, str]]:
    found = running.request("GET", f"/api/audit?{query}", None, MINE)[1]["items"]
    return [(one["who"], one["what"], one["about"]) for one in found]


def test_what_is_done_is_told_newest_first(running: Running) -> None:
    def post(path: str, body: bytes = b"") -> int:
        status: int = running.request("POST", path, body, MINE)[0]
        return status

    assert post("/api/reload") == 200
    assert post("/api/deliveries/1/cancel") == 200
    assert post("/api/deliveries/1/cancel") == 409
    assert post("/api/deliveries/99/cancel") == 404
    assert post("/api/deliveries/1/resend", b'{"fresh": true}') == 202
    assert post("/api/mutes", b'{"name": "sink", "for": "1h", "reason": "r"}') == 201
    assert running.request("DELETE", "/api/mutes/1", None, MINE)[0] == 200
    assert [(what, about) for _, what, about in deeds(running)][:5] == [
        ("unmute", "channel sink"),
        ("mute", "channel sink"),
        ("resend", "delivery 1"),
        ("cancel", "delivery 1"),
        ("reload", deeds(running, "what=reload")[0][2]),
    ]
    assert {who for who, _, _ in deeds(running)} == {"API token"}
    cancelled = running.request("GET", "/api/deliveries/1", None, MINE)[1]
    assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "cancelled by API token")


def test_a_reload_that_was_refused_is_not_told_as_done(running: Running) -> None:
    before = deeds(running)
    sound = running.rules.read_text()
    running.rules.write_text(sound.replace("notify: sink", "notify: sinc"))
    assert running.request("POST", "/api/reload", b"", MINE)[0] == 422
    running.rules.write_text(sound)
    assert deeds(running) == before
    assert running.request("POST", "/api/reload", b"", MINE)[0] == 200
    assert len(deeds(running)) == len(before) + 1


def test_commands_are_told_as_well(running: Running) -> None:
    made = running.command("token", "new", "backup", "--role", "viewer", "--for", "90d")
    assert made.returncode == 0
    token = {"Authorization": f"Bearer {made.stdout.strip()}"}
    assert running.request("GET", "/api/events", None, token)[0] == 200
    assert running.request("POST", "/api/reload", b"", token)[0] == 403
    assert running.command("token", "new", "backup", "--role", "viewer").returncode == 1
    assert running.command("token", "new", "x", "--role", "viewer", "--for", "soon").returncode == 2
    listed = running.command("token", "list").stdout
    assert re.search(r"backup +viewer .* ago +for 90 d", listed)
    assert made.stdout.strip() not in listed
    assert running.command("token", "revoke", "backup").returncode == 0
    assert running.command("token", "revoke", "backup").returncode == 1
    assert running.request("GET", "/api/events", None, token)[0] == 401
    running.command("mute", "sink", "--for", "1h", "--reason", "r")
    running.command("unmute", "sink")
    running.command("resend", "1")
    told = [(what, about) for _, what, about in deeds(running, "limit=6")]
    assert told[:3] == [
        ("resend", "delivery 1"),
        ("unmute", "channel sink"),
        ("mute", "channel sink"),
    ]
    assert ("token revoked", "token backup") in told
    assert deeds(running, "about=token+backup&what=token+made")


def test_the_log_is_paged_and_narrowed(running: Running) -> None:
    for _ in range(3):
        running.request("POST", "/api/reload", b"", MINE)
    first = running.request("GET", "/api/audit?what=reload&limit=2", None, MINE)[1]
    rest = running.request("GET", f"/api/audit?what=reload&cursor={first['next']}", None, MINE)[1]
    assert len(first["items"]) == 2
    assert first["items"][-1]["id"] > rest["items"][0]["id"]
    assert rest["next"] is None
    assert deeds(running, "who=somebody") == []
    assert deeds(running, "until=1h") == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("what=dance", "is nothing that is done here"),
        ("whom=anna", "did you mean `who`?"),
        ("since=monday", "neither a time nor a duration"),
        ("cursor=x", "whole number"),
    ],
)
def test_a_filter_that_makes_no_sense_is_answered_in_words(
    running: Running, query: str, words: str
) -> None:
    status, answer = running.request("GET", f"/api/audit?{query}", None, MINE)
    assert status == 400
    assert words in answer["detail"]


def test_the_page_says_the_same_with_every_word_escaped(running: Running) -> None:
    hostile = {"Authorization": "Basic " + "PGI+aTpuby1wYXNzd29yZA=="}  # <b>i:no-password
    assert running.request("GET", "/api/events", None, hostile)[0] == 401
    page = running.request("GET", "/audit?limit=3", None, {**MINE, "Accept": "text/html"})[1]
    assert "&lt;b&gt;i" in page
    assert "<b>i" not in page
    assert 'rel="next"' in page
    empty = running.request(
        "GET", "/audit?who=nobody+at+all", None, {**MINE, "Accept": "text/html"}
    )
    assert "Nothing fits these filters" in empty[1]


def test_the_log_holds_no_secret_even_where_a_name_should_stand(running: Running) -> None:
    import base64  # noqa: PLC0415 - for this test alone

    swapped = base64.b64encode(f"{TOKEN}:anna".encode()).decode()
    assert (
        running.request("GET", "/api/events", None, {"Authorization": f"Basic {swapped}"})[0] == 401
    )
    assert deeds(running, "limit=1") == [("***", "failed login", "")]
    assert TOKEN not in running.log.read_text()
