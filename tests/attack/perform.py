"""`python -m attack.perform NUMBER PORT SECRET SECONDS`: one attack, its answers as JSON.

A process of its own that yields to all others: a stranger's machine is not the router's.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time

from attack.catalogue import ATTACKS
from attack.target import Target


def main() -> None:
    """Wait until told to begin, attack, and print what was answered."""
    number, port, secret, seconds = sys.argv[1:]
    os.nice(10)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    began = time.monotonic()
    answers = ATTACKS[int(number)].function(Target(int(port), secret), float(seconds))
    print(json.dumps({"answers": answers, "seconds": time.monotonic() - began}))  # noqa: T201


if __name__ == "__main__":
    main()
