"""The table of a run: a row for each scenario, and its findings below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chaos.checker import acknowledged, check
from chaos.health import longest_healthy_silence, readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaos.checker import Finding
    from chaos.history import Bounds, History
    from chaos.scenario import Scenario

HEAD = (
    "scenario",
    "engine",
    "replicas",
    "acknowledged",
    "messages",
    "repeats (marked)",
    "healthy silent",
    "due went after",
    "/livez",
    "/readyz",
    "verdict",
)


class Verdict(msgspec.Struct, frozen=True):
    """What became of one scenario: a row of the table, and what was found."""

    name: str
    fault: str
    cells: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    failure: str = ""
    """Why it could not be played, where it could not."""

    @property
    def red(self) -> bool:
        return bool(self.failure) or any(not finding.stated for finding in self.findings)


def judge(scenario: Scenario, history: History, bounds: Bounds) -> Verdict:
    """Check a history and make its row."""
    findings = tuple(check(history, bounds))
    silent, _ = longest_healthy_silence(history)
    seen: set[str] = set()
    repeats = marked = 0
    for arrival in history.arrivals:
        if arrival.message_id in seen:
            repeats += 1
            marked += arrival.repeat
        seen.add(arrival.message_id)
    cells = (
        scenario.name,
        scenario.database,
        str(scenario.replicas),
        str(len(acknowledged(history))),
        str(len(history.arrivals)),
        f"{repeats} ({marked})",
        f"{silent:.1f} s",
        "never" if history.recovered is None else f"{history.recovered - history.calm:.1f} s",
        readings(history, "livez"),
        readings(history, "readyz"),
        _summary(findings),
    )
    return Verdict(scenario.name, scenario.fault, cells, findings)


def failed(scenario: Scenario, reason: str) -> Verdict:
    """The verdict on a scenario that could not be played."""
    cells = (scenario.name, scenario.database, str(scenario.replicas), *["-"] * 7, "RED: not run")
    return Verdict(scenario.name, scenario.fault, cells, failure=reason)


def table(verdicts: Sequence[Verdict]) -> str:
    """All rows, aligned, and each finding in a line of its own."""
    rows = [HEAD, *(verdict.cells for verdict in verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    for verdict in verdicts:
        if verdict.failure or verdict.findings:
            lines += ["", f"{verdict.name} ({verdict.fault}):"]
        if verdict.failure:
            lines.append(f"  not run: {verdict.failure}")
        lines += [
            f"  {finding.law}: {finding.text}{' (a known loss)' if finding.stated else ''}"
            for finding in verdict.findings
        ]
    return "\n".join(lines)


def _summary(findings: Sequence[Finding]) -> str:
    red = sorted({finding.law for finding in findings if not finding.stated})
    if red:
        return f"RED: {', '.join(red)}"
    return "green, with a known loss" if findings else "green"
