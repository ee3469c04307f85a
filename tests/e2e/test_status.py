"""The status in a real browser: what runs, and what a change of the rules changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from running import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from running import Running

pytestmark = pytest.mark.e2e


def test_a_change_of_the_rules_is_shown_line_by_line(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    text = running.rules.read_text(encoding="utf-8")
    changed = text + f"\n# changed at {page.viewport_size} {page.evaluate('Math.random()')}\n"
    running.rules.write_text(changed, encoding="utf-8")
    assert running.request("POST", "/api/reload", b"", {})[1]["outcome"] == "changed"
    page.goto(running.url)
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/status")
    assert is_accessible(page)
    expect(page.locator("tbody").first).to_contain_text("this one")
    source = page.content()
    assert SECRET not in source
    page.get_by_role("link", name="against the one before").first.click()
    expect(page.locator(".diff")).to_contain_text("+# changed at")
    assert is_accessible(page)
    running.rules.write_text(text, encoding="utf-8")
    assert running.request("POST", "/api/reload", b"", {})[0] == 200


def test_a_ruleset_that_was_never_kept_is_told(page: Page, running: Running) -> None:
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    answer = page.request.get(
        f"{running.url}/status/diff?old=0000&new=1111", headers={"accept": "text/html"}
    )
    assert answer.status == 404
    assert "no ruleset" in answer.text()
    assert failed == []
