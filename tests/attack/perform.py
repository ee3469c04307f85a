"""`python -m attack.perform NUMBER PORT SECRET PACE SECONDS`: one attack, its answers as JSON.

A process of its own that yields to all others: a stranger's machine is not the router's.
"""

from __future__ import annotations

import json
import os
import resource
import sys

from attack.catalogue import ATTACKS
from attack.target import Target


def main() -> None:
    """Attack, and print what was answered."""
    number, port, secret, pace, seconds = sys.argv[1:]
    os.nice(10)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    target = Target(int(port), secret, float(pace))
    answers = ATTACKS[int(number)].function(target, float(seconds))
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main()
