"""The playground as it is answered: what is said of an event and of edited rules, and to whom."""

from __future__ import annotations

import html
import http.client
import json
import re
import sqlite3
import urllib.parse
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from far_end import HttpFarEnd, wait_until
from running import SECRET, Running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LITERAL = "a-literal-secret-012345"
TOKEN = "a-token-from-the-environment"
RULES = """
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels:
  sink: {{ webhook: {{ url: "{far}/hook", secret: "{literal}" }} }}
  team: {{ slack: {{ webhook: "{hook}" }} }}
  other: {{ webhook: {{ url: "${{OTHER:?it is needed}}" }} }}
rules:
  - name: approved
    when: {{ trigger: case_approved, process_key: kyc }}
    notify: [sink, team]
    title: "approved {{{{ case_name }}}}"
  - name: mailed
    when: {{ trigger: case_created }}
    notify: other
    after: 2h
    unless: {{ trigger: case_finished }}
    template: family
tests:
  - name: approvals are told
    event: {{ trigger: case_approved, process_key: kyc, case_name: Acme }}
    expect:
      - {{ rule: approved, channel: sink, title: approved Acme }}
      - {{ rule: approved, channel: team }}
"""
FAMILY = "{% block title %}opened {{ case_name }}{% endblock %}{% block body %}b{% endblock %}"
HOOK = "https://hooks.slack.com/services/T0000/B0000/literalliteral"
APPROVED = {"trigger": "case_approved", "case_id": 1, "process_key": "kyc", "case_name": "Acme"}


@pytest.fixture(scope="module")
def far() -> Iterator[HttpFarEnd]:
    with HttpFarEnd() as one:
        yield one


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, far: HttpFarEnd) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("playground")
    (folder / "templates").mkdir()
    family = (
        "{% block title %}opened {{ case_name }}{% endblock %}{% block body %}body{% endblock %}"
    )
    (folder / "templates" / "family.txt.j2").write_text(family, encoding="utf-8")
    (folder / "more.test.yaml").write_text("tests: []\n", encoding="utf-8")
    made = Running(
        folder,
        RULES.format(far=far.url, literal=LITERAL, hook=HOOK),
        {
            "OTHER": f"{far.url}/{TOKEN}",
            "ROUTER_ADMIN_PASSWORD": "the-operators-pass",
            "ROUTER_VIEWER_PASSWORD": "the-viewers-pass",
            "ROUTER_API_TOKEN": "the-api-token-0123456789",
        },
    )
    made.start()
    made.post({"trigger": "case_comment", "case_name": "<b>Söhne</b>", "case_id": 7})
    yield made
    made.stop()


def ask(running: Running, path: str, form: dict[str, str] | None = None, **headers: str) -> Any:
    """An answer for a viewer: (status, text)."""
    headers |= {"authorization": "Basic " + _basic("eve:the-viewers-pass"), "accept": "text/html"}
    if form is None:
        return running.get(path, **headers)
    data = urllib.parse.urlencode(form).encode()
    kind = "application/x-www-form-urlencoded"
    return running.request("POST", path, data, {**headers, "content_type": kind})


def tried(running: Running, event: Any, text: str | None = None, **more: str) -> str:
    """What htmx is answered, as words."""
    body = event if isinstance(event, str) else json.dumps(event)
    form = {"event": body, "file": str(running.rules), **more}
    if text is not None:
        form["text"] = text
    status, answer = ask(running, "/playground", form, hx_request="true")
    assert status == 200, answer
    return words(answer)


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def rules_of(running: Running) -> str:
    """The main file as the page shows it."""
    page = ask(running, "/playground")[1]
    found = re.search(r'<textarea name="text"[^>]*>\n(.*?)</textarea>', page, re.S)
    assert found
    return html.unescape(found[1])


def _basic(pair: str) -> str:
    import base64  # noqa: PLC0415 - only here

    return base64.b64encode(pair.encode()).decode()


def test_what_the_rules_in_force_say_stands_beside_the_event(running: Running) -> None:
    said = tried(running, APPROVED)
    assert "Messages 2, by the rules in force; nothing is sent" in said
    assert "approved Acme" in said
    assert "1 of 2 speak" in said
    assert "trigger is case_approved , not case_created" in said


def test_an_edited_rule_speaks_at_once_and_says_what_changed(running: Running) -> None:
    text = rules_of(running).replace("approved {{ case_name }}", "hurra {{ case_name }}")
    said = tried(running, APPROVED, text.replace("[sink, team]", "[sink, other]"))
    assert "by your rules" in said
    assert "hurra Acme" in said
    assert "No longer said: approved to team" in said
    assert "new by your edit" in said
    assert "changed by your edit" in said
    assert "test `approvals are told`: rule `approved` never tells `team`" in said


