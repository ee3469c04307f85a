"""The page of an event in a real browser: why, what became of it, the words as sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from far_end import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    from running import Running

pytestmark = pytest.mark.e2e


def _sent(running: Running, number: int) -> bool:
    told = running.get(f"/api/events/{number}")[1]["deliveries"]
    return bool(told) and all(one["state"] == "sent" for one in told)


def test_an_event_is_accessible_with_all_its_parts_opened(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page.goto(f"{running.url}/events/7")
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    page.get_by_text("POST https://slack.com/api/chat.postMessage").wait_for()
    assert is_accessible(page)


def test_the_other_events_of_the_case_are_a_click_away(page: Page, running: Running) -> None:
    page.goto(f"{running.url}/events/7")
    case = page.locator(".timeline")
    told = re.compile(r"case_approved\s*3\s*sent\s*$")
    expect(case.locator("[aria-current]")).to_have_text(told)
    case.get_by_role("link", name="case_created").click()
    page.wait_for_url("**/events/1")


def test_a_delivery_is_sent_again_from_its_event(page: Page, running: Running) -> None:
    number = running.post({"trigger": "case_comment", "case_id": 4})[1]["event"]
    wait_until(lambda: _sent(running, number))
    page.goto(f"{running.url}/events/{number}")
    page.get_by_label("with fresh words").first.check()
    page.get_by_role("button", name="Send again").first.click()
    expect(page.get_by_role("status")).to_contain_text("is sent again, as delivery")
    expect(page.locator(".delivery")).to_have_count(2)
    made = page.locator(".delivery").last
    expect(made).to_have_attribute("open", "")
    expect(made).to_contain_text("again for delivery")


def test_what_waits_is_cancelled_from_its_event(page: Page, running: Running) -> None:
    body = {"trigger": "case_documents_updated", "case_id": 5, "action": "generated"}
    fields = {**body, "document_keys": ["contract"], "process_key": "kyc_process"}
    number = running.post(fields)[1]["event"]
    page.goto(f"{running.url}/events/{number}")
    waits = page.locator(".delivery").filter(has_text="documents to file")
    waits.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_contain_text("is cancelled: nobody is told")
    gone = page.locator(".delivery").filter(has_text="documents to file")
    expect(gone.locator(".chip").first).to_have_text("cancelled")


def test_a_body_of_two_megabytes_does_not_stop_the_page(browser: Browser, running: Running) -> None:
    large = {"trigger": "case_created", "case_id": 6, "rows": [{"a": n} for n in range(15_000)]}
    number = running.post(large)[1]["event"]
    page = browser.new_page()
    page.goto(f"{running.url}/events/{number}")
    expect(page.locator("main")).to_contain_text("is left out here")
    assert 0 < page.locator("#posted").evaluate("part => part.innerText.length") <= 20_000
    page.close()


def test_an_event_that_is_not_there_leads_back(
    browser: Browser, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page = browser.new_page()
    page.goto(f"{running.url}/events/999999")
    expect(page.locator("main")).to_contain_text("there is no event 999999")
    assert is_accessible(page)
    page.get_by_role("link", name="To the latest events").click()
    page.wait_for_url(f"{running.url}/")
    page.close()
