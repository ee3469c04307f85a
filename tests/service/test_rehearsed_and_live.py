"""A backtest tells what a live run of the same rules really sent."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from far_end import HttpFarEnd, wait_until
from router.delivery import formats, inspect
from router.ledger import open_ledger
from router.rehearse import rehearse
from router.render import Renderer
from router.route import RoutingTable
from router.rulebook import Files, build
from router.said import words_of
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router.rules import Ruleset
    from running import Running

HEAD = """\
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels:
  team: {{ webhook: {{ url: {far}/team }} }}
  desk: {{ webhook: {{ url: {far}/desk }} }}
calendars:
  never: {{ timezone: UTC, days: mon-sun, hours: "{hours}" }}
"""
RULES = """\
rules:
  - { name: made, when: { trigger: case_created }, notify: [team, desk], title: "{{ case_id }}" }
  - name: waits
    when: { trigger: case_state_changed, current_state_key: in_review }
    after: 3s
    unless: { trigger: case_state_changed, previous_state_key: in_review }
    escalate: [{ after: 6s, notify: desk }]
    notify: team
    title: "still {{ case_id }}"
  - name: seldom
    when: { trigger: case_changed }
    throttle: { once_per: 4500ms, by: case_id }
    notify: team
    title: "changed {{ case_id }} ({{ held }})"
  - name: together
    when: { trigger: case_documents_updated }
    digest: { every: 3600ms, by: process_key }
    notify: desk
    title: "{{ count }} of {{ process_key }}"
    body: "{% for one in events %}{{ one.case_id }} {% endfor %}"
  - name: again
    when: { trigger: case_proofs_updated }
    remind: { every: 2100ms, at_most: 2 }
    unless: { trigger: case_finished }
    notify: team
    title: "proofs {{ case_id }} {{ reminder }}"
  - name: once
    when: { trigger: case_comment }
    dedupe: 30s
    notify: desk
    title: "comment {{ case_id }}"
  - name: dropped
    when: { trigger: case_approved }
    hours: { calendar: never, outside: drop }
    notify: team
    title: "never"
  - name: held
    when: { trigger: case_declined }
    hours: never
    notify: desk
    title: "later"
"""
QUIET = """\
rules:
  - { name: nothing, when: { trigger: nothing }, notify: [team, desk], title: "-" }
