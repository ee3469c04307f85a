"""The page of deliveries in a real browser: choosing by keyboard, with and without script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from running import ROOT

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
    expect(page.locator("[data-count]")).to_have_text("2 selected")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator("h1")).to_have_text("Send 2 deliveries again?")
    assert is_accessible(page)
    page.get_by_role("button", name="Send 2 again").click()
    expect(page.get_by_role("status")).to_contain_text("2 deliveries are sent again")
    assert is_accessible(page)
    page.get_by_role("link", name="Back to the list").click()
    expect(page).to_have_url(re.compile(r"state=sent&trigger=case_approved"))


def test_what_waits_says_until_when_and_why(page: Page, running: Running) -> None:
    page.goto(running.url)
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/deliveries")
    page.get_by_role("link", name="waiting").click()
    row = page.locator(".deliveries tbody tr").first
    expect(row.locator(".state")).to_contain_text("collected for a digest")
    expect(row.locator("time").first).to_have_attribute("title", re.compile(r"\d"))


def test_the_list_is_live_but_stands_still_under_a_hand(page: Page, running: Running) -> None:
    page.goto(f"{running.url}/deliveries?trigger=case_finished")
    search = page.get_by_label("Search")
    search.fill("half a wo")
    rows = page.locator(".deliveries tbody tr")
    before = rows.count()
    rows.first.get_by_role("checkbox").check()
    assert running.post((ROOT / "router/samples/9_case_finished.json").read_bytes())[0] == 202
    page.wait_for_timeout(6000)
    expect(rows).to_have_count(before)
    expect(page.locator("[data-count]")).to_have_text("1 selected")
    rows.first.get_by_role("checkbox").uncheck()
    expect(rows).not_to_have_count(before)
    expect(search).to_have_value("half a wo")
    rows.first.get_by_role("checkbox").check()
    expect(page.locator("[data-count]")).to_have_text("1 selected")


def test_all_that_match_are_chosen_without_a_script(browser: Browser, running: Running) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{running.url}/deliveries?state=sent&trigger=case_declined")
    expect(page.locator("[data-all]")).to_be_hidden()
    page.get_by_label("all that match").check()
    page.get_by_role("button", name="Send again").click()
    expect(page.locator("h1")).to_contain_text("deliveries again?")
    page.get_by_role("link", name="Back, do nothing").click()
    expect(page).to_have_url(re.compile(r"trigger=case_declined"))
    context.close()
