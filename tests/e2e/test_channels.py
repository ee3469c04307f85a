"""The page of channels in a real browser: a test message, a pause that holds, a mute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from far_end import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

    from running import Running

pytestmark = pytest.mark.e2e


def channel(page: Page, name: str) -> Locator:
    heading = page.get_by_role("heading", name=name, exact=True)
    return page.locator(".channel").filter(has=heading)


def test_a_test_message_is_shown_as_it_would_go_out(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page.goto(running.url)
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/channels")
    assert is_accessible(page)
    channel(page, "kyc-team").get_by_role("button", name="Test message").click()
    told = page.get_by_role("status")
    expect(told).to_contain_text("was captured")
    told.get_by_text("Exactly as it would go out").click()
    expect(told.locator("pre")).to_contain_text("A test from the router")
    assert is_accessible(page)


def test_a_pause_holds_what_comes_until_somebody_lets_it_go_on(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page.goto(f"{running.url}/channels")
    one = channel(page, "compliance")
    one.get_by_text("Pause…").click()
    one.locator("form[action='/channels/pause']").get_by_label("Reason").fill("they <b>move</b>")
    assert is_accessible(page)
    page.get_by_role("button", name="Pause compliance").click()
    expect(page.get_by_role("status")).to_contain_text("compliance is paused")
    expect(channel(page, "compliance")).to_contain_text("paused it: they <b>move</b>")
    event = running.post({"trigger": "case_proofs_updated", "case_id": 77})[1]["event"]
    page.goto(f"{running.url}/events/{event}")
    expect(page.locator("main")).to_contain_text("paused by anyone: they <b>move</b>")
    page.goto(f"{running.url}/channels")
    channel(page, "compliance").get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status")).to_contain_text("compliance goes on")
    made = f"/api/events/{event}"
    wait_until(lambda: running.get(made)[1]["deliveries"][0]["state"] == "sent")


def test_a_live_part_leaves_what_somebody_types(page: Page, running: Running) -> None:
    page.goto(f"{running.url}/channels")
    one = channel(page, "kyc-team")
    one.get_by_text("Mute…").click()
    reason = one.locator("form[action='/channels/mute']").get_by_label("Reason")
    reason.fill("half a sen")
    told = one.locator(".spark p")
    before = told.inner_text()
    running.post({"trigger": "case_comment", "case_id": 78})
    expect(told).not_to_have_text(before)
    expect(reason).to_have_value("half a sen")
    expect(reason).to_be_visible()


def test_a_muted_channel_says_until_when_and_why(page: Page, running: Running) -> None:
    page.goto(f"{running.url}/channels")
    one = channel(page, "credit-team")
    one.get_by_text("Mute…").click()
    one.locator("form[action='/channels/mute']").get_by_label("Reason").fill("an import")
    one.get_by_role("button", name="Mute credit-team").click()
    told = channel(page, "credit-team")
    expect(told.locator(".chip")).to_have_text("muted")
    expect(told.locator(".channel-why")).to_contain_text("an import it ends in")
    for mute in running.get("/api/mutes")[1]["items"]:
        running.request("DELETE", f"/api/mutes/{mute['id']}", None, {})
