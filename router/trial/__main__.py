"""The process that trials run in: a question a line on stdin, an answer a line on stdout.

It ends when nobody asks any more, when its parent is gone, and when an answer takes too long.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys

import msgspec

from router.trial.answer import Trials
from router.trial.aside import SECONDS
from router.trial.question import Question

IDLE = 300.0
MEMORY = 2 * 1024**3


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else may get between the answers
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends this
    questions = msgspec.json.Decoder(Question)
    trials = Trials()
    while select.select([0], [], [], IDLE)[0]:
        line = sys.stdin.buffer.readline()
        if not line:
            return
        # If the parent is gone, nobody else ends this.
        signal.alarm(int(SECONDS) + 2)
        answers.write(msgspec.json.encode(trials.answer(questions.decode(line))) + b"\n")
        answers.flush()
        signal.alarm(0)


if __name__ == "__main__":
    main()
