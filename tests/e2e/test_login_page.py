"""Logging in, in a browser: back to where one was, what one sends is kept, a viewer only looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from running import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.e2e

RULES = """
version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { sink: { webhook: { url: "http://127.0.0.1:9/" }, paused: true } }
rules: [{ name: all, when: always, notify: sink }]
"""
OPERATOR, VIEWER = "the-operators-pass", "the-viewers-pass"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = {"ROUTER_ADMIN_PASSWORD": OPERATOR, "ROUTER_VIEWER_PASSWORD": VIEWER}
    made = Running(tmp_path_factory.mktemp("closed"), RULES, settings)
    made.start()
    made.post({"trigger": "case_created", "case_id": 1})
    yield made
    made.stop()


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["light wide", "dark narrow"])
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    scheme, width = request.param
    made = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    made.set_default_timeout(5000)
    yield made
    made.close()


def log_in(page: Page, password: str) -> None:
    page.get_by_label("Your name").fill("Anna")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_a_login_leads_back_and_a_logout_ends_it(
    closed: Running, context: BrowserContext, is_accessible: Callable[[Page], bool]
) -> None:
    page = context.new_page()
    page.goto(f"{closed.url}/events/1")
    assert is_accessible(page)
    log_in(page, "wrong")
    assert "not a password of this router" in page.get_by_role("alert").last.inner_text()
    log_in(page, OPERATOR)
    page.wait_for_url(f"{closed.url}/events/1")
    page.goto(f"{closed.url}/audit")
    assert is_accessible(page)
    assert "failed" in page.inner_text("tbody")
    page.goto(f"{closed.url}/api")
    page.locator("#list_deliveries > summary").click()
    assert is_accessible(page)
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login?out")
    page.go_back()
    page.goto(f"{closed.url}/audit")
    assert page.get_by_role("heading", name="Log in").is_visible()


def test_what_is_sent_when_the_session_is_over_is_kept(
    closed: Running, context: BrowserContext, is_accessible: Callable[[Page], bool]
) -> None:
    page = context.new_page()
    page.goto(f"{closed.url}/timers")
    log_in(page, OPERATOR)
    page.wait_for_url(f"{closed.url}/timers")
    context.clear_cookies()
    page.locator("details:has(form[action='/timers/mute']) > summary").click()
    form = page.locator("form[action='/timers/mute']")
    form.locator("[name=name]").fill("sink")
    form.locator("[name=for]").fill("2h")
    form.locator("[name=reason]").fill("a <b>reason</b>")
    form.get_by_role("button").click()
    assert "is kept" in page.get_by_role("status").inner_text()
    log_in(page, OPERATOR)
    assert "a <b>reason</b>" in page.inner_text("main")
    assert is_accessible(page)
    page.get_by_role("button", name="Send it now").click()
    page.wait_for_url("**/timers*")
    assert "a <b>reason</b>" in page.inner_text("main")


def test_a_viewer_sees_no_button_that_acts(closed: Running, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(closed.url)
    log_in(page, VIEWER)
    page.wait_for_url(f"{closed.url}/")
    assert "viewer" in page.locator(".who").inner_text()
    for path in ("/", "/events/1", "/deliveries", "/channels", "/rules", "/timers", "/status"):
        page.goto(closed.url + path)
        assert page.get_by_role("heading", level=1).count() == 1
        found = page.locator("form[method=post]:not([action='/logout']) button:visible")
        assert found.count() == 0, (path, found.all_inner_texts())
