"""What docs/backtest.md shows is what the command tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from router.backtest import Side, backtest
from router.cli.backtest import show
from router.delivery import formats, inspect
from router.event import Event
from router.render import Renderer
from router.route import RoutingTable
from router.rulebook import Files, build

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parent.parent.parent / "docs" / "backtest.md"
HEAD = """version: 1
sources: { s: { secret: "${S}" } }
channels:
  kyc-team: { webhook: { url: http://127.0.0.1:9/ } }
  compliance: { webhook: { url: http://127.0.0.1:9/ } }
"""
BEGAN = 1_772_438_400.0  # 2026-03-02 08:00 UTC


def side(block: str) -> Side:
    found = build(
        Files("rules.yaml", {"rules.yaml": HEAD + block}, {}, {}),
        environment={},
        read_file=str,
        inspect_channel=inspect,
        outbound="capture",
    )
    assert found.ruleset is not None, found.problems
    renderer = Renderer({}, base_url="http://x")
    return Side(RoutingTable(found.ruleset), renderer, formats(found.ruleset.channels))


def test_the_page_shows_what_the_command_tells(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    old, new = map(side, re.findall(r"```yaml\n(rules:.*?)```", page, re.DOTALL)[:2])
    events = []
    for number, (hours, trigger, case, name) in enumerate(
        [
            (0.0, "case_approved", 7, "Acme Corp"),
            (2.5, "case_approved", 7, "Acme Corp"),
            (3.0, "case_declined", 8, "Nordlicht AG"),
            (26.0, "case_approved", 9, "Blue Ltd"),
        ],
        1,
    ):
        fields = {
            "trigger": trigger,
            "case_id": case,
            "case_user_readable_id": f"KYC-{case:04}",
            "case_name": name,
        }
        body = msgspec.json.encode(fields)
        events.append(Event(number, "s", BEGAN + 3600 * hours, body, fields))
    show(backtest(old, new, events, BEGAN + 27 * 3600), 0.1)
    shown = re.sub(r"[ ]+$", "", capsys.readouterr().out, flags=re.MULTILINE)
    assert f"```text\n{shown}```" in page, shown
