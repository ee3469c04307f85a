"""`python -m simulation`: play seeds, print a table, exit 1 if any is red."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from simulation.run import Run, empty_database, play

SHOWN = 40
"""Lines of the trace of a red seed that are shown."""


def main() -> int:
    """Play what was asked for; returns the exit status."""
    options = _options()
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of what is played
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "simulation", *sys.argv[1:]])
    seeds = options.seed or range(options.first, options.first + options.seeds)
    began = time.monotonic()
    counts: Counter[str] = Counter()
    red: list[int] = []
    posts = seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        empty = empty_database(Path(folder))
        for seed in seeds:
            run = play(seed, empty)
            counts += run.counts
            posts += run.posts
            seconds += run.seconds
            _show(run, options.lines)
            if run.findings:
                red.append(seed)
    _say("")
    for name, number in sorted(counts.items()):
        _say(f"{number:8} {name}")
    _say(
        f"\n{len(seeds)} seeds, {posts:.0f} posts, {seconds / 3600:.1f} simulated hours,"
        f" {time.monotonic() - began:.0f} s; {len(red)} red{': ' if red else ''}"
        f"{', '.join(map(str, red))}"
    )
    return 1 if red else 0


def _show(run: Run, lines: int) -> None:
    _say(
        f"seed {run.seed}: {run.posts} posts, {run.accepted} accepted, {run.arrived} arrived,"
        f" {run.points} points, {run.seconds:.0f} s, trace {run.digest}"
    )
    if not run.findings:
        return
    for kept in (run.marks, run.lines):
        for line in kept[max(0, len(kept) - lines) :]:
            _say(f"  {line}")
        _say("")
    for finding in run.findings:
        _say(f"  RED {finding.law}: {finding.text}")
    _say(f"  again: PYTHONPATH=tests python -m simulation --seed {run.seed}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, action="append", help="play this one; repeatable")
    parser.add_argument("--lines", type=int, default=SHOWN, help="lines of a trace that are shown")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
