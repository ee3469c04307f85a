"""Who may do what: every route, every way in, and what those see who are not let in."""

from __future__ import annotations

import base64
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from router.identity import ROLES
from router.web.app import ROUTES
from running import Running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from email.message import Message

RULES = """
version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { sink: { webhook: { url: "http://127.0.0.1:9/" }, paused: true } }
rules: [{ name: all, when: always, notify: sink }]
"""
PASSWORDS = {
    "ROUTER_ADMIN_PASSWORD": "the-operators-pass",
    "ROUTER_VIEWER_PASSWORD": "the-viewers-pass",
    "ROUTER_API_TOKEN": "the-api-token-0123456789",
}
OPEN = {
    ("GET", "/livez"),
    ("HEAD", "/livez"),
    ("GET", "/readyz"),
    ("HEAD", "/readyz"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("GET", "/static/{name:str}"),
}
READ_BY_POST = {
    ("POST", "/api/preview"),
    ("POST", "/playground"),
    ("POST", "/playground/tests"),
    ("POST", "/playground/editor"),
    ("POST", "/playground/mail"),
    ("POST", "/playground/backtest"),
    ("POST", "/playground/backtest/cancel"),
}


def _needs() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for handler in ROUTES:
        for method in handler.http_methods - {"OPTIONS"}:
            for path in handler.paths:
                usual = "viewer" if method in ("GET", "HEAD") else "operator"
                found[method, path] = handler.opt.get("needs", usual)
    return found


NEEDS = _needs()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("access"), RULES, PASSWORDS)
    made.start()
    made.post({"trigger": "case_created", "case_id": 1})
    yield made
    made.stop()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Answer:
    def __init__(self, status: int, headers: Message, text: str) -> None:
        self.status, self.headers, self.text = status, headers, text

    @property
    def cookie(self) -> str:
        return (self.headers["set-cookie"] or "").partition(";")[0]


def ask(
    running: Running, method: str, path: str, form: Mapping[str, str] | None = None, **headers: str
) -> Answer:
    """Ask as a browser does: with an origin, and without following where an answer leads."""
    data = None if form is None else urllib.parse.urlencode(form).encode()
    given = {"origin": running.url} if method != "GET" else {}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(running.url + path, data, given, method=method)
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=20) as found:
            return Answer(found.status, found.headers, found.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read().decode())


def basic(password: str, name: str = "anna") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def log_in(running: Running, password: str = "the-operators-pass", **more: str) -> str:
    answer = ask(running, "POST", "/login", {"name": "anna", "password": password, **more})
    assert answer.status == 303
    return answer.cookie


def address(path: str) -> str:
    return re.sub(r"\{[^}]*:int\}", "999999", re.sub(r"\{[^}]*:str\}", "x", path))


def test_what_is_open_and_what_a_viewer_may_post_is_listed_here() -> None:
    assert {route for route, need in NEEDS.items() if need == "anyone"} == OPEN
    assert {r for r, need in NEEDS.items() if need == "viewer" and r[0] != "GET"} == READ_BY_POST
    assert set(NEEDS.values()) <= {"anyone", *ROLES}


@pytest.mark.parametrize(("method", "path"), sorted(set(NEEDS) - OPEN))
def test_no_route_is_open_by_mistake(running: Running, method: str, path: str) -> None:
    form: dict[str, str] | None = None if method == "GET" else {}
    assert ask(running, method, address(path), form).status == 401
    wrong = ask(running, method, address(path), form, authorization="Bearer wrong", accept="*/*")
    assert wrong.status in (401, 429)
    assert wrong.headers["content-type"] == "application/problem+json"
    viewer = ask(
        running, method, address(path), form, authorization=basic("the-viewers-pass")
    )  # fmt: skip
    assert (viewer.status == 403) is (NEEDS[method, path] == "operator")


def test_basic_and_bearer_work_for_scripts_as_ever(running: Running) -> None:
    for proof in (
        basic("the-operators-pass"),
        basic("the-api-token-0123456789"),
        "Bearer the-api-token-0123456789",
    ):
        assert running.get("/api/events", authorization=proof)[0] == 200
        assert running.request("POST", "/api/reload", b"", {"Authorization": proof})[0] == 200


def test_a_page_asks_for_a_login_and_goes_on_to_where_one_was(running: Running) -> None:
    page = ask(running, "GET", "/events/1?x=1", accept="text/html")
    assert page.status == 401
    assert 'name="next" value="/events/1?x=1"' in page.text
    assert page.headers["www-authenticate"] == 'Bearer realm="router"'
    assert "Navigation" not in page.text
    form = {"name": "anna", "password": "the-operators-pass", "next": "/events/1?x=1"}
    answer = ask(running, "POST", "/login", form)
    assert (answer.status, answer.headers["location"]) == (303, "/events/1?x=1")
    flags = answer.headers["set-cookie"].lower()
    assert "httponly" in flags
    assert "samesite=lax" in flags
    assert "secure" not in flags
    page = ask(running, "GET", "/events/1", accept="text/html", cookie=answer.cookie)
    assert page.status == 200
    assert "anna" in page.text
    assert "Log out" in page.text


