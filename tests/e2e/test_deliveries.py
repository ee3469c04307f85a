"""The page of deliveries in a real browser: choosing by keyboard, with and without script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    from running import Running

pytestmark = pytest.mark.e2e


def test_two_are_chosen_by_keyboard_and_sent_again_after_a_look(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page.goto(f"{running.url}/deliveries?state=sent&trigger=case_approved")
    assert is_accessible(page)
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    assert page.locator("[data-count]").inner_text() == "2 selected"
    page.get_by_role("button", name="Send again").click()
    assert page.locator("h1").inner_text() == "Send 2 deliveries again?"
    assert is_accessible(page)
    page.get_by_role("button", name="Send 2 again").click()
    assert "2 deliveries are sent again" in page.get_by_role("status").inner_text()
    assert is_accessible(page)
    page.get_by_role("link", name="Back to the list").click()
    assert "state=sent&trigger=case_approved" in page.url


def test_what_waits_says_until_when_and_why(page: Page, running: Running) -> None:
    page.goto(running.url)
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.get_by_role("link", name="waiting").click()
    row = page.locator(".deliveries tbody tr").first
    assert "collected for a digest" in row.locator(".state").inner_text()
    assert row.locator("time").first.get_attribute("title")


def test_all_that_match_are_chosen_without_a_script(browser: Browser, running: Running) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{running.url}/deliveries?state=sent&trigger=case_declined")
    assert not page.locator("[data-all]").is_visible()
    page.get_by_label("all that match").check()
    page.get_by_role("button", name="Send again").click()
    assert "deliveries again?" in page.locator("h1").inner_text()
    page.get_by_role("link", name="Back, do nothing").click()
    assert "trigger=case_declined" in page.url
    context.close()
