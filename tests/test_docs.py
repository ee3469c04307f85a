"""What README and docs show is so: their rules are checked, their commands and settings exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from router.cli import COMMANDS
from router.delivery import Gateway, inspect
from router.event import Event, decode
from router.preview import preview
from router.render import Renderer
from router.route import RoutingTable
from router.rulebook import Built, Files, build
from router.settings import NAMES

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HEAD = 'version: 1\nsources: { s: { secret: "${SECRET}" } }\n'
CHANNELS = """channels:
  kyc-team: { webhook: { url: http://127.0.0.1:9/ } }
  compliance: { webhook: { url: http://127.0.0.1:9/ } }
"""


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def built(text: str) -> Built:
    return build(
        Files("rules.yaml", {"rules.yaml": text}, {}),
        environment={},
        read_file=str,
        inspect_channel=inspect,
        outbound="capture",
    )


def whole(block: str) -> str:
    """A part of a rules file, made whole."""
    if block.startswith("version"):
        return block
    if block.startswith("when"):
        rule = "".join(f"    {line}\n" for line in block.splitlines())
        return f"{HEAD}{CHANNELS}rules:\n  - name: r\n    notify: [kyc-team, compliance]\n{rule}"
    if block.startswith("rules"):
        return HEAD + CHANNELS + block.replace("    template: case_declined\n", "").replace(
            ", template: case_declined", "")  # fmt: skip
    names = ", ".join(re.findall(r"^  ([a-z]+):", block, re.MULTILINE))
    return f"{HEAD}{block}rules:\n  - {{ name: r, when: always, notify: [{names}] }}\n"


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


def test_every_command_and_setting_that_is_named_exists() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in re.findall(r"`?router ([a-z][a-z-]+)", text):
        assert name in COMMANDS or name in {"tells", "is", "writes"}, name
    for name in re.findall(r"ROUTER_[A-Z_]+", text):
        assert name in NAMES, name
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
