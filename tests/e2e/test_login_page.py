"""Logging in, in a browser: back to where one was, what one sends is kept, a viewer only looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from running import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, Page

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
    expect(page.get_by_role("alert").last).to_contain_text("not a password of this router")
    log_in(page, OPERATOR)
    page.wait_for_url(f"{closed.url}/events/1")
    page.goto(f"{closed.url}/audit")
    assert is_accessible(page)
    expect(page.locator("tbody")).to_contain_text("failed")
    page.goto(f"{closed.url}/api")
    page.locator("#list_deliveries > summary").click()
    assert is_accessible(page)
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login?out")
    page.go_back()
    page.goto(f"{closed.url}/audit")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


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
    expect(page.get_by_role("status")).to_contain_text("is kept")
    log_in(page, OPERATOR)
    expect(page.locator("main")).to_contain_text("a <b>reason</b>")
    assert is_accessible(page)
    page.get_by_role("button", name="Send it now").click()
    page.wait_for_url("**/timers*")
    expect(page.locator("main")).to_contain_text("a <b>reason</b>")


def test_a_viewer_sees_no_button_that_acts(closed: Running, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(closed.url)
    log_in(page, VIEWER)
    page.wait_for_url(f"{closed.url}/")
    expect(page.locator(".who")).to_contain_text("viewer")
    for path in ("/", "/events/1", "/deliveries", "/channels", "/rules", "/timers", "/status"):
        page.goto(closed.url + path)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        buttons = "form[method=post]:not([action='/logout']) button:visible"
        expect(page.locator(buttons), path).to_have_count(0)
