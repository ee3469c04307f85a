"""The page of rules in a real browser: which rules never match, and what a rule says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from running import Running

pytestmark = pytest.mark.e2e


def test_the_rules_that_never_match_are_a_look_away(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page.goto(running.url)
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/rules")
    assert is_accessible(page)
    never = page.locator(".look").filter(has_text="These never matched")
    name = never.get_by_role("link").first.inner_text()
    never.get_by_role("link").first.click()
    row = page.locator(".file tbody tr").filter(has_text=name).first
    expect(row.locator(".chip")).to_have_text("never matched")
    row.locator("summary").click()
    expect(row.locator("pre")).to_contain_text(f"name: {name}")
    assert is_accessible(page)


def test_who_is_told_what_is_drawn_and_stands_in_the_table(page: Page, running: Running) -> None:
    page.goto(f"{running.url}/rules")
    drawing = page.locator(".drawing svg")
    expect(drawing.locator("text", has_text="KYC approved")).to_have_count(1)
    row = page.locator(".file tbody tr").filter(has_text="stuck in review").first
    expect(row).to_contain_text("compliance")
    expect(row).to_contain_text("operations escalation")
    expect(row).to_contain_text("passed")


def test_rules_are_found_by_name_and_channel_from_the_keyboard(
    page: Page, running: Running
) -> None:
    page.goto(f"{running.url}/rules")
    page.keyboard.press("/")
    page.keyboard.type("registry")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=registry*")
    expect(page.locator(".file tbody tr")).to_have_count(1)
    page.keyboard.press("Tab")
    page.goto(f"{running.url}/rules?q=nothing-like-it")
    expect(page.get_by_text("No rule fits")).to_be_visible()
