"""The table."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One figure, its reference from the same run, and the aim."""

    name: str
    value: float
    unit: str
    reference: float | None
    beside: str
    aim: str


def show(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | figure | reference | ratio | aim |", "|---|---|---|---|---|"]
    for row in rows:
        beside = row.beside
        ratio = ""
        if row.reference:
            beside = f"{_number(row.reference)} {row.unit} ({row.beside})"
            ratio = f"{row.value / row.reference:.2g}"
        lines.append(
            f"| {row.name} | {_number(row.value)} {row.unit} | {beside} | {ratio} | {row.aim} |"
        )
    return "\n".join(lines)


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