def test_secrets_are_masked_build_without_noise_and_are_never_shown(running: Running) -> None:
    text = rules_of(running)
    assert text.count('"***"') == 2
    rule = "  - { name: leak, when: always, notify: other, title: '${OTHER}' }\ntests:"
    leaking = text.replace("tests:", rule), text.replace("rate", "x").replace("${OTHER:", "x")
    for typed in (text.replace("approved {{", "agreed {{"), *leaking):
        status, answer = ask(
            running,
            "/playground",
            {"event": json.dumps(APPROVED), "file": str(running.rules), "text": typed},
        )
        assert status == 200
        for secret in (LITERAL, TOKEN, SECRET, "literalliteral"):
            assert secret not in answer
    assert "a secret stands in the file" not in tried(running, APPROVED, text + "# x\n")


def test_no_value_from_outside_is_asked_for(running: Running) -> None:
    text = rules_of(running).replace("a-name", "b") + "# ${file:/etc/passwd}\n"
    secret = text.replace("${OTHER:?it is needed}", "${file:/etc/hostname}")
    assert "Your rules have no problems." in tried(running, APPROVED, secret)


def test_problems_stand_as_check_prints_them(running: Running) -> None:
    text = rules_of(running).replace("[sink, team]", "[sink, taem]")
    said = tried(running, APPROVED, text)
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "taem" in one)
    assert f"rules.yaml:{line}:20: rule `approved` tells unknown channel `taem`" in said
    assert "^^^^ = did you mean `team`?" in said
    assert "What follows is by the rules in force, until yours can be asked." in said
    assert "approved Acme" in said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 5000,
        "\0",
        "- - -",
        "a: &a [*a]",
        "rules: {{",
        "version: 1\nrules: 7",
        "x" * 600_000,
    ],
    ids=["empty", "deep", "nul", "list", "itself", "broken", "types", "large"],
)
def test_rules_that_are_garbage_are_told_in_words(running: Running, text: str) -> None:
    said = tried(running, APPROVED, text)
    assert "What follows is by the rules in force" in said
    assert "problem" in said or "can be tried here" in said


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ('{"trigger": "a",\n "b" 1}', "event:2:6: the body is not JSON: expecting ':' delimiter"),
        ("", "choose an event above, or paste the JSON of one"),
        ("[1]", "the body is JSON, but not an object"),
        ('{"a": 1}', "the body has no `trigger`"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps({"trigger": "x", "a": "y" * 2_000_000}), "the router takes 262,144 at most"),
    ],
    ids=["position", "empty", "list", "no trigger", "deep", "two megabytes"],
)
def test_an_event_that_is_none_is_told_in_words(running: Running, event: str, told: str) -> None:
    assert told in tried(running, event)