def test_over_tls_the_cookie_is_for_tls_and_this_host_alone(running: Running) -> None:
    secure = running.url.replace("http:", "https:")
    form = {"name": "anna", "password": "the-operators-pass"}
    answer = ask(running, "POST", "/login", form, origin=secure)
    assert answer.cookie.startswith("__Host-router_session=")
    assert "secure" in answer.headers["set-cookie"].lower()
    assert ask(running, "GET", "/", accept="text/html", cookie=answer.cookie).status == 200


@pytest.mark.parametrize(
    "aim",
    ["https://evil.example/login", "//evil.example", "/\\evil.example", "/logout", "javascript:x"],
)
def test_a_login_leads_nowhere_else(running: Running, aim: str) -> None:
    form = {"name": "anna", "password": "the-viewers-pass", "next": aim}
    found = ask(running, "POST", "/login", form).headers["location"]
    assert found == "/"


def test_a_session_ends_with_the_logout(running: Running) -> None:
    cookie = log_in(running)
    out = ask(running, "POST", "/logout", {}, cookie=cookie)
    assert (out.status, out.headers["location"]) == (303, "/login?out")
    assert "max-age=0" in out.headers["set-cookie"].lower()
    assert ask(running, "GET", "/", accept="text/html", cookie=cookie).status == 401
    assert "You are logged out." in ask(running, "GET", "/login?out", accept="text/html").text


def test_a_viewer_looks_and_does_not_act(running: Running) -> None:
    cookie = log_in(running, "the-viewers-pass")
    assert ask(running, "GET", "/", accept="text/html", cookie=cookie).status == 200
    assert ask(running, "POST", "/api/preview", cookie=cookie).status == 400
    refused = ask(running, "POST", "/deliveries/1/resend", {}, cookie=cookie, accept="text/html")
    assert refused.status == 403
    assert "anna is a viewer: to look is allowed, to act is not" in refused.text


def test_another_site_cannot_use_a_session(running: Running) -> None:
    cookie = log_in(running)
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "origin": running.url},
    ):
        answer = ask(running, "POST", "/api/reload", {}, cookie=cookie, **headers)
        assert answer.status == 403
        assert "another site" in answer.text
        form = {"name": "evil", "password": "the-operators-pass"}
        assert ask(running, "POST", "/login", form, **headers).status == 403
    # A browser always says where a request comes from; without a word of it a cookie is not enough.
    assert running.request("POST", "/api/reload", b"", {"Cookie": cookie})[0] == 403
    assert ask(running, "POST", "/api/reload", {}, cookie=cookie).status == 200


def test_a_form_that_was_being_sent_is_kept_over_the_login(running: Running) -> None:
    form = {"name": "kyc", "reason": 'a "reason"\n<b>'}
    back = running.url + "/events/1"
    lost = ask(running, "POST", "/api/mutes", form, accept="text/html", referer=back)
    assert lost.status == 401
    assert "What you were about to send is kept" in lost.text
    (packed,) = re.findall(r'name="kept" value="([^"]*)"', lost.text)
    kept = packed.replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">")
    assert json.loads(kept) == ["/api/mutes", [list(pair) for pair in form.items()]]
    assert 'name="next" value="/events/1"' in lost.text
    login = {"name": "anna", "password": "wrong", "kept": kept, "next": "/events/1"}
    assert 'name="kept"' in ask(running, "POST", "/login", login).text
    again = ask(running, "POST", "/login", {**login, "password": "the-operators-pass"})
    assert again.status == 200
    assert again.cookie
    assert '<form method="post" action="/api/mutes">' in again.text
    assert "a &#34;reason&#34;\n&lt;b&gt;</textarea>" in again.text
    assert 'href="/events/1"' in again.text
    forged = {**login, "password": "the-operators-pass", "kept": '["https://evil.example/", []]'}
    assert ask(running, "POST", "/login", forged).headers["location"] == "/events/1"


def test_what_htmx_asks_for_stays_on_its_page_when_the_session_is_over(running: Running) -> None:
    here = running.url + "/playground?a=1"
    answer = ask(
        running, "POST", "/api/preview", {"x": "1"}, hx_request="true", hx_current_url=here
    )
    assert answer.status == 401
    assert answer.headers["hx-retarget"] == "#refused"
    assert "Basic" not in answer.headers["www-authenticate"]
    assert 'href="/login?next=/playground%3Fa%3D1" target="_blank"' in answer.text


def test_a_name_and_a_password_are_asked_for(running: Running) -> None:
    for form in ({}, {"name": " ", "password": "x"}, {"name": "anna", "password": ""}):
        answer = ask(running, "POST", "/login", form)
        assert answer.status == 400
        assert "A name and a password are both needed." in answer.text
    wrong = ask(running, "POST", "/login", {"name": "a<b", "password": "x"})
    assert wrong.status == 401
    assert "That is not a password of this router." in wrong.text
    assert 'value="a&lt;b"' in wrong.text
