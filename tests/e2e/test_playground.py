"""The playground in a real browser: type an event, edit a rule, see the change, backtest it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browsing import HOSTILE
from far_end import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page, Route

    from running import Running

pytestmark = pytest.mark.e2e


def edit(page: Page, old: str, new: str) -> None:
    """Change the rules' text, as somebody who types would."""
    text = page.locator("#text")
    if not text.is_visible():
        page.locator("#rules > summary").click()
    expect(text).to_have_value(re.compile(re.escape(old)))
    text.fill(text.input_value().replace(old, new))


def test_what_is_typed_is_answered_at_once(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page.goto(f"{running.url}/playground")
    expect(page.locator(".slack-head")).to_have_text("Approved: KYC-1042 Nordlicht Holding AG")
    event = page.locator("#event")
    event.fill(event.input_value().replace("Nordlicht Holding AG", "Südlicht"))
    expect(page.locator(".slack-head")).to_have_text("Approved: KYC-1042 Südlicht")
    mail = page.frame_locator("iframe").first
    expect(mail.locator("body")).to_contain_text("Südlicht")
    expect(mail.get_by_text("Case approved")).to_have_css("font-size", "20px")
    assert is_accessible(page)


def test_what_is_wrong_with_an_event_stands_where_it_is(page: Page, running: Running) -> None:
    page.goto(f"{running.url}/playground")
    page.locator("#event").fill('{"trigger": "case_created",\n "case_id" 7}')
    fault = page.locator("#tried-fault")
    expect(fault).to_contain_text("event:2:12: the body is not JSON: expecting ':' delimiter")
    page.locator("#event").fill('{"trigger": "case_created",\n "case_id": 7}')
    expect(fault).to_be_empty()
    expect(page.locator(".slack-head")).to_contain_text("7")


def test_an_event_is_taken_from_the_history_and_the_samples(page: Page, running: Running) -> None:
    page.goto(f"{running.url}/events/7")
    page.get_by_role("link", name="try it in the playground").click()
    expect(page.locator("#event")).to_have_value(re.compile("KYC-1042"))
    page.locator("#chosen").select_option("case_comment")
    expect(page.locator("#event")).to_have_value(re.compile("case_comment"))
    expect(page.locator(".slack-head")).to_contain_text("KYC-")
    page.locator("#search").fill("pwned")
    page.locator("#chosen option").filter(has_text="case_created").first.wait_for(state="attached")
    options = page.locator("#chosen optgroup").last.locator("option")
    expect(options).to_have_count(1)
    page.locator("#chosen").select_option(index=10)
    expect(page.locator(".slack-head")).to_contain_text(HOSTILE.split("<")[1][:6])
    assert page.evaluate("window.pwned") is None


def test_an_edited_rule_shows_what_it_changes(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page.goto(f"{running.url}/playground")
    edit(page, "kyc-outcome\n    template: case_approved", "operations\n    title: Hurra")
    expect(page.get_by_text("No longer said")).to_be_visible()
    only = page.locator(".result .sheet")
    expect(only).to_have_count(1)
    expect(only).to_contain_text("operations")
    expect(only).to_contain_text("new by your edit")
    expect(only.locator(".subject")).to_contain_text("Hurra")
    assert is_accessible(page)
    page.get_by_role("button", name="Reset this file").click()
    expect(page.locator(".result .sheet")).to_have_count(3)
    expect(page.get_by_text("No longer said")).to_have_count(0)


def test_problems_stand_as_check_prints_them_and_lead_to_their_place(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page.goto(f"{running.url}/playground")
    edit(page, "notify: kyc-outcome\n    template: case_approved", "notify: kyc-outcom")
    problem = page.locator(".problem").filter(has_text="unknown channel `kyc-outcom`")
    expect(problem).to_contain_text("did you mean `kyc-outcome`?")
    expect(problem).to_contain_text("^^^^^^^^^^")
    # Its words wrap, however narrow the window is; only the line that it quotes scrolls.
    expect(problem.locator(".quoted")).to_have_css("white-space", "pre")
    assert problem.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert is_accessible(page)
    problem.click()
    text = "const t = document.getElementById('text')"
    marked = f"() => {{ {text}; return t.value.slice(t.selectionStart, t.selectionEnd); }}"
    expect(page.locator("#text")).to_be_focused()
    wait_until(lambda: page.evaluate(marked) == "kyc-outcom")


def test_a_template_is_edited_and_the_tests_tell_what_no_longer_holds(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page.goto(f"{running.url}/playground")
    edit(page, "# Who is told", "# Who is always told")
    page.locator("#wanted").select_option("templates/case_approved.slack.j2")
    expect(page.locator("#file")).to_have_value("templates/case_approved.slack.j2")
    edit(page, "{% block title %}", "{% block title %}Hurra! ")
    expect(page.locator(".slack-head")).to_contain_text("Hurra!")
    expect(page.locator("#tested")).to_contain_text("14 passed, 0 failed")
    edit(page, "case_name or", "case_nam or")
    told = "templates/case_approved.slack.j2"
    expect(page.locator(".problem").first).to_contain_text(told)
    edit(page, "{{ case_nam or '' }}", "nobody")
    expect(page.locator("#tested")).to_contain_text("13 passed, 1 failed")
    expect(page.locator("#tested .take").first).to_be_visible()
    assert is_accessible(page)


def test_another_file_opens_while_what_was_typed_is_still_being_tried(
    page: Page, running: Running
) -> None:
    page.goto(f"{running.url}/playground")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile("/playground$"), hold)
    with page.expect_request(re.compile("/playground$")):
        edit(page, "# Who is told", "# Who is always told")
    page.locator("#wanted").select_option("templates/case_approved.slack.j2")
    expect(page.locator("#file")).to_have_value("templates/case_approved.slack.j2")
    expect(page.locator("#wanted")).to_contain_text("rules.yaml (edited)")
    assert held
    page.unroute_all()  # which lets them go on
    edit(page, "{% block title %}", "{% block title %}Hurra! ")
    expect(page.locator(".slack-head")).to_contain_text("Hurra!")


def test_a_backtest_runs_with_progress_and_tells_what_would_have_changed(
    page: Page, running: Running, is_accessible: Callable[[Page], bool]
) -> None:
    page.goto(f"{running.url}/playground")
    edit(page, "notify: kyc-team\n    template: case_created", "notify: operations\n    title: New")
    with page.expect_response("**/playground/backtest") as begun:
        page.get_by_role("button", name="Run the backtest").click()
    assert "<progress" in begun.value.text()
    run = page.locator("#run")
    expect(run).to_contain_text("newly said")
    run.locator("summary").first.click()
    expect(run.locator("details[open] .line").first).to_be_visible()
    assert is_accessible(page)
    expect(page.locator("#text")).to_have_value(re.compile("New"))


def test_it_works_without_a_script(browser: Browser, running: Running) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{running.url}/playground")
    page.locator("#event").fill('{"trigger": "case_comment", "case_user_readable_id": "K-9"}')
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".slack-head")).to_contain_text("K-9")
    page.locator("#chosen").select_option("case_approved")
    page.get_by_role("button", name="Take it").click()
    expect(page.locator("#event")).to_have_value(re.compile("case_approved"))
    page.wait_for_load_state()
    page.locator("#rules > summary").click()
    text = page.locator("#text")
    text.fill(text.input_value().replace("template: case_approved", "title: Hurra"))
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".slack-head")).to_contain_text("Hurra")
    page.get_by_role("button", name="Show the mail").first.click()
    expect(page.frame_locator("iframe").first.locator("body")).to_contain_text("KYC-1042")
    page.get_by_role("button", name="Run the backtest").click()
    expect(page.locator("#run")).to_contain_text("said differently")
    context.close()
