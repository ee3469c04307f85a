"""The pages in a real browser: their main stories, and what must never happen on them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from far_end import wait_until
from running import ROOT, SECRET, Running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.e2e

HOSTILE = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'> Söhne \"AG\""


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
    assert f"/hooks/atfinity/{SECRET}" not in empty
    for sample in sorted((ROOT / "router" / "samples").glob("*.json")):
        assert made.post(sample.read_bytes())[0] == 202
    named = dict.fromkeys(("case_name", "case_user_readable_id"), HOSTILE)
    hostile = {"trigger": "case_created", "case_url": "javascript:window.pwned=1", **named}
    assert made.post(hostile)[0] == 202
    wait_until(lambda: not made.deliveries("state=pending"))
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
    rows = page.locator("tbody tr")
    assert rows.count() == 10
    assert page.locator(".mode").inner_text() == "Capture: nothing leaves this machine"
    moved = rows.filter(has_text="case_state_changed")
    assert moved.locator(".move").inner_text() == "in_review → approved"
    assert moved.locator(".chip").first.inner_text().split()[:2] == ["kyc-team", "sent"]


def test_an_event_shows_why_and_the_messages_as_they_would_go_out(
    page: Page, running: Running
) -> None:
    page.goto(running.url)
    page.locator("tbody tr").filter(has_text="case_state_changed").locator("a").first.click()
    assert "KYC-1042" in page.locator("h1").inner_text()
    first = page.locator("table.rules tbody tr").first
    assert first.locator("td").first.inner_text() == "review finished"
    assert first.locator(".verdict").inner_text() == "matched"
    assert "In review → Approved" in page.locator(".slack-text").inner_text()
    mail = page.frame_locator("iframe.mail")
    assert mail.locator("h1").inner_text() == "Case moved on"
    page.get_by_text("Exactly as it would go out (request)").click()
    assert "POST https://slack.com/api/chat.postMessage" in page.content()


def test_filters_live_in_the_address(page: Page, running: Running) -> None:
    page.goto(running.url)
    page.get_by_label("Trigger").select_option("case_comment")
    page.get_by_role("button", name="Filter").click()
    assert "trigger=case_comment" in page.url
    assert page.locator("tbody tr").count() == 1
    page.get_by_role("link", name="Clear").click()
    assert page.locator("tbody tr").count() >= 10


def test_a_delivery_is_sent_again_from_its_event(page: Page, running: Running) -> None:
    page.goto(f"{running.url}/events/4")
    before = page.locator("article.delivery").count()
    page.get_by_role("button", name="Send again").first.click()
    assert "was made; it is being sent" in page.get_by_role("status").inner_text()
    assert page.locator("article.delivery").count() == before + 1


def test_a_hostile_name_is_only_words(page: Page, running: Running) -> None:
    for path in ("/", "/events/10"):
        page.goto(running.url + path)
        page.wait_for_timeout(150)
        assert page.evaluate("window.pwned") is None
        assert page.locator("main img").count() == 0
        assert HOSTILE in page.locator("main").inner_text()
        assert page.locator("a[href^='javascript']").count() == 0


def test_the_list_is_reached_by_keyboard(page: Page, running: Running) -> None:
    page.goto(running.url)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/events/*")
