"""What the browser tests share: the shipped rules with the sample events, and a strict page."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Literal

import pytest

from far_end import wait_until
from running import ROOT, SECRET, Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

SLOW = 20_000
"""Milliseconds until what is awaited has to be there: a busy machine starts processes slowly."""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415 - only if asked for

    expect.set_options(timeout=SLOW)
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        assert path, "Chromium is not installed: apt-get install chromium"
        made = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield made
        made.close()


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["light wide", "dark narrow"])
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    """A window as people have it; what depends on colours too is looked at in both."""
    scheme, width = request.param
    made = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    made.set_default_timeout(SLOW)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, running: Running) -> Iterator[Page]:
    """A page that may say nothing on its console and ask no other host for anything."""
    made = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    made.on("console", lambda message: said.append(message.text))
    made.on("pageerror", lambda error: said.append(str(error)))
    made.on("request", lambda request: asked.append(request.url))
    yield made
    assert said == []
    assert [url for url in asked if not url.startswith(running.url)] == []
    too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not made.evaluate(too_wide), "the page is wider than the window"


@pytest.fixture
def is_accessible() -> Callable[[Page], bool]:
    """Whether axe finds nothing wrong with a page, light or dark; it says what it finds."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - as above

    def look(page: Page) -> bool:
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            assert found.violations_count == 0, f"{scheme}: {found.generate_report()}"
        return True

    return look
