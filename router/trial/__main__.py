"""The process that trials run in: a question a line on stdin, an answer a line on stdout.

It says when it can be asked. It ends when nobody asks any more, when its parent is gone, and when
an answer takes too long.
"""

from __future__ import annotations

import os
import select
import sys

import msgspec

from router.trial.answer import Trials
from router.trial.aside import READY, SECONDS
from router.trial.confine import begin_work, confine, end_work
from router.trial.question import Question

IDLE = 300.0
MEMORY = 1024**3


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else may get between the answers
    confine(MEMORY)
    questions = msgspec.json.Decoder(Question)
    trials = Trials()
    answers.write(READY)
    answers.flush()
    while select.select([0], [], [], IDLE)[0]:
        line = sys.stdin.buffer.readline()
        if not line:
            return
        begin_work(SECONDS)
        answers.write(msgspec.json.encode(trials.answer(questions.decode(line))) + b"\n")
        answers.flush()
        end_work()


if __name__ == "__main__":
    main()
