"""The first page in a real browser: what happened, live, and nothing moves under the reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect

from far_end import wait_until
from running import Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.e2e

EMPTY = """
version: 1
sources: { atfinity: { secret: "${ATFINITY_SECRET}" } }
channels: { far: { webhook: { url: "https://far.example/hook" } } }
rules: [{ name: all, when: { trigger: case_* }, notify: far }]
"""


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Running(tmp_path_factory.mktemp("empty"), EMPTY, {"ROUTER_OUTBOUND": "capture"})
    made.start()
    yield made
    made.stop()


def test_the_first_page_is_accessible(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page.goto(running.url)
    page.get_by_text("As a table").click()
    assert is_accessible(page)
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keys").wait_for()
    assert is_accessible(page)


def test_a_new_event_comes_on_top_and_what_is_read_stays_where_it_is(
    page: Page, running: Running
) -> None:
    page.goto(running.url)
    row = page.locator(".events tbody tr").nth(4)
    link = row.locator("td.when a")
    link.focus()
    key, before = row.get_attribute("data-key"), row.bounding_box()
    assert before
    page.evaluate("window.was = document.activeElement.closest('tr')")
    number = running.post({"trigger": "case_comment", "case_id": 77, "case_name": "New"})[1][
        "event"
    ]
    page.locator(f'tr[data-key="{number}"]').wait_for()
    assert page.evaluate("document.activeElement.closest('tr') === window.was")
    after = page.locator(f'tr[data-key="{key}"]').bounding_box()
    assert after
    assert abs(after["y"] - before["y"]) < 2
    page.locator(f'tr[data-key="{number}"] .chip.good').first.wait_for()


def test_nothing_is_drawn_while_nothing_changes_and_nothing_asked_while_nobody_looks(
    page: Page, running: Running
) -> None:
    page.goto(running.url)
    with page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true"):
        page.evaluate("htmx.trigger(document.getElementById('live'), 'look')")
    with page.expect_response(lambda a: a.request.headers.get("hx-request") == "true") as told:
        page.evaluate("htmx.trigger(document.getElementById('live'), 'look')")
    assert told.value.status == 304
    asked: list[str] = []
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("htmx.trigger(document.getElementById('live'), 'look')")
    # Asked after it: had the page asked too, it would stand before this.
    last = f"{running.url}/livez"
    assert page.evaluate("url => fetch(url).then(answer => answer.status)", last) == 200
    assert asked == [last]


@pytest.mark.parametrize(("system", "chosen"), [("light", "dark"), ("dark", "light")])
def test_a_choice_of_colours_is_remembered(
    page: Page, running: Running, system: Literal["light", "dark"], chosen: str
) -> None:
    page.emulate_media(color_scheme=system)
    page.goto(running.url)
    ground = "getComputedStyle(document.body).backgroundColor"
    own = page.evaluate(ground)
    button = page.locator("#theme")
    expect(button).to_have_text("Colours: system")
    for _ in range(["light", "dark"].index(chosen) + 1):
        button.click()
    expect(button).to_have_text(f"Colours: {chosen}")
    other = page.evaluate(ground)
    assert other != own
    page.goto(f"{running.url}/deliveries")
    wait_until(lambda: page.evaluate(ground) == other)


def test_an_empty_router_says_what_to_do_and_takes_a_sample(
    browser: Browser, empty: Running, is_accessible: Callable[[Page], bool]
) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(empty.url)
    assert is_accessible(page)
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{empty.url}/hooks/atfinity/SECRET"
    page.get_by_role("button", name="Post a sample event").click()
    page.wait_for_url("**/events/1")
    expect(page.locator("h1")).to_contain_text("case_state_changed")
    context.close()


def test_a_filter_that_makes_no_sense_is_dropped_with_a_click(
    browser: Browser, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page = browser.new_page()
    page.goto(f"{running.url}/?since=monday&trigger=case_comment")
    assert is_accessible(page)
    page.get_by_role("link", name="Show it without since").click()
    page.wait_for_url(f"{running.url}/?trigger=case_comment")
    page.close()
