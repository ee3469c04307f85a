"""What README and docs show is so: their rules are checked, their commands and settings exist."""

from __future__ import annotations

import ast
import importlib
import json
import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from router import gate, rules, settings
from router.cli import COMMANDS
from router.delivery import Gateway, formats, inspect
from router.event import Event, decode
from router.ledger import gather, lanes, open_ledger, purge
from router.mute import begin_mute
from router.preview import preview
from router.render import Occasion, Renderer, render
from router.route import RoutingTable
from router.rulebook import Built, Files, build, prove, read_files
from router.rules import Ruleset
from router.secret import Secret
from router.settings import NAMES
from router.timing import Planned
from router.web.app import ROUTES

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HEAD = 'version: 1\nsources: { s: { secret: "${SECRET}" } }\n'
CHANNELS = ("kyc-team", "compliance", "operations", "head-of-kyc")
OFFICE = """calendars:
  office: { timezone: Europe/Zurich, days: mon-fri, hours: "08:00-18:00" }
"""
RULE = "rules:\n  - { name: r, when: always, notify: [kyc-team, compliance] }\n"


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def built(text: str, **others: str) -> Built:
    found = build(
        Files("rules.yaml", {"rules.yaml": text}, {}, others),
        environment={},
        read_file=str,
        inspect_channel=inspect,
        outbound="capture",
    )
    return prove(found, formats)


def whole(block: str) -> str:
    """A part of a rules file, made whole."""
    if block.startswith("version"):
        return block
    if block.startswith("channels"):
        all_of_them = ", ".join(re.findall(r"^  ([a-z]+):", block, re.MULTILINE))
        return f"{HEAD}{block}rules:\n  - {{ name: r, when: always, notify: [{all_of_them}] }}\n"
    if block.startswith("when"):
        rule = "".join(f"    {line}\n" for line in block.splitlines())
        block = f"rules:\n  - name: r\n    notify: [kyc-team, compliance]\n{rule}"
    if block.startswith("calendars") and "rules:" not in block:
        names = re.findall(r"^  ([a-z-]+):", block, re.MULTILINE)
        told = "when: { trigger: case_created }, notify: kyc-team"
        rules = "".join(
            f"  - {{ name: {name}, hours: {name}, title: {name}, {told} }}\n" for name in names
        )
        block = f"{block}rules:\n{rules}"
    block = re.sub(r"(, )?\s*template: case_declined", "", block)
    if "rules:" not in block:
        block += RULE
    if "office" in block and "calendars:" not in block:
        block = OFFICE + block
    channels = [
        f"  {n}: {{ webhook: {{ url: http://127.0.0.1:9/ }} }}\n" for n in CHANNELS if n in block
    ]
    return f"{HEAD}channels:\n{''.join(channels)}{block}"


YAML = [(page.name, block) for page in PAGES for block in blocks(page, "yaml")]


@pytest.mark.parametrize(("page", "block"), YAML, ids=[f"{p}-{n}" for n, (p, _) in enumerate(YAML)])
def test_every_rule_that_is_shown_has_no_problem(page: str, block: str) -> None:
    found = built(whole(block))
    assert found.problems == [], page


def test_the_readmes_rule_makes_the_readmes_message() -> None:
    readme = PAGES[0]
    ruleset = built(blocks(readme, "yaml")[0]).ruleset
    assert ruleset is not None
    body = blocks(readme, "json")[0].encode()
    event = Event(1, "atfinity", 1.7e9, body, decode(body))
    gateway = Gateway(
        ruleset.channels, outbound="capture", ca_bundle=None, redactor=ruleset.redactor()
    )
    renderer = Renderer({}, base_url="http://x")
    (made,) = preview(event, RoutingTable(ruleset), renderer, gateway).messages
    gateway.close()
    shown = next(b for b in blocks(readme, "text") if b.startswith("Approved"))
    assert f"{made.message.title}\n{made.message.body}\n" == shown
    assert made.captured is not None
    assert json.loads(made.captured["body"])["channel"] == "#kyc"