def test_a_form_that_is_too_large_is_refused_in_words(running: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.putrequest("POST", "/playground")
    headers = {"hx-request": "true", "content-length": "5000000", "accept": "text/html"}
    headers["authorization"] = "Basic " + _basic("eve:the-viewers-pass")
    headers["content-type"] = "application/x-www-form-urlencoded"
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(b"event=x")
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"too large" in answer.read()
    connection.close()


def test_templates_and_tests_are_edited_like_rules(running: Running) -> None:
    created = {"trigger": "case_created", "case_name": "Acme"}
    body = "{% block title %}edited {{ case_name }}{% endblock %}{% block body %}b{% endblock %}"
    said = tried(running, created, body, file="templates/family.txt.j2")
    assert "edited Acme" in said
    assert "Waits until" in said
    wrong = tried(running, created, "{{ nobody }}", file="templates/family.txt.j2")
    assert "templates/family.txt.j2:1:4: there is no variable `nobody`" in wrong


def test_another_file_is_opened_and_the_edit_of_the_first_is_kept(running: Running) -> None:
    text = rules_of(running).replace("approved {{", "hurra {{")
    form = {"event": json.dumps(APPROVED), "file": str(running.rules), "text": text}
    opened = {**form, "wanted": "templates/family.txt.j2", "do": "open"}
    part = ask(running, "/playground/editor", opened)[1]
    assert f'name="edit:{running.rules}"' in part
    assert "hurra {{" in html.unescape(part)
    whole = ask(running, "/playground", opened)[1]
    assert "hurra Acme" in words(whole)
    reset = ask(running, "/playground/editor", {**form, "do": "reset"})[1]
    assert "hurra" not in reset


def test_the_tests_of_the_rules_run_on_the_edit(running: Running) -> None:
    def run(text: str) -> str:
        form = {"event": "{}", "file": str(running.rules), "text": text}
        return words(ask(running, "/playground/tests", form)[1])

    text = rules_of(running)
    assert "The 1 test of the rules in force pass" in run(text)
    assert "1 passed, 0 failed" in run(text + "# changed\n")
    failed = run(text.replace("approved {{", "hurra {{"))
    assert "0 passed, 1 failed" in failed
    assert "approvals are told" in failed
    assert "hurra Acme" in failed
    assert "correct them first" in run(text + "rulez: []\n")


def test_an_event_of_the_history_and_a_sample_can_be_taken(running: Running) -> None:
    page = ask(running, "/playground?event=1")[1]
    assert "&lt;b&gt;Söhne&lt;/b&gt;" in page
    assert "<b>Söhne" not in page
    part = ask(running, "/playground/event?event_id=case_changed")[1]
    assert "case_changed" in part
    assert 'value="1"' in ask(running, "/playground/events?q=S%C3%B6hne")[1]
    assert "No event has these words" in ask(running, "/playground/events?q=nobody")[1]
    taken = ask(running, "/playground", {"event": "{}", "event_id": "1", "do": "take"})[1]
    assert "Söhne" in taken


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/playground?event=99", 404),
        ("/playground?event=9" + "9" * 6000, 404),
        ("/playground?event=x", 400),
        ("/playground/event?event_id=-1", 400),
    ],
)
def test_an_event_that_is_not_there_is_told(running: Running, path: str, status: int) -> None:
    assert ask(running, path)[0] == status


def test_a_mail_is_drawn_under_a_policy_of_its_own(running: Running) -> None:
    data = urllib.parse.urlencode({"mail": "<p onclick='x'>hello</p>"}).encode()
    headers = {"authorization": "Basic " + _basic("eve:the-viewers-pass")}
    kind = "application/x-www-form-urlencoded"
    status, answer = running.request(
        "POST", "/playground/mail", data, {**headers, "content_type": kind}
    )
    assert (status, answer) == (200, "<p onclick='x'>hello</p>")
    crossed = {**headers, "content_type": kind, "sec_fetch_site": "cross-site"}
    assert running.request("POST", "/playground/mail", data, crossed)[0] == 403


def began(running: Running, text: str, since: str = "1d") -> tuple[int, str]:
    """Begin a backtest as htmx does."""
    form = {"file": str(running.rules), "text": text, "since": since}
    status, answer = ask(running, "/playground/backtest", form, hx_request="true")
    return status, words(answer)


def ended(running: Running) -> str:
    """What the backtest found, once it has."""

    def part() -> str:
        return str(ask(running, "/playground/backtest", hx_request="true")[1])

    wait_until(lambda: "every 1s" not in part(), 60)
    return words(part())


def test_a_backtest_tells_what_the_edit_would_have_changed(running: Running) -> None:
    for number in range(5):
        assert running.post({**APPROVED, "case_id": 100 + number})[0] == 202
    text = rules_of(running).replace("approved {{", "hurra {{")
    status, answer = began(running, text.replace("[sink, team]", "[sink, other]"))
    assert status == 200
    assert "Cancel the backtest" in answer
    told = ended(running)
    assert "5 newly said, 5 no longer said, 5 said differently; 0 as before" in told
    assert "- approved Acme" in told
    assert "+ hurra Acme" in told
    whole = ask(running, "/playground/backtest")[1]
    assert "Your backtest" in whole
    assert TOKEN not in whole
    other = {"authorization": "Basic " + _basic("adam:the-viewers-pass"), "accept": "text/html"}
    assert "There is none" in running.get("/playground/backtest", **other)[1]


def test_a_backtest_is_cancelled_and_one_that_changes_nothing_says_so(running: Running) -> None:
    text = rules_of(running)
    began(running, text.replace("approved {{", "hurra {{"), "30d")
    told = ask(running, "/playground/backtest/cancel", {}, hx_request="true")[1]
    assert "The backtest was cancelled." in told
    began(running, text + "# a comment\n")
    assert "Nothing changes." in ended(running)


def test_a_backtest_that_makes_no_sense_is_refused_in_words(running: Running) -> None:
    text = rules_of(running)
    status, told = began(running, text)
    assert status == 400
    assert "the rules are as those in force" in told
    assert "`since` is one of 1d, 7d, 30d" in began(running, text + "#\n", "1y")[1]
    began(running, text + "rulez: 1\n")
    assert "Your rules have 1 problem; correct them first" in ended(running)


