"""How long the commands take that hold rules against events: backtest, coverage, rule tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.history import write_history
from benchmarks.table import Row

ROOT = Path(__file__).parent.parent
TEST = """\
  - name: comment {number}
    event: {{ trigger: case_comment, case_id: {number} }}
    expect: [{{ rule: comments, channel: kyc-team }}]
"""


def rehearsing(events: int, tests: int) -> list[Row]:
    """Seconds of whole commands with the shipped rules, their start and all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_history(folder / "router.db", events)
        shutil.copytree(ROOT / "templates", folder / "templates")
        rules = (ROOT / "rules.yaml").read_text(encoding="utf-8")
        (folder / "rules.yaml").write_text(rules, encoding="utf-8")
        other = rules.replace("after: 2d", "after: 3d").replace("Credit {{", "Credit: {{")
        if other == rules:
            raise AssertionError("the new rules are the old ones")
        (folder / "new.yaml").write_text(other, encoding="utf-8")
        rows = [
            _row(f"backtest {events:,} events", folder, "<= 10 s", "backtest", "new.yaml"),
            _row(f"coverage of {events:,} events", folder, "", "coverage", "rules.yaml"),
        ]
        many = "tests:\n" + "".join(TEST.format(number=number) for number in range(tests))
        (folder / "many.test.yaml").write_text(many, encoding="utf-8")
        return [*rows, _row(f"{tests:,} rule tests", folder, "<= 5 s", "test")]


def _row(name: str, folder: Path, aim: str, command: str, *more: str) -> Row:
    since = () if command == "test" else ("--since", "90d")
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "router", command, *more, *since],
        cwd=folder,
        env={**os.environ, "ROUTER_DATABASE_URL": f"sqlite:///{folder / 'router.db'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return Row(name, took, "s", None, "", aim)
