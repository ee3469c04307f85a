"""Commands as they are typed: run as a process of their own, beside no service."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "router" / "samples" / "6_case_state_changed.json"


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `router` in the repository with these arguments and settings."""
    return run_in(ROOT, arguments, settings)


def run_in(
    folder: Path, arguments: Sequence[str], settings: Mapping[str, str], answers: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `router` in a folder; `answers` is what is typed into it."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ROUTER_") and name != "COLUMNS"
    }
    return subprocess.run(
        [sys.executable, "-m", "router", *arguments],
        env={**environment, **settings},
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
        input=answers,
    )