"""


@pytest.fixture
def far() -> Iterator[HttpFarEnd]:
    with HttpFarEnd() as one:
        yield one


def _head(far: HttpFarEnd) -> str:
    """Channels at the far end, and a calendar that is closed for hours."""
    closed = "02:00-03:00" if 6 <= time.gmtime().tm_hour < 22 else "12:00-13:00"
    return HEAD.format(far=far.url, hours=closed)


STATE: dict[str, Any] = {"trigger": "case_state_changed"}
ENTERS = {**STATE, "current_state_key": "in_review"}
LEAVES = {**STATE, "previous_state_key": "in_review", "current_state_key": "done"}
DOCUMENTS: dict[str, Any] = {"trigger": "case_documents_updated", "document_keys": ["form"]}
# Whoever acts is seconds apart: on a busy machine a timer fires late, and a post takes long.
SCRIPT: list[tuple[float, dict[str, Any]]] = [
    (0.0, {"trigger": "case_created", "case_id": 1}),
    (0.0, {"trigger": "case_created", "case_id": 1}),
    (0.0, {**ENTERS, "case_id": 2}),
    (0.0, {**ENTERS, "case_id": 3}),
    (0.0, {**DOCUMENTS, "case_id": 4, "process_key": "kyc"}),
    (0.0, {**DOCUMENTS, "case_id": 5, "process_key": "credit"}),
    (0.0, {"trigger": "case_proofs_updated", "case_id": 6}),
    (0.0, {"trigger": "case_proofs_updated", "case_id": 7}),
    (0.0, {"trigger": "case_changed", "case_id": 8, "case_version": 1}),
    (0.0, {"trigger": "case_comment", "case_id": 9}),
    (1.2, {"trigger": "case_changed", "case_id": 8, "case_version": 2}),
    (1.2, {"trigger": "case_comment", "case_id": 9}),
    (1.2, {**LEAVES, "case_id": 3}),
    (1.2, {**DOCUMENTS, "case_id": 4, "process_key": "kyc", "case_version": 2}),
    (1.2, {"trigger": "case_approved", "case_id": 10}),
    (1.2, {"trigger": "case_declined", "case_id": 11}),
    (1.2, {"trigger": "case_created", "case_id": 11}),  # on `desk` behind what is held
    (3.0, {"trigger": "case_finished", "case_id": 7}),
    (5.7, {"trigger": "case_changed", "case_id": 8, "case_version": 3}),
    (5.7, {**DOCUMENTS, "case_id": 4, "process_key": "kyc", "case_version": 3}),
]


def _post_all(running: Running) -> None:
    began = time.monotonic()
    for at, event in SCRIPT:
        time.sleep(max(0.0, began + at - time.monotonic()))
        assert running.post(event)[0] == 202


def _sent(far: HttpFarEnd) -> list[tuple[str, str, list[int], str, str, float]]:
    """What the far end got: rule, channel, events, title, body, and when."""
    told = []
    for one in list(far.posted):
        body = json.loads(one.body)
        words = body["message"]
        events = [event["id"] for event in body.get("events", [body["event"]])]
        rule = body["rule"]["name"]
        told.append((rule, one.path[1:], events, words["title"], words["body"], one.at))
    return sorted(told)


def _ruleset(text: str) -> Ruleset:
    found = build(
        Files("rules.yaml", {"rules.yaml": text}, {}, {}),
        environment={"ATFINITY_SECRET": "x" * 32},
        read_file=str,
        inspect_channel=inspect,
        outbound="capture",
    )
    assert found.ruleset is not None, found.problems
    return found.ruleset


def test_a_rehearsal_of_the_history_says_what_was_really_sent(
    router: Callable[..., Running], far: HttpFarEnd
) -> None:
    running = router(_head(far) + RULES)
    _post_all(running)
    wait_until(lambda: len(running.deliveries("state=pending")) == 2)  # what is held
    ruleset = _ruleset(_head(far) + RULES)
    ledger = open_ledger(Secret(running.environment["ROUTER_DATABASE_URL"]), time.time)
    span = ledger.history.span(0.0)
    assert span is not None
    assert span.number == len(SCRIPT)
    found = rehearse(RoutingTable(ruleset), ledger.history.events(span), time.time())
    ledger.close()
    renderer = Renderer({}, base_url=f"http://127.0.0.1:{running.port}")
    kinds = formats(ruleset.channels)
    rehearsed = []
    for one in found.said:
        words = words_of(one, ruleset, renderer, kinds.__getitem__)
        events = [event.id for event in one.events]
        told = (one.rule, one.channel, events, words.title, words.body, one.at)
        rehearsed.append(told)
    really = _sent(far)
    assert [one[:5] for one in sorted(rehearsed)] == [one[:5] for one in really]
    late = [there[5] - here[5] for here, there in zip(sorted(rehearsed), really, strict=True)]
    assert all(0.0 <= seconds < 5.0 for seconds in late)
    assert [f.rule for f in found.fates if f.state == "pending"] == ["held", "made"]

    # The command tells the same, held against rules that say nothing.
    (running.folder / "new.yaml").write_text(_head(far) + RULES)
    running.rules.write_text(_head(far) + QUIET)
    report = json.loads(running.command("backtest", "new.yaml", "--json").stdout)
    assert (report["events"], report["new"], report["gone"]) == (len(SCRIPT), len(really), 0)
    by_rule = {(row["rule"], row["channel"]): row["new"] for row in report["rows"]}
    for rule, channel in {(one[0], one[1]) for one in really}:
        number = sum(one[:2] == (rule, channel) for one in really)
        assert by_rule[rule, channel] == number
