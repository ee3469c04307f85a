"""The pages in a real browser: their main stories, and what must never happen on them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from far_end import wait_until
from router.web.show import ago
from running import ROOT, SECRET, Running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.e2e

DIGEST = "documents to file"
HOSTILE = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'> Söhne \"AG\""


def all_but_the_digest_went(running: Running) -> bool:
    """The documents are collected until the office's afternoon; all others go at once."""
    return {one["rule"] for one in running.deliveries("state=pending")} <= {DIGEST}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The shipped rules in capture mode, with the sample events and a hostile one."""
    folder = tmp_path_factory.mktemp("e2e")
    shutil.copytree(ROOT / "templates", folder / "templates")
    rules = (ROOT / "rules.yaml").read_text(encoding="utf-8")
    made = Running(folder, rules, {"ROUTER_OUTBOUND": "capture"})
    made.start()
    empty = made.get("/", accept="text/html")[1]
    assert "No event has arrived yet" in empty
    assert f"{made.url}/hooks/atfinity/SECRET" in empty
    assert SECRET not in empty
    for sample in sorted((ROOT / "router" / "samples").glob("*.json")):
        assert made.post(sample.read_bytes())[0] == 202
    named = dict.fromkeys(("case_name", "case_user_readable_id"), HOSTILE)
    hostile = {"trigger": "case_created", "case_url": "javascript:window.pwned=1", **named}
    assert made.post(hostile)[0] == 202
    wait_until(lambda: all_but_the_digest_went(made))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        assert path, "Chromium is not installed: apt-get install chromium"
        made = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield made
        made.close()


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[1280, 390], ids=["wide", "narrow"])
def page(
    request: pytest.FixtureRequest, browser: Browser, scheme: Any, running: Running
) -> Iterator[Page]:
    """A page that may say nothing on its console and ask no other host for anything."""
    context = browser.new_context(
        viewport={"width": request.param, "height": 900}, color_scheme=scheme
    )
    made = context.new_page()
    made.set_default_timeout(5000)
    said: list[str] = []
    asked: list[str] = []
    made.on("console", lambda message: said.append(message.text))
    made.on("pageerror", lambda error: said.append(str(error)))
    made.on("request", lambda request: asked.append(request.url))
    yield made
    assert said == []
    assert [url for url in asked if not url.startswith(running.url)] == []
    width = made.evaluate("document.documentElement.scrollWidth")
    assert width <= request.param, "the page is wider than the window"
    context.close()


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


def test_a_delivery_is_sent_again_from_its_event(page: Page, running: Running) -> None:
    number = running.post({"trigger": "case_comment", "case_id": 4})[1]["event"]
    wait_until(lambda: all_but_the_digest_went(running))
    page.goto(f"{running.url}/events/{number}")
    page.get_by_label("with fresh words").first.check()
    page.get_by_role("button", name="Send again").first.click()
    assert "is sent again, as delivery" in page.get_by_role("status").inner_text()
    assert page.locator(".delivery").count() == 2
    made = page.locator(".delivery").last
    assert made.get_attribute("open") is not None
    assert "again for delivery" in made.inner_text()


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
    for path in ("/", "/events/10"):
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
