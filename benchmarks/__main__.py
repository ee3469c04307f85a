"""`make bench`: all figures in one run, as a table; `python -m benchmarks quick` takes less."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable

from benchmarks.backlog import backlog, storm
from benchmarks.claims import claims
from benchmarks.idle import idle
from benchmarks.pages import pages
from benchmarks.parts import matching, sending
from benchmarks.rehearsing import rehearsing
from benchmarks.service import accepts, delivered, latency
from benchmarks.table import Row, show


def main() -> None:
    quick = "quick" in sys.argv[1:]
    began = time.perf_counter()
    rows: list[Row] = []
    figures: tuple[tuple[str, Callable[[], list[Row]]], ...] = (
        ("sending", lambda: sending(200 if quick else 2_000)),
        ("matching", matching),
        ("accepting", lambda: accepts(2_000 if quick else 40_000)),
        ("latency", latency),
        ("pages", lambda: pages(50_000 if quick else 1_000_000)),
        ("rehearsing", lambda: rehearsing(10_000 if quick else 100_000, 1_000)),
        ("delivering", lambda: delivered(1_000 if quick else 20_000)),
        ("storm", lambda: storm(1_000 if quick else 10_000)),
        ("backlog", lambda: backlog(2_000 if quick else 100_000)),
        ("claims", lambda: claims((100, 10_000) if quick else (100, 10_000, 1_000_000))),
        ("idle", lambda: idle(20_000 if quick else 200_000, 10.0 if quick else 30.0)),
    )
    for name, work in figures:
        sys.stderr.write(f"{name} ...\n")
        rows += work()
    print(show(rows))
    took = time.perf_counter() - began
    print(f"\nPython {platform.python_version()}, {took:.0f} s, one run; compare ratios.")


if __name__ == "__main__":
    main()