def test_the_readmes_problem_is_the_one_that_check_tells() -> None:
    golden = (ROOT / "tests" / "bad_rules" / "unknown_key.out").read_text(encoding="utf-8")
    assert any(golden.startswith(block.strip()) for block in blocks(PAGES[0], "text"))


def test_the_difference_that_is_shown_is_the_one_that_is_told() -> None:
    page = ROOT / "docs" / "testing.md"
    tests = [built(whole(block)).tested for block in blocks(page, "yaml")]
    assert [len(tested) for tested in tests] == [2, 2, 2]
    (block,) = (b for b in blocks(page, "yaml") if "a case that nobody moves" in b)
    (failed, _) = built(whole(block.replace("at: 4d", "at: 5d"))).tested
    shown = next(b for b in blocks(page, "text") if "+++ said" in b)
    assert all(f"    {line}\n" in shown for line in failed.diff)
    assert f"test `{failed.test.name}` fails" in shown


def test_every_command_and_setting_that_is_named_exists() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name, rest in re.findall(r"(?:`|^)router ([a-z][a-z-]+)([^`\n#]*)", text, re.MULTILINE):
        assert name in COMMANDS, name
        command = importlib.import_module(f"router.cli.{name.replace('-', '_')}").command
        parts = (command, *getattr(command, "commands", {}).values())
        known = {o for part in parts for parameter in part.params for o in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, rest
    for name in re.findall(r"ROUTER_[A-Z_]+", text):
        assert name.removesuffix("_FILE") in NAMES, name
    assert {name for name in NAMES if name not in text} <= set()
    assert all(f"router {name}" in text or f"`{name}`" in text for name in COMMANDS)


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for target in re.findall(r"`?make ([a-z0-9]+)", page.read_text(encoding="utf-8")):
            assert f"\n{target}:" in makefile, target


def test_every_link_within_the_docs_leads_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert link.startswith("https://") or (page.parent / link).exists(), link


def test_every_route_that_is_named_exists() -> None:
    known = {path for handler in ROUTES for path in handler.paths if path.startswith("/api/")}
    known = {re.sub(r"\{[^}]*\}", "ID", path) for path in known}
    named = {
        n for p in PAGES for n in re.findall(r"/api/[a-zA-Z/]+(?:\.json)?", p.read_text("utf-8"))
    }
    assert named <= known
    assert {path for path in known if path not in named} <= set()


def test_the_walk_through_the_house_names_every_room_of_the_ledger() -> None:
    page = (ROOT / "docs" / "code.md").read_text(encoding="utf-8")
    for path in (ROOT / "router" / "ledger").glob("[a-z]*.py"):
        assert f"`{path.stem}`" in page or path.stem == "ledger", path.stem
    for name in re.findall(r"`([a-z_]+\.py)`", page):
        assert (ROOT / "router" / name).exists(), name


def ruleset_of(block: str, **others: str) -> Ruleset:
    found = built(whole(block), **others)
    assert found.ruleset is not None
    return found.ruleset


def block_with(page: str, words: str) -> str:
    return next(block for name, block in YAML if name == page and words in block)


def posted(at: str, **fields: str) -> Event:
    moment = datetime.fromisoformat(at).replace(tzinfo=ZURICH).timestamp()
    body = json.dumps({"case_id": 1, **fields}).encode()
    return Event(1, "s", moment, body, decode(body))


def local(moment: float | None) -> str:
    assert moment is not None
    return datetime.fromtimestamp(moment, ZURICH).strftime("%a %H:%M")


ZURICH = ZoneInfo("Europe/Zurich")
THURSDAY = "2026-03-05T16:00"
STATE = "case_state_changed"


@pytest.mark.parametrize("page", ["README.md", "rules.md"])
def test_what_is_stuck_since_thursday_is_told_on_monday_unless_it_moves(page: str) -> None:
    table = RoutingTable(ruleset_of(block_with(page, "name: stuck in review")))
    entered = posted(THURSDAY, trigger=STATE, current_state_key="in_review")
    (planned,) = table.route(entered).planned
    assert local(planned.moment) == "Mon 16:00"
    left = posted(THURSDAY, trigger=STATE, previous_state_key="in_review")
    assert table.route(left).cancels == ("stuck in review",)


def test_reminders_and_escalations_come_when_the_docs_say() -> None:
    table = RoutingTable(ruleset_of(block_with("rules.md", "remind:")))
    event = posted(THURSDAY, trigger=STATE, current_state_key="to_approve")
    first, others = table.route(event).planned
    assert (first.moment, first.channel, others.channel) == (None, "kyc-team", "head-of-kyc")
    assert first.terms is not None
    assert first.terms.again is not None
    assert (local(first.terms.again[0]), local(others.moment)) == ("Fri 16:00", "Fri 10:00")


def test_hours_hold_or_drop() -> None:
    table = RoutingTable(ruleset_of(block_with("rules.md", "outside: drop")))
    (held,) = table.route(posted("2026-03-07T12:00", trigger="case_proofs_updated")).planned
    (dropped,) = table.route(posted("2026-03-07T12:00", trigger="case_comment")).planned
    assert held.terms is not None
    assert dropped.terms is not None
    assert (local(held.terms.hold_until), dropped.terms.drop) == ("Mon 08:00", True)


def test_digests_close_when_the_docs_say() -> None:
    table = RoutingTable(ruleset_of(block_with("rules.md", "digest: { every: 1h")))
    for trigger, closes in (("case_documents_updated", "Thu 17:00"), ("case_comment", "Fri 09:00")):
        (planned,) = table.route(posted(THURSDAY, trigger=trigger)).planned
        assert planned.terms is not None
        assert planned.terms.digest is not None
        assert local(planned.terms.digest.closes) == closes


def test_the_calendars_that_are_shown_open_and_close_as_they_say() -> None:
    (holidays,) = (b for b in blocks(ROOT / "docs" / "rules.md", "text") if "Good Friday" in b)
    ruleset = ruleset_of(block_with("rules.md", "file: holidays.txt"), **{"holidays.txt": holidays})
    found = {rule.name: rule.hours.calendar for rule in ruleset.rules if rule.hours is not None}
    for name, at, opens in (
        ("office", "2027-03-25T12:00", True),
        ("office", "2027-03-26T12:00", False),
        ("office", "2027-08-06T12:00", False),
        ("office", "2026-12-31T12:00", False),
        ("branch", "2026-03-05T12:30", False),
        ("branch", "2026-03-06T15:00", False),
        ("branch", "2026-03-05T15:00", True),
        ("night-shift", "2026-03-07T05:00", True),
        ("night-shift", "2026-03-07T23:00", False),
    ):
        moment = datetime.fromisoformat(at).replace(tzinfo=ZURICH).timestamp()
        assert found[name].is_open(moment) is opens, (name, at)


def test_rates_are_as_the_docs_say() -> None:
    channels = ruleset_of(block_with("rules.md", "overflow: keep")).channels
    assert channels["bot"].rate == rules.Rate(2.0, 5, gather=True)
    assert channels["hook"].rate == rules.Rate(1.0, 4, gather=False)
    assert channels["system"].rate == rules.Rate(2.5, 1, gather=False)
    mailbox = ruleset_of(block_with("rules.md", "mailbox:")).channels["mailbox"]
    assert mailbox.rate == rules.Rate(2.0, 10, gather=False)


NUMBERS = (
    ("at most 250 deliveries", gate.CARRY == 250),
    ("250 deliveries at most", gate.CARRY == 250),
    ("more wait than the rate carries in ten seconds", gather.PATIENCE == 10.0),
    ("two per cent slower", round(rules.Rate(1.0).spacing, 6) == 1.02),
    ("24 hours, 5 seconds and an hour", rules.Retry() == rules.Retry(86400.0, 5.0, 3600.0)),
    ("After three such failures in a row", lanes.TRIP == 3),
    ("an hour at most", lanes.LONGEST_REST == 3600.0),
    ("200 events at a time", purge.STEP == 200),
    ("`ROUTER_RETENTION` | `90d`", settings.Settings.__struct_defaults__.count(90 * 86400.0) == 1),
    (render._HELD.format(number=3), True),
)


@pytest.mark.parametrize(("words", "holds"), NUMBERS, ids=[words for words, _ in NUMBERS])
def test_the_numbers_that_are_told_are_those_of_the_code(words: str, holds: bool) -> None:
    assert any(words in page.read_text(encoding="utf-8") for page in PAGES)
    assert holds


def test_the_reasons_that_are_explained_are_those_that_are_told() -> None:
    told = {
        node.value
        for path in (ROOT / "router").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page[page.index("| reason |") : page.index("`router explain 1841`")]
    reasons = [line.split("|")[1].strip() for line in table.splitlines()[2:] if line]
    assert len(reasons) > 15
    for reason in reasons:
        pieces = reason.removeprefix("(on pages)").replace("rules, channel", "rules\u2026channel")
        for piece in pieces.split("\u2026"):
            assert any(piece.strip() in text for text in told), reason


def test_the_mutes_that_are_shown_are_mutes(tmp_path: Path) -> None:
    page = ROOT / "docs" / "operations.md"
    ruleset = ruleset_of(RULE)
    given = [json.loads(block) for block in blocks(page, "json")]
    shown = r'^router mute (\S+) --for (\S+) --reason "(.*)"'
    lines = re.findall(shown, page.read_text(encoding="utf-8"), re.MULTILINE)
    given += [dict(zip(("name", "for", "reason"), line, strict=True)) for line in lines]
    ledger = open_ledger(Secret(f"sqlite:///{tmp_path / 'r.db'}"), lambda: 0.0)
    made = [
        begin_mute(
            ledger, ruleset, name=one["name"], kind=None, length=one["for"],
            reason=one["reason"], author="a reader", now=0.0,
        )
        for one in given
    ]  # fmt: skip
    ledger.close()
    assert [mute.kind for mute in made] == ["channel", "channel", "case"]


def test_the_shipped_digest_lists_what_it_holds() -> None:
    files = read_files(str(ROOT / "rules.yaml"))
    ruleset = build(
        files, environment={}, read_file=str, inspect_channel=inspect, outbound="capture"
    ).ruleset
    assert ruleset is not None
    rule = ruleset.rule("documents to file")
    assert rule is not None
    several = tuple(
        posted(THURSDAY, trigger="case_documents_updated", case_name=name) for name in ("A", "B")
    )
    message = Renderer(ruleset.templates, base_url="http://x").strict(
        event=several[-1],
        rule=rule,
        target=rule.targets[0],
        channel=ruleset.channels["registry"],
        format="html",
        occasion=Occasion(events=several),
    )
    assert message.title == "Documents to file: 2 updates"
    assert "A: documents updated" in message.body
    assert "B: documents updated" in message.body


def test_the_samples_make_a_handful_of_messages_and_none_of_them_waits_for_another() -> None:
    files = read_files(str(ROOT / "rules.yaml"))
    ruleset = build(
        files, environment={}, read_file=str, inspect_channel=inspect, outbound="capture"
    ).ruleset
    assert ruleset is not None
    table = RoutingTable(ruleset)
    planned: list[Planned] = []
    for sample in sorted((ROOT / "router" / "samples").glob("*.json")):
        body = sample.read_bytes()
        planned += table.route(Event(0, "atfinity", 1.77e9, body, decode(body))).planned
    collected = {one.channel for one in planned if one.terms and one.terms.digest}
    assert collected == {"registry"}
    assert all(one.terms and one.terms.digest for one in planned if one.channel == "registry")
    assert 10 <= len(planned) <= 20