def test_any_process_tells_of_a_backtest(
    far: HttpFarEnd, tmp_path: Path, database_url: str
) -> None:
    passwords = {"ROUTER_ADMIN_PASSWORD": "p" * 12, "ROUTER_VIEWER_PASSWORD": "the-viewers-pass"}
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "family.txt.j2").write_text(FAMILY, encoding="utf-8")
    rules = RULES.format(far=far.url, literal=LITERAL, hook=HOOK)
    made = Running(
        tmp_path, rules, {**passwords, "OTHER": "http://x", "ROUTER_DATABASE_URL": database_url}
    )
    made.start("--workers", "2")
    try:
        assert made.post(APPROVED)[0] == 202
        began(made, rules_of(made).replace("approved {{", "hurra {{"))
        told = [words(ask(made, "/playground/backtest", hx_request="true")[1]) for _ in range(20)]
        assert all("Cancel the backtest" in one or "said differently" in one for one in told)
        assert "2 said differently" in ended(made)
    finally:
        made.stop()


def test_nothing_is_sent_and_nothing_is_stored(running: Running, far: HttpFarEnd) -> None:
    def rows() -> dict[str, int]:
        with closing(sqlite3.connect(running.folder / "router.db")) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            quiet = {"meta", "processes", "tries", "sqlite_sequence"}
            names = [name for (name,) in tables if name not in quiet]
            count = "SELECT COUNT(*) FROM "
            return {n: database.execute(f'{count}"{n}"').fetchone()[0] for n in names}

    sent = len(far.posted)
    before = rows()
    text = rules_of(running).replace("approved {{", "hurra {{")
    for typed in (None, text, text + "rulez: 1\n"):
        tried(running, APPROVED, typed)
    ask(running, "/playground/tests", {"file": str(running.rules), "text": text})
    assert rows() == before
    assert len(far.posted) == sent


def test_slow_questions_of_one_viewer_make_nobody_else_wait_long(running: Running) -> None:
    """16 at once of one, while another asks: each has a turn, and who gets none is told."""
    text = rules_of(running)
    loops = "{% for a in 'xxxxxxxxxx' %}" * 4 + "a" + "{% endfor %}" * 4
    slow = "".join(
        f'  - {{ name: slow {n}, when: always, notify: sink, body: "{n}{loops}" }}\n'
        for n in range(600)
    )
    form = {"event": json.dumps(APPROVED), "file": str(running.rules)}
    form["text"] = text.replace("tests:", f"{slow}tests:")
    quick = {**form, "text": text.replace("approved {{", "hurra {{")}

    def ask_slowly(number: int) -> tuple[int, str, str | None]:
        return post_form(running, "adam", {**form, "mark": f"page {number}"})

    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(ask_slowly, number) for number in range(16)]
        wait_until(lambda: any(future.done() for future in asked))  # so the others wait by now
        before, tries, status = answered(asked), 0, 503
        # To start the process anew takes a busy machine seconds: then one is told to try again.
        while status == 503 and tries < 5:
            tries += 1
            status, said, _ = post_form(running, "eve", quick)
        turns = answered(asked) - before
        answers = [future.result() for future in asked]
    assert (status, "hurra Acme" in said) == (200, True)
    assert turns <= 2 * tries  # one that was being asked, and one that came first
    assert {status for status, _, _ in answers} == {200, 503}
    told = ("What you are trying already takes long", "Others are trying rules just now")
    for status, answer, retry_after in answers:
        crowded = any(f"{words}; try again in 10 seconds." in answer for words in told)
        slow_or_done = "It takes longer than" in answer or "by your rules" in answer
        assert (crowded, slow_or_done) == (status == 503, status == 200), answer
        assert retry_after == ("10" if status == 503 else None)


def answered(asked: Sequence[Future[tuple[int, str, str | None]]]) -> int:
    """How many were answered by what they asked, and not told to try again."""
    return sum(future.done() and future.result()[0] == 200 for future in asked)


def post_form(running: Running, name: str, form: dict[str, str]) -> tuple[int, str, str | None]:
    """What somebody is answered: status, words, when to try again."""
    headers = {
        "authorization": "Basic " + _basic(f"{name}:the-viewers-pass"),
        "content-type": "application/x-www-form-urlencoded",
        "hx-request": "true",
    }
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    with closing(connection):
        connection.request("POST", "/playground", urllib.parse.urlencode(form), headers)
        answer = connection.getresponse()
        told = words(answer.read().decode())
        return answer.status, told, answer.headers["retry-after"]
