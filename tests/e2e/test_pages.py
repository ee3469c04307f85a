"""What holds for all pages: hostile names, keys, times; and the main stories in short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.web.show import ago

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from running import Running

pytestmark = pytest.mark.e2e

HOSTILE = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'> Söhne \"AG\""


def test_the_first_page_says_what_became_of_every_event(page: Page, running: Running) -> None:
    page.goto(running.url)
    rows = page.locator(".events tbody tr")
    assert rows.count() == 10
    assert "nothing leaves this machine" in page.locator(".mode").inner_text()
    moved = rows.filter(has_text="case_state_changed")
    assert moved.locator(".move").inner_text() == "in_review → approved"
    assert moved.locator(".chip").first.inner_text().split()[:2] == ["kyc-team", "sent"]


def test_an_event_shows_why_and_the_messages_as_they_would_go_out(
    page: Page, running: Running
) -> None:
    page.goto(running.url)
    page.locator(".events tbody tr").filter(has_text="case_state_changed").locator(
        "a"
    ).first.click()
    assert "KYC-1042" in page.locator("h1").inner_text()
    first = page.locator("table.rules > tbody > tr").first
    assert first.locator(".rule").inner_text() == "review finished"
    assert first.locator(".chip").inner_text() == "matched"
    assert "In review → Approved" in page.locator(".slack-text").inner_text()
    mail = page.frame_locator("iframe.mail")
    assert mail.locator("h1").inner_text() == "Case moved on"
    page.get_by_text("Exactly as it went out").first.click()
    page.get_by_text("POST https://slack.com/api/chat.postMessage").wait_for()


def test_the_lines_of_a_rule_that_did_not_match_are_a_click_away(
    page: Page, running: Running
) -> None:
    page.goto(f"{running.url}/events/7")
    declined = page.locator("table.rules > tbody > tr").filter(has_text="KYC declined")
    declined.get_by_text("1 of 2 lines hold").click()
    held = [cell.inner_text() for cell in declined.locator(".checks td:last-child").all()]
    assert sorted(held) == ["no", "yes"]


def test_filters_live_in_the_address(page: Page, running: Running) -> None:
    page.goto(running.url)
    if page.get_by_text("More filters").is_visible():
        page.get_by_text("More filters").click()
    page.get_by_label("Trigger").select_option("case_comment")
    page.get_by_role("button", name="Filter").click()
    assert "trigger=case_comment" in page.url
    assert page.locator(".events tbody tr").count() == 1
    page.get_by_role("link", name="failed").click()
    assert "trigger=case_comment&" in page.url.replace("?", "&") + "&"
    assert "state=failed" in page.url
    assert page.get_by_role("heading", name="Nothing fits these filters").is_visible()
    page.get_by_role("link", name="Clear").click()
    assert page.locator(".events tbody tr").count() >= 10


def test_a_link_into_a_closed_delivery_opens_it(page: Page, running: Running) -> None:
    page.goto(f"{running.url}/events/7")
    page.locator(".delivery > summary").last.click()
    last = page.locator(".delivery").last
    assert last.get_attribute("open") is None
    page.locator("table.rules .told a").last.click()
    assert page.locator(".delivery[open] :target").is_visible()


def test_a_hostile_name_is_only_words(page: Page, running: Running) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for path in ("/", "/events/10", "/deliveries", "/deliveries?q=script"):
        page.goto(running.url + path)
        page.wait_for_timeout(150)
        assert page.evaluate("window.pwned") is None
        assert page.locator("main img, main script").count() == 0
        assert HOSTILE in page.locator("main").inner_text()
        assert page.locator("a[href^='javascript']").count() == 0
    assert dialogs == []


def test_the_list_is_reached_by_keyboard(page: Page, running: Running) -> None:
    page.goto(running.url)
    newest = page.locator("td.when a").first.get_attribute("href")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
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
