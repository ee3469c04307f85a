"""Timers and mutes in a real browser: what will be said, cancelled one by one and after a count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from running import Running

pytestmark = pytest.mark.e2e


def review(running: Running, *cases: int) -> None:
    for case in cases:
        fields: dict[str, Any] = {"case_id": case, "case_user_readable_id": f"KYC-{case}"}
        state = {"current_state_key": "in_review", "previous_state_key": "open"}
        assert running.post({"trigger": "case_state_changed", **state, **fields})[0] == 202


def test_what_will_be_said_says_unless_what_and_is_cancelled(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    review(running, 501, 502)
    page.goto(running.url)
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/timers")
    assert is_accessible(page)
    row = page.locator("tbody tr").filter(has_text="KYC-501").first
    expect(row).to_contain_text("previous_state_key is in_review")
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Cancel what is ticked").click()
    expect(page.get_by_role("status").first).to_contain_text("1 message is not said any more")
    page.locator("#search").fill("KYC-502")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**case=KYC-502*")
    page.get_by_role("link", name="Cancel all that fit").click()
    expect(page.locator("h1")).to_have_text("Cancel 2 timers?")
    assert is_accessible(page)
    page.get_by_role("button", name="Cancel them").click()
    expect(page.get_by_role("status").first).to_contain_text("2 messages are not said any more")
    for timer in running.get("/api/timers")[1]["items"]:
        body = f'{{"case": "{timer["case"]}"}}'.encode()
        running.request("POST", "/api/timers/cancel", body, {})


def test_a_mute_begins_and_ends(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page.goto(f"{running.url}/timers")
    page.get_by_text("Mute something…").click()
    page.get_by_label("Rule, channel, source or case").fill("KYC-9000")
    page.get_by_label("Reason").fill("a <script>test</script>")
    page.get_by_role("button", name="Mute it").click()
    row = page.locator("tbody tr").filter(has_text="KYC-9000").first
    expect(row).to_contain_text("a <script>test</script>")
    assert is_accessible(page)
    page.get_by_role("button", name="End the mute of case KYC-9000").click()
    expect(page.get_by_text("Nothing is muted.")).to_be_visible()
