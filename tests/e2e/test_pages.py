"""What holds for all pages: hostile names, keys, times; and the main stories in short."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from router.web.show import ago

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from running import Running

pytestmark = pytest.mark.e2e

HOSTILE = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'> Söhne \"AG\""


def test_the_first_page_says_what_became_of_every_event(page: Page, running: Running) -> None:
    page.goto(running.url)
    rows = page.locator(".events tbody tr")
    expect(rows).to_have_count(10)
    expect(page.locator(".mode")).to_contain_text("nothing leaves this machine")
    moved = rows.filter(has_text="case_state_changed")
    expect(moved.locator(".move")).to_have_text("in_review → approved")
    expect(moved.locator(".chip").first).to_have_text(re.compile(r"^\s*kyc-team\s+sent"))


def test_an_event_shows_why_and_the_messages_as_they_would_go_out(
    page: Page, running: Running
) -> None:
    page.goto(running.url)
    page.locator(".events tbody tr").filter(has_text="case_state_changed").locator(
        "a"
    ).first.click()
    expect(page.locator("h1")).to_contain_text("KYC-1042")
    first = page.locator("table.rules > tbody > tr").first
    expect(first.locator(".rule")).to_have_text("review finished")
    expect(first.locator(".chip")).to_have_text("matched")
    expect(page.locator(".slack-text")).to_contain_text("In review → Approved")
    mail = page.frame_locator("iframe.mail")
    expect(mail.locator("h1")).to_have_text("Case moved on")
    page.get_by_text("Exactly as it went out").first.click()
    page.get_by_text("POST https://slack.com/api/chat.postMessage").wait_for()


def test_the_lines_of_a_rule_that_did_not_match_are_a_click_away(
    page: Page, running: Running
) -> None:
    page.goto(f"{running.url}/events/7")
    declined = page.locator("table.rules > tbody > tr").filter(has_text="KYC declined")
    declined.get_by_text("1 of 2 lines hold").click()
    held = declined.locator(".checks td:last-child")
    expect(held).to_have_count(2)
    for answer in ("yes", "no"):
        expect(held.get_by_text(answer, exact=True)).to_be_visible()


def test_filters_live_in_the_address(page: Page, running: Running) -> None:
    page.goto(running.url)
    if page.get_by_text("More filters").is_visible():
        page.get_by_text("More filters").click()
    page.get_by_label("Trigger").select_option("case_comment")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"trigger=case_comment"))
    expect(page.locator(".events tbody tr")).to_have_count(1)
    page.get_by_role("link", name="failed").click()
    expect(page).to_have_url(
        re.compile(r"trigger=case_comment&.*state=failed|state=failed&.*trigger=case_comment")
    )
    expect(page.get_by_role("heading", name="Nothing fits these filters")).to_be_visible()
    page.get_by_role("link", name="Clear").click()
    expect(page.locator(".events tbody tr").nth(9)).to_be_visible()


def test_a_link_into_a_closed_delivery_opens_it(page: Page, running: Running) -> None:
    page.goto(f"{running.url}/events/7")
    page.locator(".delivery > summary").last.click()
    last = page.locator(".delivery").last
    expect(last).not_to_have_attribute("open", "")
    page.locator("table.rules .told a").last.click()
    expect(page.locator(".delivery[open] :target")).to_be_visible()


def test_a_hostile_name_is_only_words(page: Page, running: Running) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for path in ("/", "/events/10", "/deliveries", "/deliveries?q=script"):
        page.goto(running.url + path)
        expect(page.locator("main")).to_contain_text(HOSTILE)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.pwned") is None
        expect(page.locator("main img, main script")).to_have_count(0)
        expect(page.locator("a[href^='javascript']")).to_have_count(0)
    assert dialogs == []


def test_the_list_is_reached_by_keyboard(page: Page, running: Running) -> None:
    page.goto(running.url)
    newest = page.locator("td.when a").first.get_attribute("href")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{newest}")


def test_the_browser_tells_times_as_the_server_does(page: Page, running: Running) -> None:
    page.goto(running.url)
    for seconds in (0, 1.5, 2, 59, 119, 120, 7199, 7200, 172_800, -1, -2, -130, -90_000, -172_800):
        assert page.evaluate("seconds => relative(seconds)", seconds) == ago(0, seconds)
