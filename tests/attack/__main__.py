"""`make attack`: play all attacks, print one table, and exit with 1 if any bound was broken."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from attack.catalogue import ATTACKS
from attack.round import attack, observe, start_router

if TYPE_CHECKING:
    from collections import Counter

    from attack.round import Attacked, Round

SECONDS = 8.0
BEFORE = 10.0
TRIES = 3
HEADINGS = (
    *("attack", "answered", "refused as", "memory"),
    *("p50, p99 before", "beside", "under attack, in ms", "verdict"),
)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="attack", description=__doc__)
    parser.add_argument("only", nargs="*", help="parts of names of attacks; all of them otherwise")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each attack")
    options = parser.parse_args()
    chosen = [
        number
        for number, entry in enumerate(ATTACKS)
        if not options.only or any(part in entry.name for part in options.only)
    ]
    if not chosen:
        parser.error(f"there is no such attack; there are {', '.join(a.name for a in ATTACKS)}")
    _say(" | ".join(HEADINGS))
    red = 0
    for descriptors in sorted({ATTACKS[number].descriptors for number in chosen}):
        numbers = [number for number in chosen if ATTACKS[number].descriptors == descriptors]
        _say(f"-- a router that may open {descriptors:,} files")
        red += asyncio.run(_play(numbers, descriptors, options.seconds))
    _say(f"{len(chosen)} attacks, {red} red")
    return 1 if red else 0


async def _play(numbers: list[int], descriptors: int, seconds: float) -> int:
    """Play attacks on one router, one after the other; returns how many are red."""
    red = 0
    with tempfile.TemporaryDirectory(prefix="router-attack-") as folder:
        running = start_router(Path(folder, "attacked"), descriptors)
        try:
            beside = start_router(Path(folder, "beside"), descriptors)
            try:
                attacked = await observe(running, beside, BEFORE)
                for number in numbers:
                    result = await _repeated(attacked, number, seconds)
                    faults = result.faults(timed=True)
                    red += bool(faults)
                    _say(" | ".join([*_cells(result), "; ".join(faults) or "holds"]))
            finally:
                beside.stop()
        finally:
            running.stop()
    return red


async def _repeated(attacked: Attacked, number: int, seconds: float) -> Round:
    """Attack; again where nothing but the speed is not as it must be: the machine is shared."""
    result = await attack(attacked, number, seconds)
    for _ in range(TRIES - 1):
        if result.faults(timed=False) or not result.is_slow():
            break
        result = await attack(attacked, number, seconds)
    return result


def _cells(result: Round) -> tuple[str, ...]:
    before, beside, under = result.before, result.beside, result.under
    return (
        f"{result.attack.name:24}",
        _counted(result.answers),
        _counted(result.refused),
        f"{result.growth:+.0f} MB",
        *(f"{p.percentile(0.5):.1f}, {p.percentile(0.99):.1f}" for p in (before, beside, under)),
    )


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{what} {number:,}" for what, number in counts.most_common()) or "-"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
